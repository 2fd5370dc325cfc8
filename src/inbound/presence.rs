//! The `read-marks` thread: shows people that an agent has read what the gateway has taken over. Best
//! effort: nothing is stored, a full queue drops the newest, and a mark for which the portal's rate
//! leaves no room waits for it, but not for long. Marks of one dialog become one, up to the newest
//! message. The relay tells it of messages; woken by that and by the next mark that may go; ends
//! with the relay.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::agents::registry::Registry;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::bitrix::methods;
use crate::domain::failure::Class;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::limits;

/// Who reads where.
type Place = (AgentName, DialogId);

/// Where the relay tells of messages that the gateway has. Cloning shares it.
#[derive(Clone)]
pub(in crate::inbound) struct ReadMarks {
    /// `None` when nothing is to be marked.
    queue: Option<Sender<(Place, MessageId)>>,
}

impl ReadMarks {
    /// Marks nothing.
    pub fn off() -> ReadMarks {
        ReadMarks { queue: None }
    }

    /// Starts the thread, which ends with `stop`.
    ///
    /// # Errors
    /// The operating system refused it.
    pub fn start(
        registry: Arc<Registry>,
        stop: Stop,
        exits: &Exits,
    ) -> io::Result<(ReadMarks, Thread)> {
        let (queue, told) = crossbeam_channel::bounded(limits::READ_MARKS_QUEUE_MAX);
        let thread = Thread::spawn(ThreadName::ReadMarks, exits, move || {
            let mut marks = Marks::default();
            while !stop.is_set() {
                turn(&registry, &told, &stop, &mut marks);
            }
        })?;
        Ok((ReadMarks { queue: Some(queue) }, thread))
    }

    /// The gateway has this message.
    pub fn accepted(&self, agent: &AgentName, dialog: DialogId, message: MessageId) {
        if let Some(queue) = &self.queue {
            // Full means that the portal is slow; the next message of the dialog marks this one too.
            let _ = queue.try_send(((agent.clone(), dialog), message));
        }
    }
}

fn turn(registry: &Registry, told: &Receiver<(Place, MessageId)>, stop: &Stop, marks: &mut Marks) {
    let now = Instant::now();
    let wait = marks.next().map_or(limits::READ_MARK_PATIENCE, |at| at.duration_since(now));
    crossbeam_channel::select! {
        recv(told) -> one => if let Ok((place, message)) = one {
            let rest = told.try_iter().take(limits::READ_MARKS_QUEUE_MAX);
            for (place, message) in std::iter::once((place, message)).chain(rest) {
                marks.want(place, message, Instant::now());
            }
        } else {
            // Whoever told us is gone: the process is ending.
            stop.wait(limits::READ_MARK_PATIENCE);
        },
        recv(stop.signal()) -> _ => {}
        default(wait) => {}
    }
    while let Some(mark) = marks.take(Instant::now()) {
        if stop.is_set() {
            return;
        }
        let ((agent, dialog), message) = (&mark.place, mark.message);
        let Err(failure) = registry.call(agent, &methods::dialog_read(*dialog, message)) else {
            continue;
        };
        log::debug!("read_mark_not_set agent={agent} dialog={dialog} message={message} {failure}");
        if matches!(failure.class, Class::RateLimited | Class::MethodParked) {
            marks.no_room(mark, failure.retry_after, Instant::now());
        }
    }
}

/// A mark to set.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    place: Place,
    message: MessageId,
    /// Since when it is wanted.
    since: Instant,
}

/// Which marks are wanted, and how far dialogs are marked: only ever forward
/// (b24: messenger R32).
#[derive(Default)]
struct Marks {
    dialogs: HashMap<Place, Entry>,
    /// Before that the portal's rate has no room for any.
    rest_until: Option<Instant>,
}

struct Entry {
    /// The newest message that was marked.
    marked: Option<MessageId>,
    /// A newer one that is to be, and since when.
    wanted: Option<(MessageId, Instant)>,
    /// Not before.
    due: Instant,
}

impl Marks {
    fn want(&mut self, place: Place, message: MessageId, now: Instant) {
        if !self.dialogs.contains_key(&place) && !self.make_room() {
            return;
        }
        let fresh = Entry { marked: None, wanted: None, due: now };
        let entry = self.dialogs.entry(place).or_insert(fresh);
        let newest = entry.wanted.map(|(message, _)| message).max(entry.marked);
        if newest < Some(message) {
            entry.wanted = Some((message, now));
        }
    }

    /// Whether one more dialog has room; the one that was marked longest ago is forgotten for it,
    /// which costs a call that changes nothing, if that.
    fn make_room(&mut self) -> bool {
        if self.dialogs.len() < limits::READ_MARK_DIALOGS_MAX {
            return true;
        }
        let quiet = self.dialogs.iter().filter(|(_, entry)| entry.wanted.is_none());
        let oldest = quiet.min_by_key(|(_, entry)| entry.due).map(|(place, _)| place.clone());
        oldest.is_some_and(|place| self.dialogs.remove(&place).is_some())
    }

    /// When the next mark may go; `None` when none is wanted.
    fn next(&self) -> Option<Instant> {
        let wanted = self.dialogs.values().filter(|entry| entry.wanted.is_some());
        let next = wanted.map(|entry| entry.due).min()?;
        Some(self.rest_until.map_or(next, |rest| next.max(rest)))
    }

