//! The error table of Deliver, row by row and cause by cause: the code, the HTTP status, and what is
//! left of the call. What is refused at once is not in the ledger; what was refused later ends in a
//! state that says why; neither has changed anything on the portal. Elsewhere: forms of bodies and
//! headers and a full queue in `bad_deliver`, stopping in `stop`.

use std::time::Duration;

use aihummer_bitrix24::sim::FileHost;
use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::UserKind;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::filehost::Page;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::DELIVER;
use crate::support::calls::GET;
use crate::support::calls::JSON;
use crate::support::calls::PROOF;
use crate::support::calls::Team;
use crate::support::calls::WRITES;
use crate::support::calls::ask;
use crate::support::calls::assert_refused;
use crate::support::calls::deliver;
use crate::support::calls::inline;
use crate::support::calls::look_up;
use crate::support::eventually;
use crate::support::scene::Scene;

/// Longer than the portal lets anybody edit a message.
const TOO_OLD: Duration = Duration::from_secs(4 * 24 * 3600);
/// Nobody has so many.
const ABSENT: u64 = 9_999_999;

/// One cause: what it is, the call's fields, what the message says.
type Cause<'a> = (&'a str, Value, &'a str);

/// Messages and files in all chats, as everybody sees them.
fn portal_as_seen(team: &Team) -> (String, (usize, usize)) {
    let private = team.scene.portal.private_chat(team.scene.olaf, team.scene.mira);
    let shown = [team.chat, private].map(|chat| team.scene.portal.shown(chat));
    (format!("{shown:?}"), team.scene.portal.file_counts())
}

/// Calls that are refused before anything of them is kept.
fn refused_at_once(team: &Team, status: u16, code: &str, causes: Vec<Cause<'_>>) {
    let writes = |method: &&str| team.calls(method);
    let before: Vec<usize> = WRITES.iter().map(writes).collect();
    for (what, fields, told) in causes {
        assert_refused(what, &team.call("never", fields), status, code, told);
        let missing = look_up(&team.connector, "never");
        assert_refused(what, &missing, 404, "not_found", "no delivery");
    }
    assert_eq!(WRITES.iter().map(writes).collect::<Vec<_>>(), before, "nothing reached the portal");
    let state = team.connector.status().expect("a status");
    assert_eq!((&state["deliveries"]["unfinished"], team.on_the_shelf()), (&json!(0), 0));
}

/// Calls whose refusal is the end of a delivery: told, told again, and found.
fn refused_in_the_end(team: &Team, status: u16, code: &str, causes: Vec<Cause<'_>>) {
    let before = portal_as_seen(team);
    for (number, (what, fields, told)) in causes.into_iter().enumerate() {
        let id = format!("{code}-{number}");
        for replayed in [false, true] {
            let answer = team.call(&id, fields.clone());
            assert_refused(what, &answer, status, code, told);
            let receipt = answer.json()["details"][0].clone();
            let seen = (&receipt["status"], &receipt["replayed"], &receipt["failure"]["code"]);
            assert_eq!(seen, (&json!("rejected"), &json!(replayed), &json!(code)), "{what}");
        }
        let found = look_up(&team.connector, &id);
        let seen = (found.status, found.json());
        assert_eq!((seen.0, &seen.1["status"]), (200, &json!("rejected")), "{what}");
        assert_eq!(seen.1["failure"]["code"], code, "{what}: {}", seen.1);
        let message = seen.1["failure"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(told), "{what}: {message}");
        assert_eq!(portal_as_seen(team), before, "{what}");
    }
    assert_eq!(team.on_the_shelf(), 0);
    // The dialog is free for what comes next.
    team.done(&format!("{code}-after"), json!({ "text": "next" }));
}

/// A file by URL.
fn by_url(url: &str) -> Value {
    json!({ "media": [{ "name": "a.txt", "url": url }] })
}

fn of_media(media: Value) -> Value {
    json!({ "text": "caption", "media": media })
}

