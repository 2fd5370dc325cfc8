//! Likes and reactions, by the documented and the undocumented methods and in the official clients
//! (b24: messenger §7, §3.4; Q5, Q20, Q26).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use crate::sim::User;
use crate::sim::UserKind;

const ADD: &str = "im.v2.Chat.Message.Reaction.add";
const DELETE: &str = "im.v2.Chat.Message.Reaction.delete";

impl Talk {
    /// Status and code of Mira's call; code `none` for a success.
    fn like(&self, id: u64, action: &str) -> (u16, String) {
        let params = json!({ "MESSAGE_ID": id, "ACTION": action });
        let answer = self.call(MIRA, "im.message.like", params);
        (answer.status, answer.error())
    }

    fn reaction(&self, method: &str, id: u64, code: &str) -> (u16, String) {
        let answer = self.call(MIRA, method, json!({ "messageId": id, "reaction": code }));
        (answer.status, answer.error())
    }

    fn reactions(&self, id: u64) -> Vec<(u64, &'static str)> {
        let chat = self.portal().world().messenger.messages[&id].chat;
        let shown = self.portal().shown(chat);
        shown.into_iter().find(|message| message.id == id).expect("there").reactions
    }

    /// Payloads of Mira's events about reactions.
    fn changes(&self) -> Vec<Value> {
        let page = self.events(json!({}));
        let events = page["events"].as_array().expect("a list").iter();
        let events = events.filter(|event| event["type"] == "ONIMV2REACTIONCHANGE");
        events.map(|event| event["data"].clone()).collect()
    }
}

fn done() -> (u16, String) {
    (200, "none".to_owned())
}

fn bad(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[test]
fn repeated_like_is_refused_as_no_change() {
    let talk = Talk::open();
    let id = talk.write("x");
    let foreign = talk.portal().add_chat_of('O', "open", "Others", OLAF, &[]);
    let foreign = talk.portal().say(OLAF, foreign, "x").expect("says");
    let unchanged = || bad("WITHOUT_CHANGES");
    assert_eq!(talk.like(id, "minus"), unchanged());
    let plus = json!({ "message_id": id, "action": "plus" });
    assert_eq!(talk.call(MIRA, "im.message.like", plus).result(), json!(true), "in any case");
    assert_eq!(talk.like(id, "plus"), unchanged());
    assert_eq!(talk.reactions(id), [(MIRA, "like")]);
    assert_eq!(talk.like(id, "minus"), done());
    assert_eq!(talk.like(id, "minus"), unchanged());
    assert!(talk.reactions(id).is_empty());
    // `auto`, and whatever is no action, turns it over.
    for (action, likers) in [("auto", 1), ("", 0), ("like", 1), ("PLUS", 0)] {
        assert_eq!(talk.like(id, action), done(), "{action}");
        assert_eq!(talk.reactions(id).len(), likers, "{action}");
    }
    for action in ["auto", "plus", "minus"] {
        assert_eq!(talk.like(9_999_999, action), unchanged(), "there is no such message");
        assert_eq!(talk.like(foreign, action), unchanged(), "she reads it, but is no member");
    }
    assert_eq!(talk.like(0, "plus"), bad("MESSAGE_ID_ERROR"));
}

#[test]
fn likes_are_numbers_in_history_and_texts_in_events() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let id = talk.portal().say(OLAF, group, "x").expect("says");
    talk.portal().react(OLAF, id, "like").expect("reacts");
    talk.portal().react(OLAF, id, "fire").expect("reacts");
    assert_eq!(talk.like(id, "plus"), done());
    let params = json!({ "CHAT_ID": group, "FIRST_ID": id - 1 });
    let page = talk.call(MIRA, "im.dialog.messages.get", params).result();
    assert_eq!(page["messages"][0]["params"], json!({ "LIKE": [OLAF, MIRA] }));
    let last = talk.changes().pop().expect("an event");
    assert_eq!(last["message"]["params"], json!({ "LIKE": ["12", "57"] }));
}

