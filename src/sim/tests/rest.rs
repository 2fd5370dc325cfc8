//! Addresses, credentials, order of checks, envelope (sim quirks 9 to 12, 15, 17, 20, 21, 28, 30).

use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::Office;
use super::get;
use super::http;
use crate::sim::PortalOptions;
use crate::sim::Switches;
use crate::sim::User;
use crate::sim::network::AuthForm;
use crate::sim::params::Params;
use crate::sim::switches::Mode;
use crate::sim::switches::StatusTable;

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

#[test]
fn unknown_method_is_404_before_authorization() {
    let office = Office::open();
    for answer in [
        get(&format!("{}/rest/no.such.method", office.portal.url())),
        office.call_with("garbage", "humanresources.node.list", json!({})),
        office.call("no.such.method", json!({})),
    ] {
        assert_eq!((answer.status, answer.error().as_str()), (404, "ERROR_METHOD_NOT_FOUND"));
        assert_eq!(answer.json().get("time"), None, "errors have no time");
    }
}

#[test]
fn method_can_be_missing_on_an_older_portal() {
    let office = Office::open();
    office.portal.world().switches.missing_methods = vec!["profile".to_owned()];
    assert_eq!(office.call("profile", json!({})).status, 404);
    let answer = office.call("method.get", json!({"name": "profile"})).result();
    assert_eq!(answer, json!({"isExisting": false, "isAvailable": false}));
}

#[test]
fn credentials_are_found_in_every_place() {
    let office = Office::open();
    let base = format!("{}/rest/profile", office.portal.url());
    let shouted = format!("{}/rest/PROFILE.JSON", office.portal.url());
    let token = &office.token;
    let bearer = format!("Authorization: Bearer {token}");
    let body = json!({"auth": token}).to_string();
    let form = format!("auth={token}");
    let multipart = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"auth\"\r\n\r\n{token}\r\n--XX--\r\n"
    );
    let answers = [
        (http("POST", &base, &[JSON], body.as_bytes()), AuthForm::Body),
        (http("POST", &format!("{base}.json"), &[FORM], form.as_bytes()), AuthForm::Body),
        (
            http(
                "POST",
                &format!("{base}/"),
                &["Content-Type: multipart/form-data; boundary=XX"],
                multipart.as_bytes(),
            ),
            AuthForm::Body,
        ),
        (get(&format!("{base}?auth={token}")), AuthForm::Query),
        (get(&format!("{base}?access_token={token}")), AuthForm::AccessToken),
        (http("GET", &base, &[&bearer], b""), AuthForm::Bearer),
        (http("POST", &shouted, &[JSON], body.as_bytes()), AuthForm::Body),
    ];
    let history = office.network.history();
    assert_eq!(history.len(), answers.len());
    for ((answer, form), exchange) in answers.iter().zip(history) {
        assert_eq!(answer.result()["ID"], json!("101"));
        assert_eq!((exchange.auth, exchange.user), (*form, Some(office.ada)));
        assert_eq!(exchange.rest_method, "profile");
    }
}

#[test]
fn bearer_header_can_be_lost_on_the_way() {
    let office = Office::with(Switches { bearer: false, ..Switches::default() });
    let bearer = format!("Authorization: Bearer {}", office.token);
    let url = format!("{}/rest/profile", office.portal.url());
    assert_eq!(http("GET", &url, &[&bearer], b"").error(), "NO_AUTH_FOUND");
}

#[test]
fn invalid_json_or_wrong_type_is_no_parameters_at_all() {
    let office = Office::open();
    let url = format!("{}/rest/profile", office.portal.url());
    let good = json!({"auth": office.token}).to_string();
    let cut = &good[..good.len() - 1];
    for (header, body) in
        [(JSON, cut), (JSON, "[1,2]"), (JSON, "7"), ("Content-Type: text/plain", good.as_str())]
    {
        let answer = http("POST", &url, &[header], body.as_bytes());
        assert_eq!((answer.status, answer.error().as_str()), (401, "NO_AUTH_FOUND"), "{body}");
    }
}

