//! `im.recent.list`: which dialogs it has, how they look, and its pages; `im.recent.get`: which of
//! them changed since a date (b24: messenger §4.1; Q11).

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

    /// The ids of what `im.recent.get` answers.
    fn changed(&self, params: Value) -> Vec<Value> {
        let items = self.call(MIRA, "im.recent.get", params).result();
        items.as_array().expect("a list").iter().map(|item| item["id"].clone()).collect()
    }

    /// The model's time as the portal writes it.
    fn time(&self) -> String {
        let world = self.portal().world();
        world.time_text(world.now())
    }

    /// `date_update` and `date_last_activity` of the only dialog.
    fn dates(&self) -> (Value, Value) {
        let item = self.recent(json!({})).result()["items"][0].clone();
        (item["date_update"].clone(), item["date_last_activity"].clone())
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

#[test]
fn dialogs_are_listed_by_when_they_changed() {
    let talk = Talk::open();
    let group = talk.group();
    let said = talk.portal().say(OLAF, group, "old").expect("says");
    talk.advance(60);
    let since = talk.time();
    let news = |talk: &Talk| talk.changed(json!({"LAST_SYNC_DATE": since}));
    let chat = json!(format!("chat{group}"));
    assert!(news(&talk).is_empty());
    talk.write("new");
    assert_eq!(news(&talk), [json!(OLAF)], "a plain list of the same items");
    talk.portal().edit(OLAF, said, "edited").expect("edits");
    assert_eq!(news(&talk), [json!(OLAF), chat.clone()], "in the order of messages");
    assert_eq!(talk.changed(json!({"last_update": since})).len(), 2, "the older name");
    let item = talk.call(MIRA, "im.recent.get", json!({"LAST_SYNC_DATE": since})).result();
    assert_eq!(item[1], talk.recent(json!({})).result()["items"][1], "the same items");
}

#[test]
fn date_of_the_update_moves_with_edits_deletions_and_own_reading() {
    let talk = Talk::open();
    let id = talk.write("x");
    let at_first = talk.dates();
    assert_eq!(at_first.0, at_first.1);
    let mut last = at_first.0.clone();
    let mut moved = |what: &str, by_all: bool| {
        let (update, activity) = talk.dates();
        assert_eq!(activity, at_first.1, "{what}: the last message's date stays");
        assert_eq!(update != last, by_all, "{what}");
        last = update;
        talk.advance(10);
    };
    talk.advance(10);
    talk.portal().edit(OLAF, id, "edited in the client").expect("edits");
    moved("an edit", true);
    let edit = json!({"MESSAGE_ID": id, "MESSAGE": "edited by REST"});
    talk.call(OLAF, "im.message.update", edit).result();
    moved("an edit without an event", true);
    talk.call(OLAF, "im.dialog.read", json!({"DIALOG_ID": MIRA, "MESSAGE_ID": id})).result();
    moved("somebody else's reading", false);
    talk.call(MIRA, "im.dialog.read", json!({"DIALOG_ID": OLAF, "MESSAGE_ID": id})).result();
    moved("her reading", true);
    talk.call(MIRA, "im.dialog.read", json!({"DIALOG_ID": OLAF})).result();
    moved("her reading of what is read", true);
    talk.call(OLAF, "im.message.delete", json!({"MESSAGE_ID": id})).result();
    moved("a deletion", true);
}

#[test]
fn date_is_clamped_to_a_week_and_garbage_is_no_date() {
    let talk = Talk::open();
    let (from, day) = (talk.time(), 86_400);
    talk.write("x");
    talk.advance(8 * day);
    let sync = |date: Value| talk.changed(json!({"LAST_SYNC_DATE": date})).len();
    assert_eq!(sync(json!(from)), 0, "a date of last week is clamped");
    assert_eq!(talk.changed(json!({})).len(), 1, "none reaches back thirty days");
    for odd in [json!("garbage"), json!(""), json!(7), json!(null), json!("2026-05-04T11:20:07")] {
        assert_eq!(sync(odd.clone()), 1, "{odd}");
    }
    let fraction = talk.time().replace("+03:00", ".000+03:00");
    assert_eq!(sync(json!(fraction)), 1, "with a fraction it is no date either");
    assert_eq!(sync(json!(talk.time())), 0);
    talk.advance(23 * day);
    assert_eq!(talk.changed(json!({})).len(), 0);
}

#[test]
fn changed_dialogs_have_external_chats_and_filters_of_their_own() {
    let talk = Talk::open();
    let chat_of = |letter, kind| {
        let chat = talk.portal().add_chat_of(letter, kind, "", OLAF, &[MIRA]);
        talk.portal().say(OLAF, chat, "x").expect("says");
        json!(format!("chat{chat}"))
    };
    let (lines, group) = (chat_of('L', "lines"), chat_of('C', "chat"));
    let external = chat_of('X', "tasksTask");
    chat_of('T', "comment");
    chat_of('S', "system");
    talk.write("x");
    let person = json!(OLAF);
    let all = [person.clone(), external.clone(), group.clone(), lines.clone()];
    assert_eq!(talk.changed(json!({})), all);
    let rows = [
        ("SKIP_OPENLINES", vec![&person, &external, &group]),
        ("SKIP_DIALOG", vec![&external, &group, &lines]),
        ("SKIP_CHAT", vec![&person, &external, &lines]),
        ("ONLY_OPENLINES", vec![&lines]),
    ];
    for (filter, expected) in rows {
        let found = talk.changed(json!({ filter: "Y" }));
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
    talk.advance(40 * 86_400);
    assert!(talk.changed(json!({})).is_empty());
    assert_eq!(talk.changed(json!({"ONLY_OPENLINES": "Y"})), [lines], "these without a bound");
}
