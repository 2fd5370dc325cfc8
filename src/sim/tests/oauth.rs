//! Authorize page, token endpoint, rotation, token forms (sim quirks 1 to 6, 8, 27).

use std::time::Duration;

use super::Office;
use super::SCOPES;
use super::get;
use super::http;
use crate::sim::Switches;
use crate::sim::clock::unix_seconds;
use crate::sim::switches::DismissedRefresh;
use crate::sim::switches::ExpiredGrant;
use crate::sim::switches::Mode;
use crate::sim::switches::Rotation;
use crate::sim::switches::TokenForm;
use crate::sim::switches::TokenScope;
use serde_json::json;

fn strict() -> Office {
    Office::with(Switches {
        rotation: Rotation::Strict,
        token_cache: Duration::ZERO,
        ..Switches::default()
    })
}

#[test]
fn consent_redirects_to_the_card_with_six_parameters() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    // A redirect_uri of the request is ignored.
    let query =
        format!("client_id={}&state=n%2B1+x&redirect_uri=http://evil.example/", office.client_id);
    let answer = office.authorize(&query);
    assert_eq!(answer.status, 302);
    let location = answer.header("Location").expect("a redirect").to_owned();
    // The card's address has a query already, so the parameters are joined by `&`.
    let rest = location.strip_prefix("http://localhost:1/cb?agent=a&").expect("the card's address");
    let names: Vec<&str> = rest.split('&').filter_map(|pair| pair.split('=').next()).collect();
    assert_eq!(names, ["code", "state", "domain", "member_id", "scope", "server_domain"]);
    assert!(rest.contains("&state=n%2B1+x&"), "{rest}");
    assert!(rest.contains(&format!("&scope={}", SCOPES.join("%2C"))), "{rest}");
    let code = rest[5..].split('&').next().unwrap_or_default();
    assert_eq!(code.len(), 68);
}

#[test]
fn consent_without_state_gives_an_empty_state() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    let answer = office.authorize(&format!("client_id={}", office.client_id));
    assert!(answer.header("Location").is_some_and(|to| to.contains("&state=&domain=")));
}

#[test]
fn consent_errors_stay_on_the_page_with_status_200() {
    let office = Office::open();
    let query = format!("client_id={}", office.client_id);
    let form = office.authorize(&query);
    assert!(form.status == 200 && form.body.contains("log in"), "{form:?}");
    office.portal.sign_in(Some(office.ada));
    let unknown = office.authorize("client_id=local.x.1");
    assert!(unknown.status == 200 && unknown.body.contains("Application not found"));
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.installed = false;
    }
    let page = office.authorize(&query);
    assert!(page.status == 200 && page.body.contains("NOT_INSTALLED"), "{page:?}");
    for page in [form, unknown, page] {
        assert_eq!(page.header("Location"), None);
        assert_eq!(page.header("Content-Type"), Some("text/html; charset=UTF-8"));
    }
}

#[test]
fn cookie_chooses_who_consents() {
    let office = Office::open();
    let url = format!("{}/oauth/authorize/?client_id={}", office.portal.url(), office.client_id);
    let cookie = format!("Cookie: a=b; sim_user={}", office.ada);
    let answer = http("GET", &url, &[&cookie], b"");
    assert_eq!(answer.status, 302);
    office.portal.dismiss(office.ada);
    assert_eq!(http("GET", &url, &[&cookie], b"").status, 200, "a dismissed user has no session");
}

#[test]
fn exchange_answers_the_keys_in_the_order_of_real_samples() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    let answer = office.exchange(&office.code());
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let mut at = 0;
    for key in [
        "access_token",
        "expires",
        "expires_in",
        "scope",
        "domain",
        "server_endpoint",
        "status",
        "client_endpoint",
        "member_id",
        "user_id",
        "refresh_token",
    ] {
        let found = answer.body.find(&format!("\"{key}\":")).expect(key);
        assert!(found >= at, "{key} in {}", answer.body);
        at = found;
    }
    let body = answer.json();
    assert_eq!(body["user_id"], json!(office.ada));
    assert_eq!(body["scope"], json!("app"));
    assert_eq!(body["domain"], json!(office.portal.oauth_host()), "not the portal");
    assert_eq!(body["client_endpoint"], json!(format!("{}/rest/", office.portal.url())));
    assert!(answer.body.contains(":\\/\\/"), "slashes are escaped");
    let token = body["access_token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(office.call_with(&token, "profile", json!({})).result()["ID"], json!("101"));
}

