//! Events as portals really send them, and as they should not.

use serde_json::Value;
use serde_json::json;

use super::EventKind;
use super::EventPage;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;

/// A group message in the form of the newest portals.
fn data() -> Value {
    json!({
        "message": {"id": 70412, "chatId": 904, "chat_id": 904, "authorId": 12, "author_id": 12,
            "date": "2026-05-04T11:20:07+03:00", "text": "[USER=57]Mira Holt[/USER], hello",
            "isSystem": false, "uuid": "7d1f0a52-55a7-4c0b-9a0e-2f6f4b8a1c33", "forward": null,
            "params": {"FILE_ID": ["5311"], "REPLY_ID": "70398"}},
        "chat": {"id": 904, "dialogId": "chat904", "messageType": "C", "type": "chat",
            "extranet": false, "containsCollaber": false, "entityType": ""},
        "user": {"id": 12, "name": "Olaf Brandt", "extranet": false, "bot": false,
            "connector": false, "externalAuthId": "default", "type": "user"},
        "language": "en"
    })
}

fn page(events: Value) -> EventPage {
    let result = json!({"events": events, "nextOffset": 88214, "hasMore": false});
    EventPage::read(&result).expect("a page")
}

fn read(data: Value) -> EventKind {
    let event = json!({"eventId": 88213, "type": "ONIMV2MESSAGEADD", "data": data});
    page(json!([event])).events.remove(0).kind
}

