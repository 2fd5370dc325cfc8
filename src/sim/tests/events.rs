//! The event log: offsets, subscription, retention, what is written for whom, and payloads (b24:
//! messenger §3; Q1 to Q8, Q26).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::SCOPES;
use super::Talk;
use super::keys;
use crate::sim::User;
use crate::sim::UserKind;

/// Message ids of the events of a page, in order.
fn messages(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().expect("a list");
    events.iter().filter_map(|event| event["data"]["message"]["id"].as_u64()).collect()
}

fn event_ids(page: &Value) -> Vec<u64> {
    let events = page["events"].as_array().expect("a list");
    events.iter().map(|event| event["eventId"].as_u64().expect("a number")).collect()
}

#[test]
fn offset_deletes_what_lies_before_it_and_zero_deletes_nothing() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    assert_eq!(talk.events(json!({}))["nextOffset"], json!(0), "a virgin log echoes");
    let written: Vec<u64> = (0..3).map(|n| talk.write(&n.to_string())).collect();
    let page = talk.events(json!({}));
    assert_eq!(messages(&page), written);
    let ids = event_ids(&page);
    let next = page["nextOffset"].clone();
    assert_eq!(next, json!(ids[2] + 1));
    for harmless in [json!(0), json!(-5), json!(null), json!("0")] {
        assert_eq!(talk.events(json!({ "offset": harmless })), page, "{harmless}");
    }
    assert_eq!(messages(&talk.events(json!({ "offset": ids[1].to_string() }))), written[1..]);
    // What was before it is gone for every later call, also for one with a lower offset.
    assert_eq!(messages(&talk.events(json!({ "offset": 1 }))), written[1..]);
    assert_eq!(messages(&talk.events(json!({}))), written[1..]);
    let end = talk.events(json!({ "offset": next }));
    assert_eq!(end, json!({ "events": [], "nextOffset": next, "hasMore": false }));
    assert_eq!(talk.events(json!({}))["events"], json!([]));
}

#[test]
fn page_is_clamped_and_a_full_one_promises_more() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    for _ in 0..1001 {
        talk.write("x");
    }
    let size = |params: Value| {
        let page = talk.events(params);
        (messages(&page).len(), page["hasMore"] == json!(true))
    };
    assert_eq!(size(json!({})), (100, true));
    assert_eq!(size(json!({ "limit": 5000 })), (1000, true));
    assert_eq!(size(json!({ "limit": 0 })), (1, true));
    assert_eq!(size(json!({ "limit": -3 })), (1, true));
    // Names of parameters are case-sensitive here, names of methods are not (Q26).
    assert_eq!(size(json!({ "LIMIT": 2, "Limit": 2 })), (100, true));
    let shouted = talk.call(MIRA, "IM.V2.EVENT.GET", json!({ "limit": 2 })).result();
    assert_eq!(messages(&shouted).len(), 2);
    // Exactly full, and nothing behind it.
    let page = talk.events(json!({ "limit": 1000 }));
    let rest = talk.events(json!({ "offset": page["nextOffset"], "limit": 1 }));
    assert_eq!((messages(&rest).len(), &rest["hasMore"]), (1, &json!(true)));
    let end = talk.events(json!({ "offset": rest["nextOffset"] }));
    assert_eq!((&end["events"], &end["hasMore"]), (&json!([]), &json!(false)));
}

#[test]
fn ids_are_of_one_table_with_gaps() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.subscribe(OLAF);
    talk.switch(|switches| switches.gap = 9);
    talk.write("one");
    talk.write("two");
    let hers = event_ids(&talk.events(json!({})));
    let his = event_ids(&talk.call(OLAF, "im.v2.Event.get", json!({})).result());
    let mut all: Vec<u64> = hers.iter().chain(&his).copied().collect();
    all.sort_unstable();
    assert_eq!(all, [10, 20, 30, 40], "nobody shares an id, and each leaves a gap");
    assert!(hers.is_sorted() && his.is_sorted());
}

#[test]
fn subscription_and_rows_are_the_users_and_not_the_applications() {
    let talk = Talk::open();
    let (other, _) = talk.portal().add_app("http://localhost:1/other", &SCOPES);
    let (foreign, _) = talk.portal().issue_tokens(&other, MIRA).expect("the app is known");
    let steal = |method: &str, params| talk.office.call_with(&foreign, method, params).result();
    assert_eq!(steal("im.v2.Event.subscribe", json!({})), json!(true));
    let message = talk.write("for whom?");
    let page = talk.events(json!({}));
    assert_eq!(messages(&page), [message], "the other application subscribed for the user");
    steal("im.v2.Event.get", json!({ "offset": page["nextOffset"] }));
    assert_eq!(talk.events(json!({}))["events"], json!([]), "and took her events away");
}