#[test]
fn invalid_argument_for_fields_that_are_missing_or_wrong() {
    let team = Team::new();
    let long = "x".repeat(300_001);
    let edit = |fields: Value| {
        let mut all = json!({ "operation": "edit", "text": "x" });
        all.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
        all
    };
    let react = |reaction: Value| {
        json!({ "operation": "react", "message_id": 7,
        "reaction": reaction })
    };
    let causes: Vec<Cause<'_>> = vec![
        ("no id", json!({ "delivery_id": null, "text": "x" }), "delivery_id: "),
        ("a long id", json!({ "delivery_id": "x".repeat(256), "text": "x" }), "delivery_id: "),
        ("no target", json!({ "external_id": null, "text": "x" }), "external_id: "),
        ("another operation", json!({ "operation": "pin", "text": "x" }), "operation: "),
        ("no text", json!({}), "text: missing or empty"),
        ("an empty text", json!({ "text": " \n" }), "text: missing or empty"),
        ("nothing visible", json!({ "text": "[x]: https://a.example" }), "text: nothing visible"),
        ("a long text", json!({ "text": long }), "text: longer than"),
        ("a long caption", json!({ "text": long, "media": [inline("a", b"x")] }), "text: longer"),
        ("reply to a word", json!({ "text": "x", "reply_to": "last" }), "reply_to: "),
        ("edit of nothing", edit(json!({})), "message_id: edit needs it"),
        ("edit of two", edit(json!({ "message_id": 7, "target_delivery_id": "d" })), "not both"),
        ("edit of a word", edit(json!({ "message_id": "last" })), "message_id: not a message id"),
        (
            "edit of a long id",
            edit(json!({ "target_delivery_id": "x".repeat(256) })),
            "target_delivery_id: ",
        ),
        ("edit to nothing", edit(json!({ "message_id": 7, "text": " " })), "use delete"),
        ("edit to a long text", edit(json!({ "message_id": 7, "text": long })), "text: longer"),
        (
            "edit to nothing visible",
            edit(json!({ "message_id": 7, "text": "[x]: https://a.example" })),
            "text: nothing visible",
        ),
        ("delete of nothing", json!({ "operation": "delete" }), "message_id: delete needs it"),
        ("react to nothing", json!({ "operation": "react", "reaction": "like" }), "react needs it"),
        ("react with nothing", react(json!(null)), "reaction: "),
        ("react with a sentence", react(json!("I like it")), "reaction: "),
        ("react with a list", react(json!(["like"])), "reaction: "),
    ];
    refused_at_once(&team, 400, "invalid_argument", causes);
    for body in ["", "{", "never", r#"{"delivery_id":"never","media":[{"data":"aGk"#] {
        let answer = ask(&team.connector, ("POST", DELIVER), &[JSON, PROOF], body.as_bytes());
        assert_refused(body, &answer, 400, "invalid_argument", "the body is not JSON");
    }
    assert_eq!(team.on_the_shelf(), 0);
}

