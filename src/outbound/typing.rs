//! The `typing` thread: shows that an agent types, once when it is told to, or again and again until
//! an expected answer goes out, as far as the portal's rate leaves room for it. Best effort: nothing
//! is stored or retried, and a full queue drops the newest. Woken by its queue and by the next time
//! to show; ends when it is stopped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::bitrix::methods;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::limits;
use crate::outbound::Shared;
use crate::outbound::permit;

/// Who types where.
pub(super) type Place = (AgentName, DialogId);

/// What the thread is told.
pub(super) enum Hint {
    /// The agent types now.
    Types(Place),
    /// The agent was asked something, at that moment or shortly after: its answer may have come
    /// before this hint.
    Asked(Place, Instant),
    /// The agent's answer goes out, which ends the indicator on the portal as well.
    Answers(Place),
}

/// A queue for hints.
pub(super) fn queue() -> (Sender<Hint>, Receiver<Hint>) {
    crossbeam_channel::bounded(limits::TYPING_QUEUE_MAX)
}

/// The thread. Trigger before thread: dropping asks it to end, then joins.
pub(super) struct Typing {
    trigger: Option<StopTrigger>,
    thread: Thread,
}

impl Typing {
    /// Starts the thread.
    pub(super) fn start(
        shared: Arc<Shared>,
        hints: Receiver<Hint>,
        exits: &Exits,
    ) -> std::io::Result<Typing> {
        let (trigger, stop) = Stop::new();
        let thread = Thread::spawn(ThreadName::Typing, exits, move || {
            let mut timetable = Timetable::default();
            while !stop.is_set() {
                turn(&shared, &hints, &stop, &mut timetable);
            }
        })?;
        Ok(Typing { trigger: Some(trigger), thread })
    }

    /// Ends the thread, at most at `deadline`.
    pub(super) fn stop(&mut self, deadline: Instant) {
        self.trigger.take();
        if !self.thread.join_until(deadline) {
            log::warn!("thread_left_behind thread={}", self.thread.name());
        }
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        self.trigger.take();
    }
}

fn turn(shared: &Shared, hints: &Receiver<Hint>, stop: &Stop, timetable: &mut Timetable) {
    let now = Instant::now();
    let next = timetable.next(now);
    let wait = next.map_or(limits::TYPING_ASKED_MAX, |next| next.duration_since(now));
    crossbeam_channel::select! {
        recv(hints) -> hint => hint.into_iter().for_each(|hint| timetable.note(hint, Instant::now())),
        recv(stop.signal()) -> _ => {}
        default(wait) => {}
    }
    while let Some((agent, dialog)) = timetable.due(Instant::now()) {
        if stop.is_set() {
            return;
        }
        if let Err(why) = show(shared, &agent, dialog) {
            log::debug!("typing_not_shown agent={agent} dialog={dialog} {why}");
        }
    }
}

/// Shows it where the agent may write.
fn show(shared: &Shared, agent: &AgentName, dialog: DialogId) -> Result<(), String> {
    let told = |failure: Failure| failure.to_string();
    if let Some((code, _)) = permit::refused_place(shared, agent, dialog).map_err(told)? {
        return Err(format!("code={code}"));
    }
    shared.registry.call(agent, &methods::dialog_writing(dialog)).map_err(told)
}

/// Where an agent is shown as typing, and when again.
#[derive(Default)]
struct Timetable {
    places: HashMap<Place, Entry>,
    /// Answers as long as a hint of their question may still come.
    answered: HashMap<Place, Instant>,
}

struct Entry {
    /// When it was last shown.
    last: Option<Instant>,
    /// Whether it is to be shown as soon as the portal may be told again.
    wanted: bool,
    /// Until when it is shown without being told again.
    until: Instant,
}

impl Entry {
    /// When something is to be done about it.
    fn at(&self) -> Option<Instant> {
        let last = self.last?;
        // b24: messenger R31: not more often than that, however often it is asked for.
        let pause = if self.wanted { limits::TYPING_EVERY } else { limits::TYPING_AGAIN };
        Some(last + pause)
    }
}