#[test]
fn nothing_is_written_for_who_is_not_subscribed() {
    let talk = Talk::open();
    talk.write("unheard");
    let page = talk.events(json!({ "offset": 7 }));
    assert_eq!(page, json!({ "events": [], "nextOffset": 7, "hasMore": false }));
    talk.subscribe(MIRA);
    talk.subscribe(MIRA);
    assert_eq!(talk.events(json!({}))["events"], json!([]), "nor is it made up for");
    let heard = talk.write("heard");
    assert_eq!(messages(&talk.events(json!({}))), [heard], "once, though subscribed twice");
}

#[test]
fn unsubscribing_deletes_what_is_pending_or_keeps_it_as_documented() {
    for kept in [false, true] {
        let talk = Talk::open();
        talk.switch(|switches| switches.unsubscribe_keeps = kept);
        talk.subscribe(MIRA);
        let message = talk.write("x");
        for _ in 0..2 {
            let done = talk.call(MIRA, "im.v2.Event.unsubscribe", json!({})).result();
            assert_eq!(done, json!(true), "idempotent");
        }
        talk.write("y");
        let expected: &[u64] = if kept { &[message] } else { &[] };
        assert_eq!(messages(&talk.events(json!({}))), expected);
    }
}

#[test]
fn no_events_is_remembered_and_can_hide_one_for_a_minute() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    let first = talk.write("clears the memory");
    assert_eq!(messages(&talk.events(json!({ "limit": 1 }))), [first]);
    let next = talk.events(json!({}))["nextOffset"].clone();
    assert_eq!(talk.events(json!({ "offset": next }))["events"], json!([]));
    talk.switch(|switches| switches.empty_race = true);
    let hidden = talk.write("written at the wrong moment");
    assert_eq!(talk.events(json!({}))["events"], json!([]), "hidden from calls without offset");
    talk.advance(61);
    assert_eq!(messages(&talk.events(json!({}))), [hidden], "for a minute");
    let next = talk.events(json!({}))["nextOffset"].clone();
    assert_eq!(talk.events(json!({ "offset": next }))["events"], json!([]));
    let hidden = talk.write("and again");
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    assert_eq!(messages(&talk.events(json!({ "offset": next }))), [hidden], "never with one");
    let next = talk.events(json!({}))["nextOffset"].clone();
    assert_eq!(talk.events(json!({ "offset": next }))["events"], json!([]));
    let both = [talk.write("hidden"), talk.write("clears the memory after all")];
    assert_eq!(messages(&talk.events(json!({}))), both);
}

#[test]
fn rows_live_for_a_day() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.write("old");
    talk.advance(23 * 3600);
    let young = talk.write("young");
    assert_eq!(messages(&talk.events(json!({}))).len(), 2);
    talk.advance(2 * 3600);
    assert_eq!(messages(&talk.events(json!({}))), [young]);
}

#[test]
fn counter_that_starts_again_lets_an_old_offset_delete_new_events() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    for _ in 0..5 {
        talk.write("before");
    }
    let stored = talk.events(json!({}));
    let (ids, old) = (event_ids(&stored), stored["nextOffset"].clone());
    talk.portal().world().messenger.log.reset_counter();
    talk.write("not empty");
    let last = event_ids(&talk.events(json!({})))[5];
    assert!(last > ids[4], "a table that is not empty goes on from its largest id");
    talk.events(json!({ "offset": last + 1 }));
    talk.portal().world().messenger.log.reset_counter();
    talk.write("deleted unread");
    assert_eq!(talk.events(json!({ "offset": old }))["events"], json!([]));
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    let found = talk.write("found from zero");
    assert_eq!(messages(&talk.events(json!({}))), [found]);
}

#[test]
fn events_come_after_the_background_job() {
    let talk = Talk::open();
    talk.switch(|switches| switches.background = std::time::Duration::from_secs(2));
    talk.subscribe(MIRA);
    let message = talk.write("soon");
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    talk.advance(2);
    assert_eq!(messages(&talk.events(json!({}))), [message]);
}

