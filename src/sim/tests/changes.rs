//! Editing and deleting, by REST and in the official clients: what is refused, what readers get, and
//! which events come (b24: messenger §7, §3.3; Q5, Q19).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use crate::sim::Shown;
use crate::sim::User;
use crate::sim::UserKind;

const PLACEHOLDER: &str = "This message has been deleted";
const THREE_DAYS: u64 = 259_200;

impl Talk {
    /// Mira says something to Olaf.
    fn mine(&self, text: &str) -> u64 {
        self.portal().write_to(MIRA, OLAF, text).expect("writes")
    }

    fn private(&self) -> u64 {
        self.portal().private_chat(MIRA, OLAF)
    }

    /// A message of the private chat as Olaf sees it.
    fn sees(&self, id: u64) -> Option<Shown> {
        self.portal().shown(self.private()).into_iter().find(|message| message.id == id)
    }

    /// The status and the code of a refusal; code `none` for a success.
    fn told(&self, user: u64, method: &str, params: &Value) -> (u16, String) {
        let answer = self.call(user, method, params.clone());
        (answer.status, answer.error())
    }

    fn update(&self, id: u64, text: &str) -> (u16, String) {
        self.told(MIRA, "im.message.update", &json!({ "MESSAGE_ID": id, "MESSAGE": text }))
    }

    fn delete(&self, id: u64) -> (u16, String) {
        self.told(MIRA, "im.message.delete", &json!({ "MESSAGE_ID": id }))
    }

    /// A message of the private chat as the classic method returns it.
    fn classic(&self, id: u64) -> Value {
        let params = json!({ "DIALOG_ID": OLAF, "FIRST_ID": id - 1 });
        self.call(MIRA, "im.dialog.messages.get", params).result()["messages"][0].clone()
    }

    /// Types of Mira's events with their payloads.
    fn log(&self) -> Vec<(String, Value)> {
        let page = self.events(json!({}));
        let events = page["events"].as_array().expect("a list");
        let of = |event: &Value| {
            (event["type"].as_str().expect("a text").to_owned(), event["data"].clone())
        };
        events.iter().map(of).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.log().into_iter().map(|(kind, _)| kind).collect()
    }
}

fn done() -> (u16, String) {
    (200, "none".to_owned())
}

fn cannot() -> (u16, String) {
    (403, "CANT_EDIT_MESSAGE".to_owned())
}

#[test]
fn edit_replaces_the_text_says_so_and_writes_no_event() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let id = talk.mine("first");
    assert_eq!(talk.sees(id).map(|message| message.edited), Some(false));
    let params = json!({ "id": id, "message": "second" });
    assert_eq!(talk.call(MIRA, "im.message.update", params).result(), json!(true), "any case");
    let message = talk.classic(id);
    assert_eq!(message["text"], json!("second"));
    assert_eq!(message["params"], json!({ "IS_EDITED": "Y" }));
    let seen = talk.sees(id).expect("there");
    assert_eq!((seen.text.as_str(), seen.edited, seen.deleted), ("second", true, false));
    assert_eq!(talk.update(id, "second"), done(), "the same again");
    let absent = json!({ "MESSAGE_ID": id, "KEYBOARD": "N", "MESSAGE": null });
    assert_eq!(talk.told(MIRA, "im.message.update", &absent), done());
    assert_eq!(talk.sees(id).expect("there").text, "second", "nothing to change");
    assert_eq!(talk.kinds(), ["ONIMV2MESSAGEADD"], "classic edits are not told");
}

#[test]
fn edit_is_for_the_author_for_three_days_and_not_for_what_was_forwarded() {
    let talk = Talk::open();
    let his = talk.write("of Olaf");
    assert_eq!(talk.update(his, "of Mira?"), cannot());
    for id in [json!(0), json!(-1), json!("x"), json!(null)] {
        let (status, code) =
            talk.told(MIRA, "im.message.update", &json!({ "MESSAGE_ID": id, "MESSAGE": "x" }));
        assert_eq!((status, code.as_str()), (400, "MESSAGE_ID_ERROR"), "{id}");
    }
    assert_eq!(talk.update(9_999_999, "x"), cannot(), "there is none");
    let forwarded = talk.portal().forward(MIRA, talk.private(), his).expect("forwards");
    assert_eq!(talk.update(forwarded, "x"), cannot());
    let line = talk.portal().add_chat_of('L', "lines", "A customer", MIRA, &[MIRA]);
    let in_line = talk.portal().say(MIRA, line, "x").expect("says");
    assert_eq!(talk.update(in_line, "y"), cannot());
    let id = talk.mine("x");
    // The clock runs on meanwhile, so the moment itself cannot be hit.
    talk.advance(THREE_DAYS - 60);
    assert_eq!(talk.update(id, "in time"), done());
    talk.advance(61);
    assert_eq!(talk.update(id, "late"), cannot());
    assert_eq!(talk.sees(id).expect("there").text, "in time");
    assert_eq!(talk.delete(id), done(), "deleting has no limit");
    assert_eq!(talk.update(id, "late"), cannot());
}

