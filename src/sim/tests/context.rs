//! `im.dialog.context.get`: a message between its neighbours, in the V2 form (b24: messenger §4.2).

use serde_json::Value;
use serde_json::json;

use super::MIRA;
use super::OLAF;
use super::Talk;
use super::keys;

impl Talk {
    fn context(&self, params: Value) -> Value {
        self.call(MIRA, "im.dialog.context.get", params).result()
    }
}

fn ids(list: &Value) -> Vec<u64> {
    let messages = list.as_array().expect("a list");
    messages.iter().map(|message| message["id"].as_u64().expect("a number")).collect()
}

#[test]
fn context_tells_what_a_message_answers() {
    let talk = Talk::open();
    let group = talk.group();
    let asked = talk.portal().say(MIRA, group, "who?").expect("says");
    let between: Vec<u64> =
        (0..3).map(|_| talk.portal().say(OLAF, group, "x").expect("says")).collect();
    let answer = talk.portal().reply(OLAF, group, asked, "I").expect("replies");
    let page = talk.context(json!({"MESSAGE_ID": answer, "RANGE": 0}));
    assert_eq!(ids(&page["messages"]), [answer]);
    assert_eq!(ids(&page["additionalMessages"]), [asked], "what is answered comes along");
    assert_eq!(page["users"][0]["id"], json!(OLAF));
    let message = &page["messages"][0];
    assert_eq!(message["params"], json!({"REPLY_ID": asked.to_string()}), "a text");
    for name in ["chatId", "authorId", "forward", "isSystem", "unread", "viewed", "viewedByOthers"]
    {
        assert!(keys(message).contains(&name), "{name}");
    }
    assert_eq!((&message["viewed"], &message["viewedByOthers"]), (&json!(false), &json!(false)));
    let page = talk.context(json!({"message_id": between[1], "range": "1"}));
    assert_eq!(ids(&page["messages"]), between, "on either side");
    for odd in [-1, 51, 1000] {
        let page = talk.context(json!({"MESSAGE_ID": between[1], "RANGE": odd}));
        assert_eq!(ids(&page["messages"]).len(), 6, "{odd}: the notice and all five");
    }
    talk.portal().view(MIRA, group);
    let page = talk.context(json!({"MESSAGE_ID": answer, "RANGE": 0}));
    let message = &page["messages"][0];
    assert_eq!((&message["viewed"], &message["viewedByOthers"]), (&json!(true), &json!(true)));
}

#[test]
fn context_is_cut_at_fifty_on_either_side() {
    let talk = Talk::open();
    let all: Vec<u64> = (0..130).map(|_| talk.write("x")).collect();
    let page = talk.context(json!({"MESSAGE_ID": all[65], "RANGE": 50}));
    assert_eq!(ids(&page["messages"]), all[15..=115]);
}

#[test]
fn context_is_refused_with_the_codes_of_the_table() {
    let talk = Talk::open();
    let mine = talk.write("x");
    let foreign = talk.portal().add_chat("Others", OLAF, &[]);
    let secret = talk.portal().say(OLAF, foreign, "x").expect("says");
    let rows = [
        (json!({}), 400, "MESSAGE_ID_EMPTY"),
        (json!({"MESSAGE_ID": 0, "RANGE": 1}), 400, "MESSAGE_ID_EMPTY"),
        (json!({"MESSAGE_ID": "x", "RANGE": 1}), 400, "MESSAGE_ID_EMPTY"),
        (json!({"MESSAGE_ID": mine + 1000}), 400, "MESSAGE_NOT_FOUND"),
        (json!({"MESSAGE_ID": secret}), 403, "ACCESS_ERROR"),
        (json!({"MESSAGE_ID": mine}), 400, "RANGE_EMPTY"),
    ];
    for (params, status, code) in rows {
        let answer = talk.call(MIRA, "im.dialog.context.get", params.clone());
        assert_eq!((answer.status, answer.error().as_str()), (status, code), "{params}");
    }
}