#[test]
fn events_can_be_lost_doubled_and_inverted() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.switch(|switches| switches.lose_every = 2);
    let written: Vec<u64> = (0..4).map(|_| talk.write("x")).collect();
    let page = talk.events(json!({}));
    assert_eq!(messages(&page), [written[0], written[2]]);
    talk.switch(|switches| (switches.lose_every, switches.double_every) = (0, 1));
    let doubled = talk.write("twice");
    let page = talk.events(json!({ "offset": page["nextOffset"] }));
    assert_eq!(messages(&page), [doubled, doubled]);
    let ids = event_ids(&page);
    assert!(ids[0] < ids[1], "two rows, two ids");
    talk.switch(|switches| {
        (switches.double_every, switches.invert) = (0, true);
        switches.background = std::time::Duration::from_secs(1);
    });
    let (one, two) = (talk.write("one"), talk.write("two"));
    talk.advance(1);
    let page = talk.events(json!({ "offset": page["nextOffset"] }));
    assert_eq!(messages(&page), [two, one]);
    assert!(event_ids(&page).is_sorted(), "ids are in the order of writing");
}

#[test]
fn loss_doubling_and_inversion_of_one_rate_hit_different_events() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.switch(|switches| {
        (switches.lose_every, switches.double_every, switches.invert_every) = (20, 20, 20);
    });
    // Another user's events are counted apart.
    talk.subscribe(OLAF);
    let written: Vec<u64> = (0..40).map(|n| talk.write(&n.to_string())).collect();
    let mut expected = Vec::new();
    for twenty in written.chunks(20) {
        expected.extend_from_slice(&twenty[..6]);
        expected.extend([twenty[5]]);
        expected.extend_from_slice(&twenty[6..12]);
        expected.extend([twenty[13], twenty[12]]);
        expected.extend_from_slice(&twenty[14..19]);
    }
    let page = talk.events(json!({"limit": 1000}));
    assert_eq!(messages(&page), expected, "one of twenty doubled, one overtaken, one lost");
    assert!(event_ids(&page).is_sorted());
    let his = talk.call(OLAF, "im.v2.Event.get", json!({"limit": 1000})).result();
    assert_eq!(messages(&his), expected);
}

#[test]
fn overtaken_event_is_written_after_a_second_when_nothing_overtakes_it() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    talk.switch(|switches| switches.invert_every = 1);
    let only = talk.write("held back");
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    assert_eq!(talk.portal().world().messenger.log.pending(MIRA), 1, "it is on its way");
    talk.advance(1);
    assert_eq!(messages(&talk.events(json!({}))), [only]);
    let read = talk.events(json!({}))["nextOffset"].clone();
    let two = [talk.write("overtaken"), talk.write("overtakes")];
    let page = talk.events(json!({ "offset": read }));
    assert_eq!(messages(&page), [two[1], two[0]], "also when each is written at its own time");
}

#[test]
fn other_applications_take_events_and_the_subscription_away() {
    let talk = Talk::open();
    talk.portal().subscribe_foreign(MIRA);
    talk.write("one");
    let two = talk.write("two");
    let page = talk.events(json!({}));
    assert_eq!(talk.portal().steal_events(MIRA), 2);
    assert_eq!(talk.portal().steal_events(MIRA), 0);
    assert_eq!(talk.events(json!({ "offset": page["nextOffset"] }))["events"], json!([]));
    let three = talk.write("three");
    assert!(three > two);
    assert_eq!(messages(&talk.events(json!({}))), [three]);
    talk.portal().steal_all_events(MIRA, true);
    talk.write("taken at once");
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    talk.portal().steal_all_events(MIRA, false);
    let heard = talk.write("heard again");
    assert_eq!(messages(&talk.events(json!({}))), [heard]);
    talk.portal().unsubscribe_foreign(MIRA);
    talk.write("four");
    assert_eq!(talk.events(json!({}))["events"], json!([]), "and what was pending went, too");
    talk.subscribe(MIRA);
    talk.switch(|switches| switches.unsubscribe_keeps = true);
    let five = talk.write("five");
    talk.portal().unsubscribe_foreign(MIRA);
    assert_eq!(messages(&talk.events(json!({}))), [five]);
}

#[test]
fn notes_to_oneself_are_written_twice() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let note = talk.portal().write_to(MIRA, MIRA, "milk").expect("writes");
    let page = talk.events(json!({}));
    assert_eq!(messages(&page), [note, note]);
    assert_eq!(page["events"][0]["data"], page["events"][1]["data"]);
}

