//! The event log (b24: messenger §3.1–§3.3): who subscribed, what was written for whom, and reading
//! it by destructive offsets. Events are written by a background job after the sender's answer, so
//! they wait in a queue until the model's clock has got there.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::params::Params;
use super::super::people::UserKind;
use super::super::php;
use super::super::world::World;
use super::Messenger;
use super::MessengerSwitches;
use super::event;
use crate::base::clock::UnixMs;

/// The type of an event that tells of a new message.
const ADDED: &str = "ONIMV2MESSAGEADD";
/// How long rows are kept, read or not (§3.2 item 8).
const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// How long "no events" is remembered (§3.2 item 9).
const EMPTY_CACHE: Duration = Duration::from_secs(60);
/// Largest page.
const LIMIT_MAX: i64 = 1000;
/// How long an event is held back that is to be overtaken, when nothing overtakes it (Q6).
const HELD_MAX: Duration = Duration::from_secs(1);
/// Rows kept of one user; a real table has no such bound, a test never reaches it.
const ROWS_MAX: usize = 100_000;

/// One row of the log.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: u64,
    /// `ONIMV2MESSAGEADD` and so on.
    pub kind: &'static str,
    /// When it was written.
    pub at: UnixMs,
    /// The payload as it was then.
    pub data: Value,
}

/// A reaction that was set or taken back.
#[derive(Clone, Copy, Debug)]
pub struct Reacted {
    /// Who did it.
    pub user: u64,
    /// The reaction's code.
    pub code: &'static str,
    /// Set, and not taken back.
    pub added: bool,
}

/// Something the background job has to write.
#[derive(Clone, Debug)]
enum Job {
    MessageAdded(u64),
    MessageUpdated(u64),
    MessageDeleted(u64),
    Reaction { message: u64, change: Reacted },
    Joined { chat: u64, user: u64 },
}

/// "No events", remembered for one user.
#[derive(Clone, Copy, Debug)]
struct Empty {
    until: UnixMs,
    /// A row was written at the wrong moment and is hidden by this.
    raced: bool,
}

/// The log of the portal.
#[derive(Debug, Default)]
pub struct EventLog {
    subscribed: BTreeSet<u64>,
    rows: HashMap<u64, VecDeque<Row>>,
    last_id: u64,
    /// Events of each user so far, lost ones too: what the switches count.
    written: HashMap<u64, u64>,
    /// An event of a user that the next one overtakes, and when it is written at the latest.
    held: HashMap<u64, (UnixMs, Row)>,
    empty: HashMap<u64, Empty>,
    queue: VecDeque<(UnixMs, Job)>,
    /// Users whose rows another application takes as soon as they are written.
    taken_away: BTreeSet<u64>,
}

impl EventLog {
    /// The table's counter starts again, as after a restart of an old database or a restored
    /// backup (§3.2 item 5, Q2a).
    ///
    /// Such a database goes on from the largest id that is stored.
    pub fn reset_counter(&mut self) {
        let stored = self.rows.values().flatten().map(|row| row.id);
        self.last_id = stored.max().unwrap_or(0);
    }

    /// Writes a row of any type and payload, so that a test can show the connector an event that
    /// the model does not make itself.
    pub fn write_any(&mut self, user: u64, kind: &'static str, at: UnixMs, data: Value) {
        self.push(user, Row { id: 0, kind, at, data }, &MessengerSwitches::default());
    }

    /// Rows of a user that nobody acknowledged, with the one that is held back.
    pub fn pending(&self, user: u64) -> usize {
        self.rows.get(&user).map_or(0, VecDeque::len) + usize::from(self.held.contains_key(&user))
    }

    /// Deletes the rows of a user as if they had been acknowledged; how many there were.
    pub(super) fn take_all(&mut self, user: u64) -> usize {
        self.empty.remove(&user);
        self.rows.remove(&user).map_or(0, |rows| rows.len())
    }

    /// From now on somebody else is always first, or no more.
    pub(super) fn set_taken_away(&mut self, user: u64, on: bool) {
        match on {
            true => self.taken_away.insert(user),
            false => self.taken_away.remove(&user),
        };
    }

    /// See [`subscribe`].
    pub(super) fn subscribe_user(&mut self, user: u64) {
        self.subscribed.insert(user);
    }

    /// See [`unsubscribe`].
    pub(super) fn unsubscribe_user(&mut self, user: u64, keeps: bool) {
        self.subscribed.remove(&user);
        if !keeps {
            self.rows.remove(&user);
            self.held.remove(&user);
        }
    }

    /// Whether a user's events are written.
    pub fn is_subscribed(&self, user: u64) -> bool {
        self.subscribed.contains(&user)
    }

