//! Reading: `im.dialog.read`, the marks it leaves, and `im.dialog.get`, which shows them (b24:
//! messenger §4.3, §12; Q12, Q24).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;
use crate::sim::User;
use crate::sim::UserKind;

const READ: &str = "im.dialog.read";
const GET: &str = "im.dialog.get";

impl Talk {
    fn reads(&self, params: Value) -> Value {
        self.call(MIRA, READ, params).result()
    }

    fn last_event(&self) -> Value {
        let page = self.events(json!({}));
        page["events"].as_array().and_then(|events| events.last()).expect("some").clone()
    }
}

#[test]
fn reading_names_the_dialog_as_it_was_asked_for() {
    let talk = Talk::open();
    let written: Vec<u64> = (0..3).map(|n| talk.write(&n.to_string())).collect();
    let chat = talk.portal().private_chat(MIRA, OLAF);
    let read = talk.reads(json!({"DIALOG_ID": "12", "MESSAGE_ID": written[1]}));
    let expected = json!({"dialogId": OLAF, "chatId": chat, "lastId": written[1], "counter": 1});
    assert_eq!(read, expected, "a number for a person");
    let group = talk.group();
    let said = talk.portal().say(OLAF, group, "x").expect("says");
    let named = format!("chat{group}");
    let read = talk.reads(json!({"dialog_id": named, "last_id": said.to_string()}));
    let expected = json!({"dialogId": named, "chatId": group, "lastId": said, "counter": 0});
    assert_eq!(read, expected, "a text for a chat; the other name of the id");
    let both = json!({"DIALOG_ID": OLAF, "MESSAGE_ID": written[1], "LAST_ID": written[2]});
    assert_eq!(talk.reads(both)["lastId"], json!(written[2]), "LAST_ID wins");
}

#[test]
fn reading_only_goes_forward_and_counters_of_chats_are_capped() {
    let talk = Talk::open();
    let group = talk.group();
    let named = json!(format!("chat{group}"));
    let said: Vec<u64> =
        (0..150).map(|_| talk.portal().say(OLAF, group, "x").expect("says")).collect();
    let to = |id: u64| talk.reads(json!({"DIALOG_ID": named, "MESSAGE_ID": id}));
    assert_eq!(to(said[9])["counter"], json!(100), "140 in truth");
    let shown = talk.call(MIRA, GET, json!({"DIALOG_ID": named})).result();
    assert_eq!(shown["counter"], json!(140), "which others tell");
    assert_eq!(to(said[50])["counter"], json!(99));
    let back = to(said[3]);
    assert_eq!((&back["lastId"], &back["counter"]), (&json!(said[50]), &json!(99)));
    assert_eq!(talk.portal().read_to(group, MIRA), said[50]);
    // Nobody checks to which chat the id belongs.
    let elsewhere = talk.write("elsewhere");
    assert_eq!(to(elsewhere)["counter"], json!(0));
    for _ in 0..150 {
        talk.write("x");
    }
    let private = talk.reads(json!({"DIALOG_ID": OLAF, "MESSAGE_ID": elsewhere}));
    assert_eq!(private["counter"], json!(150), "the cap is for chats");
}

#[test]
fn reading_by_an_id_marks_messages_as_seen_and_without_one_it_does_not() {
    let talk = Talk::open();
    talk.subscribe(OLAF);
    let group = talk.portal().add_chat("Many", OLAF, &[MIRA]);
    let named = json!(format!("chat{group}"));
    let said: Vec<u64> =
        (0..120).map(|_| talk.portal().say(OLAF, group, "x").expect("says")).collect();
    let whole = talk.reads(json!({"DIALOG_ID": named}));
    assert_eq!((&whole["counter"], &whole["lastId"]), (&json!(0), &json!(said[119])));
    assert_eq!(talk.portal().read_to(group, MIRA), said[119]);
    assert!(talk.portal().viewers(said[119]).is_empty(), "nobody sees ticks");
    let more: Vec<u64> =
        (0..120).map(|_| talk.portal().say(OLAF, group, "x").expect("says")).collect();
    talk.reads(json!({"DIALOG_ID": named, "MESSAGE_ID": more[110]}));
    let seen = |id: u64| talk.portal().viewers(id) == [MIRA];
    assert_eq!((seen(more[110]), seen(more[11]), seen(more[10])), (true, true, false), "a hundred");
    assert!(!seen(more[111]), "not read");
    // The author is told with the next event of the message.
    let view = |id: u64| {
        talk.portal().edit(OLAF, id, "edited").expect("edits");
        let page = talk.call(OLAF, "im.v2.Event.get", json!({"limit": 1000})).result();
        let last = page["events"].as_array().and_then(|events| events.last()).expect("some");
        last["data"]["message"]["viewedByOthers"].clone()
    };
    assert_eq!((view(more[110]), view(more[119])), (json!(true), json!(false)));
    let own = talk.portal().say(MIRA, group, "an answer reads what is before it").expect("says");
    assert!(seen(more[119]));
    assert!(talk.portal().viewers(own).is_empty(), "one's own message is not seen by oneself");
}

