//! Pages of events into the outbox: who is forwarded, with which text, and where the cursor stands.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use url::Url;

use crate::bitrix::oauth::OAuth;
use crate::bitrix::wire::dialog;
use crate::bitrix::wire::dialog::DialogMessage;
use crate::bitrix::wire::event::EventKind;
use crate::bitrix::wire::event::EventPage;
use crate::bitrix::wire::event::PortalEvent;
use crate::bitrix::wire::recent::RecentDialog;
use crate::domain::delivery::Operation;
use crate::domain::filter::GroupPolicy;
use crate::domain::ids::ChatId;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;
use crate::domain::message::Sender;
use crate::domain::step::Draft;
use crate::domain::step::StepKind;
use crate::inbound::Setback;
use crate::inbound::gate::Gate;
use crate::inbound::ingest::Ingest;
use crate::inbound::ingest::Reader;
use crate::inbound::ingest::SenderPrefix;
use crate::inbound::ingest::Taken;
use crate::inbound::intake::Intake;
use crate::inbound::tests::support::Desk;
use crate::inbound::tests::support::NOW;
use crate::inbound::tests::support::name;
use crate::store;
use crate::store::attempts::Done;
use crate::store::ledger::Accepted;
use crate::store::ledger::NewDelivery;
use crate::store::ledger::Plan;
use crate::store::ledger::Target;
use crate::store::outbox::Committed;
use crate::store::outbox::InboundRow;
use crate::store::outbox::Progress;

const MIRA: UserId = UserId(57);

fn message(id: i64, change: impl FnOnce(&mut Message)) -> Message {
    let mut message = Message {
        id: MessageId(id),
        chat: ChatId(904),
        dialog: DialogId::User(UserId(12)),
        kind: ChatKind::Private,
        has_external: false,
        sender: Sender {
            id: UserId(12),
            name: "Olaf Brandt".to_owned(),
            bot: false,
            external: false,
        },
        system: false,
        text: format!("message {id}"),
        uuid: None,
        reply_to: None,
        has_files: false,
        sent_at: Some(NOW),
    };
    change(&mut message);
    message
}

fn private(id: i64) -> Message {
    message(id, |_| {})
}

fn group(id: i64, text: &str) -> Message {
    message(id, |message| {
        message.kind = ChatKind::Group;
        message.dialog = DialogId::Chat(ChatId(904));
        message.text = text.to_owned();
    })
}

/// A page of these messages, their events numbered from `first`.
fn page(first: i64, messages: Vec<Message>) -> EventPage {
    let kinds = messages.into_iter().map(|message| EventKind::Added(Box::new(message)));
    events(first, kinds.collect())
}

fn events(first: i64, kinds: Vec<EventKind>) -> EventPage {
    let numbered = (first..).zip(kinds);
    let events: Vec<PortalEvent> =
        numbered.map(|(id, kind)| PortalEvent { id: Some(EventId(id)), kind }).collect();
    let next = EventId(first + events.len() as i64);
    EventPage { events, next: Some(next), has_more: false }
}

fn intake(desk: &Desk) -> Intake {
    intake_with(desk, GroupPolicy::Addressed, SenderPrefix::Never)
}

pub fn intake_with(desk: &Desk, groups: GroupPolicy, prefix: SenderPrefix) -> Intake {
    let nobody = Url::parse("http://127.0.0.1:1").expect("a URL");
    let oauth = OAuth::new(nobody, None, Vec::new());
    let registry = desk.registry(oauth);
    Intake {
        ingest: Ingest::new(desk.store.clone(), groups, prefix),
        directory: desk.directory(&registry),
        registry,
        gate: Arc::new(Gate::new(Vec::new(), Instant::now())),
        refused: Arc::new(|_, _| {}),
    }
}

/// The cursor, how many rows are new, and whether it was talk.
fn take(intake: &Intake, cursor: i64, page: EventPage) -> (i64, usize, bool) {
    let agents = HashSet::from([MIRA, UserId(58)]);
    let reader = Reader { agent: &name("mira"), user: MIRA, agents: &agents };
    match intake.events(reader, EventId(cursor), page) {
        Ok((taken, next)) => (next.0, taken.committed.queued.len(), taken.talk),
        Err(_) => panic!("takes"),
    }
}

fn rows(desk: &Desk) -> Vec<InboundRow> {
    desk.store.outbox_after(RowId(0), 100).expect("reads")
}

fn texts(desk: &Desk) -> Vec<String> {
    rows(desk).into_iter().map(|row| row.inbound.text).collect()
}

fn cursor(desk: &Desk) -> i64 {
    desk.store.agent(&name("mira")).expect("reads").expect("there").cursor.0
}