    /// A mark to set now, which is then noted as set. Those that waited too long are forgotten.
    fn take(&mut self, now: Instant) -> Option<Mark> {
        let stale = |(_, since): &(MessageId, Instant)| {
            now.duration_since(*since) >= limits::READ_MARK_PATIENCE
        };
        for entry in self.dialogs.values_mut() {
            entry.wanted = entry.wanted.filter(|wanted| !stale(wanted));
        }
        if self.rest_until.is_some_and(|rest| rest > now) {
            return None;
        }
        self.rest_until = None;
        let due = self.dialogs.iter_mut().filter(|(_, entry)| entry.due <= now);
        let due = due.filter_map(|(place, entry)| Some((entry.wanted?, place, entry)));
        let ((message, since), place, entry) = due.min_by_key(|((_, since), _, _)| *since)?;
        entry.wanted = None;
        entry.marked = Some(message);
        entry.due = now + limits::READ_MARK_EVERY;
        Some(Mark { place: place.clone(), message, since })
    }

    /// The portal's rate had no room for a mark that was taken: it is wanted as before.
    fn no_room(&mut self, mark: Mark, after: Option<Duration>, now: Instant) {
        let rest = after.unwrap_or_default().max(limits::READ_MARK_EVERY);
        self.rest_until = Some(now + rest);
        if let Some(entry) = self.dialogs.get_mut(&mark.place) {
            entry.marked = None;
            entry.wanted = entry.wanted.or(Some((mark.message, mark.since)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::Mark;
    use super::Marks;
    use super::Place;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::DialogId;
    use crate::domain::ids::MessageId;
    use crate::domain::ids::UserId;
    use crate::limits;

    fn place(user: i64) -> Place {
        (AgentName::parse("mira").expect("a name"), DialogId::User(UserId(user)))
    }

    fn want(marks: &mut Marks, user: i64, message: i64, now: Instant) {
        marks.want(place(user), MessageId(message), now);
    }

    fn take(marks: &mut Marks, now: Instant) -> Option<(Place, i64)> {
        marks.take(now).map(|mark| (mark.place, mark.message.0))
    }

    #[test]
    fn marks_of_one_dialog_become_one_and_go_forward_only() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        for message in [7, 9, 8] {
            want(&mut marks, 12, message, start);
        }
        want(&mut marks, 14, 3, start + limits::READ_MARK_EVERY / 2);
        assert_eq!(marks.next(), Some(start));
        let now = start + limits::READ_MARK_EVERY / 2;
        assert_eq!(take(&mut marks, now), Some((place(12), 9)), "who waits longest is first");
        assert_eq!(take(&mut marks, now), Some((place(14), 3)));
        assert_eq!(take(&mut marks, now), None);
        want(&mut marks, 12, 8, now);
        want(&mut marks, 12, 9, now);
        assert_eq!(marks.next(), None, "that was read already");
    }

    #[test]
    fn a_dialog_is_marked_at_its_pace() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        want(&mut marks, 12, 1, start);
        assert_eq!(take(&mut marks, start), Some((place(12), 1)));
        want(&mut marks, 12, 2, start);
        want(&mut marks, 12, 3, start);
        let next = start + limits::READ_MARK_EVERY;
        assert_eq!((take(&mut marks, start), marks.next()), (None, Some(next)));
        assert_eq!(take(&mut marks, next), Some((place(12), 3)));
    }

    #[test]
    fn without_room_all_wait_but_not_for_long() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        want(&mut marks, 12, 1, start);
        want(&mut marks, 14, 2, start);
        let mark = marks.take(start).expect("one");
        let after = limits::READ_MARK_EVERY * 3;
        marks.no_room(mark.clone(), Some(after), start);
        assert_eq!((take(&mut marks, start), marks.next()), (None, Some(start + after)));
        let again = marks.take(start + after).expect("one of them");
        assert_eq!(again.since, start, "the patience is not renewed");
        marks.no_room(again, Some(limits::READ_MARK_PATIENCE), start + after);
        assert_eq!(take(&mut marks, start + after + limits::READ_MARK_PATIENCE), None);
        assert_eq!(marks.next(), None, "both are forgotten");
        // What is said later is marked, and the earlier with it.
        let later = start + after + limits::READ_MARK_PATIENCE;
        marks.want(mark.place.clone(), MessageId(5), later);
        let newest = Mark { message: MessageId(5), since: later, ..mark };
        assert_eq!(marks.take(later), Some(newest));
    }

    #[test]
    fn a_mark_that_found_no_room_gives_way_to_a_newer_one() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        want(&mut marks, 12, 1, start);
        let mark = marks.take(start).expect("one");
        want(&mut marks, 12, 2, start);
        marks.no_room(mark, None, start);
        let next = start + limits::READ_MARK_EVERY;
        assert_eq!(take(&mut marks, next), Some((place(12), 2)));
        assert_eq!(take(&mut marks, next + limits::READ_MARK_EVERY), None);
    }

    #[test]
    fn dialogs_are_bounded_and_the_quiet_are_forgotten_first() {
        let (mut marks, start) = (Marks::default(), Instant::now());
        let most = i64::try_from(limits::READ_MARK_DIALOGS_MAX).expect("small");
        for user in 1..=most + 1 {
            want(&mut marks, user, 1, start);
        }
        assert_eq!(marks.dialogs.len(), limits::READ_MARK_DIALOGS_MAX);
        assert!(!marks.dialogs.contains_key(&place(most + 1)), "nobody is quiet yet");
        let quiet = marks.take(start).expect("one").place;
        want(&mut marks, most + 2, 1, start);
        assert!(marks.dialogs.contains_key(&place(most + 2)));
        assert!(!marks.dialogs.contains_key(&quiet));
    }
}
