//! Writing: addressees, refusals, deduplication by UUID, and the way of a text from the sender to the
//! reader (b24: messenger §6; Q14 to Q18, Q26).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::http;
use super::try_http;
use crate::sim::Fault;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::When;

const UUID: &str = "7d1f0a52-55a7-4c0b-9a0e-2f6f4b8a1c33";

impl Talk {
    /// Mira adds a message.
    fn add(&self, params: Value) -> super::Answer {
        self.call(MIRA, "im.message.add", params)
    }

    fn added(&self, params: Value) -> u64 {
        self.add(params).result().as_u64().expect("a whole number")
    }

    fn refusal(&self, params: Value) -> (u16, String) {
        let answer = self.add(params);
        (answer.status, answer.error())
    }

    /// Texts of the private chat of both.
    fn texts(&self) -> Vec<String> {
        let chat = self.portal().private_chat(MIRA, OLAF);
        self.portal().shown(chat).into_iter().map(|message| message.text).collect()
    }
}

fn with_uuid(uuid: &str) -> Value {
    json!({ "DIALOG_ID": "12", "MESSAGE": "once", "TEMPLATE_ID": uuid })
}

#[test]
fn repeated_uuid_gives_the_same_message_for_the_whole_portal() {
    let talk = Talk::open();
    let group = talk.group();
    let id = talk.added(with_uuid(UUID));
    assert_eq!(talk.added(with_uuid(UUID)), id);
    let elsewhere = json!({
        "DIALOG_ID": format!("chat{group}"), "MESSAGE": "other text", "TEMPLATE_ID": UUID,
    });
    assert_eq!(talk.added(elsewhere.clone()), id, "whatever text and dialog");
    let of_olaf = talk.call(OLAF, "im.message.add", elsewhere).result();
    assert_eq!(of_olaf, json!(id), "whoever asks");
    assert_eq!(talk.texts(), ["once"]);
    let chat = talk.portal().private_chat(MIRA, OLAF);
    assert_eq!(talk.portal().shown(chat)[0].uuid.as_deref(), Some(UUID));
}

#[test]
fn uuid_in_flight_is_refused_until_it_is_linked() {
    let talk = Talk::open();
    talk.switch(|switches| switches.background = std::time::Duration::from_secs(30));
    let id = talk.added(with_uuid(UUID));
    let refused = (400, "MESSAGE_DUPLICATED_BY_UUID".to_owned());
    assert_eq!(talk.refusal(with_uuid(UUID)), refused);
    talk.advance(29);
    assert_eq!(talk.refusal(with_uuid(UUID)), refused);
    talk.advance(1);
    assert_eq!(talk.added(with_uuid(UUID)), id);
    assert_eq!(talk.texts(), ["once"]);
}

#[test]
fn uuid_of_a_message_that_failed_late_is_stuck_for_an_hour() {
    let talk = Talk::open();
    talk.switch(|switches| switches.veto = Some("Запрещено".to_owned()));
    let vetoed = talk.add(with_uuid(UUID));
    assert_eq!((vetoed.status, vetoed.error().as_str()), (400, "ERROR_FROM_OTHER_MODULE"));
    assert_eq!(vetoed.json()["error_description"], json!("Запрещено"));
    talk.switch(|switches| switches.veto = None);
    assert_eq!(talk.refusal(with_uuid(UUID)).1, "MESSAGE_DUPLICATED_BY_UUID");
    talk.advance(3599);
    assert_eq!(talk.refusal(with_uuid(UUID)).1, "MESSAGE_DUPLICATED_BY_UUID");
    talk.advance(1);
    let id = talk.added(with_uuid(UUID));
    assert_eq!(talk.added(with_uuid(UUID)), id, "and is linked from then on");
    assert_eq!(talk.texts(), ["once"]);
}

#[test]
fn whatever_is_no_lower_case_uuid_of_version_4_is_ignored() {
    let talk = Talk::open();
    let forms = [
        UUID.to_uppercase(),
        UUID.replace("-4c0b-", "-1c0b-"),
        UUID.replace("-9a0e-", "-ca0e-"),
        UUID.replace('-', ""),
        format!("{UUID} "),
        "d-1".to_owned(),
        String::new(),
    ];
    for form in &forms {
        let (one, two) = (talk.added(with_uuid(form)), talk.added(with_uuid(form)));
        assert!(one < two, "{form:?} deduplicates");
    }
    let chat = talk.portal().private_chat(MIRA, OLAF);
    assert!(talk.portal().shown(chat).iter().all(|message| message.uuid.is_none()));
    // As a list it is no text either.
    assert!(
        talk.add(json!({"DIALOG_ID": 12, "MESSAGE": "x", "TEMPLATE_ID": [UUID]})).status == 200
    );
}

#[test]
fn uuid_is_forgotten_after_31_days() {
    let talk = Talk::open();
    let id = talk.added(with_uuid(UUID));
    let day = 24 * 3600;
    talk.advance(30 * day);
    assert_eq!(talk.added(with_uuid(UUID)), id);
    talk.advance(day);
    let history = json!({ "DIALOG_ID": "12", "LAST_ID": 0 });
    let read = talk.call(MIRA, "im.dialog.messages.get", history).result();
    assert_eq!(read["messages"][0]["uuid"], json!(null));
    assert!(talk.added(with_uuid(UUID)) > id, "a second message");
}