#[test]
fn rows_and_cursor_are_committed_together_and_repeats_are_passed_over() {
    let desk = Desk::new();
    let intake = intake(&desk);
    let taken = take(&intake, 0, page(10, vec![private(1), private(2)]));
    assert_eq!(taken, (12, 2, true));
    assert_eq!((cursor(&desk), texts(&desk).len()), (12, 2));
    // The answer to the next call was lost, or a row of the log was written twice.
    let taken = take(&intake, 12, page(11, vec![private(2), private(2), private(3)]));
    assert_eq!(taken.1, 1);
    assert_eq!(texts(&desk), ["message 1", "message 2", "message 3"]);
    let row = &rows(&desk)[0];
    assert_eq!((row.inbound.sender, row.inbound.sent_at), (UserId(12), Some(NOW)));
    assert_eq!(row.inbound.sender_name, "Olaf Brandt");
}

#[test]
fn only_colleagues_in_dialogs_of_the_company_reach_the_outbox() {
    let desk = Desk::new();
    let intake = intake(&desk);
    let ignored = vec![
        message(1, |message| message.system = true),
        message(2, |message| message.sender.id = MIRA),
        message(3, |message| message.sender.id = UserId(58)),
        message(4, |message| message.sender.bot = true),
        message(5, |message| message.sender.external = true),
        message(6, |message| message.kind = ChatKind::OpenLine),
        message(7, |message| message.kind = ChatKind::Unknown),
        message(8, |message| message.has_external = true),
        message(9, |message| message.text = String::new()),
        group(10, "not for her"),
        group(11, "[USER=58]Olga[/USER] for somebody else"),
    ];
    let taken = take(&intake, 0, page(1, ignored));
    assert_eq!((taken.1, cursor(&desk)), (0, 12), "the cursor moves nevertheless");
    take(&intake, 12, page(12, vec![group(12, "[USER=57]Mira[/USER] for her")]));
    assert_eq!(rows(&desk).len(), 1);
    assert!(rows(&desk)[0].inbound.mentioned);
}

#[test]
fn the_agent_itself_writing_is_talk_and_chatter_of_others_is_not() {
    let desk = Desk::new();
    let intake = intake(&desk);
    let talk = |id, message| take(&intake, id, page(id, vec![message])).2;
    assert!(talk(1, message(1, |message| message.sender.id = MIRA)));
    assert!(!talk(2, group(2, "chatter")));
    assert!(talk(3, private(3)));
}

#[test]
fn what_cannot_be_read_does_not_hold_back_its_page() {
    let desk = Desk::new();
    let intake = intake(&desk);
    let added = |id| EventKind::Added(Box::new(private(id)));
    let kinds = vec![added(1), EventKind::Undecodable("{}".to_owned()), EventKind::Other, added(2)];
    assert_eq!(take(&intake, 0, events(5, kinds)).1, 2);
    assert_eq!(cursor(&desk), 9);
}

#[test]
fn an_offset_that_is_missing_or_lower_leaves_the_stored_one() {
    let desk = Desk::new();
    let intake = intake(&desk);
    take(&intake, 0, page(50, vec![private(1)]));
    assert_eq!(cursor(&desk), 51);
    for next in [None, Some(EventId(0)), Some(EventId(50))] {
        let answer = EventPage { next, ..page(60, vec![private(2)]) };
        assert_eq!(take(&intake, 51, answer).0, 51);
        assert_eq!(cursor(&desk), 51);
    }
    assert_eq!(rows(&desk).len(), 2);
}

#[test]
fn swapped_neighbours_are_put_in_the_order_of_their_ids() {
    let desk = Desk::new();
    let intake = intake(&desk);
    take(&intake, 0, page(1, vec![private(8), private(7), private(9)]));
    assert_eq!(texts(&desk), ["message 7", "message 8", "message 9"]);
}

#[test]
fn an_idle_poll_writes_nothing_and_a_failed_commit_is_told() {
    let desk = Desk::new();
    let intake = intake(&desk);
    let agents = HashSet::new();
    // Rows for an agent that does not exist cannot be committed, so a write would show.
    let reader = Reader { agent: &name("nobody"), user: MIRA, agents: &agents };
    let idle = EventPage { events: Vec::new(), next: Some(EventId(7)), has_more: false };
    let Ok((taken, next)) = intake.events(reader, EventId(7), idle) else { panic!("takes") };
    assert_eq!((taken, next), (Taken { committed: Committed::default(), talk: false }, EventId(7)));
    let refused = intake.events(reader, EventId(7), page(7, vec![private(1)]));
    assert!(matches!(refused, Err(Setback::Store(store::Error::Conflict))));
}

#[test]
fn the_senders_name_stands_where_it_is_wanted() {
    let nameless = || message(3, |message| message.sender.name = String::new());
    let broken =
        || message(4, |message| message.sender.name = "Eve\n\nOlaf\u{7} Brandt ".to_owned());
    let table: [(SenderPrefix, Message, &str); 8] = [
        (SenderPrefix::Group, private(1), "message 1"),
        (SenderPrefix::Group, group(2, "hi"), "Olaf Brandt: hi"),
        (SenderPrefix::Always, private(1), "Olaf Brandt: message 1"),
        (SenderPrefix::Always, group(2, "hi"), "Olaf Brandt: hi"),
        (SenderPrefix::Always, nameless(), "message 3"),
        (SenderPrefix::Always, broken(), "Eve Olaf Brandt: message 4"),
        (SenderPrefix::Never, private(1), "message 1"),
        (SenderPrefix::Never, group(2, "hi"), "hi"),
    ];
    for (prefix, message, expected) in table {
        let desk = Desk::new();
        let intake = intake_with(&desk, GroupPolicy::All, prefix);
        take(&intake, 0, page(1, vec![message]));
        assert_eq!(texts(&desk), [expected], "{prefix:?}");
    }
}