    pub(super) fn message_added(&mut self, message: u64, at: UnixMs) {
        self.queue.push_back((at, Job::MessageAdded(message)));
    }

    pub(super) fn message_updated(&mut self, message: u64, at: UnixMs) {
        self.queue.push_back((at, Job::MessageUpdated(message)));
    }

    pub(super) fn message_deleted(&mut self, message: u64, at: UnixMs) {
        self.queue.push_back((at, Job::MessageDeleted(message)));
    }

    pub(super) fn reaction(&mut self, message: u64, change: Reacted, at: UnixMs) {
        self.queue.push_back((at, Job::Reaction { message, change }));
    }

    pub(super) fn joined(&mut self, chat: u64, user: u64, at: UnixMs) {
        self.queue.push_back((at, Job::Joined { chat, user }));
    }

    /// An event for a user, with what the switches let go wrong with it.
    fn write(&mut self, user: u64, row: Row, now: UnixMs, switches: &MessengerSwitches) {
        let fate = self.fate(user, switches);
        if fate.lost {
            return;
        }
        if fate.held && !self.held.contains_key(&user) {
            self.held.insert(user, (now.plus(HELD_MAX), row));
            return;
        }
        if fate.doubled {
            self.push(user, row.clone(), switches);
        }
        self.push(user, row, switches);
        if let Some((_, overtaken)) = self.held.remove(&user) {
            self.push(user, overtaken, switches);
        }
    }

    /// Which switches hit the next event of a user. Each counts to its n, but from another start, so
    /// that with the same n they do not hit one event together.
    fn fate(&mut self, user: u64, switches: &MessengerSwitches) -> Fate {
        let count = self.written.entry(user).or_default();
        *count += 1;
        let hit = |n: u64, thirds: u64| n > 0 && *count % n == n * thirds / 3;
        Fate {
            lost: hit(switches.lose_every, 0),
            doubled: hit(switches.double_every, 1),
            held: hit(switches.invert_every, 2),
        }
    }

    /// Writes what was held back for too long.
    fn release(&mut self, now: UnixMs, switches: &MessengerSwitches) {
        let due: Vec<u64> =
            self.held.iter().filter(|(_, (until, _))| *until <= now).map(|(u, _)| *u).collect();
        for user in due {
            if let Some((_, row)) = self.held.remove(&user) {
                self.push(user, row, switches);
            }
        }
    }

    fn push(&mut self, user: u64, row: Row, switches: &MessengerSwitches) {
        self.last_id = self.last_id.saturating_add(switches.gap.saturating_add(1));
        if self.taken_away.contains(&user) {
            // Written, and gone before anybody else asks.
            self.empty.remove(&user);
            return;
        }
        let rows = self.rows.entry(user).or_default();
        if rows.len() >= ROWS_MAX {
            rows.pop_front();
        }
        rows.push_back(Row { id: self.last_id, ..row });
        // A new row clears the memory of "nothing there", unless it comes between the look that
        // found nothing and the remembering: then it takes the next row to clear it.
        match self.empty.get_mut(&user) {
            Some(memory) if switches.empty_race && !memory.raced => memory.raced = true,
            _ => {
                self.empty.remove(&user);
            }
        }
    }
}

/// What the switches do to one event of one user.
struct Fate {
    lost: bool,
    doubled: bool,
    held: bool,
}

/// A message whose sender waited: written at once, and before what still waits in the queue.
pub(super) fn message_written(world: &mut World, message: u64, at: UnixMs) {
    write(world, at, &Job::MessageAdded(message));
}

/// Runs the background jobs whose time has come.
pub fn catch_up(world: &mut World) {
    let now = world.now();
    let mut due = Vec::new();
    while world.messenger.log.queue.front().is_some_and(|(at, _)| *at <= now) {
        due.extend(world.messenger.log.queue.pop_front());
    }
    if world.messenger.switches.invert {
        for pair in due.chunks_mut(2) {
            pair.reverse();
        }
    }
    for (at, job) in due {
        write(world, at, &job);
    }
    let Messenger { switches, log, .. } = &mut world.messenger;
    log.release(now, switches);
}