#[test]
fn old_portal_knows_no_uuids() {
    let talk = Talk::open();
    let known = talk.added(with_uuid(UUID));
    talk.switch(|switches| switches.no_uuids = true);
    talk.subscribe(MIRA);
    let (one, two) = (talk.added(with_uuid(UUID)), talk.added(with_uuid(UUID)));
    assert!(known < one && one < two, "nothing is deduplicated");
    let history = json!({ "DIALOG_ID": "12", "LAST_ID": 0 });
    let page = talk.call(MIRA, "im.dialog.messages.get", history).result();
    let uuids: Vec<&Value> =
        page["messages"].as_array().into_iter().flatten().map(|message| &message["uuid"]).collect();
    assert_eq!(uuids, [&json!(null), &json!(null), &json!(null)]);
    let chat = talk.portal().private_chat(MIRA, OLAF);
    assert!(talk.portal().shown(chat).iter().all(|message| message.uuid.is_none()));
    let event = talk.events(json!({}))["events"][0]["data"]["message"].clone();
    assert_eq!(event["uuid"], json!(null));
    // The portal's own clients are as old.
    talk.write("x");
    talk.switch(|switches| switches.no_uuids = false);
    let last = talk.portal().shown(chat).pop().expect("a message");
    assert_eq!(last.uuid, None);
}

#[test]
fn message_whose_answer_was_lost_exists_and_its_uuid_tells_so() {
    let talk = Talk::open();
    talk.office.network.plan(When::first("im.message.add"), Fault::ActAndDropAnswer);
    let token = talk.office.token_of(MIRA);
    let mut params = with_uuid(UUID);
    params["auth"] = json!(token);
    let url = format!("{}/rest/im.message.add", talk.portal().url());
    let json = ["Content-Type: application/json"];
    assert!(try_http("POST", &url, &json, params.to_string().as_bytes()).is_none());
    assert_eq!(talk.texts(), ["once"]);
    let id = talk.added(with_uuid(UUID));
    let chat = talk.portal().private_chat(MIRA, OLAF);
    let shown = talk.portal().shown(chat);
    assert_eq!((shown.len(), shown[0].id), (1, id));
}

#[test]
fn refusals_have_the_codes_of_the_table() {
    let talk = Talk::open();
    let group = talk.group();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let silent = talk.portal().add_chat("Silent", OLAF, &[MIRA]);
    talk.portal().world().messenger.chats.get_mut(&silent).expect("there").silent = true;
    let guest = talk.portal().add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let elsewhere = talk.write("in the private chat");
    let hidden = talk.portal().say(OLAF, foreign, "hidden").expect("says");
    let to = |dialog: &str| json!({ "DIALOG_ID": dialog, "MESSAGE": "x" });
    let chat = |chat: u64| format!("chat{chat}");
    let reply = |id: u64| json!({ "DIALOG_ID": chat(group), "MESSAGE": "x", "REPLY_ID": id });
    let rows = [
        (json!({ "DIALOG_ID": "12" }), 400, "MESSAGE_EMPTY"),
        (json!({ "DIALOG_ID": "12", "MESSAGE": null }), 400, "MESSAGE_EMPTY"),
        (json!({ "DIALOG_ID": "12", "MESSAGE": " \r\n\t" }), 400, "MESSAGE_EMPTY"),
        (json!({ "DIALOG_ID": "12", "MESSAGE": 7 }), 400, "MESSAGE_EMPTY"),
        (json!({ "DIALOG_ID": "12", "MESSAGE": ["x"] }), 400, "MESSAGE_EMPTY"),
        (json!({ "DIALOG_ID": "12", "MESSAGE": "[BR]#BR#" }), 400, "EMPTY_MESSAGE"),
        (json!({ "MESSAGE": "x" }), 400, "PARAMS_ERROR"),
        (to("abc"), 400, "USER_ID_EMPTY"),
        (to("-12"), 400, "USER_ID_EMPTY"),
        (json!({ "USER_ID": 0, "MESSAGE": "x" }), 400, "USER_ID_EMPTY"),
        (to("4711"), 400, "USER_NOT_FOUND"),
        (to(&guest.to_string()), 400, "ERROR_NO_ACCESS"),
        (to("chat0"), 400, "CHAT_ID_EMPTY"),
        (to("sg17"), 400, "CHAT_ID_EMPTY"),
        (json!({ "CHAT_ID": -1, "MESSAGE": "x" }), 400, "CHAT_ID_EMPTY"),
        (to("chat99999"), 400, "CHAT_ID"),
        (to(&chat(foreign)), 400, "CANCELED"),
        (to(&chat(silent)), 400, "TEXT_FIELD_DISABLED"),
        (reply(elsewhere), 403, "REPLY_FROM_OTHER_CHAT_ERROR"),
        (reply(hidden), 403, "REPLY_ACCESS_ERROR"),
        (reply(9_999_999), 403, "REPLY_ACCESS_ERROR"),
    ];
    for (params, status, code) in rows {
        let told = talk.refusal(params.clone());
        assert_eq!(told, (status, code.to_owned()), "{params}");
    }
    assert_eq!(talk.texts(), ["in the private chat"], "no refusal left a message");
}