#[test]
fn body_wins_over_query_and_parameters_reach_the_method_alike() {
    let office = Office::open();
    let token = &office.token;
    let url = format!("{}/rest/method.get?name=no.such&auth={token}", office.portal.url());
    let json_body = json!({"name": "profile"}).to_string();
    for (header, body) in [(JSON, json_body.as_str()), (FORM, "name=profile")] {
        let result = http("POST", &url, &[header], body.as_bytes()).result();
        assert_eq!(result["isExisting"], json!(true));
    }
    assert_eq!(get(&url).result()["isExisting"], json!(false));
}

#[test]
fn form_fields_have_the_names_php_gives_them() {
    let rows = [
        ("a.b=1&c%20d=2", json!({"a_b": "1", "c_d": "2"})),
        ("a[b=1", json!({"a_b": "1"})),
        ("a[b]c=1", json!({"a": {"b": "1"}})),
        ("a[]=1&a[]=2", json!({"a": ["1", "2"]})),
        ("a[5]=1&a[]=2", json!({"a": {"5": "1", "6": "2"}})),
        ("a=1&a[b]=2", json!({"a": {"b": "2"}})),
        ("a[b][c]=1&a[b]=2", json!({"a": {"b": "2"}})),
        ("[a]=1&=2&state=3&start=7x", json!({})),
    ];
    for (query, expected) in rows {
        let params = Params::from_query(query);
        assert_eq!(Value::Object(params.values().clone()), expected, "{query}");
    }
    assert_eq!(Params::from_query("start=7x").start, Some(7));
}

#[test]
fn auth_errors_have_the_code_and_dot_of_the_source() {
    let office = Office::open();
    let garbage = office.call_with("garbage", "profile", json!({}));
    assert_eq!((garbage.status, garbage.error().as_str()), (401, "invalid_token"));
    assert_eq!(office.call("profile", json!({})).status, 200);
    let unseen = office.token_of(office.ada);
    office.network.clock().advance(Duration::from_secs(3600));
    let text = |answer: &super::Answer| answer.json()["error_description"].clone();
    // The portal dropped its cached verdict at the same second, so both go to the server: dot.
    let uncached = office.call_with(&unseen, "profile", json!({}));
    assert_eq!(text(&uncached), json!("The access token provided has expired."));
    // With a longer cache the portal judges by itself: no dot.
    office.portal.world().switches.token_cache = Duration::from_secs(7200);
    let token = office.token_of(office.ada);
    assert_eq!(office.call_with(&token, "profile", json!({})).status, 200);
    office.network.clock().advance(Duration::from_secs(3600));
    let cached = office.call_with(&token, "profile", json!({}));
    assert_eq!(text(&cached), json!("The access token provided has expired"));
}

#[test]
fn people_who_may_not_are_refused_by_their_own_code() {
    let office = Office::open();
    let fresh = User { confirmed: false, ..User::employee("Nils", "New") };
    let fresh = office.portal.add_user(fresh);
    let token = office.token_of(fresh);
    assert_eq!(office.call_with(&token, "profile", json!({})).error(), "ACCESS_DENIED");
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.allowed_users = Some([7].into());
    }
    assert_eq!(office.call("profile", json!({})).error(), "user_access_error");
    assert_eq!(office.call_with(&token, "profile", json!({})).error(), "user_access_error");
    office.portal.dismiss(office.ada);
    let dismissed = office.call("profile", json!({}));
    assert_eq!((dismissed.status, dismissed.error().as_str()), (401, "authorization_error"));
}

#[test]
fn missing_scope_is_told_before_the_user_is_looked_at() {
    let office = Office::open();
    office.portal.dismiss(office.ada);
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.scopes.remove("department");
    }
    let answer = office.call("department.get", json!({}));
    assert_eq!((answer.status, answer.error().as_str()), (401, "insufficient_scope"));
}

#[test]
fn statuses_follow_the_chosen_source() {
    let office = Office::open();
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.scopes.clear();
    }
    let status = |table| {
        office.portal.world().switches.status_table = table;
        office.call("department.get", json!({})).status
    };
    assert_eq!(status(StatusTable::Source), 401);
    assert_eq!(status(StatusTable::Docs), 403);
    assert_eq!(status(StatusTable::Sdk), 401);
    let overrides = [("insufficient_scope".to_owned(), 418)].into();
    office.portal.world().switches.status_overrides = overrides;
    assert_eq!(status(StatusTable::Docs), 418);
}