#[test]
fn own_system_and_bot_messages_are_written_and_notifications_are_not() {
    let talk = Talk::open();
    let bot = talk.portal().add_user(User::of_kind(UserKind::Bot, "Robo", "Bot"));
    let group = talk.portal().add_chat("Invoices", OLAF, &[MIRA, bot]);
    let notices = talk.portal().add_chat_of('S', "system", "", MIRA, &[MIRA]);
    talk.subscribe(MIRA);
    let say = |author, chat| talk.portal().say(author, chat, "x").expect("says");
    let written = [say(MIRA, group), say(0, group), say(bot, group)];
    say(OLAF, notices);
    let page = talk.events(json!({}));
    assert_eq!(messages(&page), written);
    let data = |n: usize| &page["events"][n]["data"];
    assert_eq!(data(0)["message"]["authorId"], json!(MIRA));
    assert_eq!(data(1)["user"], json!([]), "the system is nobody");
    assert_eq!(data(1)["message"]["isSystem"], json!(true));
    assert_eq!(data(1)["message"]["authorId"], json!(0));
    assert_eq!(data(2)["user"]["bot"], json!(true));
}

#[test]
fn membership_at_the_moment_of_writing_counts() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let open = talk.portal().add_chat_of('O', "open", "Everybody", OLAF, &[]);
    talk.portal().say(OLAF, open, "she may read this, but is no member").expect("says");
    assert_eq!(talk.events(json!({}))["events"], json!([]));
    talk.portal().join(open, OLAF, MIRA);
    let heard = talk.portal().say(OLAF, open, "heard").expect("says");
    let page = talk.events(json!({}));
    assert_eq!(messages(&page).last(), Some(&heard));
    talk.portal().world().messenger.chats.get_mut(&open).expect("there").members.remove(&MIRA);
    talk.portal().say(OLAF, open, "unheard").expect("says");
    assert_eq!(talk.events(json!({ "offset": page["nextOffset"] }))["events"], json!([]));
}

#[test]
fn joining_is_told_by_an_event_for_each_and_a_notice() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let page = talk.events(json!({}));
    let events = page["events"].as_array().expect("a list");
    let joins = events.iter().filter(|event| event["type"] == "ONIMV2JOINCHAT");
    let joins: Vec<&Value> = joins.map(|event| &event["data"]).collect();
    assert_eq!(joins.len(), 2);
    assert_eq!(joins[0]["dialogId"], json!(format!("chat{group}")));
    assert_eq!([&joins[0]["user"]["id"], &joins[1]["user"]["id"]], [&json!(OLAF), &json!(MIRA)]);
    let notice = events.iter().find(|event| event["type"] == "ONIMV2MESSAGEADD");
    let notice = &notice.expect("a notice")["data"];
    let text = "[USER=12 REPLACE]Olaf Brandt[/USER] added [USER=57 REPLACE]Mira Holt[/USER] to \
                the chat";
    assert_eq!(notice["message"]["text"], json!(text));
    assert_eq!(notice["message"]["params"], json!({ "CODE": ["CHAT_JOIN"], "NOTIFY": "N" }));
    assert_eq!(notice["user"], json!([]));
    let channel = talk.portal().add_chat_of('N', "channel", "News", OLAF, &[MIRA]);
    assert!(talk.portal().shown(channel).is_empty(), "channels hide joins");
}

