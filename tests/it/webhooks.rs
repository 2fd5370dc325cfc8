//! Agents by incoming webhook, for portals without internet access: the same pipeline with no
//! application and no token, and a secret in the address that is shown nowhere.

use std::time::Duration;

use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

const SCOPES: &[&str] = &["im", "disk", "department", "user_brief"];

/// A scene whose connector knows no application.
fn scene() -> Scene {
    let mut scene = Scene::new();
    for name in ["BITRIX24_CLIENT_ID", "BITRIX24_CLIENT_SECRET"] {
        scene.set(name, "");
    }
    scene
}

/// Gives an agent a webhook: status and answer.
fn put(connector: &Connector, name: &str, body: &Value) -> (u16, Value) {
    let path = format!("/v1/agents/{name}/webhook");
    let answer = connector.control("PUT", &path, Some(body)).expect("an answer");
    (answer.status, answer.json())
}

fn agent(connector: &Connector, name: &str) -> Value {
    connector.control("GET", &format!("/v1/agents/{name}"), None).expect("an answer").json()
}

fn secret_of(address: &str) -> String {
    address.trim_end_matches('/').rsplit('/').next().expect("a secret").to_owned()
}

fn send(connector: &Connector, name: &str, id: &str, to: u64) -> u16 {
    let body = json!({ "delivery_id": id, "external_id": format!("{name}/{to}"), "text": id });
    let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Connect-Timeout-Ms", "20000")];
    connector.deliver(&body, &headers).expect("an answer").status
}

#[test]
fn an_agent_without_an_application_converses_and_its_secret_is_shown_nowhere() {
    let scene = scene();
    let mut connector = scene.start();
    let status = eventually("a status", || connector.status());
    let reasons = status["reasons"].to_string();
    assert!(reasons.contains("BITRIX24_CLIENT_ID is not set"), "{reasons}");
    let link = connector.control("POST", "/v1/agents/helper/consent", None).expect("an answer");
    assert!(link.status == 400 && link.text().contains("agents webhook"), "{}", link.text());

    let address = scene.portal.add_webhook(scene.mira, SCOPES);
    let (status, told) = put(&connector, "helper", &json!({ "url": address }));
    assert_eq!(status, 200, "{told}");
    assert_eq!((&told["state"], &told["identity"]), (&json!("active"), &json!("webhook")));
    assert_eq!(told["user_name"], "Mira Holt");
    eventually("its events to be subscribed", || scene.is_subscribed().then_some(()));
    scene.portal.write_to(scene.olaf, scene.mira, "hello").expect("writes");
    eventually("the message", || (scene.received() == ["hello"]).then_some(()));
    assert_eq!(send(&connector, "helper", "d-1", scene.olaf), 200);
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["d-1"]);
    eventually("it to be ready", || {
        let status = connector.status()?;
        (status["ready"] == true && status["reasons"] == json!([])).then_some(())
    });

    // Longer than any token lives, and a restart: there is nothing to renew.
    scene.network.clock().advance(Duration::from_secs(3601));
    assert!(connector.terminate().expect("it stops").success());
    let connector = scene.start();
    assert_eq!(send(&connector, "helper", "d-2", scene.olaf), 200);
    assert_eq!(scene.said_by_agent(chat), ["d-1", "d-2"]);

    let secret = secret_of(&address);
    assert!(!connector.log().contains(&secret), "the log");
    for path in ["/v1/status", "/v1/agents", "/v1/agents/helper", "/v1/settings", "/metrics"] {
        let shown = connector.control("GET", path, None).expect("an answer").text();
        assert!(!shown.contains(&secret), "{path}");
    }
    for entry in std::fs::read_dir(scene.state_dir()).expect("a directory").flatten() {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{:?}", entry.path());
    }
}

#[test]
fn a_webhook_that_will_not_do_is_refused_with_what_to_do() {
    let scene = scene();
    let connector = scene.start();
    eventually("a status", || connector.status());
    let anna = scene.portal.add_user(User::employee("Anna", "Admin").administrator());
    let good = scene.portal.add_webhook(scene.mira, SCOPES);
    let cases = [
        (json!({}), 400, "url: it is not a URL"),
        (json!({ "url": "https://elsewhere.example/rest/2/abc/" }), 400, "another portal"),
        (json!({ "url": good.replace("/rest/", "/x/") }), 400, "its path must be /rest/"),
        (json!({ "url": format!("{}0/", good.trim_end_matches('/')) }), 503, "invalid_credentials"),
        (json!({ "url": scene.portal.add_webhook(anna, SCOPES) }), 400, "administrate"),
        (json!({ "url": scene.portal.add_webhook(scene.mira, &["im"]) }), 400, "user_brief"),
        (json!({ "url": good, "colour": "red" }), 400, "colour"),
        (json!({ "url": good, "replace": "yes" }), 400, "replace"),
    ];
    for (body, expected, named) in cases {
        let (status, told) = put(&connector, "helper", &body);
        let text = told.to_string().to_ascii_lowercase();
        assert!(
            status == expected && text.contains(&named.to_ascii_lowercase()),
            "{body}: {status} {told}"
        );
        assert!(!text.contains(&secret_of(&good)), "the secret is not repeated: {told}");
    }
    assert_eq!(agent(&connector, "helper")["state"], "created");
    assert_eq!(put(&connector, "nobody", &json!({ "url": good })).0, 404);
    assert_eq!(put(&connector, "helper", &json!({ "url": good })).0, 200);
    // Another account only when that is said.
    let vera = scene.portal.add_user(User::employee("Vera", "Klein").in_departments(&[1]));
    let hers = scene.portal.add_webhook(vera, SCOPES);
    let (status, told) = put(&connector, "helper", &json!({ "url": hers }));
    assert!(status == 400 && told.to_string().contains("works as Mira Holt"), "{told}");
    let (status, told) = put(&connector, "helper", &json!({ "url": hers, "replace": true }));
    assert_eq!((status, &told["user_name"]), (200, &json!("Vera Klein")));
}

