//! Messages, chats and people that a reader must tell apart (b24: messenger §2, §3.4, §5).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::messenger::files::Note;
use crate::sim::messenger::scene_odd::KEYBOARD;

impl Talk {
    /// `data` of the newest event.
    fn heard(&self) -> Value {
        let page = self.events(json!({"limit": 1000}));
        let events = page["events"].as_array().expect("a list");
        events.last().expect("an event")["data"].clone()
    }

    fn in_history(&self, chat: u64) -> Value {
        let params = json!({"CHAT_ID": chat, "LAST_ID": 0, "LIMIT": 1});
        self.call(MIRA, "im.dialog.messages.get", params).result()
    }
}

#[test]
fn messages_without_a_text_are_no_deleted_ones() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let portal = talk.portal();
    portal.send_sticker(OLAF, group).expect("sends");
    let message = talk.heard()["message"].clone();
    assert_eq!(
        (&message["text"], &message["params"]["STICKER_PARAMS"]["packId"]),
        (&json!(""), &json!(1))
    );
    assert!(message["params"].get("IS_DELETED").is_none());
    let classic = talk.in_history(group)["messages"][0].clone();
    assert_eq!((&classic["text"], &classic["params"]), (&json!(""), &json!([])));
    let recent = talk.call(MIRA, "im.recent.list", json!({})).result()["items"][0].clone();
    assert_eq!(recent["message"]["sticker"]["id"], json!(3));
    portal.send_block(OLAF, group, "", "Deal won").expect("sends");
    let message = talk.heard()["message"].clone();
    assert_eq!(message["text"], json!(""));
    let words = &message["params"]["ATTACH"][0]["BLOCKS"][0]["MESSAGE"];
    assert_eq!(words, &json!("Deal won"), "not part of the text");
    let classic = talk.in_history(group)["messages"][0].clone();
    assert_eq!(classic["params"]["ATTACH"], message["params"]["ATTACH"]);
    let recent = talk.call(MIRA, "im.recent.list", json!({})).result()["items"][0].clone();
    assert_eq!(recent["message"]["attach"], json!(true));
    portal.send_extra(OLAF, group, "choose", KEYBOARD, json!([])).expect("sends");
    assert_eq!(talk.heard()["message"]["text"], json!("choose"));
}

#[test]
fn notes_are_files_that_say_so() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    for (note, flags) in [(Note::Voice, (true, false)), (Note::Video, (false, true))] {
        talk.portal().send_note(OLAF, group, note).expect("sends");
        let message = talk.heard()["message"].clone();
        assert_eq!(message["text"], json!(""));
        assert_eq!(message["params"]["FILE_ID"].as_array().map(Vec::len), Some(1));
        let file = talk.in_history(group)["files"][0].clone();
        let told = (file["isVoiceNote"] == json!(true), file["isVideoNote"] == json!(true));
        assert_eq!(told, flags, "{note:?}");
        assert_eq!(file["isTranscribable"], json!(true));
    }
    talk.portal().send_files(OLAF, group, &[("a.mp3", b"a")], "").expect("sends");
    let file = talk.in_history(group)["files"][0].clone();
    assert_eq!((&file["isVoiceNote"], &file["type"]), (&json!(false), &json!("audio")));
}

#[test]
fn author_without_a_row_is_an_id_only() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let gone = talk.portal().add_user(User::employee("Gone", "Soon").in_departments(&[1]));
    talk.portal().join(group, OLAF, gone);
    talk.switch(|switches| switches.background = std::time::Duration::from_secs(5));
    talk.portal().say(gone, group, "x").expect("says");
    talk.portal().forget_user(gone);
    talk.advance(5);
    assert_eq!(talk.heard()["user"], json!({"id": gone}));
    let page = talk.in_history(group);
    assert_eq!((&page["messages"][0]["author_id"], &page["users"]), (&json!(gone), &json!([])));
}

#[test]
fn kinds_of_people_are_told_by_four_marks() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let rows = [
        (UserKind::Bot, "bot", "bot", false),
        (UserKind::Extranet, "extranet", "default", true),
        (UserKind::Collaber, "collaber", "default", true),
        (UserKind::Email, "user", "email", false),
        (UserKind::Connector, "guest", "imconnector", false),
        (UserKind::Network, "user", "replica", false),
    ];
    for (kind, word, login, extranet) in rows {
        let person = talk.portal().add_user(User::of_kind(kind, "Some", "Body"));
        let chat = talk.portal().add_chat("Mixed", OLAF, &[MIRA, person]);
        talk.portal().say(person, chat, "x").expect("says");
        let user = talk.heard()["user"].clone();
        assert_eq!(
            (&user["type"], &user["externalAuthId"], &user["extranet"]),
            (&json!(word), &json!(login), &json!(extranet)),
            "{kind:?}"
        );
        assert_eq!(user["bot"], json!(kind == UserKind::Bot));
        assert_eq!(user["connector"], json!(kind == UserKind::Connector));
    }
}

#[test]
fn kinds_of_chats_are_told_by_letter_and_type() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let rows = [
        ('L', "lines"),
        ('N', "channel"),
        ('J', "openChannel"),
        ('A', "copilot"),
        ('B', "collab"),
        ('O', "open"),
        ('X', "tasksTask"),
    ];
    for (letter, kind) in rows {
        let chat = talk.portal().add_chat_of(letter, kind, "Odd", OLAF, &[MIRA]);
        if letter == 'X' {
            talk.portal().set_entity(chat, "TASKS_TASK", "17", "/tasks/17/");
        }
        talk.portal().say(OLAF, chat, "x").expect("says");
        let told = talk.heard()["chat"].clone();
        assert_eq!(
            (&told["messageType"], &told["type"]),
            (&json!(letter.to_string()), &json!(kind))
        );
        let entity = match letter {
            'L' => ("LINES", "", ""),
            'X' => ("TASKS_TASK", "17", "/tasks/17/"),
            _ => ("", "", ""),
        };
        let (kind, id, url) = entity;
        assert_eq!((&told["entityType"], &told["entityId"]), (&json!(kind), &json!(id)));
        assert_eq!(told["entityLink"]["url"], json!(url));
    }
}

#[test]
fn comments_make_a_thread_of_who_comments() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let channel = talk.portal().add_chat_of('N', "channel", "News", OLAF, &[MIRA]);
    let post = talk.portal().say(OLAF, channel, "news").expect("says");
    talk.portal().comment(OLAF, post, "first").expect("comments");
    assert_eq!(talk.heard()["message"]["text"], json!("news"), "she is not in the thread");
    talk.portal().comment(MIRA, post, "mine").expect("comments");
    talk.portal().comment(OLAF, post, "to hers").expect("comments");
    let heard = talk.heard();
    assert_eq!(heard["message"]["text"], json!("to hers"));
    let thread = talk.portal().thread_of(post).expect("there");
    let chat = &heard["chat"];
    assert_eq!((&chat["id"], &chat["messageType"]), (&json!(thread), &json!("T")));
    assert_eq!((&chat["parentChatId"], &chat["parentMessageId"]), (&json!(channel), &json!(post)));
    for method in ["im.recent.list", "im.recent.get"] {
        let list = talk.call(MIRA, method, json!({})).result();
        let items = list.get("items").unwrap_or(&list).as_array().expect("a list").clone();
        let ids: Vec<&Value> = items.iter().map(|item| &item["chat_id"]).collect();
        assert_eq!(ids, [&json!(channel)], "{method}");
    }
    assert!(talk.portal().comment(OLAF, post + 1000, "x").is_err());
}