#[test]
fn dialog_is_named_in_every_form_and_case() {
    let talk = Talk::open();
    let group = talk.group();
    let private = talk.portal().private_chat(MIRA, OLAF);
    let forms = [
        (json!({ "DIALOG_ID": "12", "MESSAGE": "x" }), private),
        (json!({ "DIALOG_ID": 12, "MESSAGE": "x" }), private),
        (json!({ "dialog_id": "12", "message": "x" }), private),
        (json!({ "USER_ID": "12", "MESSAGE": "x" }), private),
        (json!({ "DIALOG_ID": format!("chat{private}"), "MESSAGE": "x" }), private),
        (json!({ "CHAT_ID": group, "MESSAGE": "x" }), group),
        (json!({ "DIALOG_ID": format!("CHAT{group}"), "MESSAGE": "x" }), group),
        // The dialog wins over the others.
        (json!({ "DIALOG_ID": "12", "CHAT_ID": group, "USER_ID": 999, "MESSAGE": "x" }), private),
    ];
    for (params, chat) in forms {
        let id = talk.added(params.clone());
        let shown = talk.portal().shown(chat);
        assert_eq!(shown.last().map(|message| message.id), Some(id), "{params}");
    }
}

#[test]
fn reply_is_checked_before_the_uuid_is_claimed() {
    let talk = Talk::open();
    let mut params = with_uuid(UUID);
    params["REPLY_ID"] = json!(9_999_999);
    assert_eq!(talk.refusal(params.clone()), (403, "REPLY_ACCESS_ERROR".to_owned()));
    let first = talk.added(with_uuid(UUID));
    params["REPLY_ID"] = json!(first);
    params["TEMPLATE_ID"] = json!(UUID.replace("7d1f", "8e2a"));
    let second = talk.added(params);
    let shown = talk.portal().shown(talk.portal().private_chat(MIRA, OLAF));
    assert_eq!((shown[1].id, shown[1].reply_to), (second, Some(first)));
}

#[test]
fn text_reads_alike_whether_it_came_by_json_form_or_batch() {
    let talk = Talk::open();
    let text = "a < b & c > \"d\" 'e' ünï 🙂";
    let token = talk.office.token_of(MIRA);
    talk.added(json!({ "DIALOG_ID": "12", "MESSAGE": text }));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("DIALOG_ID", "12").append_pair("MESSAGE", text);
    let form = form.finish();
    let url = format!("{}/rest/im.message.add?auth={token}", talk.portal().url());
    let header = ["Content-Type: application/x-www-form-urlencoded"];
    assert_eq!(http("POST", &url, &header, form.as_bytes()).status, 200);
    let command = json!({ "cmd": { "a": format!("im.message.add?{form}") } });
    let done = talk.call(MIRA, "batch", command).result();
    assert!(done["result"]["a"].is_u64(), "{done}");
    assert_eq!(talk.texts(), [text, text, text]);
}

#[test]
fn text_goes_through_saving_and_reading() {
    let talk = Talk::open();
    let guest = talk.portal().add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let say = |text: &str| {
        talk.added(json!({ "DIALOG_ID": "12", "MESSAGE": text }));
        talk.texts().pop().expect("a text")
    };
    assert_eq!(say("  one[br]two#BR#  "), "one\ntwo");
    assert_eq!(say("see https://a.example, ok"), "see [URL]https://a.example[/URL], ok");
    assert_eq!(say("[USER=12][/USER]!"), "[USER=12 REPLACE]Olaf Brandt[/USER]!");
    assert_eq!(say(&format!("[USER={guest}]Gus[/USER]!")), "Gus!");
    assert_eq!(say(&"я".repeat(20_100)).chars().count(), 20_006);
}

#[test]
fn system_message_has_no_author_and_no_uuid() {
    let talk = Talk::open();
    let group = talk.group();
    talk.subscribe(MIRA);
    let dialog = format!("chat{group}");
    let params = json!({ "DIALOG_ID": dialog, "MESSAGE": "x", "SYSTEM": "Y", "TEMPLATE_ID": UUID });
    let (one, two) = (talk.added(params.clone()), talk.added(params.clone()));
    assert!(one < two, "no deduplication");
    let shown = talk.portal().shown(group);
    let last = shown.last().expect("some");
    assert_eq!((last.author, last.text.as_str()), (0, "[b]Application[/b]\nx"));
    let event = talk.events(json!({}))["events"][0]["data"]["message"].clone();
    assert_eq!((&event["isSystem"], &event["params"]), (&json!(true), &json!([])));
    // In a private dialog the word does nothing, and JSON `true` is not the word.
    let mut private = params;
    private["DIALOG_ID"] = json!("12");
    talk.added(private);
    let shown = talk.portal().shown(talk.portal().private_chat(MIRA, OLAF));
    assert_eq!(shown[0].author, MIRA);
}