#[test]
fn whole_portal_modes_refuse_with_their_codes() {
    let office = Office::open();
    let rows = [
        (Mode::SiteClosed, StatusTable::Source, 403, "PORTAL_DELETED"),
        (Mode::SiteClosed, StatusTable::Docs, 500, "PORTAL_DELETED"),
        (Mode::SiteClosed, StatusTable::Sdk, 410, "PORTAL_DELETED"),
        (Mode::NoOAuthServer, StatusTable::Source, 401, "CONNECTION_ERROR"),
        (Mode::PlanWithoutRest, StatusTable::Source, 401, "ACCESS_DENIED"),
        (Mode::PlanWithoutRest, StatusTable::Sdk, 403, "ACCESS_DENIED"),
        (Mode::Overload, StatusTable::Source, 401, "OVERLOAD_LIMIT"),
        (Mode::Overload, StatusTable::Docs, 503, "OVERLOAD_LIMIT"),
        (Mode::PaymentRequired, StatusTable::Source, 401, "PAYMENT_REQUIRED"),
    ];
    for (mode, table, status, code) in rows {
        {
            let mut world = office.portal.world();
            world.switches.token_cache = Duration::ZERO;
            world.switches.mode = mode;
            world.switches.status_table = table;
        }
        let answer = office.call("profile", json!({}));
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{mode:?}");
    }
}

#[test]
fn verdicts_on_tokens_are_cached_good_and_bad() {
    let office = Office::open();
    assert_eq!(office.call("profile", json!({})).status, 200);
    // The authorization server is away: a cached token works on, another does not, and its
    // failure is not remembered.
    office.portal.world().switches.mode = Mode::NoOAuthServer;
    assert_eq!(office.call("profile", json!({})).status, 200);
    let other = office.token_of(office.ada);
    assert_eq!(office.call_with(&other, "profile", json!({})).error(), "CONNECTION_ERROR");
    // A bad verdict stays after its reason is gone.
    office.portal.world().switches.mode = Mode::PaymentRequired;
    assert_eq!(office.call_with(&other, "profile", json!({})).error(), "PAYMENT_REQUIRED");
    office.portal.world().switches.mode = Mode::Normal;
    assert_eq!(office.call_with(&other, "profile", json!({})).error(), "PAYMENT_REQUIRED");
    office.network.clock().advance(Duration::from_secs(3599));
    let third = office.token_of(office.ada);
    assert_eq!(office.call_with(&third, "profile", json!({})).status, 200);
}

#[test]
fn envelope_has_cloud_figures_and_headers() {
    let office = Office::open();
    let answer = office.call("server.time", json!({}));
    assert!(answer.body.starts_with("{\"result\":"), "{}", answer.body);
    let time = answer.json()["time"].clone();
    assert!(time["start"].is_i64() && time["finish"].is_f64() | time["finish"].is_i64());
    assert!(matches!(time["processing"].as_i64(), Some(0 | 1)));
    assert_eq!(time["operating"], json!(0));
    assert_eq!(time.get("operating_reset_at"), None, "nothing was counted yet");
    assert_eq!(answer.header("X-Bitrix-Rest-Application"), Some(office.client_id.as_str()));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("Retry-After"), None);
    let text = answer.result();
    assert!(text.as_str().is_some_and(|text| text.ends_with("+03:00")), "{text}");
}

#[test]
fn envelope_of_an_older_self_hosted_portal() {
    let switches = Switches { integer_time: false, ..Switches::self_hosted() };
    let options = PortalOptions { cloud: false, switches, ..PortalOptions::default() };
    let office = Office::started_with(options);
    let answer = office.call("server.time", json!({}));
    let time = answer.json()["time"].clone();
    assert_eq!(time.get("operating"), None);
    assert!(answer.body.contains("\"start\":1") || answer.body.contains("\"start\":2"));
    assert_eq!(answer.header("X-Bitrix-Rest-Application"), None);
}

