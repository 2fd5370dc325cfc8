//! Events as portals really send them, changed at random: whatever comes of one, its page goes on, the
//! good event beside it is forwarded, and nothing panics. The seed is fixed; a longer run is another
//! number of rounds.

use std::collections::HashSet;

use serde_json::Value;
use serde_json::json;

use crate::bitrix::wire::event::EventKind;
use crate::bitrix::wire::event::EventPage;
use crate::domain::filter::GroupPolicy;
use crate::domain::ids::EventId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::inbound::ingest::Reader;
use crate::inbound::ingest::SenderPrefix;
use crate::inbound::tests::ingest::intake_with;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::name;

const ROUNDS: usize = 1000;

/// A sequence of numbers out of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound.max(1)
    }
}

/// One event of each kind that is acted on, and of those that are not.
fn real(kind: usize, id: i64) -> Value {
    let message = json!({"id": id, "chatId": 904, "chat_id": 904, "authorId": 12, "author_id": 12,
        "date": "2026-05-04T11:20:07+03:00",
        "text": "[USER=57]Mira[/USER], [b]see[/b] [URL=https://a.example]this[/URL]\n>>quoted [code]x[/code]",
        "isSystem": false, "uuid": "7d1f0a52-55a7-4c0b-9a0e-2f6f4b8a1c33", "forward": null,
        "params": {"FILE_ID": ["5311"], "REPLY_ID": "70398"}, "viewedByOthers": false});
    let chat = json!({"id": 904, "dialogId": "chat904", "messageType": "C", "type": "chat",
        "extranet": false, "containsCollaber": false, "entityType": "", "owner": 12});
    let user = json!({"id": 12, "active": true, "name": "Olaf Brandt", "extranet": false,
        "bot": false, "connector": false, "externalAuthId": "default", "type": "user"});
    let full = json!({"message": message, "chat": chat, "user": user, "language": "en"});
    let (kind, data) = match kind % 5 {
        0 => ("ONIMV2MESSAGEADD", full),
        1 => ("ONIMV2MESSAGEUPDATE", full),
        2 => ("ONIMV2MESSAGEDELETE", json!({"messageId": id, "chat": chat, "user": user})),
        3 => {
            ("ONIMV2REACTIONCHANGE", json!({"reaction": "like", "action": "", "message": message}))
        }
        _ => ("ONIMV2JOINCHAT", json!({"dialogId": "chat904", "chat": chat, "user": user})),
    };
    json!({"eventId": id, "type": kind, "date": "2026-05-04T11:20:07+03:00", "data": data})
}

/// Something that no reader expects at any place.
fn odd(dice: &mut Dice) -> Value {
    match dice.below(16) {
        0 => Value::Null,
        1 => json!(false),
        2 => json!([]),
        3 => json!({}),
        4 => json!(""),
        5 => json!("0"),
        6 => json!(-1),
        7 => json!(i64::MAX),
        8 => json!(u64::MAX),
        9 => json!(1.5e300),
        10 => json!("[USER=57][/USER]\u{0}\u{202e}[code"),
        11 => json!("[".repeat(500)),
        12 => json!([[[{}]]]),
        13 => json!("chat99999999999999999999"),
        14 => json!({"0": 1, "2": {"id": 3}}),
        _ => json!("2026-13-45T99:99:99+99:99"),
    }
}

/// Changes one place somewhere inside.
fn mutate(value: &mut Value, dice: &mut Dice) {
    let deeper = dice.below(4) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = dice.below(map.len());
            let Some(key) = map.keys().nth(at).cloned() else { return };
            if dice.below(6) == 0 {
                map.remove(&key);
            } else if let Some(inner) = map.get_mut(&key) {
                mutate(inner, dice);
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = dice.below(list.len());
            mutate(&mut list[at], dice);
        }
        Value::String(text) if deeper && !text.is_empty() => {
            let cut = dice.below(text.len());
            let cut = (0..=cut).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(cut);
        }
        other => *other = odd(dice),
    }
}

#[test]
fn whatever_becomes_of_an_event_the_one_beside_it_is_forwarded() {
    let desk = Desk::new();
    let intake = intake_with(&desk, GroupPolicy::Addressed, SenderPrefix::Group);
    let agents = HashSet::from([UserId(57), UserId(58)]);
    let agent = name("mira");
    let reader = Reader { agent: &agent, user: UserId(57), agents: &agents };
    let mut dice = Dice(20_261_125);
    let (mut unreadable, mut good) = (0, Vec::new());
    for round in 0..ROUNDS {
        let id = 1_000_000 + 10 * i64::try_from(round).expect("small");
        let mut event = real(dice.below(5), id);
        for _ in 0..=dice.below(4) {
            mutate(&mut event, &mut dice);
        }
        let events = json!([event, real(0, id + 5)]);
        let result = json!({"events": events, "nextOffset": id + 6, "hasMore": false});
        let page = EventPage::read(&result).expect("a page");
        let kept = page.events.iter();
        unreadable += kept.filter(|one| matches!(one.kind, EventKind::Undecodable(_))).count();
        let Ok((_, next)) = intake.events(reader, EventId(id), page) else {
            panic!("not taken: {result}")
        };
        assert_eq!(next, EventId(id + 6));
        good.push(id + 5);
    }
    let mut rows = Vec::new();
    let mut after = RowId(0);
    loop {
        let page = desk.store.outbox_after(after, 1000).expect("reads");
        let Some(last) = page.last() else { break };
        after = last.row;
        rows.extend(page.into_iter().map(|row| row.inbound.message.0));
    }
    let missing: Vec<&i64> = good.iter().filter(|id| !rows.contains(id)).take(3).collect();
    assert_eq!(missing, Vec::<&i64>::new());
    assert!(unreadable > ROUNDS / 50, "{unreadable} could not be read: too tame");
}