fn message(change: impl FnOnce(&mut Value)) -> Message {
    let mut data = data();
    change(&mut data);
    match read(data) {
        EventKind::Added(message) => *message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_a_group_message() {
    let read = message(|_| {});
    assert_eq!(read.id, MessageId(70412));
    assert_eq!(read.dialog, DialogId::parse("chat904").expect("a dialog"));
    assert_eq!(read.kind, ChatKind::Group);
    assert_eq!(read.reply_to, Some(MessageId(70398)));
    assert!(read.has_files && !read.system && !read.sender.external && !read.has_external);
    assert_eq!(read.sender.name, "Olaf Brandt");
    assert!(read.sent_at.is_some());
}

#[test]
fn reads_the_other_spellings() {
    let classic = message(|data| {
        let inner = data["message"].as_object_mut().expect("an object");
        inner.remove("chatId");
        inner.remove("authorId");
        inner["id"] = json!("70412");
        inner["params"] = json!([]);
        inner["uuid"] = json!("");
        data["chat"]["extranet"] = json!("N");
        data["user"]["type"] = json!("employee");
    });
    assert_eq!((classic.chat.0, classic.sender.id.0), (904, 12));
    assert!(classic.uuid.is_none() && classic.reply_to.is_none() && !classic.has_files);
    assert!(!classic.sender.external);
    let private = message(|data| {
        data["chat"]["dialogId"] = json!(12);
        data["chat"]["messageType"] = json!("P");
    });
    assert!(private.dialog.is_private());
    assert_eq!(private.kind, ChatKind::Private);
}

#[test]
fn whoever_is_not_clearly_a_colleague_is_external() {
    let changes: [fn(&mut Value); 8] = [
        |data| data["user"]["extranet"] = json!(true),
        |data| data["user"]["extranet"] = json!("Y"),
        |data| data["user"]["connector"] = json!(true),
        |data| data["user"]["type"] = json!("collaber"),
        |data| data["user"]["type"] = json!("something_new"),
        |data| data["user"]["externalAuthId"] = json!("email"),
        |data| data["user"] = json!({"id": 12}),
        |data| data["user"] = json!([]),
    ];
    for change in changes {
        let read = message(change);
        assert!(read.sender.external, "{:?}", read.sender);
    }
    let bot = message(|data| data["user"]["bot"] = json!(true));
    assert!(bot.sender.bot);
}

#[test]
fn system_messages_and_chat_kinds_are_told() {
    let system = message(|data| {
        data["message"]["authorId"] = json!(0);
        data["message"]["isSystem"] = json!(true);
        data["user"] = json!([]);
    });
    assert!(system.system);
    let kinds = [
        ("L", ChatKind::OpenLine),
        ("N", ChatKind::Channel),
        ("J", ChatKind::Channel),
        ("T", ChatKind::Comment),
        ("S", ChatKind::Notification),
        ("X", ChatKind::Group),
        ("Q", ChatKind::Unknown),
    ];
    for (letter, kind) in kinds {
        assert_eq!(message(|data| data["chat"]["messageType"] = json!(letter)).kind, kind);
    }
    let lines = message(|data| data["chat"]["entityType"] = json!("LINES"));
    assert_eq!(lines.kind, ChatKind::OpenLine);
}

#[test]
fn one_odd_event_does_not_block_its_page() {
    let gone = json!({"message": {"id": 5}, "chat": {}, "user": []});
    assert_eq!(read(gone), EventKind::Other);
    let mut emptied = data();
    emptied["message"]["text"] = json!("This message was deleted.");
    emptied["message"]["params"]["IS_DELETED"] = json!("Y");
    assert_eq!(read(emptied), EventKind::Other);
    for odd in [json!(null), json!([]), json!({"message": "x"}), json!({"message": {"text": 1}})] {
        assert!(matches!(read(odd), EventKind::Undecodable(_)));
    }
    let good = json!({"eventId": "9", "type": "ONIMV2MESSAGEADD", "data": data()});
    let events = json!([1, {"type": "ONIMV2JOINCHAT", "data": 5}, {"eventId": 8}, good]);
    let page = page(events);
    assert_eq!(page.events.len(), 4);
    assert!(matches!(page.events[3].kind, EventKind::Added(_)));
    assert_eq!(page.events[3].id.map(|id| id.0), Some(9));
}

#[test]
fn changes_and_deletions_are_read() {
    let of = |kind: &str, data: Value| {
        let event = json!({"eventId": 5, "type": kind, "data": data});
        page(json!([event])).events.remove(0).kind
    };
    let EventKind::Updated(updated) = of("ONIMV2MESSAGEUPDATE", data()) else { panic!() };
    assert_eq!(updated.id, MessageId(70412));
    let gone = EventKind::Deleted(MessageId(70412));
    let left = json!({"message": {"id": 70412}, "chat": {}, "user": []});
    assert_eq!(of("ONIMV2MESSAGEUPDATE", left), gone);
    let mut emptied = data();
    emptied["message"]["params"] = json!({"IS_DELETED": "Y"});
    assert_eq!(of("ONIMV2MESSAGEUPDATE", emptied), gone);
    assert_eq!(of("ONIMV2MESSAGEDELETE", json!({"messageId": "70412", "chat": {}})), gone);
    for odd in [json!(null), json!({}), json!({"messageId": "x"})] {
        assert!(matches!(of("ONIMV2MESSAGEDELETE", odd), EventKind::Undecodable(_)));
    }
}

#[test]
fn what_cannot_be_read_is_kept_as_it_came_and_not_without_bound() {
    let kept = |value: Value| match page(json!([value])).events.remove(0).kind {
        EventKind::Undecodable(raw) => raw,
        other => panic!("{other:?}"),
    };
    assert_eq!(kept(json!({"eventId": 8})), r#"{"eventId":8}"#);
    let long = kept(json!({ "data": "é".repeat(super::RAW_BYTES_MAX) }));
    assert!(long.len() <= super::RAW_BYTES_MAX && long.len() > super::RAW_BYTES_MAX - 4);
}

#[test]
fn an_offset_may_be_absent() {
    for next in [json!(null), json!(false)] {
        let result = json!({"events": [], "nextOffset": next, "hasMore": "N"});
        let page = EventPage::read(&result).expect("a page");
        assert_eq!((page.next, page.has_more), (None, false));
    }
    assert!(EventPage::read(&json!([])).is_none());
    assert!(EventPage::read(&json!({"events": {}})).is_none());
    let mapped = json!({"events": {"3": {"eventId": 7, "type": "ONIMV2JOINCHAT"}}});
    assert_eq!(EventPage::read(&mapped).expect("a page").events.len(), 1);
}