#[test]
fn invalid_argument_for_files_that_no_portal_would_take() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_MEDIA_HOSTS", "127.0.0.1:1");
    let team = Team::in_scene(scene);
    let named = |name: &str| of_media(json!([inline(name, b"x")]));
    let data = |data: Value| of_media(json!([{ "name": "a.txt", "data": data }]));
    let eleven: Vec<Value> = (0..11).map(|n| inline(&format!("{n}.txt"), b"x")).collect();
    let eleven_urls: Vec<Value> = (0..11)
        .map(|n| json!({ "name": format!("{n}.txt"), "url": "http://127.0.0.1:1/" }))
        .collect();
    let both = json!([{ "name": "a.txt", "url": "http://127.0.0.1:1/", "data": "aGk=" }]);
    let causes: Vec<Cause<'_>> = vec![
        ("no list", of_media(json!("a.txt")), "media: not a list"),
        ("no object", of_media(json!(["a.txt"])), "media[0]: not an object"),
        ("neither", of_media(json!([{ "name": "a.txt" }])), "media[0].url: missing, and data"),
        ("both", of_media(both), "not both"),
        ("too many", of_media(json!(eleven)), "more than 10 files"),
        ("too many by URL", of_media(json!(eleven_urls)), "more than 10 files"),
        ("the second one", of_media(json!([inline("a", b"x"), { "name": "b" }])), "media[1].url"),
        ("no name", of_media(json!([{ "data": "aGk=" }])), "media[0].name: missing"),
        ("a path", named("../a.txt"), "media[0].name: has one of"),
        ("a device", named("a.txt:b"), "media[0].name: has one of"),
        ("turned round", named("photo\u{202e}gpj.exe"), "cannot be seen"),
        ("a dot", named("a."), "ends with a dot"),
        ("a long name", named(&"x".repeat(201)), "longer than 200 characters"),
        ("nothing", named("0"), "no file called 0"),
        ("an empty file", data(json!("")), "the file is empty"),
        ("no base64", data(json!("a picture!")), "not base64"),
        ("base64 cut", data(json!("aGkxM")), "not base64"),
        ("a number", data(json!(5)), "media[0].data"),
        ("no URL", by_url("a.txt"), "media[0].url: not an http"),
        ("a local file", by_url("file:///etc/passwd"), "media"),
        ("another scheme", by_url("ftp://127.0.0.1:1/a.txt"), "begins with http"),
        ("another host", by_url("http://files.example/a.txt"), "BITRIX24_MEDIA_HOSTS"),
        ("another port", by_url("http://127.0.0.1:2/a.txt"), "BITRIX24_MEDIA_HOSTS"),
        ("the metadata service", by_url("http://169.254.169.254/"), "BITRIX24_MEDIA_HOSTS"),
        ("the same in hexadecimal", by_url("http://0x7f.1:2/"), "BITRIX24_MEDIA_HOSTS"),
        ("a password", by_url("http://me:pw@127.0.0.1:1/"), "no user name and no password"),
        ("a long URL", by_url(&format!("http://127.0.0.1:1/{}", "x".repeat(9000))), "too long"),
    ];
    refused_at_once(&team, 400, "invalid_argument", causes);
}

#[test]
fn invalid_argument_for_what_stands_under_a_url() {
    let mut scene = Scene::new();
    let host = FileHost::start(&scene.network).expect("a host");
    let inner = FileHost::start(&scene.network).expect("a host");
    let hosts = format!("127.0.0.1:{},localhost:{}", host.port(), inner.port());
    scene.set("BITRIX24_MEDIA_HOSTS", &hosts);
    let team = Team::in_scene(scene);
    let refusal = |status| host.put(&format!("/{status}"), Page::Refusal(status, None));
    let redirect = |path: &str, to: String| host.put(path, Page::Redirect(302, to));
    let inside = inner.put_file("/a.txt", b"of the intranet");
    let by_name = format!("http://localhost:{}/a.txt", inner.port());
    let large = format!("{}/bytes/104857600", host.url());
    let looped = redirect("/loop", "/loop".to_owned());
    let causes: Vec<Cause<'_>> = vec![
        ("absent", by_url(&refusal(404)), "answers 404 instead of the file"),
        ("forbidden", by_url(&refusal(403)), "answers 403 instead of the file"),
        ("empty", by_url(&host.put_file("/empty", b"")), "is empty"),
        ("too large", by_url(&large), "has more than 104857599 bytes"),
        ("a private address", by_url(&by_name), "which is not a public address"),
        ("redirected inside", by_url(&redirect("/in", inside)), "BITRIX24_MEDIA_HOSTS"),
        ("redirected by name", by_url(&redirect("/name", by_name.clone())), "not a public address"),
        ("redirected for ever", by_url(&looped), "redirects without end"),
        (
            "the second of two",
            of_media(json!([inline("a.txt", b"x"), { "name": "b.txt", "url": refusal(404) }])),
            "media[1]: ",
        ),
    ];
    refused_in_the_end(&team, 400, "invalid_argument", causes);
    // An address may carry a secret, and is told to nobody.
    let signed = format!("{}/signed/path?signature=0123456789", host.url());
    let answer = team.call("signed", by_url(&signed));
    assert_refused("signed", &answer, 400, "invalid_argument", "answers 404");
    let log = team.connector.log();
    for told in [answer.text(), look_up(&team.connector, "signed").text(), log] {
        assert!(!told.contains("signature") && !told.contains("/path"), "{told}");
    }
    assert_eq!(inner.requests(), 0, "nobody was asked who may not be");
    assert_eq!(team.calls("disk.folder.uploadfile"), 0);
}