#[test]
fn reading_where_one_may_not_is_false_and_no_dialog_is_an_error() {
    let talk = Talk::open();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let guest = talk.portal().add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    let id = talk.portal().say(OLAF, foreign, "x").expect("says");
    for dialog in [format!("chat{foreign}"), format!("chat{open}"), guest.to_string()] {
        assert_eq!(talk.reads(json!({"DIALOG_ID": dialog, "MESSAGE_ID": id})), json!(false));
    }
    for dialog in ["chat99999", "4711", "notify", "sg17"] {
        assert_eq!(talk.reads(json!({"DIALOG_ID": dialog})), json!(false), "{dialog}");
    }
    for params in [json!({}), json!({"DIALOG_ID": ""}), json!({"DIALOG_ID": "abc"})] {
        let answer = talk.call(MIRA, READ, params);
        assert_eq!((answer.status, answer.error().as_str()), (400, "DIALOG_ID_EMPTY"));
    }
    assert_eq!(talk.portal().read_to(foreign, MIRA), 0);
    assert!(talk.portal().viewers(id).is_empty());
}

#[test]
fn reading_and_writing_by_rest_leave_the_last_activity_alone() {
    let talk = Talk::open();
    let id = talk.write("x");
    talk.reads(json!({"DIALOG_ID": OLAF, "MESSAGE_ID": id}));
    talk.call(MIRA, "im.message.add", json!({"DIALOG_ID": OLAF, "MESSAGE": "x"})).result();
    let user = talk.call(OLAF, "im.user.get", json!({"ID": MIRA})).result();
    assert_eq!((&user["last_activity_date"], &user["status"]), (&json!(false), &json!("offline")));
    assert_eq!(talk.portal().viewers(id), [MIRA], "but the author sees that it was read");
}