#[test]
fn token_response_can_lack_keys_and_list_scopes() {
    let office = Office::with(Switches {
        token_expires: false,
        token_user_id: false,
        token_scope: TokenScope::List,
        ..Switches::default()
    });
    let body = office.refresh_with(&office.refresh).json();
    assert_eq!(body.get("expires"), None);
    assert_eq!(body.get("user_id"), None);
    assert_eq!(body["scope"], json!("department,disk,im,user"));
}

#[test]
fn tokens_carry_their_expiry_in_front() {
    let office = Office::open();
    let now = unix_seconds(office.network.clock().now());
    for (token, lifetime) in [(&office.token, 3600), (&office.refresh, 180 * 86_400)] {
        assert_eq!(token.len(), 70);
        let number = u32::from_str_radix(&token[..8], 16).expect("hex").swap_bytes();
        assert!((i64::from(number) - now - lifetime).abs() <= 60);
        let user = u32::from_str_radix(&token[24..32], 16).expect("hex");
        assert_eq!(u64::from(user), office.ada);
    }
    office.portal.world().switches.token_form = TokenForm::Short32;
    assert_eq!(office.token_of(office.ada).len(), 32);
}

#[test]
fn token_errors_are_those_of_the_table() {
    let office = Office::open();
    let (id, secret) = (&office.client_id, &office.secret);
    let known = format!("client_id={id}&client_secret={secret}");
    let rows = [
        ("x=1".to_owned(), 400, "invalid_request"),
        ("grant_type=refresh_token".to_owned(), 400, "invalid_client"),
        // An error with status 200.
        ("grant_type=refresh_token&client_id=local.x.1".to_owned(), 200, "wrong_client"),
        (format!("grant_type=refresh_token&client_id={id}"), 400, "invalid_client"),
        (format!("grant_type=password&{known}"), 400, "unsupported_grant_type"),
        (format!("grant_type=refresh_token&{known}"), 400, "invalid_request"),
        (format!("grant_type=authorization_code&{known}"), 400, "invalid_request"),
        (format!("grant_type=refresh_token&{known}&refresh_token=x"), 400, "invalid_grant"),
        // A token of another kind is no grant either.
        (
            format!("grant_type=refresh_token&{known}&refresh_token={}", office.token),
            400,
            "invalid_grant",
        ),
    ];
    for (query, status, code) in rows {
        let answer = office.token_request(&query);
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{query}");
        let described = answer.json().get("error_description").is_some();
        assert_eq!(described, code == "invalid_request", "{query}");
    }
}

#[test]
fn post_form_works_only_when_switched_on() {
    let office = Office::open();
    let url = format!("http://{}/oauth/token/", office.portal.oauth_host());
    let form = format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        office.client_id, office.secret, office.refresh
    );
    let header = ["Content-Type: application/x-www-form-urlencoded"];
    let post = || http("POST", &url, &header, form.as_bytes());
    assert_eq!(post().status, 200);
    let body = json!({
        "grant_type": "refresh_token", "client_id": office.client_id,
        "client_secret": office.secret, "refresh_token": office.refresh,
    });
    let json = ["Content-Type: application/json"];
    let posted = http("POST", &url, &json, body.to_string().as_bytes());
    assert_eq!(posted.error(), "invalid_request", "JSON was never seen to work");
    office.portal.world().switches.token_post = false;
    assert_eq!((post().status, post().error().as_str()), (400, "invalid_request"));
}