#[test]
fn a_webhook_that_somebody_deleted_stops_its_agent_until_it_gets_another() {
    let scene = scene();
    let connector = scene.start();
    eventually("a status", || connector.status());
    let first = scene.portal.add_webhook(scene.mira, SCOPES);
    assert_eq!(put(&connector, "helper", &json!({ "url": first })).0, 200);
    eventually("its events to be subscribed", || scene.is_subscribed().then_some(()));
    scene.portal.world().webhooks.values_mut().for_each(|hook| hook.active = false);
    let lost = eventually("it to be lost", || {
        Some(agent(&connector, "helper")).filter(|agent| agent["state"] == "revoked")
    });
    let reason = lost["reason"].as_str().expect("a reason");
    assert!(reason.contains("agents webhook NAME"), "{reason}");
    scene.portal.write_to(scene.olaf, scene.mira, "meanwhile").expect("writes");
    let second = scene.portal.add_webhook(scene.mira, SCOPES);
    assert_eq!(put(&connector, "helper", &json!({ "url": second })).0, 200);
    eventually("the message", || (scene.received() == ["meanwhile"]).then_some(()));
}

#[test]
fn agents_by_webhook_and_by_consent_work_side_by_side() {
    let scene = Scene::new();
    let connector = scene.start_connected();
    let vera = scene.portal.add_user(User::employee("Vera", "Klein").in_departments(&[1]));
    let body = json!({ "name": "second" });
    assert_eq!(connector.control("POST", "/v1/agents", Some(&body)).expect("made").status, 201);
    let hers = scene.portal.add_webhook(vera, SCOPES);
    assert_eq!(put(&connector, "second", &json!({ "url": hers })).0, 200);
    assert_eq!(send(&connector, "second", "d-1", scene.olaf), 200);
    assert_eq!(send(&connector, "helper", "d-2", scene.olaf), 200);
    // The same account goes over from tokens to a webhook and back, and keeps its keys.
    let mine = scene.portal.add_webhook(scene.mira, SCOPES);
    assert_eq!(put(&connector, "helper", &json!({ "url": mine })).0, 200);
    assert_eq!(agent(&connector, "helper")["identity"], "webhook");
    assert_eq!(send(&connector, "helper", "d-3", scene.olaf), 200);
    assert_eq!(connector.consent("helper", scene.mira).expect("a page").status, 200);
    assert_eq!(agent(&connector, "helper")["identity"], "oauth");
    assert_eq!(send(&connector, "helper", "d-4", scene.olaf), 200);
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.said_by_agent(chat), ["d-2", "d-3", "d-4"]);
}

#[test]
fn a_renamed_portal_is_the_same_for_whoever_is_the_same_there() {
    let mut scene = scene();
    scene.set("BITRIX24_AGENTS", "helper,second");
    let vera = scene.portal.add_user(User::employee("Vera", "Klein").in_departments(&[1]));
    let mut connector = scene.start();
    eventually("a status", || connector.status());
    for (name, user) in [("helper", scene.mira), ("second", vera)] {
        let address = scene.portal.add_webhook(user, SCOPES);
        assert_eq!(put(&connector, name, &json!({ "url": address })).0, 200);
    }
    eventually("its events to be subscribed", || scene.is_subscribed().then_some(()));
    scene.portal.write_to(scene.olaf, scene.mira, "before").expect("writes");
    eventually("the message", || (scene.received() == ["before"]).then_some(()));
    let address = scene.portal.rename().expect("another address");
    scene.portal.write_to(scene.olaf, scene.mira, "meanwhile").expect("writes");
    assert!(connector.terminate().expect("it stops").success());
    scene.set("BITRIX24_PORTAL_URL", &address);
    let connector = scene.start();
    eventually("a status", || connector.status());
    // Somebody else there proves nothing, nor does the same name or the same number alone.
    let namesake = scene.portal.add_user(User::employee("Mira", "Holt").in_departments(&[1]));
    let call = |name: &str| {
        scene.portal.world().users.get_mut(&scene.mira).expect("there").name = name.to_owned();
    };
    for (user, name) in [(vera, "Mira"), (namesake, "Mira"), (scene.mira, "Nora")] {
        call(name);
        let other = scene.portal.add_webhook(user, SCOPES);
        let body = json!({ "url": other, "replace": true });
        let (status, told) = put(&connector, "helper", &body);
        assert!(status == 400 && told.to_string().contains("BITRIX24_STATE_DIR"), "{told}");
    }
    call("Mira");
    // Whoever is the same does, for itself.
    for (name, user) in [("helper", scene.mira), ("second", vera)] {
        let address = scene.portal.add_webhook(user, SCOPES);
        let (status, told) = put(&connector, name, &json!({ "url": address }));
        assert_eq!((status, &told["state"]), (200, &json!("active")), "{told}");
    }
    eventually("the message", || (scene.received() == ["before", "meanwhile"]).then_some(()));
    let inbound = scene.gateway.inbound();
    let named = |key: &str| key.rsplit_once("-helper-").map(|(member, _)| member.to_owned());
    let members: Vec<_> = inbound.iter().map(|one| named(&one.key)).collect();
    assert!(members[0].is_some() && members.iter().all(|one| *one == members[0]), "{members:?}");
}
