//! Who may talk with an agent: the rule over departments in both directions, and what a person is told
//! about it.

use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use serde_json::Value;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

/// A company whose agent sits in sales, with somebody in accounting.
struct Company {
    scene: Scene,
    accounting: u64,
    ann: u64,
}

impl Company {
    fn new() -> Company {
        let scene = Scene::new();
        let (sales, accounting) = {
            let mut world = scene.portal.world();
            let sales = world.add_department("Sales", None);
            (sales, world.add_department("Accounting", None))
        };
        for user in [scene.mira, scene.olaf] {
            scene.portal.world().users.get_mut(&user).expect("there").departments = vec![sales];
        }
        let ann = User::employee("Ann", "Accountant").in_departments(&[accounting]);
        let ann = scene.portal.add_user(ann);
        Company { scene, accounting, ann }
    }

    fn write(&self, author: u64, text: &str) {
        self.scene.portal.write_to(author, self.scene.mira, text).expect("writes");
    }

    /// Until the gateway has exactly these, in this order.
    fn await_received(&self, texts: &[&str]) {
        eventually("the messages that may", || (self.scene.received() == texts).then_some(()));
    }
}

fn get(connector: &Connector, path: &str) -> (u16, Value) {
    let answer = connector.control("GET", path, None).expect("an answer");
    (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
}

fn send(connector: &Connector, id: &str, dialog: &str) -> (u16, String) {
    let target = format!("helper/{dialog}");
    let body = json!({ "delivery_id": id, "external_id": target, "text": "hello" });
    let answer = connector.deliver(&body, &[("X-AIHummer-Inbound-Secret", SECRET)]);
    let answer = answer.expect("an answer");
    (answer.status, answer.text())
}

#[test]
fn a_decision_is_explained_and_holds_in_both_directions() {
    let company = Company::new();
    let (scene, ann) = (&company.scene, company.ann);
    let connector = scene.start_connected();
    company.write(ann, "may I?");
    company.write(scene.olaf, "me too?");
    company.await_received(&["me too?"]);
    eventually("the refusal to be counted", || {
        let metrics = connector.control("GET", "/metrics", None).expect("an answer").text();
        metrics.contains("ignored_total{rule=\"department\"} 1\n").then_some(())
    });
    assert!(connector.log().contains("because=outside"), "the log says which rule decided");

    let (status, allowed) = get(&connector, &format!("/v1/acl?agent=helper&user={}", scene.olaf));
    assert_eq!(
        (status, &allowed["allowed"], &allowed["because"]),
        (200, &json!(true), &json!("own_department"))
    );
    assert_eq!(allowed["department"]["name"], "Sales");
    let (_, refused) = get(&connector, &format!("/v1/acl?agent=helper&dialog={ann}"));
    assert_eq!((&refused["allowed"], &refused["because"]), (&json!(false), &json!("outside")));
    assert_eq!(refused["person"]["departments"][0]["name"], "Accounting");
    println!("allowed: {allowed}\nrefused: {refused}");

    let (status, told) = send(&connector, "d-1", &ann.to_string());
    assert_eq!(status, 403, "{told}");
    assert!(told.contains("permission_denied") && told.contains("/v1/acl"), "{told}");
    assert_eq!(send(&connector, "d-2", &scene.olaf.to_string()).0, 200);
    // A group in which nobody may, and one in which somebody does.
    let hers = scene.portal.add_chat("Ledgers", ann, &[scene.mira]);
    assert_eq!(send(&connector, "d-3", &format!("chat{hers}")).0, 403);
    let (status, group) = get(&connector, &format!("/v1/acl?agent=helper&dialog=chat{hers}"));
    assert_eq!((status, &group["allowed"]), (200, &json!(false)));
    assert_eq!(group["because"], "nobody");
    let both = scene.portal.add_chat("Invoices", ann, &[scene.mira, scene.olaf]);
    assert_eq!(send(&connector, "d-4", &format!("chat{both}")).0, 200);
    let (_, group) = get(&connector, &format!("/v1/acl?agent=helper&dialog=chat{both}"));
    assert_eq!((&group["allowed"], &group["because"]), (&json!(true), &json!("member")));
    let closed = scene.portal.add_chat("Without her", ann, &[scene.olaf]);
    let (_, group) = get(&connector, &format!("/v1/acl?agent=helper&dialog=chat{closed}"));
    assert_eq!((&group["allowed"], &group["because"]), (&json!(false), &json!("closed")));
    let (status, tree) = get(&connector, "/v1/departments");
    assert_eq!((status, &tree["fresh"], &tree["people"]), (200, &json!(true), &json!(3)));
    let names: Vec<&str> = tree["departments"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|d| d["name"].as_str())
        .collect();
    assert!(names.contains(&"Sales") && names.contains(&"Accounting"), "{names:?}");
}

#[test]
fn an_agents_own_rule_counts_at_once_and_after_a_restart() {
    let company = Company::new();
    let mut connector = company.scene.start_connected();
    let change = |connector: &Connector, body: Value| {
        let answer =
            connector.control("PATCH", "/v1/agents/helper", Some(&body)).expect("an answer");
        (answer.status, answer.text())
    };
    let accounting = company.accounting.to_string();
    let (status, told) = change(&connector, json!({ "departments": accounting }));
    assert_eq!(status, 200, "{told}");
    company.write(company.scene.olaf, "not any more");
    company.write(company.ann, "now I may");
    company.await_received(&["now I may"]);
    assert!(connector.terminate().expect("it stops").success());
    let connector = company.scene.start();
    company.write(company.ann, "still");
    company.await_received(&["now I may", "still"]);
    let (status, told) = change(&connector, json!({ "departments": null }));
    assert_eq!(status, 200, "{told}");
    company.write(company.scene.olaf, "back");
    company.await_received(&["now I may", "still", "back"]);
    for (body, named) in [
        (json!({ "departments": "sales" }), "departments"),
        (json!({ "departments_denied": 5 }), "departments_denied"),
        (json!({ "colour": "red" }), "colour"),
        (json!([]), "object"),
    ] {
        let (status, told) = change(&connector, body);
        assert!(status == 400 && told.contains(named), "{status} {told}");
    }
    for path in [
        "/v1/acl?agent=helper",
        "/v1/acl?user=12",
        "/v1/acl?agent=helper&user=x",
        "/v1/acl?agent=helper&user=chat1",
    ] {
        assert_eq!(get(&connector, path).0, 400, "{path}");
    }
    assert_eq!(get(&connector, "/v1/acl?agent=nobody&user=12").0, 404);
}

#[test]
fn the_verb_agents_tells_and_changes_the_rule() {
    let company = Company::new();
    let connector = company.scene.start_connected();
    let verb = |words: &[&str]| company.scene.verb(&connector, &[&["agents"], words].concat());
    let shown = verb(&["rule", "helper"]).stdout;
    let settings = "departments own (as the settings say), denied none (as the settings say)";
    assert_eq!(shown, format!("helper: {settings}\n"));
    let (olaf, accounting) = (company.scene.olaf.to_string(), company.accounting.to_string());
    let told = verb(&["acl", "helper", &olaf]);
    assert!(
        told.stdout.starts_with("allowed (own_department): the person is in Sales"),
        "{told:?}"
    );
    let told = verb(&["rule", "helper", "--departments", &accounting]);
    assert!(told.stdout.contains(&format!("departments {accounting} (its own)")), "{told:?}");
    // Each flag changes its own part only.
    let told = verb(&["rule", "helper", "--denied=77"]);
    let both = format!("departments {accounting} (its own), denied 77 (its own)\n");
    assert!(told.stdout.ends_with(&both), "{told:?}");
    let told = verb(&["acl", "helper", &olaf]);
    assert!(told.stdout.starts_with("refused (outside): "), "{told:?}");
    let told = verb(&["rule", "helper", "--departments=default", "--denied=default"]);
    assert!(told.stdout.ends_with(&format!("{settings}\n")), "{told:?}");
    for wrong in [&["rule", "nobody"][..], &["rule", "a/b"], &["rule", "helper", "--denied=x"]] {
        let refused = verb(wrong);
        assert!(
            refused.code == Some(1) && refused.stderr.contains("refused with 4"),
            "{refused:?}"
        );
    }
}

#[test]
fn an_agent_is_not_shown_as_typing_where_it_may_not_write() {
    let company = Company::new();
    let connector = company.scene.start_connected();
    let types = |person: u64| {
        let target = format!("helper/{person}");
        let id = format!("t-{person}");
        let body = json!({ "delivery_id": id, "external_id": target, "operation": "typing" });
        let answer = connector.deliver(&body, &[("X-AIHummer-Inbound-Secret", SECRET)]);
        assert_eq!(answer.expect("an answer").status, 200);
    };
    types(company.ann);
    eventually("the refusal", || {
        let told = format!("dialog={} code=permission_denied", company.ann);
        connector.log().contains(&told).then_some(())
    });
    types(company.scene.olaf);
    let shown = |person: u64| {
        let chat = company.scene.portal.private_chat(person, company.scene.mira);
        company.scene.portal.typing(chat) == [company.scene.mira]
    };
    eventually("it to be shown", || shown(company.scene.olaf).then_some(()));
    assert!(!shown(company.ann));
}

#[test]
fn while_nobody_can_say_who_may_nothing_is_forwarded_and_nothing_is_lost() {
    let mut company = Company::new();
    company.scene.set("BITRIX24_DENIED_REPLY", "I may only talk with sales.");
    let mut connector = company.scene.start_connected();
    company.write(company.scene.olaf, "before");
    company.await_received(&["before"]);
    assert!(connector.terminate().expect("it stops").success());
    // The structure was last read long ago, and the portal does not show it any more.
    let file = rusqlite::Connection::open(company.scene.state_dir().join("connector.sqlite3"));
    let aged = file.expect("the database").execute(
        "UPDATE meta SET value = CAST('1000' AS BLOB) WHERE key = 'directory_read_at'",
        [],
    );
    assert_eq!(aged, Ok(1));
    let scopes = |there: bool| {
        let mut world = company.scene.portal.world();
        let app = world.apps.values_mut().next().expect("an application");
        match there {
            true => app.scopes.insert("department".to_owned()),
            false => app.scopes.remove("department"),
        };
    };
    scopes(false);
    company.write(company.scene.olaf, "meanwhile");
    let connector = company.scene.start();
    eventually("the log to say so", || connector.log().contains("code=no_structure").then_some(()));
    let status = connector.status().expect("a status");
    assert!(status["warnings"].to_string().contains("the scope department"), "{status}");
    scopes(true);
    company.await_received(&["before", "meanwhile"]);
    let chat = company.scene.portal.private_chat(company.scene.olaf, company.scene.mira);
    assert!(company.scene.said_by_agent(chat).is_empty(), "nobody was told that they may not");
}

#[test]
fn who_may_not_is_told_so_once_a_day() {
    let mut company = Company::new();
    company.scene.set("BITRIX24_DENIED_REPLY", "I may only talk with sales.");
    let mut connector = company.scene.start_connected();
    let chat = company.scene.portal.private_chat(company.ann, company.scene.mira);
    company.write(company.ann, "hello");
    let said = |company: &Company| company.scene.said_by_agent(chat);
    eventually("the answer", || (said(&company).len() == 1).then_some(()));
    assert_eq!(said(&company), ["I may only talk with sales."]);
    company.write(company.ann, "hello?");
    connector.kill();
    let _connector = company.scene.start();
    company.write(company.ann, "is anybody there?");
    company.write(company.scene.olaf, "done?");
    company.await_received(&["done?"]);
    assert_eq!(said(&company).len(), 1);
}