#[test]
fn code_dies_after_thirty_seconds_and_access_after_an_hour() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    let code = office.code();
    office.network.clock().advance(Duration::from_secs(31));
    let late = office.exchange(&code);
    assert_eq!((late.status, late.error().as_str()), (401, "expired_token"));
    office.portal.world().switches.expired_grant = ExpiredGrant::InvalidGrant;
    let late = office.exchange(&code);
    assert_eq!((late.status, late.error().as_str()), (400, "invalid_grant"));

    assert_eq!(office.call("profile", json!({})).status, 200);
    office.network.clock().advance(Duration::from_secs(3600));
    assert_eq!(office.call("profile", json!({})).error(), "expired_token");
}

#[test]
fn refresh_token_lives_as_long_as_the_switch_says() {
    for days in [28, 30, 180] {
        let lifetime = Duration::from_secs(days * 86_400);
        let office = Office::with(Switches { refresh_lifetime: lifetime, ..Switches::default() });
        office.network.clock().advance(lifetime - Duration::from_secs(60));
        assert_eq!(office.refresh_with(&office.refresh).status, 200);
        office.network.clock().advance(Duration::from_secs(61));
        let late = office.refresh_with(&office.refresh);
        assert_eq!((late.status, late.error().as_str()), (401, "expired_token"));
    }
}

#[test]
fn stateless_rotation_keeps_the_old_pair_alive() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    let first = office.refresh_with(&office.refresh).json();
    let second = office.refresh_with(&office.refresh).json();
    assert_ne!(first["access_token"], second["access_token"]);
    assert_eq!(office.call("profile", json!({})).status, 200, "the old access token works on");
    let code = office.code();
    assert_eq!(office.exchange(&code).status, 200);
    assert_eq!(office.exchange(&code).status, 200);
}

#[test]
fn strict_rotation_kills_refresh_token_and_sibling() {
    let office = strict();
    office.portal.sign_in(Some(office.ada));
    assert_eq!(office.call("profile", json!({})).status, 200);
    let answer = office.refresh_with(&office.refresh);
    assert_eq!(answer.status, 200);
    let again = office.refresh_with(&office.refresh);
    assert_eq!((again.status, again.error().as_str()), (400, "invalid_grant"));
    assert_eq!(office.call("profile", json!({})).error(), "invalid_token");
    let fresh = answer.json()["access_token"].as_str().unwrap_or_default().to_owned();
    assert_eq!(office.call_with(&fresh, "profile", json!({})).status, 200);
    let code = office.code();
    assert_eq!(office.exchange(&code).status, 200);
    assert_eq!(office.exchange(&code).error(), "invalid_grant");
}

#[test]
fn strict_rotation_lets_one_of_many_refreshes_win() {
    let office = strict();
    let wins = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| office.refresh_with(&office.refresh).status)).collect();
        threads.into_iter().filter_map(|t| t.join().ok()).filter(|status| *status == 200).count()
    });
    assert_eq!(wins, 1);
}

#[test]
fn deleted_application_is_unknown_to_both_servers() {
    let office = Office::open();
    assert_eq!(office.call("profile", json!({})).status, 200);
    office.portal.delete_app(&office.client_id);
    let call = office.call("profile", json!({}));
    assert_eq!((call.status, call.error().as_str()), (401, "APPLICATION_NOT_FOUND"));
    let refresh = office.refresh_with(&office.refresh);
    assert_eq!((refresh.status, refresh.error().as_str()), (200, "wrong_client"));
}

#[test]
fn uncached_token_of_an_uninstalled_application_is_an_oauth_error() {
    let office = Office::open();
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.installed = false;
    }
    assert_eq!(office.call("profile", json!({})).error(), "ERROR_OAUTH");
    let refresh = office.refresh_with(&office.refresh);
    assert_eq!((refresh.status, refresh.error().as_str()), (401, "NOT_INSTALLED"));
}

#[test]
fn refresh_of_a_dismissed_user_follows_the_switch() {
    let office = Office::open();
    office.portal.dismiss(office.ada);
    for (switch, status) in [
        (DismissedRefresh::Works, 200),
        (DismissedRefresh::InvalidGrant, 400),
        (DismissedRefresh::UserAccessError, 403),
    ] {
        office.portal.world().switches.dismissed_refresh = switch;
        assert_eq!(office.refresh_with(&office.refresh).status, status);
    }
}

