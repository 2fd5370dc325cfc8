//! `im.dialog.messages.get`: what a page holds, in which order, and who may read it (b24: messenger
//! §4.2; Q9, Q10, Q13, Q25).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use crate::sim::User;
use crate::sim::UserKind;

impl Talk {
    fn history(&self, params: Value) -> Value {
        self.call(MIRA, "im.dialog.messages.get", params).result()
    }

    fn read(&self, params: Value) -> Vec<u64> {
        ids(&self.history(params))
    }
}

fn ids(page: &Value) -> Vec<u64> {
    let messages = page["messages"].as_array().expect("a list");
    messages.iter().map(|message| message["id"].as_u64().expect("a number")).collect()
}

fn reversed(ids: &[u64]) -> Vec<u64> {
    ids.iter().rev().copied().collect()
}

#[test]
fn first_id_goes_up_last_id_goes_down() {
    let talk = Talk::open();
    let all: Vec<u64> = (0..60).map(|n| talk.write(&n.to_string())).collect();
    let after =
        |id: u64, limit: u64| talk.read(json!({"DIALOG_ID": 12, "FIRST_ID": id, "LIMIT": limit}));
    assert_eq!(after(0, 10), all[..10]);
    assert_eq!(after(all[9], 10), all[10..20]);
    assert!(after(all[59], 10).is_empty());
    let before =
        |id: u64, limit: i64| talk.read(json!({"DIALOG_ID": 12, "LAST_ID": id, "LIMIT": limit}));
    assert_eq!(before(0, 10), reversed(&all[50..]));
    assert_eq!(before(all[50], 10), reversed(&all[40..50]));
    assert_eq!(before(0, 51).len(), 50, "more than 50 become 50");
    assert_eq!(before(0, 0).len(), 20, "the default");
    assert_eq!(before(0, -1).len(), 20);
    let both = json!({"DIALOG_ID": 12, "FIRST_ID": all[57], "LAST_ID": all[3]});
    assert_eq!(talk.read(both), all[58..], "FIRST_ID wins");
    talk.switch(|switches| switches.shuffled = true);
    let mut shuffled = after(0, 10);
    assert_ne!(shuffled, all[..10], "no order is promised");
    shuffled.sort_unstable();
    assert_eq!(shuffled, all[..10]);
}

#[test]
fn without_both_ids_unread_messages_come_in_an_odd_order() {
    let talk = Talk::open();
    let read: Vec<u64> = (0..3).map(|n| talk.write(&n.to_string())).collect();
    let own = talk.portal().write_to(MIRA, OLAF, "I read all this").expect("writes");
    let unread: Vec<u64> = (0..4).map(|n| talk.write(&n.to_string())).collect();
    // More unread ones than the limit: those after the last read one, reversed, then older ones.
    let page = talk.history(json!({"DIALOG_ID": 12, "LIMIT": 2}));
    assert_eq!(ids(&page), [unread[1], unread[0], own, read[2]]);
    let users = page["users"].as_array().expect("a list");
    assert_eq!(users.len(), 1, "only the authors of the first part");
    assert_eq!(users[0]["id"], json!(OLAF));
    // Fewer: the limit grows by their number.
    let grown = talk.read(json!({"DIALOG_ID": 12, "LIMIT": 4}));
    assert_eq!(grown.len(), 8);
    assert_eq!((grown[0], grown[7]), (unread[3], read[0]));
}

#[test]
fn ids_that_are_no_digits_are_refused() {
    let talk = Talk::open();
    talk.write("x");
    let refusal = |params: Value| {
        let answer = talk.call(MIRA, "im.dialog.messages.get", params);
        (answer.status, answer.error())
    };
    assert_eq!(refusal(json!({})), (400, "DIALOG_ID_EMPTY".to_owned()));
    for odd in [json!("x"), json!("-1"), json!("1.5"), json!(""), json!([1])] {
        let first = json!({"DIALOG_ID": 12, "FIRST_ID": odd});
        assert_eq!(refusal(first), (400, "FIRST_ID_STRING".to_owned()), "{odd}");
        let last = json!({"DIALOG_ID": 12, "LAST_ID": odd});
        assert_eq!(refusal(last), (400, "LAST_ID_STRING".to_owned()), "{odd}");
    }
    assert_eq!(talk.read(json!({"DIALOG_ID": 12, "FIRST_ID": "0"})).len(), 1);
    assert_eq!(talk.read(json!({"DIALOG_ID": 12, "FIRST_ID": null})).len(), 1, "null is absent");
    let huge = json!({"DIALOG_ID": 12, "FIRST_ID": "99999999999999999999999"});
    assert!(talk.read(huge).is_empty());
}

#[test]
fn naming_a_person_makes_the_chat() {
    let talk = Talk::open();
    assert!(talk.portal().world().messenger.chats.is_empty());
    let page = talk.history(json!({"DIALOG_ID": "12", "LAST_ID": 0}));
    let chat = talk.portal().private_chat(OLAF, MIRA);
    assert_eq!(page, json!({"chat_id": chat, "messages": [], "users": [], "files": []}));
    assert_eq!(talk.portal().world().messenger.chats.len(), 1);
    // The same chat by its own number, and from the other side.
    assert_eq!(talk.history(json!({"DIALOG_ID": format!("chat{chat}")}))["chat_id"], json!(chat));
    assert_eq!(talk.history(json!({"CHAT_ID": chat}))["chat_id"], json!(chat));
    let his = talk.call(OLAF, "im.dialog.messages.get", json!({"DIALOG_ID": "57"})).result();
    assert_eq!(his["chat_id"], json!(chat));
}

