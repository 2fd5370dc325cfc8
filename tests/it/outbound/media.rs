//! Files in messages: by URL and inline, one and several, with and without a text.

use aihummer_bitrix24::sim::FileHost;
use aihummer_bitrix24::sim::filehost::Page;
use serde_json::Value;
use serde_json::json;

use crate::support::calls::DELIVER;
use crate::support::calls::JSON;
use crate::support::calls::LATER;
use crate::support::calls::PROOF;
use crate::support::calls::Team;
use crate::support::calls::ask;
use crate::support::calls::assert_refused;
use crate::support::calls::inline;
use crate::support::calls::long;
use crate::support::calls::look_up;
use crate::support::eventually;
use crate::support::scene::Scene;

const UPLOAD: &str = "disk.folder.uploadfile";
const PUBLISH: &str = "im.disk.file.commit";

/// A team whose files may come from a host of their own.
fn with_host() -> (Team, FileHost) {
    let mut scene = Scene::new();
    let host = FileHost::start(&scene.network).expect("a host");
    scene.set("BITRIX24_MEDIA_HOSTS", &format!("127.0.0.1:{}", host.port()));
    (Team::in_scene(scene), host)
}

/// Name, kind and bytes.
type Seen = (String, &'static str, Vec<u8>);

/// The files of the agent's last message, and its text.
fn last(team: &Team) -> (Vec<Seen>, String) {
    let last = team.shown().pop().expect("a message");
    let files = last.files.into_iter();
    let bytes = |bytes: Option<std::sync::Arc<[u8]>>| bytes.map(|b| b.to_vec()).unwrap_or_default();
    (files.map(|file| (file.name, file.kind, bytes(file.bytes))).collect(), last.text)
}

/// Every file on the portal is in a message, and none is left on the way there.
fn assert_tidy(team: &Team, files: usize) {
    assert_eq!(team.scene.portal.file_counts(), (files, 0), "files, and those in no message");
    assert_eq!(team.on_the_shelf(), 0);
}

#[test]
fn a_file_is_shown_whether_it_comes_by_url_or_with_the_call() {
    let (team, host) = with_host();
    let url = host.put_file("/plan.pdf", b"%PDF plan");
    let sent = team.well("d-1", json!({ "media": [{ "name": "plan.pdf", "url": url }] }));
    let plan = ("plan.pdf".to_owned(), "file", b"%PDF plan".to_vec());
    assert_eq!((sent.len(), last(&team)), (1, (vec![plan], String::new())));
    let picture = inline("fence \u{44f}.png", b"\x89PNG");
    team.well("d-2", json!({ "text": "The **fence**", "media": [picture] }));
    let picture = ("fence \u{44f}.png".to_owned(), "image", b"\x89PNG".to_vec());
    assert_eq!(last(&team), (vec![picture], "The [b]fence[/b]".to_owned()));
    assert_tidy(&team, 2);
    // A redirect to where files may come from.
    let moved = host.put("/old", Page::Redirect(302, "/plan.pdf".to_owned()));
    team.well("d-3", json!({ "media": [{ "name": "again.pdf", "url": moved }] }));
    assert_eq!(last(&team).0[0].2, b"%PDF plan");
    let request = host.last_request().expect("a request");
    let told = ["authorization", "cookie", "x-aihummer-inbound-secret"];
    assert!(told.iter().all(|name| request.header(name).is_none()), "{:?}", request.headers);
}

#[test]
fn several_files_are_one_message_with_the_text_as_its_caption() {
    let (team, host) = with_host();
    let url = host.put_file("/b.txt", b"from far");
    let media = json!([inline("a.txt", b"one"), { "name": "b.txt", "url": url },
        inline("c.png", b"three")]);
    let sent = team.well("d-1", json!({ "text": "All of them", "media": media }));
    let (files, text) = last(&team);
    let names: Vec<&str> = files.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(
        (sent.len(), names, text.as_str()),
        (1, vec!["a.txt", "b.txt", "c.png"], "All of them")
    );
    assert_eq!((team.calls(UPLOAD), team.calls(PUBLISH)), (3, 1));
    // What does not fit a caption follows it.
    let media = json!([inline("d.txt", b"four")]);
    let sent = team.well("d-2", json!({ "text": long("more", 3), "media": media }));
    let shown = team.shown();
    assert_eq!((sent.len(), shown.len()), (3, 4));
    let files: Vec<usize> = shown.iter().map(|message| message.files.len()).collect();
    assert_eq!(files, [3, 1, 0, 0]);
    assert!(shown[1..].iter().all(|message| message.text.contains("more")));
    assert_tidy(&team, 4);
    // The same name again is no obstacle.
    team.well("d-3", json!({ "media": [inline("a.txt", b"another")] }));
    assert_eq!(last(&team).0[0].2, b"another");
    assert_tidy(&team, 5);
}

#[test]
fn a_large_file_arrives_whole_either_way() {
    let (team, host) = with_host();
    // Longer than the JSON of a call may be, and than what is read or sent at once.
    let bytes: Vec<u8> = (0..3_000_017_u32).map(|n| (n.wrapping_mul(n) >> 5) as u8).collect();
    let url = host.put_file("/large.bin", &bytes);
    let media = json!([inline("inline.bin", &bytes), { "name": "url.bin", "url": url },
        { "name": "made.bin", "url": format!("{}/bytes/9000001", host.url()) }]);
    let headers = [JSON, PROOF, ("Connect-Timeout-Ms", "120000")];
    let body = team.body("d-1", json!({ "media": media })).to_string();
    let answer = ask(&team.connector, ("POST", DELIVER), &headers, body.as_bytes());
    assert_eq!(answer.json()["status"], "delivered", "{}", answer.text());
    let files = team.shown().pop().expect("a message").files;
    let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
    assert_eq!(sizes, [3_000_017, 3_000_017, 9_000_001]);
    assert_eq!(files[0].sha256, files[1].sha256);
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(files[0].sha256, hex);
    assert_tidy(&team, 3);
}

/// The host takes for ever; with it every worker that files may have.
#[test]
fn slow_files_hold_back_no_text() {
    let mut scene = Scene::new();
    let host = FileHost::start(&scene.network).expect("a host");
    scene.set("BITRIX24_MEDIA_HOSTS", &format!("127.0.0.1:{}", host.port()));
    scene.set("BITRIX24_DELIVERY_WORKERS", "2");
    let team = Team::in_scene(scene);
    let slow = host.put("/slow", Page::slow(100_000_000, std::time::Duration::from_millis(100)));
    let chats: Vec<u64> = (0..4)
        .map(|_| team.scene.portal.add_chat("Slow", team.scene.olaf, &[team.scene.mira]))
        .collect();
    for (number, chat) in chats.iter().enumerate() {
        let fields = json!({ "external_id": format!("helper/chat{chat}"),
            "media": [{ "name": "a.bin", "url": slow }] });
        let body = team.body(&format!("slow-{number}"), fields).to_string();
        let answer =
            ask(&team.connector, ("POST", DELIVER), &[JSON, PROOF, LATER], body.as_bytes());
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
    eventually("a fetch", || (host.requests() > 0).then_some(()));
    for number in 0..10 {
        team.well(&format!("text-{number}"), json!({ "text": format!("{number}") }));
    }
    for number in 0..chats.len() {
        let receipt = look_up(&team.connector, &format!("slow-{number}")).json();
        assert_eq!(receipt["status"], "accepted", "{receipt}");
    }
}

#[test]
fn a_picture_is_a_file_when_that_is_wanted() {
    let team = Team::new();
    for (id, as_file, kind) in [("d-1", json!(null), "image"), ("d-2", json!(true), "file")] {
        let mut picture = inline(&format!("{id}.png"), b"\x89PNG");
        picture["as_file"] = as_file;
        team.well(id, json!({ "media": [picture] }));
        assert_eq!(last(&team).0[0].1, kind, "{id}");
    }
}

#[test]
fn files_are_part_of_what_a_delivery_is() {
    let team = Team::new();
    let fields = |media: Value| json!({ "text": "caption", "media": media });
    let sent = team.well("d-1", fields(json!([inline("a.txt", b"one")])));
    let again = team.call("d-1", fields(json!([inline("a.txt", b"one")])));
    assert_eq!((again.status, &again.json()["replayed"]), (200, &json!(true)));
    for other in [json!([inline("a.txt", b"two")]), json!([inline("b.txt", b"one")]), json!([])] {
        let refused = team.call("d-1", fields(other));
        assert_refused("other files", &refused, 409, "already_exists", "other content");
    }
    assert_tidy(&team, 1);
    // The caption is edited, and the message deleted, as others are.
    team.well("e-1", json!({ "operation": "edit", "target_delivery_id": "d-1", "text": "better" }));
    let shown = team.shown();
    assert_eq!((shown.len(), shown[0].id, shown[0].text.as_str()), (1, sent[0], "better"));
    assert_eq!(shown[0].files.len(), 1);
    team.done("x-1", json!({ "operation": "delete", "target_delivery_id": "d-1" }));
    assert!(team.shown().is_empty());
}

#[test]
fn without_a_setting_files_come_from_the_gateway_alone() {
    let team = Team::new();
    let host = FileHost::start(&team.scene.network).expect("a host");
    let elsewhere = host.put_file("/a.txt", b"x");
    let refused = team.call("d-1", json!({ "media": [{ "name": "a.txt", "url": elsewhere }] }));
    assert_refused("elsewhere", &refused, 400, "invalid_argument", "BITRIX24_MEDIA_HOSTS");
    assert_eq!(host.requests(), 0);
    // The model gateway has no files; that it is asked is what matters here.
    let url = team.scene.gateway.url();
    let origin = url::Url::parse(&url).expect("a URL").origin().ascii_serialization();
    let gone = json!({ "media": [{ "name": "a.txt", "url": format!("{origin}/files/a.txt") }] });
    let answer = team.call("d-2", gone);
    let asked = team.scene.network.history().iter().any(|e| e.path.starts_with("/files/a.txt"));
    assert!(asked, "{}", answer.text());
    assert_refused("the gateway's", &answer, 400, "invalid_argument", "instead of the file");
}

#[test]
fn a_file_whose_host_is_away_is_fetched_when_it_is_back() {
    let (mut team, host) = with_host();
    let url = host.put("/a.txt", Page::Refusal(503, None));
    let fields = json!({ "media": [{ "name": "a.txt", "url": url }] });
    let body = team.body("d-1", fields.clone()).to_string();
    let impatient = ("Connect-Timeout-Ms", "1");
    let headers = [JSON, PROOF, impatient];
    let answer = ask(&team.connector, ("POST", DELIVER), &headers, body.as_bytes());
    assert_refused("away", &answer, 504, "deadline_exceeded", "repeat the call to join");
    let failure = eventually("a failure that is told", || {
        let receipt = look_up(&team.connector, "d-1").json();
        receipt.get("failure").cloned()
    });
    assert!(failure["message"].as_str().is_some_and(|m| m.contains("answers 503")), "{failure}");
    host.put_file("/a.txt", b"here I am");
    // What is wanted outlives the process that was asked for it.
    team.restart();
    let joined = team.call("d-1", fields).json();
    assert_eq!((&joined["status"], &joined["replayed"]), (&json!("delivered"), &json!(true)));
    assert_eq!(last(&team).0[0].2, b"here I am");
    assert_tidy(&team, 1);
}

#[test]
fn a_long_table_and_long_code_go_along_as_files_and_the_message_shows_their_beginning() {
    let team = Team::in_scene(Scene::new());
    let rows: String = (1..=40).map(|row| format!("| item {row} | {row} |\n")).collect();
    let code: String = (1..=60).map(|line| format!("    print({line})\n")).collect();
    let text = format!(
        "All of it:\n\n| Item | Sum |\n|---|---|\n{rows}\nAnd how:\n\n```python\n{code}```\n\nDone."
    );
    let sent = team.well("d-1", json!({ "text": text }));
    assert_eq!(sent.len(), 1, "one message has all of it");
    let (files, shown) = last(&team);
    let csv: String = (1..=40).map(|row| format!("item {row},{row}\r\n")).collect();
    let table = ("table-1.csv".to_owned(), "file", format!("\u{feff}Item,Sum\r\n{csv}").into());
    assert_eq!(files, [table, ("code-1.py".to_owned(), "file", code.clone().into_bytes())]);
    assert!(shown.starts_with("All of it:") && shown.trim_end().ends_with("Done."), "{shown}");
    assert!(shown.contains("item 20") && !shown.contains("item 21"), "{shown}");
    assert!(shown.contains("table-1.csv") && shown.contains("code-1.py"), "{shown}");
    // The same call again is the same message; an edit has no files, so it has the whole text.
    let again = team.call("d-1", json!({ "text": text })).json();
    assert_eq!((&again["replayed"], &again["status"]), (&json!(true), &json!("delivered")));
    let target = json!({ "operation": "edit", "target_delivery_id": "d-1", "text": text });
    team.well("d-2", target);
    assert!(last(&team).1.contains("item 40"));
    assert_tidy(&team, 2);
}

#[test]
fn where_the_portal_takes_no_files_a_long_table_stays_in_the_text() {
    let team = Team::in_scene(Scene::new());
    {
        let mut world = team.scene.portal.world();
        world.apps.values_mut().for_each(|app| _ = app.scopes.remove("disk"));
        world.switches.missing_methods.extend(["im.v2.file.upload".to_owned()]);
    }
    let rows: String = (1..=40).map(|row| format!("| item {row} | {row} |\n")).collect();
    team.well("d-1", json!({ "text": format!("| Item | Sum |\n|---|---|\n{rows}") }));
    let (files, shown) = last(&team);
    assert!(files.is_empty() && shown.contains("item 40"), "{shown}");
}