#[test]
fn licence_over_stops_tokens_and_consent() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    office.portal.world().switches.mode = Mode::PaymentRequired;
    let refresh = office.refresh_with(&office.refresh);
    assert_eq!((refresh.status, refresh.error().as_str()), (401, "PAYMENT_REQUIRED"));
    assert_eq!(office.call("profile", json!({})).error(), "PAYMENT_REQUIRED");
    let page = office.authorize(&format!("client_id={}", office.client_id));
    assert!(page.status == 200 && page.body.contains("PAYMENT_REQUIRED"));
}

#[test]
fn authorization_server_tells_about_a_token() {
    let office = Office::open();
    let host = office.portal.oauth_host();
    let answer = get(&format!("http://{host}/rest/app.info?auth={}", office.token));
    let info = answer.result();
    assert_eq!(info["client_id"], json!(office.client_id));
    assert_eq!(info["user_id"], json!(office.ada));
    assert_eq!(info["install"]["member_id"], json!(office.portal.world().member_id));
    let told = |token: &str| get(&format!("http://{host}/rest/app.info?auth={token}"));
    assert_eq!((told("x").status, told("x").error().as_str()), (401, "invalid_token"));
    office.network.clock().advance(Duration::from_secs(3600));
    assert_eq!(told(&office.token).error(), "expired_token");
}

#[test]
fn only_a_cloud_portal_passes_token_requests_on() {
    let office = Office::open();
    let url = format!("{}/oauth/token/?grant_type=x", office.portal.url());
    assert_eq!(get(&url).status, 400);
    office.portal.world().cloud = false;
    assert_eq!(get(&url).status, 404);
}

#[test]
fn user_who_lost_access_to_the_application_gets_no_new_pair() {
    let office = Office::open();
    let allowed = Some(std::collections::BTreeSet::from([999]));
    let set = |allowed| {
        let mut world = office.portal.world();
        world.apps.get_mut(&office.client_id).expect("known").allowed_users = allowed;
    };
    set(allowed);
    let answer = office.refresh_with(&office.refresh);
    assert_eq!((answer.status, answer.error().as_str()), (403, "USER_ACCESS_ERROR"));
    set(None);
    assert_eq!(office.refresh_with(&office.refresh).status, 200);
}

#[test]
fn portal_cut_off_from_the_authorization_server_gives_no_code() {
    let office = Office::open();
    office.portal.sign_in(Some(office.ada));
    office.portal.world().switches.mode = Mode::NoOAuthServer;
    let page = office.authorize(&format!("client_id={}", office.client_id));
    assert!(page.status == 200 && page.body.contains("CONNECTION_ERROR"), "{page:?}");
}

#[test]
fn revoked_tokens_are_refused_once_the_kept_verdict_is_over() {
    let office = Office::open();
    assert_eq!(office.call("profile", json!({})).status, 200);
    office.portal.revoke_tokens(office.ada);
    assert_eq!(office.call("profile", json!({})).status, 200, "its verdict is kept for an hour");
    let refresh = office.refresh_with(&office.refresh);
    assert_eq!((refresh.status, refresh.error().as_str()), (400, "invalid_grant"));
    let fresh = office.token_of(office.ada);
    office.portal.revoke_tokens(office.ada);
    assert_eq!(office.call_with(&fresh, "profile", json!({})).error(), "invalid_token");
}

#[test]
fn regenerated_secret_makes_the_old_one_a_wrong_one() {
    let office = Office::open();
    let new = office.portal.regenerate_secret(&office.client_id).expect("an application");
    let refresh = office.refresh_with(&office.refresh);
    assert_eq!((refresh.status, refresh.error().as_str()), (400, "invalid_client"));
    assert_eq!(office.call("profile", json!({})).status, 200, "what was issued still acts");
    let query = format!(
        "grant_type=refresh_token&client_id={}&client_secret={new}&refresh_token={}",
        office.client_id, office.refresh
    );
    assert_eq!(office.token_request(&query).status, 200);
}