#[test]
fn edit_with_nothing_in_it_deletes() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    for nothing in ["", " \n\t", "[BR][br]"] {
        let id = talk.mine("x");
        talk.advance(THREE_DAYS + 1);
        assert_eq!(talk.update(id, nothing), done(), "{nothing:?}, by the rules of deleting");
        let seen = talk.sees(id).expect("its place is left");
        assert_eq!((seen.text.as_str(), seen.deleted), (PLACEHOLDER, true));
        assert_eq!(talk.kinds().last().map(String::as_str), Some("ONIMV2MESSAGEDELETE"));
        assert_eq!(talk.update(id, nothing), cannot());
    }
    assert_eq!(talk.update(talk.write("of Olaf"), ""), cannot());
}

#[test]
fn edit_normalises_less_than_sending() {
    let talk = Talk::open();
    let guest = talk.portal().add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let id = talk.mine("x");
    let stored = |text: &str| {
        assert_eq!(talk.update(id, text), done());
        talk.portal().world().messenger.messages[&id].text.clone()
    };
    assert_eq!(stored("  a[BR]b[br]c[Br]d#BR#e "), "a\nb\nc[Br]d#BR#e");
    let mention = format!("[USER={guest}]Gus[/USER]");
    assert_eq!(stored(&mention), mention, "who may be mentioned is not looked at again");
    let cut = stored(&"я".repeat(20_007));
    assert!(cut.chars().count() == 20_006 && cut.ends_with(" (...)"));
}

#[test]
fn edit_attaches_the_file_that_its_text_names() {
    let talk = Talk::open();
    let group = talk.group();
    talk.portal().send_files(OLAF, group, &[("plan.pdf", b"%PDF")], "").expect("sends");
    let original = talk.portal().folder(group)[0].id;
    let id = talk.mine("x");
    assert_eq!(talk.update(id, &format!("see [DISK={original}][DISK=5311]this")), done());
    let message = talk.classic(id);
    assert_eq!(message["text"], json!("see this"));
    let copy = talk.portal().folder(talk.portal().private_chat(MIRA, OLAF))[0].id;
    assert_eq!(message["params"], json!({ "FILE_ID": [copy], "IS_EDITED": "Y" }));
}

#[test]
fn delete_empties_the_text_and_leaves_the_place() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let id = talk.mine("regretted");
    talk.portal().world().messenger.messages.get_mut(&id).expect("there").files.push(5311);
    talk.portal().react(OLAF, id, "like").expect("reacts");
    assert_eq!(talk.delete(id), done());
    let message = talk.classic(id);
    assert_eq!(message["text"], json!(PLACEHOLDER));
    assert_eq!(message["params"], json!({ "IS_DELETED": "Y" }));
    let seen = talk.sees(id).expect("its place is left");
    assert_eq!((seen.deleted, seen.edited, seen.reactions.len()), (true, false, 0));
    let (kind, data) = talk.log().pop().expect("an event");
    assert_eq!(kind, "ONIMV2MESSAGEDELETE");
    assert_eq!(keys(&data), ["chat", "language", "messageId", "user"]);
    assert_eq!(data["messageId"], json!(id));
    assert_eq!(data["chat"]["dialogId"], json!("12"));
    assert_eq!(data["user"]["id"], json!(MIRA), "its author");
    assert_eq!(talk.delete(id), cannot(), "a second time");
    assert_eq!(talk.delete(talk.write("of Olaf")), cannot());
    assert_eq!(talk.delete(9_999_999), cannot());
    assert_eq!(talk.delete(0), (400, "MESSAGE_ID_ERROR".to_owned()));
}

#[test]
fn edit_in_the_client_has_no_limit_and_an_event() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let id = talk.write("first");
    talk.advance(THREE_DAYS + 1);
    talk.portal().edit(OLAF, id, "second[BR]line").expect("edits");
    let (kind, data) = talk.log().pop().expect("an event");
    assert_eq!(kind, "ONIMV2MESSAGEUPDATE");
    assert_eq!(keys(&data), ["chat", "language", "message", "user"]);
    let message = &data["message"];
    assert_eq!((&message["id"], &message["text"]), (&json!(id), &json!("second\nline")));
    assert_eq!(message["params"], json!({ "IS_EDITED": "Y" }));
    assert_eq!(data["user"]["id"], json!(OLAF));
    assert!(talk.sees(id).expect("there").edited);
    assert!(talk.portal().edit(MIRA, id, "not hers").is_err());
    assert!(talk.portal().edit(OLAF, id, " ").is_err());
    talk.portal().view(MIRA, talk.private());
    talk.portal().delete(OLAF, id).expect("deletes");
    assert!(talk.portal().edit(OLAF, id, "too late").is_err());
}