#[test]
fn invalid_argument_for_a_file_that_is_too_large_to_come_with_a_call() {
    let team = Team::new();
    let media = json!([inline("large.bin", &vec![7; 104_857_600])]);
    let causes: Vec<Cause<'_>> = vec![("too large", of_media(media), "longer than 104857599")];
    refused_at_once(&team, 400, "invalid_argument", causes);
}

#[test]
fn unauthenticated_without_the_secret_whatever_is_asked() {
    let team = Team::new();
    let body = team.body("never", of_media(json!([inline("a.txt", b"x")]))).to_string();
    let wrong = ("X-AIHummer-Inbound-Secret", "stage-inbound-secreT");
    for path in [DELIVER, GET] {
        for (headers, told) in [(vec![JSON], "present the secret"), (vec![JSON, wrong], "wrong")] {
            let answer = ask(&team.connector, ("POST", path), &headers, body.as_bytes());
            assert_refused(path, &answer, 401, "unauthenticated", told);
        }
    }
    assert_eq!((look_up(&team.connector, "never").status, team.on_the_shelf()), (404, 0));
}

#[test]
fn permission_denied_where_the_portal_refuses() {
    let team = Team::new();
    let portal = &team.scene.portal;
    let others = portal.add_chat("Others", team.scene.olaf, &[]);
    let silent = portal.add_chat("Silent", team.scene.olaf, &[team.scene.mira]);
    portal.world().messenger.chats.get_mut(&silent).expect("the chat").silent = true;
    let outside = User { kind: UserKind::Extranet, ..User::employee("Eve", "Extern") };
    let outside = portal.add_user(outside);
    let his = team.olaf_says("mine");
    let to = |dialog: String| json!({ "external_id": format!("helper/{dialog}"), "text": "never" });
    let with_file = |dialog: String| {
        let mut fields = to(dialog);
        fields["media"] = json!([inline("a.txt", b"x")]);
        fields
    };
    let causes: Vec<Cause<'_>> = vec![
        ("not a member", to(format!("chat{others}")), "the portal refuses"),
        ("nobody may write", to(format!("chat{silent}")), "the portal refuses"),
        ("an outsider", to(outside.to_string()), "is no colleague"),
        // Of files the portal does not say whether there is such a dialog.
        ("a file to no dialog", with_file("chat987654".to_owned()), "the portal refuses"),
        ("a file to a stranger chat", with_file(format!("chat{others}")), "the portal refuses"),
        (
            "edit of another's",
            json!({ "operation": "edit", "message_id": his, "text": "x" }),
            "somebody else's",
        ),
        (
            "delete of another's",
            json!({ "operation": "delete", "message_id": his }),
            "somebody else's",
        ),
    ];
    refused_in_the_end(&team, 403, "permission_denied", causes);
}

#[test]
fn permission_denied_where_another_module_of_the_portal_has_a_veto() {
    let team = Team::new();
    let veto = |reason: Option<&str>| {
        let reason = reason.map(str::to_owned);
        team.scene.portal.world().messenger.switches.veto = reason;
    };
    let fields =
        [json!({ "text": "never" }), json!({ "text": "never", "media": [inline("a.txt", b"x")] })];
    veto(Some("forbidden words"));
    for (number, fields) in fields.into_iter().enumerate() {
        let id = format!("vetoed-{number}");
        for _ in 0..2 {
            let answer = team.call(&id, fields.clone());
            assert_refused(&id, &answer, 403, "permission_denied", "the portal refuses");
        }
        assert_eq!(look_up(&team.connector, &id).json()["status"], "rejected");
    }
    veto(None);
    assert_eq!((team.shown().len(), team.scene.portal.file_counts()), (0, (0, 0)));
    team.done("after", json!({ "text": "after" }));
    assert_eq!((team.texts(), team.on_the_shelf()), (vec!["after".to_owned()], 0));
}

