//! `im.recent.list`: which dialogs it has, how they look, and its pages (b24: messenger §4.1; Q11).

use serde_json::Value;
use serde_json::json;

use super::Answer;
use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;

impl Talk {
    fn recent(&self, params: Value) -> Answer {
        self.call(MIRA, "im.recent.list", params)
    }

    /// The ids of the items, which are numbers or texts.
    fn dialogs(&self, params: Value) -> Vec<Value> {
        let items = self.recent(params).result()["items"].clone();
        items.as_array().into_iter().flatten().map(|item| item["id"].clone()).collect()
    }
}

#[test]
fn items_mix_numbers_and_texts_and_only_preview() {
    let talk = Talk::open();
    talk.write("[b]Bold[/b] and\n[USER=57]Mira[/USER]");
    let group = talk.group();
    let said = talk.portal().send_files(OLAF, group, &[("a.txt", b"a")], "see").expect("sends");
    let answer = talk.recent(json!({}));
    let body = answer.json();
    assert_eq!(body["total"], json!(-1), "lifted to the top");
    assert!(body.get("next").is_none(), "no more pages");
    let result = &body["result"];
    let names = ["copilot", "hasMore", "hasMorePages", "items", "messagesAutoDeleteConfigs"];
    assert_eq!(keys(result), names);
    let [in_group, private] = [&result["items"][0], &result["items"][1]];
    assert_eq!(
        (&in_group["id"], &in_group["type"]),
        (&json!(format!("chat{group}")), &json!("chat"))
    );
    assert_eq!((&private["id"], &private["type"]), (&json!(OLAF), &json!("user")));
    assert_eq!(private["message"]["text"], json!("Bold and Mira"));
    assert_eq!(private["title"], json!("Olaf Brandt"));
    assert_eq!(keys(&private["chat"]), ["background_id", "mute_list", "text_field_enabled"]);
    assert_eq!(in_group["message"]["id"], json!(said));
    assert_eq!(in_group["message"]["file"], json!(true));
    assert_eq!(in_group["user"]["id"], json!(OLAF), "the author of the last message");
    assert_eq!(in_group["chat"]["role"], json!("MEMBER"));
    assert_eq!(in_group["chat"]["mute_list"], json!([]));
    assert_eq!((&in_group["counter"], &in_group["last_id"]), (&json!(2), &json!(0)));
    talk.portal().say(0, group, "a notice").expect("says");
    assert_eq!(talk.recent(json!({})).result()["items"][0]["user"], json!({"id": 0}));
    let whole = talk.recent(json!({"PARSE_TEXT": "Y"})).result();
    assert_eq!(
        whole["items"][1]["message"]["text"],
        json!("[b]Bold[/b] and\n[USER=57]Mira[/USER]")
    );
}

#[test]
fn some_kinds_of_chats_are_missing() {
    let talk = Talk::open();
    let chat_of = |letter, kind| {
        let chat = talk.portal().add_chat_of(letter, kind, "", OLAF, &[MIRA]);
        talk.portal().say(OLAF, chat, "x").expect("says");
        json!(format!("chat{chat}"))
    };
    let lines = chat_of('L', "lines");
    let group = chat_of('C', "chat");
    for (letter, kind) in [('T', "comment"), ('S', "system"), ('X', "tasks")] {
        chat_of(letter, kind);
    }
    talk.portal().add_chat("not hers", OLAF, &[]);
    talk.write("x");
    assert_eq!(talk.dialogs(json!({})), [json!(OLAF), group.clone(), lines.clone()]);
    assert_eq!(talk.dialogs(json!({"SKIP_OPENLINES": "Y"})), [json!(OLAF), group.clone()]);
    assert_eq!(talk.dialogs(json!({"SKIP_DIALOG": "Y"})), [group.clone(), lines.clone()]);
    assert_eq!(talk.dialogs(json!({"SKIP_CHAT": "Y"})), [json!(OLAF), lines.clone()]);
    assert_eq!(talk.dialogs(json!({"SKIP_CHAT": true})).len(), 3, "only the letter counts");
    talk.portal().write_to(MIRA, OLAF, "read").expect("writes");
    assert_eq!(talk.dialogs(json!({"UNREAD_ONLY": "Y"})), [group, lines]);
}

#[test]
fn pages_go_by_offset_and_move_while_they_are_read() {
    let talk = Talk::open();
    let chats: Vec<u64> = (0..5)
        .map(|n| {
            let chat = talk.portal().add_chat(&n.to_string(), OLAF, &[MIRA]);
            talk.portal().say(OLAF, chat, "x").expect("says");
            chat
        })
        .collect();
    let name = |n: usize| json!(format!("chat{}", chats[n]));
    let page = talk.recent(json!({"LIMIT": 2}));
    assert_eq!(page.json()["next"], json!(2));
    assert_eq!(page.result()["hasMore"], json!(true));
    assert_eq!(talk.dialogs(json!({"LIMIT": 2})), [name(4), name(3)]);
    assert_eq!(talk.dialogs(json!({"LIMIT": 2, "start": 2})), [name(2), name(1)]);
    talk.portal().say(OLAF, chats[0], "up").expect("says");
    assert_eq!(talk.dialogs(json!({"LIMIT": 2, "OFFSET": 2})), [name(3), name(2)], "twice");
    let last = talk.recent(json!({"LIMIT": 2, "OFFSET": 4}));
    assert!(last.json().get("next").is_none());
    assert_eq!(last.result()["hasMorePages"], json!(false));
    assert!(talk.dialogs(json!({"OFFSET": 999})).is_empty());
    assert_eq!(talk.dialogs(json!({"OFFSET": -1, "LIMIT": -1})).len(), 5);
}

#[test]
fn date_of_the_last_activity_replaces_the_offset() {
    let talk = Talk::open();
    let old = talk.group();
    talk.portal().say(OLAF, old, "old").expect("says");
    let until = talk.recent(json!({})).result()["items"][0]["date_last_activity"].clone();
    talk.advance(3600);
    talk.write("new");
    let older = json!({"LAST_MESSAGE_DATE": until, "OFFSET": 7});
    assert_eq!(talk.dialogs(older), [json!(format!("chat{old}"))]);
    assert_eq!(talk.dialogs(json!({"DATE_LAST_ACTIVITY": until})).len(), 1);
    assert_eq!(talk.dialogs(json!({"LAST_MESSAGE_DATE": "garbage"})).len(), 2);
}