fn write(world: &mut World, at: UnixMs, job: &Job) {
    let (kind, recipients) = match job {
        Job::MessageAdded(message) => (ADDED, message_recipients(world, *message)),
        Job::MessageUpdated(message) => {
            ("ONIMV2MESSAGEUPDATE", message_recipients(world, *message))
        }
        Job::MessageDeleted(message) => {
            ("ONIMV2MESSAGEDELETE", message_recipients(world, *message))
        }
        Job::Reaction { message, .. } => {
            let mut people = message_recipients(world, *message);
            people.retain(|user| world.users.get(user).is_some_and(|u| u.kind != UserKind::Bot));
            // One row for each person, also in the chat with oneself.
            people.dedup();
            ("ONIMV2REACTIONCHANGE", people)
        }
        Job::Joined { chat, .. } => {
            let members = world.messenger.chats.get(chat).map(|chat| chat.members.clone());
            ("ONIMV2JOINCHAT", members.unwrap_or_default().into_iter().collect())
        }
    };
    for user in recipients {
        if !world.messenger.log.subscribed.contains(&user) {
            continue;
        }
        // The payload is a snapshot of the moment of writing (§3.3).
        let Some(data) = payload(world, job, user) else { continue };
        let now = world.now();
        let Messenger { switches, log, .. } = &mut world.messenger;
        log.write(user, Row { id: 0, kind, at, data }, now, switches);
    }
}

/// The payload of a job for one recipient; none of a message that never was.
fn payload(world: &World, job: &Job, recipient: u64) -> Option<Value> {
    let found = |message: &u64| world.messenger.ever(*message);
    Some(match job {
        Job::MessageAdded(message) | Job::MessageUpdated(message) => {
            event::message(world, found(message)?, recipient)
        }
        Job::MessageDeleted(message) => event::message_deleted(world, found(message)?, recipient),
        Job::Reaction { message, change } => {
            event::reaction_changed(world, found(message)?, change, recipient)
        }
        Job::Joined { chat, user } => event::joined(world, *chat, *user, recipient),
    })
}

/// Both people of a private chat, active members of others; the notes chat has its owner twice
/// (§3.3). Notifications are never logged.
fn message_recipients(world: &World, message: u64) -> Vec<u64> {
    let messenger = &world.messenger;
    let Some(message) = messenger.ever(message) else { return Vec::new() };
    let Some(chat) = messenger.chats.get(&message.chat) else { return Vec::new() };
    if chat.letter == 'S' {
        return Vec::new();
    }
    let active = |user: &&u64| world.users.get(user).is_some_and(|user| user.active);
    let mut recipients: Vec<u64> = chat.members.iter().filter(active).copied().collect();
    if chat.letter == 'P' && recipients.len() == 1 && chat.members.len() == 1 {
        recipients.push(recipients[0]);
    }
    recipients
}

/// `im.v2.Event.subscribe`: per user, idempotent.
pub fn subscribe(context: &mut Context<'_>) -> Reply {
    context.world.messenger.log.subscribe_user(context.user);
    Reply::from(json!(true))
}

/// `im.v2.Event.unsubscribe`: pending events go at once, unless the documentation is right.
pub fn unsubscribe(context: &mut Context<'_>) -> Reply {
    let messenger = &mut context.world.messenger;
    let keeps = messenger.switches.unsubscribe_keeps;
    messenger.log.unsubscribe_user(context.user, keeps);
    Reply::from(json!(true))
}

/// `im.v2.Event.get`. Parameters are case-sensitive (Q26).
pub fn get(context: &mut Context<'_>, params: &Params) -> Reply {
    let number = |name: &str, default| params.get(name).map_or(default, php::int);
    let offset = u64::try_from(number("offset", 0)).unwrap_or(0);
    let limit = number("limit", 100).clamp(1, LIMIT_MAX);
    let limit = usize::try_from(limit).unwrap_or(1);
    let (user, now) = (context.user, context.now);
    let world = &mut *context.world;
    let log = &mut world.messenger.log;
    if let Some(rows) = log.rows.get_mut(&user) {
        rows.retain(|row| now.since(row.at) <= RETENTION && (offset == 0 || row.id >= offset));
    }
    if offset > 0 {
        log.empty.remove(&user);
    } else if log.empty.get(&user).is_some_and(|memory| memory.until > now) {
        // Only calls without an offset believe the memory (§3.2 item 9).
        return page(world, &[], offset, false);
    }
    let rows: Vec<Row> = log.rows.get(&user).into_iter().flatten().take(limit).cloned().collect();
    if rows.is_empty() {
        log.empty.insert(user, Empty { until: now.plus(EMPTY_CACHE), raced: false });
    }
    page(world, &rows, offset, rows.len() >= limit)
}

fn page(world: &World, rows: &[Row], offset: u64, has_more: bool) -> Reply {
    let events: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "eventId": row.id,
                "type": row.kind,
                "date": world.time_text(row.at),
                "data": row.data,
            })
        })
        .collect();
    let next = match rows.last() {
        Some(row) => json!(row.id + 1),
        None if world.messenger.switches.null_offset => Value::Null,
        None => json!(offset),
    };
    let new = rows.iter().filter(|row| row.kind == ADDED);
    let told = new.filter_map(|row| row.data["message"]["id"].as_u64()).collect();
    let result = json!({ "events": events, "nextOffset": next, "hasMore": has_more });
    Reply { told, ..Reply::from(result) }
}