impl Timetable {
    fn note(&mut self, hint: Hint, now: Instant) {
        let (place, lasts) = match hint {
            Hint::Types(place) => (place, Duration::ZERO),
            Hint::Asked(place, since) if self.answered.get(&place) > Some(&since) => return,
            Hint::Asked(place, _) => (place, limits::TYPING_ASKED_MAX),
            Hint::Answers(place) => return self.answered(place, now),
        };
        if !self.places.contains_key(&place) && self.places.len() >= limits::TYPING_PLACES_MAX {
            return;
        }
        let fresh = Entry { last: None, wanted: true, until: now };
        let entry = self.places.entry(place).or_insert(fresh);
        entry.wanted = true;
        entry.until = entry.until.max(now + lasts);
    }

    fn answered(&mut self, place: Place, now: Instant) {
        self.places.remove(&place);
        // Longer than that no hint of its question is on its way.
        self.answered.retain(|_, at| now.duration_since(*at) < limits::GATEWAY_POST_TIME_MAX);
        if self.answered.len() < limits::TYPING_PLACES_MAX {
            self.answered.insert(place, now);
        }
    }

    /// When the next place wants something; `None` when none does.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.places.values().map(|entry| entry.at().unwrap_or(now)).min()
    }

    /// A place to show now, which is then noted as shown. Those whose time is over are forgotten.
    fn due(&mut self, now: Instant) -> Option<Place> {
        let is_due = |entry: &Entry| entry.at().is_none_or(|at| at <= now);
        self.places.retain(|_, entry| entry.wanted || entry.until > now || !is_due(entry));
        let due = self.places.iter_mut().find(|(_, entry)| is_due(entry));
        due.map(|(place, entry)| {
            entry.last = Some(now);
            entry.wanted = false;
            place.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use std::time::Instant;

    use super::Hint;
    use super::Place;
    use super::Timetable;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::DialogId;
    use crate::limits;

    fn place(dialog: &str) -> Place {
        let agent = AgentName::parse("mira").expect("a name");
        (agent, DialogId::parse(dialog).expect("a dialog"))
    }

    /// Seconds at which a place is shown, when `hints` come at their seconds.
    fn shown(mut hints: Vec<(u64, Hint)>, seconds: u64) -> Vec<u64> {
        let (mut timetable, mut shown) = (Timetable::default(), Vec::new());
        let start = Instant::now();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            while hints.first().is_some_and(|(at, _)| *at == second) {
                timetable.note(hints.remove(0).1, now);
            }
            while timetable.due(now).is_some() {
                shown.push(second);
            }
        }
        assert!(timetable.places.is_empty(), "nothing is kept for ever");
        shown
    }

    #[test]
    fn typing_is_shown_when_told_and_not_too_often() {
        let hints = (0..15).map(|second| (second, Hint::Types(place("12")))).collect();
        assert_eq!(shown(hints, 60), [0, 10, 20]);
        let hints = vec![(0, Hint::Types(place("12"))), (0, Hint::Types(place("chat12")))];
        assert_eq!(shown(hints, 60), [0, 0]);
    }

    #[test]
    fn typing_goes_on_until_the_answer_or_the_end_of_patience() {
        let start = Instant::now();
        let asked = || (0, Hint::Asked(place("12"), start));
        let hints = vec![asked(), (45, Hint::Answers(place("12")))];
        assert_eq!(shown(hints, 60), [0, 20, 40]);
        let patience = limits::TYPING_ASKED_MAX.as_secs();
        let all = shown(vec![asked()], patience + 60);
        assert!(all.iter().all(|second| *second < patience) && all.len() >= 6, "{all:?}");
        let early = vec![(0, Hint::Answers(place("12"))), (1, Hint::Asked(place("12"), start))];
        assert!(shown(early, 60).is_empty(), "the answer was quicker than the hint");
    }

    #[test]
    fn places_are_bounded() {
        let (mut timetable, now) = (Timetable::default(), Instant::now());
        for dialog in 1..10_000 {
            timetable.note(Hint::Asked(place(&dialog.to_string()), now), now);
        }
        assert_eq!(timetable.places.len(), limits::TYPING_PLACES_MAX);
    }
}