#[test]
fn whoever_may_not_read_gets_403() {
    let talk = Talk::open();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let guest = User::of_kind(UserKind::Extranet, "Gus", "Guest");
    let guest = talk.portal().add_user(guest);
    let by = |user, dialog: &str| {
        talk.call(user, "im.dialog.messages.get", json!({"DIALOG_ID": dialog, "LAST_ID": 0}))
    };
    let chat = |id: u64| format!("chat{id}");
    for dialog in [&chat(foreign), "chat99999", "chat0", "0", "abc", "4711", &guest.to_string()] {
        let answer = by(MIRA, dialog);
        assert_eq!((answer.status, answer.error().as_str()), (403, "ACCESS_ERROR"), "{dialog}");
    }
    assert_eq!(by(MIRA, &chat(open)).status, 200, "a colleague reads an open chat");
    assert_eq!(by(guest, &chat(open)).status, 403, "an outsider does not");
}

#[test]
fn message_has_the_classic_shape() {
    let talk = Talk::open();
    let group = talk.group();
    let dialog = format!("chat{group}");
    let first = talk.portal().send_files(OLAF, group, &[("a.txt", b"a")], "see").expect("sends");
    let file = talk.portal().folder(group)[0].id;
    talk.portal()
        .reply(OLAF, group, first, "[USER=57]Mira Holt[/USER], www.a.example")
        .expect("says");
    let page = talk.history(json!({"DIALOG_ID": dialog, "LAST_ID": 0}));
    assert_eq!(keys(&page), ["chat_id", "files", "messages", "users"]);
    let message = &page["messages"][0];
    let names = [
        "author_id",
        "chat_id",
        "date",
        "disappearing_date",
        "id",
        "params",
        "replaces",
        "text",
        "unread",
        "uuid",
    ];
    assert_eq!(keys(message), names);
    assert_eq!(message["params"], json!([]), "REPLY_ID is not in this method's list");
    let text = "[USER=57]Mira Holt[/USER], [URL=http://www.a.example]www.a.example[/URL]";
    assert_eq!(message["text"], json!(text));
    assert_eq!(message["unread"], json!(true));
    assert_eq!(page["messages"][1]["params"], json!({"FILE_ID": [file]}), "numbers here");
    let notice = &page["messages"][2];
    assert_eq!((&notice["author_id"], &notice["uuid"]), (&json!(0), &json!(null)));
    let users = page["users"].as_array().expect("a list");
    assert_eq!(users.len(), 1, "nobody stands for the system");
    assert_eq!(users[0]["last_activity_date"], json!(false));
}

#[test]
fn text_zero_is_shown_as_deleted() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.write("0");
    let page = talk.history(json!({"DIALOG_ID": "12", "LAST_ID": 0}));
    let message = &page["messages"][0];
    assert_eq!(message["params"], json!({"IS_DELETED": "Y"}));
    assert_eq!(message["text"], json!("This message has been deleted"));
    let event = talk.events(json!({}))["events"][0]["data"]["message"].clone();
    assert_eq!(event["text"], message["text"]);
}

#[test]
fn reading_by_rest_shows_nobody_as_online() {
    let talk = Talk::open();
    talk.write("x");
    talk.history(json!({"DIALOG_ID": "12", "LAST_ID": 0}));
    talk.events(json!({}));
    let user = talk.call(OLAF, "im.user.get", json!({"ID": MIRA})).result();
    assert_eq!((&user["last_activity_date"], &user["status"]), (&json!(false), &json!("offline")));
}

#[test]
fn who_joined_with_the_history_hidden_sees_what_came_after() {
    let talk = Talk::open();
    let third = talk.portal().add_user(User::employee("Tim", "Third").in_departments(&[1]));
    let chat = talk.portal().add_chat("Old", OLAF, &[third]);
    let before: Vec<u64> =
        (0..3).map(|_| talk.portal().say(OLAF, chat, "secret").expect("says")).collect();
    talk.portal().join_hiding_history(chat, OLAF, MIRA);
    let after: Vec<u64> =
        (0..3).map(|_| talk.portal().say(OLAF, chat, "open").expect("says")).collect();
    let notice = after[0] - 1;
    let visible = [&[notice][..], &after].concat();
    let named = format!("chat{chat}");
    let by = |name: &str, id: u64| talk.read(json!({"DIALOG_ID": named, name: id, "LIMIT": 50}));
    for id in [0, before[0], notice - 1] {
        assert_eq!(by("FIRST_ID", id), visible, "from the first one that is hers");
    }
    assert_eq!(by("FIRST_ID", after[0]), after[1..]);
    assert_eq!(by("LAST_ID", 0), reversed(&visible), "and no further back");
    assert_eq!(by("LAST_ID", after[0]), [notice]);
    assert!(by("LAST_ID", notice).is_empty());
    assert_eq!(talk.read(json!({"DIALOG_ID": named})).len(), 4, "counters begin there, too");
    let context = |id| {
        let params = json!({"MESSAGE_ID": id, "RANGE": 50});
        ids(&talk.call(MIRA, "im.dialog.context.get", params).result())
    };
    assert_eq!(context(after[1]), visible);
    assert_eq!(context(before[2]), visible, "without the one that was asked for");
    let dialog = talk.call(MIRA, "im.dialog.get", json!({"DIALOG_ID": named})).result();
    assert_eq!((&dialog["message_count"], &dialog["unread_id"]), (&json!(4), &json!(notice)));
    let his = json!({"DIALOG_ID": named, "FIRST_ID": 0, "LIMIT": 50});
    let his = talk.call(third, "im.dialog.messages.get", his).result();
    assert_eq!(ids(&his).len(), 8, "nothing is hidden from others");
}