#[test]
fn json_text_is_escaped() {
    let office = Office::open();
    if let Some(user) = office.portal.world().users.get_mut(&101) {
        user.last_name = "<Ю/&'>".to_owned();
    }
    let raw = office.call("profile", json!({})).body;
    assert!(raw.contains("\\u003CЮ\\/\\u0026\\u0027\\u003E"), "{raw}");
    office.portal.world().switches.escape_unicode = true;
    let raw = office.call("profile", json!({})).body;
    assert!(raw.contains("\\u003C\\u042e\\/"), "{raw}");
}

#[test]
fn renamed_portal_redirects_and_refresh_tells_the_new_address() {
    let office = Office::open();
    let old = office.portal.url();
    let new = office.portal.rename().expect("a port is free");
    let answer = http("POST", &format!("{old}/rest/profile?x=1"), &[JSON], b"{}");
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("Location"), Some(format!("{new}/rest/profile?x=1").as_str()));
    assert_eq!(answer.header("Content-Type"), Some("text/html; charset=UTF-8"));
    let body = office.refresh_with(&office.refresh).json();
    assert_eq!(body["client_endpoint"], json!(format!("{new}/rest/")));
    assert_eq!(body["member_id"], json!(office.portal.world().member_id));
    assert_eq!(office.call("profile", json!({})).status, 200, "the new address serves");
}

#[test]
fn webhook_acts_without_token_and_application() {
    let office = Office::open();
    let hook = office.portal.add_webhook(office.ada, &["im"]);
    assert_eq!(get(&format!("{hook}profile.json")).result()["ID"], json!("101"));
    let info = get(&format!("{hook}app.info")).result();
    assert_eq!(info, json!({"SCOPE": ["im"], "LICENSE": "en_pro100"}));
    let scope = get(&format!("{hook}department.get"));
    assert_eq!(scope.error(), "insufficient_scope");
    assert!(scope.body.contains("webhook token"), "{}", scope.body);
    for wrong in [hook.replace("/101/", "/102/"), format!("{}x/", hook.trim_end_matches('/'))] {
        let answer = get(&format!("{wrong}profile"));
        assert_eq!((answer.status, answer.error().as_str()), (401, "INVALID_CREDENTIALS"));
    }
    // Webhooks are checked by the portal alone.
    office.portal.world().switches.mode = Mode::NoOAuthServer;
    assert_eq!(get(&format!("{hook}profile")).status, 200);
    office.portal.world().switches.webhook_needs_https = true;
    assert_eq!(get(&format!("{hook}profile")).error(), "INVALID_REQUEST");
}

#[test]
fn webhook_ends_on_its_date() {
    let office = Office::open();
    let hook = office.portal.add_webhook(office.ada, &["im"]);
    {
        let mut world = office.portal.world();
        let end = world.now().plus(Duration::from_secs(60));
        world.webhooks.values_mut().for_each(|hook| hook.expires = Some(end));
    }
    assert_eq!(get(&format!("{hook}profile")).status, 200);
    office.network.clock().advance(Duration::from_secs(60));
    let answer = get(&format!("{hook}profile"));
    assert_eq!((answer.status, answer.error().as_str()), (401, "INVALID_CREDENTIALS"));
}

#[test]
fn strange_input_is_answered_and_not_fatal() {
    let office = Office::open();
    let base = format!("{}/rest/", office.portal.url());
    for path in ["", "%", "a/b/c/d", "-1/x/profile", "99999999999999999999/x/profile", "batch"] {
        let answer = get(&format!("{base}{path}"));
        assert!(answer.status >= 400, "{path}: {answer:?}");
    }
    let form = "FILTER[=]=1&FILTER[[]]=2&a[=1&[b]=2&]=3&SORT[]=x&ID[][][]=1&start[]=1";
    let deep = format!("{form}&auth={}{}", office.token, "&x".repeat(2000));
    for method in ["user.get", "department.get", "im.user.get", "im.user.list.get", "batch"] {
        let answer = http("POST", &format!("{base}{method}"), &[FORM], deep.as_bytes());
        assert!(answer.status == 200 || answer.status == 400, "{method}: {answer:?}");
    }
}