#[test]
fn dialog_is_described_in_small_letters_with_how_far_others_have_read() {
    let talk = Talk::open();
    talk.advance(1);
    let group = talk.group();
    let dismissed = talk.portal().add_user(User::employee("Ex", "Mate").in_departments(&[1]));
    talk.portal().join(group, OLAF, dismissed);
    talk.portal().dismiss(dismissed);
    let said = [1, 2, 3].map(|_| talk.portal().say(MIRA, group, "x").expect("says"));
    let named = format!("chat{group}");
    let get = |user| talk.call(user, GET, json!({"DIALOG_ID": named})).result();
    talk.call(OLAF, READ, json!({"DIALOG_ID": named, "MESSAGE_ID": said[1]})).result();
    let chat = get(MIRA);
    let names = [
        "avatar",
        "background_id",
        "color",
        "counter",
        "date_create",
        "description",
        "dialog_id",
        "disk_folder_id",
        "entity_data_1",
        "entity_data_2",
        "entity_data_3",
        "entity_id",
        "entity_link",
        "entity_type",
        "extranet",
        "id",
        "is_new",
        "last_id",
        "last_message_id",
        "last_message_views",
        "manager_list",
        "marked_id",
        "message_count",
        "message_type",
        "mute_list",
        "name",
        "owner",
        "parent_chat_id",
        "parent_message_id",
        "permissions",
        "public",
        "readed_list",
        "restrictions",
        "role",
        "text_field_enabled",
        "type",
        "unread_id",
        "user_counter",
    ];
    assert_eq!(keys(&chat), names);
    assert_eq!((&chat["dialog_id"], &chat["role"]), (&json!(named), &json!("member")));
    assert_eq!((&chat["type"], &chat["message_type"]), (&json!("chat"), &json!("C")));
    assert_eq!((&chat["counter"], &chat["unread_id"]), (&json!(0), &json!(0)));
    assert_eq!((&chat["last_id"], &chat["last_message_id"]), (&json!(said[2]), &json!(said[2])));
    assert_eq!(chat["user_counter"], json!(3));
    let others = chat["readed_list"].as_array().expect("a list");
    assert_eq!(others.len(), 1, "neither the caller nor who was dismissed");
    assert_eq!(keys(&others[0]), ["date", "message_id", "user_id", "user_name"]);
    assert_eq!(
        (&others[0]["user_id"], &others[0]["message_id"], &others[0]["user_name"]),
        (&json!(OLAF), &json!(said[1]), &json!("Olaf Brandt"))
    );
    assert!(others[0]["date"].is_string());
    let unseen = json!({"message_id": said[2], "first_viewers": [], "count_of_viewers": 0});
    assert_eq!(chat["last_message_views"], unseen);
    let his = get(OLAF);
    assert_eq!((&his["counter"], &his["unread_id"]), (&json!(1), &json!(said[2])));
    assert_eq!((&his["role"], &his["last_id"]), (&json!("owner"), &json!(said[1])));
    talk.call(OLAF, READ, json!({"DIALOG_ID": named, "MESSAGE_ID": said[2]})).result();
    let views = get(MIRA)["last_message_views"].clone();
    assert_eq!(views["count_of_viewers"], json!(1));
    assert_eq!(views["first_viewers"][0]["user_id"], json!(OLAF));
}

#[test]
fn dialog_with_a_person_echoes_how_it_was_asked_for() {
    let talk = Talk::open();
    let get = |dialog: Value| talk.call(MIRA, GET, json!({"DIALOG_ID": dialog})).result();
    let made = get(json!("12"));
    assert_eq!(made["last_message_views"]["message_id"], json!(0));
    assert_eq!(made["readed_list"][0]["date"], json!(null), "never read");
    assert_eq!((&made["dialog_id"], &made["type"]), (&json!("12"), &json!("private")));
    assert_eq!(get(json!(12))["dialog_id"], json!(12));
    let chat = talk.portal().private_chat(OLAF, MIRA);
    assert_eq!(made["id"], json!(chat), "naming a person makes the chat");
    assert_eq!(get(json!(format!("CHAT{chat}")))["dialog_id"], json!(format!("CHAT{chat}")));
}

#[test]
fn dialog_is_refused_with_the_codes_of_the_table() {
    let talk = Talk::open();
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    let rows = [
        (json!({}), 400, "DIALOG_ID_EMPTY"),
        (json!({"DIALOG_ID": "abc"}), 400, "DIALOG_ID_EMPTY"),
        (json!({"DIALOG_ID": format!("chat{foreign}")}), 403, "ACCESS_ERROR"),
        (json!({"DIALOG_ID": 4711}), 403, "ACCESS_ERROR"),
        (json!({"DIALOG_ID": "chat99999"}), 400, "ACCESS_ERROR"),
    ];
    for (params, status, code) in rows {
        let answer = talk.call(MIRA, GET, params.clone());
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{params}");
    }
    let looked = talk.call(MIRA, GET, json!({"DIALOG_ID": format!("chat{open}")})).result();
    assert_eq!(looked["role"], json!("guest"), "a colleague may look");
}

#[test]
fn sight_of_a_message_survives_its_deletion() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let id = talk.write("x");
    talk.reads(json!({"DIALOG_ID": OLAF, "MESSAGE_ID": id}));
    talk.portal().delete(OLAF, id).expect("deletes");
    assert_eq!(talk.last_event()["type"], json!("ONIMV2MESSAGEDELETE"));
    let left = talk.portal().shown(talk.portal().private_chat(OLAF, MIRA));
    assert!(left[0].deleted, "a seen message leaves its place");
    assert_eq!(talk.portal().viewers(id), [MIRA]);
}