#[test]
fn a_reply_to_the_agents_own_message_addresses_that_agent() {
    let desk = Desk::new();
    let intake = intake(&desk);
    for (agent, id) in [("mira", 700), ("olga", 701)] {
        let delivery = NewDelivery {
            id: DeliveryId::parse(agent).expect("an id"),
            agent: name(agent),
            dialog: DialogId::Chat(ChatId(904)),
            operation: Operation::Send,
            content: [0; 32],
            reply_to: None,
            plan: Plan::Ready(vec![Draft {
                kind: StepKind::Add,
                text: "hi".to_owned(),
                uuid: agent.to_owned(),
                message: None,
            }]),
            target: Target::default(),
            reaction: None,
            files: Vec::new(),
            warnings: Vec::new(),
            notice: false,
        };
        let accepted = desk.store.accept(delivery, 10, NOW).expect("accepts");
        let Accepted::New(row) = accepted else { panic!("{accepted:?}") };
        desk.store.begin_attempt(row, 0, NOW).expect("begins");
        let done = Done { message: Some(MessageId(id)), disk: None };
        desk.store.step_done(row, 0, done, None, NOW).expect("delivered");
    }
    let reply = |id, target| {
        let mut reply = group(id, "thanks");
        reply.reply_to = Some(MessageId(target));
        reply
    };
    let page = page(1, vec![reply(801, 700), reply(802, 701), reply(803, 5)]);
    take(&intake, 0, page);
    let forwarded: Vec<i64> = rows(&desk).iter().map(|row| row.inbound.message.0).collect();
    assert_eq!(forwarded, [801]);
    assert_eq!(rows(&desk)[0].inbound.reply_to, Some(MessageId(700)));
}

/// What a dialog shows of a message that was changed: nobody can see there what it answers.
fn shown(id: i64, text: &str, at: &str) -> Vec<DialogMessage> {
    let result = json!({
        "messages": [{"id": id, "author_id": 12, "date": at, "text": text,
            "params": {"IS_EDITED": "Y"}}],
        "users": [{"id": 12, "name": "Olaf Brandt", "external_auth_id": "default"}],
    });
    dialog::read(&result).expect("a page").messages
}

fn look(intake: &Intake, kind: ChatKind, messages: Vec<DialogMessage>) {
    let agents = HashSet::from([MIRA, UserId(58)]);
    let reader = Reader { agent: &name("mira"), user: MIRA, agents: &agents };
    let listed = RecentDialog {
        chat: ChatId(904),
        dialog: DialogId::Chat(ChatId(904)),
        kind,
        has_external: false,
        last: MessageId(9),
        last_at: None,
        pinned: false,
    };
    assert!(intake.dialog(reader, &listed, messages, Progress::None).is_ok());
}

#[test]
fn a_look_does_not_withdraw_what_an_event_knew_more_of() {
    let desk = Desk::new();
    let intake = intake(&desk);
    take(&intake, 0, page(1, vec![message(700, |message| message.sender.id = MIRA)]));
    let reply = |text: &str| {
        let mut reply = group(801, text);
        reply.reply_to = Some(MessageId(700));
        reply
    };
    take(&intake, 2, page(2, vec![reply("thanks")]));
    let changed = EventKind::Updated(Box::new(reply("many thanks")));
    take(&intake, 3, events(3, vec![changed]));
    assert_eq!(texts(&desk), ["many thanks"]);
    look(&intake, ChatKind::Group, shown(801, "many thanks", "2026-05-04T11:20:07+03:00"));
    assert_eq!(texts(&desk), ["many thanks"], "the gateway is away, and it still waits");
}

#[test]
fn a_look_finds_a_changed_message_however_long_ago_it_was_written() {
    let desk = Desk::new();
    let intake = intake(&desk);
    look(&intake, ChatKind::Private, shown(801, "mended", "2020-05-04T11:20:07+03:00"));
    assert_eq!(texts(&desk), ["mended"]);
}

#[test]
fn changes_and_deletions_reach_what_the_gateway_does_not_have() {
    let desk = Desk::new();
    let intake = intake(&desk);
    take(&intake, 0, page(1, vec![private(1), private(2)]));
    let mended = message(1, |message| message.text = "mended".to_owned());
    let kinds = vec![EventKind::Updated(Box::new(mended)), EventKind::Deleted(MessageId(2))];
    take(&intake, 3, events(3, kinds));
    assert_eq!(texts(&desk), ["mended"]);
}