#[test]
fn event_of_a_reaction_names_who_and_what_but_not_which_way() {
    let talk = Talk::open();
    let bot = talk.portal().add_user(User::of_kind(UserKind::Bot, "Robo", "Bot"));
    let group = talk.portal().add_chat("Invoices", OLAF, &[MIRA, bot]);
    for user in [MIRA, OLAF, bot] {
        talk.subscribe(user);
    }
    let id = talk.portal().say(OLAF, group, "x").expect("says");
    assert_eq!(talk.like(id, "plus"), done());
    talk.portal().react(OLAF, id, "whiteHeavyCheckMark").expect("reacts");
    talk.portal().unreact(OLAF, id, "whiteHeavyCheckMark").expect("takes it back");
    let changes = talk.changes();
    let told = |data: &Value| {
        let text = |key: &str| data[key].as_str().expect("a text").to_owned();
        (text("reaction"), text("action"), data["user"]["id"].as_u64())
    };
    let row = |code: &str, action: &str, user| (code.to_owned(), action.to_owned(), Some(user));
    let check = "whiteHeavyCheckMark";
    let rows: Vec<_> = changes.iter().map(told).collect();
    assert_eq!(rows, [row("like", "", MIRA), row(check, "", OLAF), row(check, "", OLAF)]);
    let names = ["action", "chat", "language", "message", "reaction", "user"];
    assert_eq!(keys(&changes[0]), names);
    assert_eq!(changes[0]["message"]["id"], json!(id));
    let pending = |user| talk.portal().world().messenger.log.pending(user);
    assert_eq!((pending(OLAF), pending(bot)), (4, 1), "a bot hears of messages only");
    // The documentation has the direction.
    talk.switch(|switches| switches.documented_shapes = true);
    assert_eq!(talk.like(id, "minus"), done());
    assert_eq!(talk.like(id, "plus"), done());
    let rows: Vec<_> = talk.changes().iter().map(told).collect();
    assert_eq!(rows[3..], [row("like", "delete", MIRA), row("like", "add", MIRA)]);
}

#[test]
fn reactions_have_controllers_with_codes_of_their_own() {
    let talk = Talk::open();
    let id = talk.write("x");
    let set = talk.call(MIRA, ADD, json!({ "messageId": id, "reaction": "eyes" })).result();
    assert_eq!(set, json!([]));
    assert_eq!(talk.reaction(ADD, id, "eyes"), bad("REACTION_ALREADY_SET"));
    assert_eq!(talk.reaction(ADD, id, "nosuch"), bad("REACTION_NOT_FOUND"));
    assert_eq!(talk.reaction(ADD, id, "Eyes"), bad("REACTION_NOT_FOUND"));
    assert_eq!(talk.reaction(DELETE, id, "fire"), bad("REACTION_NOT_FOUND"));
    // A like is the same thing by either way, and several of one person stand beside each other.
    assert_eq!(talk.reaction(ADD, id, "like"), done());
    assert_eq!(talk.like(id, "plus"), bad("WITHOUT_CHANGES"));
    assert_eq!(talk.reactions(id), [(MIRA, "eyes"), (MIRA, "like")]);
    assert_eq!(talk.like(id, "minus"), done());
    assert_eq!(talk.reaction(DELETE, id, "like"), bad("REACTION_NOT_FOUND"));
    assert_eq!(talk.reaction(DELETE, id, "eyes"), done());
    assert!(talk.reactions(id).is_empty());
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let foreign = talk.portal().say(OLAF, foreign, "x").expect("says");
    assert_eq!(talk.reaction(ADD, foreign, "like"), bad("MESSAGE_ACCESS_DENIED"));
    assert_eq!(talk.reaction(ADD, 9_999_999, "like"), bad("MESSAGE_NOT_FOUND"));
}

#[test]
fn controllers_need_their_parameters_in_the_right_case() {
    let talk = Talk::open();
    let id = talk.write("x");
    let rows = [
        json!({ "reaction": "like" }),
        json!({ "messageId": id }),
        json!({ "MESSAGEID": id, "REACTION": "like" }),
        json!({ "messageId": null, "reaction": "like" }),
    ];
    for params in rows {
        for method in [ADD, DELETE] {
            let answer = talk.call(MIRA, method, params.clone());
            assert_eq!((answer.status, answer.error().as_str()), (400, "100"), "{params}");
        }
    }
}

#[test]
fn old_portal_knows_twelve_reactions_and_one_of_each_person() {
    let talk = Talk::open();
    talk.switch(|switches| switches.old_reactions = true);
    let id = talk.write("x");
    assert_eq!(talk.reaction(ADD, id, "wonder"), done());
    assert_eq!(talk.reaction(ADD, id, "slightlyFrowningFace"), bad("REACTION_NOT_FOUND"));
    assert_eq!(talk.reaction(ADD, id, "eyes"), bad("REACTION_NOT_FOUND"));
    talk.portal().react(OLAF, id, "wonder").expect("reacts");
    assert_eq!(talk.like(id, "plus"), done());
    assert_eq!(talk.reactions(id), [(OLAF, "wonder"), (MIRA, "like")]);
}

#[test]
fn portal_can_lack_any_of_these_methods() {
    let talk = Talk::open();
    let id = talk.write("x");
    let missing = [ADD, DELETE].map(str::to_ascii_lowercase);
    talk.portal().world().switches.missing_methods = missing.to_vec();
    for method in [ADD, DELETE] {
        let (status, code) = talk.reaction(method, id, "like");
        assert_eq!((status, code.as_str()), (404, "ERROR_METHOD_NOT_FOUND"));
        let known = talk.call(MIRA, "method.get", json!({ "name": method })).result();
        assert_eq!(known["isExisting"], json!(false));
    }
    assert_eq!(talk.like(id, "plus"), done(), "the documented one is there");
}