#[test]
fn deleted_in_the_client_an_unseen_message_vanishes_and_a_seen_one_leaves_its_place() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let seen = talk.write("seen");
    talk.portal().view(MIRA, talk.private());
    let unseen = talk.write("unseen");
    assert!(talk.portal().delete(MIRA, unseen).is_err(), "not hers");
    talk.portal().delete(OLAF, seen).expect("deletes");
    talk.portal().delete(OLAF, unseen).expect("deletes");
    assert!(talk.portal().delete(OLAF, seen).is_err());
    assert!(talk.portal().delete(OLAF, unseen).is_err());
    assert_eq!(talk.sees(seen).map(|message| message.deleted), Some(true));
    assert_eq!(talk.sees(unseen), None);
    let history = json!({ "DIALOG_ID": OLAF, "LAST_ID": 0 });
    let page = talk.call(MIRA, "im.dialog.messages.get", history).result();
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1));
    let gone: Vec<Value> =
        talk.log().into_iter().map(|(_, data)| data["messageId"].clone()).collect();
    assert_eq!(gone[2..], [json!(seen), json!(unseen)], "told alike");
    assert!(talk.mine("next") > unseen, "its id does not come again");
    let third = talk.portal().add_chat("Third", MIRA, &[OLAF]);
    let unseen = talk.portal().say(OLAF, third, "x").expect("says");
    talk.portal().say(0, third, "a notice is nobody who looks").expect("says");
    talk.portal().delete(OLAF, unseen).expect("deletes");
    assert!(talk.portal().shown(third).iter().all(|message| message.id != unseen));
    // Whoever manages a group, and everybody in a channel, deletes completely.
    let group = talk.group();
    let hers = talk.portal().say(MIRA, group, "x").expect("says");
    talk.portal().view(OLAF, group);
    talk.portal().delete(OLAF, hers).expect("deletes");
    let channel = talk.portal().add_chat_of('N', "channel", "News", OLAF, &[MIRA]);
    let post = talk.portal().say(MIRA, channel, "x").expect("says");
    talk.portal().view(OLAF, channel);
    talk.portal().delete(MIRA, post).expect("deletes");
    let left = |chat| talk.portal().shown(chat).iter().filter(|m| m.author == MIRA).count();
    assert_eq!((left(group), left(channel)), (0, 0));
}

#[test]
fn event_of_a_message_that_is_gone_has_its_id_only() {
    let talk = Talk::open();
    talk.switch(|switches| switches.background = std::time::Duration::from_secs(60));
    talk.subscribe(MIRA);
    let id = talk.write("regretted at once");
    talk.portal().react(OLAF, id, "like").expect("reacts");
    talk.portal().delete(OLAF, id).expect("deletes");
    let edited = talk.write("first");
    talk.portal().edit(OLAF, edited, "second").expect("edits");
    talk.advance(60);
    let log = talk.log();
    assert_eq!(log[0].0, "ONIMV2MESSAGEADD");
    assert_eq!(log[0].1["message"], json!({ "id": id }));
    assert_eq!(log[0].1["chat"]["dialogId"], json!("12"));
    assert_eq!(log[1].1["message"], json!({ "id": id }), "of its reaction, too");
    assert_eq!(log[2].0, "ONIMV2MESSAGEDELETE");
    assert_eq!(log[3].1["message"]["text"], json!("second"), "an event shows what is there now");
}

#[test]
fn forwarded_message_tells_where_it_comes_from() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let of_group = talk.portal().say(OLAF, group, "look").expect("says");
    let of_private = talk.write("between us");
    let private = talk.portal().forward(OLAF, talk.private(), of_group).expect("forwards");
    talk.portal().forward(OLAF, group, of_private).expect("forwards");
    let forwards = |talk: &Talk| -> Vec<Value> {
        let log = talk.log();
        log[log.len() - 2..].iter().map(|(_, data)| data["message"]["forward"].clone()).collect()
    };
    let source = forwards(&talk);
    let id = format!("chat{group}/{of_group}");
    let of_chat = json!({ "id": id, "userId": OLAF, "chatTitle": "Invoices", "chatType": "chat" });
    assert_eq!(source[0], of_chat);
    let id = format!("12:57/{of_private}");
    let of_person = json!({ "id": id, "userId": OLAF, "chatTitle": null, "chatType": "private" });
    assert_eq!(source[1], of_person);
    let params = json!({ "FORWARD_ID": [of_group.to_string()] });
    assert_eq!(talk.classic(private)["params"], params, "the one number that is a text");
    talk.switch(|switches| switches.documented_shapes = true);
    talk.portal().forward(OLAF, talk.private(), of_group).expect("forwards");
    let last = talk.log().pop().expect("an event").1["message"]["forward"].clone();
    assert_eq!(keys(&last), ["chatId", "date", "id", "userId"]);
}