#[test]
fn not_found_for_what_does_not_exist() {
    let team = Team::new();
    let to = |target: &str| json!({ "external_id": target, "text": "never" });
    team.done("elsewhere", to(&format!("helper/{}", team.scene.olaf)));
    let on = |operation: &str, what: &str, target: Value| json!({ "operation": operation, what: target, "text": "x", "reaction": "like" });
    let id = "target_delivery_id";
    let causes: Vec<Cause<'_>> = vec![
        ("an agent", to("stranger/1"), "no agent has this name"),
        (
            "an agent that types",
            json!({ "external_id": "stranger/1", "operation": "typing" }),
            "no agent has this name",
        ),
        ("a delivery to edit", on("edit", id, json!("d-0")), "no delivery has this id"),
        ("a delivery to delete", on("delete", id, json!("d-0")), "no delivery has this id"),
        ("a delivery to react to", on("react", id, json!("d-0")), "no delivery has this id"),
        ("another dialog's", on("edit", id, json!("elsewhere")), "went to another dialog"),
    ];
    refused_at_once(&team, 404, "not_found", causes);
    let causes: Vec<Cause<'_>> = vec![
        ("a user", to("helper/987654"), "the portal does not know"),
        ("a dialog", to("helper/chat987654"), "the portal does not know"),
        ("a message to edit", on("edit", "message_id", json!(ABSENT)), "not in the dialog"),
        ("a message to delete", on("delete", "message_id", json!(ABSENT)), "not in the dialog"),
        ("a message to react to", on("react", "message_id", json!(ABSENT)), "not in the dialog"),
    ];
    refused_in_the_end(&team, 404, "not_found", causes);
    // What was never shown cannot be changed, and is no reason to try.
    let nowhere = json!({ "external_id": "helper/chat987654", "text": "x", "operation": "edit",
        "target_delivery_id": "not_found-1" });
    let answer = deliver(&team.connector, &team.body("on-nothing", nowhere));
    assert_refused("never shown", &answer, 404, "not_found", "shows no message");
}

#[test]
fn already_exists_for_every_field_that_makes_a_delivery_another() {
    let team = Team::new();
    let asked = team.olaf_says("Is it out?");
    let fields = json!({ "text": "one", "reply_to": asked });
    team.done("d-1", fields.clone());
    let one = team.shown()[0].id;
    let reaction = json!({ "operation": "react", "message_id": one, "reaction": "like" });
    team.done("r-1", reaction.clone());
    let private = format!("helper/{}", team.scene.olaf);
    let before = portal_as_seen(&team);
    let mut others = Vec::new();
    for (id, fields, field, other) in [
        ("d-1", &fields, "text", json!("two")),
        ("d-1", &fields, "format", json!("plain")),
        ("d-1", &fields, "reply_to", json!(null)),
        ("d-1", &fields, "external_id", json!(private)),
        ("d-1", &fields, "media", json!([inline("a.txt", b"x")])),
        ("r-1", &reaction, "reaction", json!("fire")),
        ("r-1", &reaction, "remove", json!(true)),
        ("r-1", &reaction, "message_id", json!(asked)),
        ("r-1", &reaction, "operation", json!("delete")),
    ] {
        let mut fields = fields.clone();
        fields[field] = other;
        others.push((id, field, fields));
    }
    let edit = json!({ "operation": "edit", "target_delivery_id": "d-1", "text": "one" });
    others.push(("d-1", "operation", edit));
    for (id, field, fields) in others {
        let refused = team.call(id, fields);
        assert_refused(field, &refused, 409, "already_exists", "other content");
        assert_eq!(look_up(&team.connector, id).json()["status"], "delivered");
    }
    assert_eq!(portal_as_seen(&team), before);
    assert_eq!(team.on_the_shelf(), 0);
}