#[test]
fn payload_has_the_keys_of_the_source() {
    let talk = Talk::open();
    talk.portal().world().users.get_mut(&OLAF).expect("there").work_phone = Some("12".to_owned());
    talk.subscribe(MIRA);
    talk.subscribe(OLAF);
    talk.write("hello");
    let event = talk.events(json!({}))["events"][0].clone();
    assert_eq!(keys(&event), ["data", "date", "eventId", "type"]);
    assert_eq!(event["type"], json!("ONIMV2MESSAGEADD"));
    let data = &event["data"];
    assert_eq!(keys(data), ["chat", "language", "message", "user"]);
    let message = [
        "authorId",
        "author_id",
        "chatId",
        "chat_id",
        "date",
        "forward",
        "id",
        "isSystem",
        "params",
        "text",
        "uuid",
        "viewedByOthers",
    ];
    assert_eq!(keys(&data["message"]), message);
    assert_eq!(data["message"]["params"], json!([]), "an empty PHP array");
    assert_eq!(data["message"]["uuid"].as_str().map(str::len), Some(36), "official clients do");
    let date = data["message"]["date"].as_str().expect("a text");
    assert!(date.len() == 25 && date.ends_with("+03:00"), "{date}");
    let chat = [
        "avatar",
        "backgroundId",
        "color",
        "containsCollaber",
        "description",
        "dialogId",
        "diskFolderId",
        "entityData1",
        "entityData2",
        "entityData3",
        "entityId",
        "entityLink",
        "entityType",
        "extranet",
        "id",
        "isNew",
        "messageType",
        "name",
        "owner",
        "parentChatId",
        "parentMessageId",
        "permissions",
        "textFieldEnabled",
        "type",
    ];
    assert_eq!(keys(&data["chat"]), chat);
    assert_eq!(data["chat"]["textFieldEnabled"], json!(true));
    assert_eq!(
        (&data["chat"]["type"], &data["chat"]["messageType"]),
        (&json!("private"), &json!("P"))
    );
    let user = [
        "absent",
        "active",
        "avatar",
        "birthday",
        "bot",
        "color",
        "connector",
        "departments",
        "desktopLastDate",
        "email",
        "externalAuthId",
        "extranet",
        "firstName",
        "gender",
        "id",
        "idle",
        "lastActivityDate",
        "lastName",
        "mobileLastDate",
        "name",
        "phones",
        "status",
        "type",
        "website",
        "workPosition",
    ];
    assert_eq!(keys(&data["user"]), user);
    assert_eq!(data["user"]["phones"], json!({ "workPhone": "12" }));
    // A private chat has two dialog ids, each the other's user id.
    assert_eq!(data["chat"]["dialogId"], json!("12"));
    let his = talk.call(OLAF, "im.v2.Event.get", json!({})).result();
    assert_eq!(his["events"][0]["data"]["chat"]["dialogId"], json!("57"));
}

#[test]
fn payload_can_have_the_documented_shapes() {
    let talk = Talk::open();
    talk.switch(|switches| (switches.documented_shapes, switches.null_offset) = (true, true));
    talk.subscribe(MIRA);
    assert_eq!(talk.events(json!({}))["nextOffset"], json!(null));
    talk.write("hello");
    let group = talk.group();
    talk.portal().say(0, group, "without a uuid").expect("says");
    let page = talk.events(json!({}));
    let first = &page["events"][0]["data"];
    assert!(!keys(&first["message"]).contains(&"chat_id"));
    assert_eq!(first["chat"]["textFieldEnabled"], json!("Y"));
    assert_eq!(first["user"]["type"], json!("employee"));
    let last = page["events"].as_array().and_then(|events| events.last()).expect("some");
    assert_eq!(last["data"]["message"]["uuid"], json!(""));
}

#[test]
fn numbers_in_params_are_texts() {
    let talk = Talk::open();
    talk.subscribe(MIRA);
    let group = talk.group();
    let files: [(&str, &[u8]); 1] = [("plan.pdf", b"%PDF")];
    let first = talk.portal().send_files(OLAF, group, &files, "see").expect("sends");
    let file = talk.portal().folder(group)[0].id;
    talk.portal().reply(OLAF, group, first, "and this").expect("says");
    let page = talk.events(json!({}));
    let params: Vec<&Value> = page["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| &event["data"]["message"]["params"])
        .collect();
    assert_eq!(params[params.len() - 2], &json!({ "FILE_ID": [file.to_string()] }));
    assert_eq!(params[params.len() - 1], &json!({ "REPLY_ID": first.to_string() }));
}

#[test]
fn older_portal_has_no_event_log() {
    let talk = Talk::open();
    talk.switch(|switches| switches.no_event_log = true);
    for method in ["im.v2.Event.subscribe", "im.v2.Event.get", "im.v2.Event.unsubscribe"] {
        let answer = talk.call(MIRA, method, json!({}));
        assert_eq!((answer.status, answer.error().as_str()), (404, "ERROR_METHOD_NOT_FOUND"));
        let known = talk.call(MIRA, "method.get", json!({ "name": method })).result();
        assert_eq!(known["isExisting"], json!(false));
    }
}

#[test]
fn any_row_can_be_put_into_the_log() {
    let talk = Talk::open();
    let now = talk.portal().world().now();
    let odd = json!({ "message": [] });
    talk.portal().world().messenger.log.write_any(MIRA, "ONIMV2SOMETHING", now, odd.clone());
    let event = talk.events(json!({}))["events"][0].clone();
    assert_eq!((&event["type"], &event["data"]), (&json!("ONIMV2SOMETHING"), &odd));
}