#[test]
fn failed_precondition_for_an_agent_that_cannot_act_and_a_message_that_is_too_old() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_AGENTS", "helper,unasked");
    let team = Team::in_scene(scene);
    let unasked = json!({ "external_id": "unasked/1", "text": "never" });
    let types = json!({ "external_id": "unasked/1", "operation": "typing" });
    let causes: Vec<Cause<'_>> = vec![
        ("nobody consented", unasked, "nobody has consented"),
        ("nobody consented to type", types, "nobody has consented"),
    ];
    refused_at_once(&team, 400, "failed_precondition", causes);

    let one = team.well("d-1", json!({ "text": "one" }))[0];
    team.scene.network.clock().advance(TOO_OLD);
    let causes: Vec<Cause<'_>> = vec![
        ("old", json!({ "operation": "edit", "message_id": one, "text": "x" }), "too old"),
        (
            "old",
            json!({ "operation": "edit", "target_delivery_id": "d-1", "text": "x" }),
            "too old",
        ),
    ];
    refused_in_the_end(&team, 400, "failed_precondition", causes);
    // A reaction and a delete have no such limit.
    team.well("r-1", json!({ "operation": "react", "message_id": one, "reaction": "like" }));
    team.done("x-1", json!({ "operation": "delete", "message_id": one }));

    team.scene.portal.dismiss(team.scene.mira);
    eventually("the agent to be revoked", || {
        let status = team.connector.status()?;
        let agents = status["agents"].as_array()?.iter();
        agents
            .filter(|agent| agent["name"] == "helper")
            .find(|agent| agent["state"] == "revoked")?;
        Some(())
    });
    let causes = vec![("revoked", json!({ "text": "never" }), "the agent is not connected")];
    refused_at_once(&team, 400, "failed_precondition", causes);
    // What it did is still known.
    assert_eq!(team.call("d-1", json!({ "text": "one" })).json()["replayed"], true);
}

/// The connector's database.
fn database(team: &Team) -> rusqlite::Connection {
    let path = team.scene.state_dir().join("connector.sqlite3");
    rusqlite::Connection::open(path).expect("the database opens")
}

/// Calls that the database cannot keep.
fn not_kept(team: &mut Team, check: impl Fn(&str, &Team, &Response)) {
    let fields = [json!({ "text": "x" }), json!({ "media": [inline("a.txt", b"one")] })];
    for fields in &fields {
        check("new", team, &team.call("new", fields.clone()));
        assert_eq!(look_up(&team.connector, "new").status, 404);
    }
    assert_eq!(team.call("before", json!({ "text": "before" })).json()["replayed"], true);
    assert_eq!(team.texts(), ["before"]);
}

#[test]
fn unavailable_while_the_disk_is_full_and_as_before_when_it_is_not() {
    let mut team = Team::new();
    team.done("before", json!({ "text": "before" }));
    // SQLite says of a table whose numbers are used up what it says of a full disk.
    let set = "UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'deliveries'";
    assert_eq!(database(&team).execute(set, [i64::MAX]), Ok(1));
    not_kept(&mut team, |what, _, answer| {
        assert_refused(what, answer, 503, "unavailable", "the connector's disk is full");
        assert_eq!(answer.header("retry-after"), Some("1"));
    });
    assert_eq!(database(&team).execute(set, [1]), Ok(1));
    team.well("new", json!({ "text": "after" }));
    assert_eq!(team.texts(), ["before", "after"]);
    // A file whose delivery was not kept goes at the next start at the latest.
    team.restart();
    assert_eq!(team.on_the_shelf(), 0);
}

#[test]
fn internal_with_an_id_that_the_log_has_and_nothing_else() {
    let mut team = Team::new();
    team.done("before", json!({ "text": "before" }));
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON deliveries \
                   BEGIN SELECT RAISE(ABORT, 'a bug at secret.rs:7'); END";
    database(&team).execute_batch(trigger).expect("a trigger");
    not_kept(&mut team, |what, team, answer| {
        assert_refused(what, answer, 500, "internal", "the log has it under ");
        assert!(!answer.text().contains("secret.rs"), "{}", answer.text());
        let message = answer.json()["message"].as_str().expect("a message").to_owned();
        let id = message.rsplit(' ').next().expect("an id").to_owned();
        assert!(team.connector.log().contains(&format!("internal_error id={id}")), "{message}");
    });
    database(&team).execute_batch("DROP TRIGGER broken").expect("dropped");
    team.well("new", json!({ "text": "after" }));
}
