//! Looks through the dialogs themselves for messages that no event told of: after a pause, after
//! events were lost or taken by somebody else, from time to time, and all the time where the portal
//! has no event log (b24: messenger §4.5, §14 R12). Owns the look that is under way for each agent,
//! and the suspicion that events go astray. Called by `poll`, one turn at a time.
//!
//! A look lists the dialogs that changed since the one before began, reads each upwards from where
//! that one ended, and is complete when all are read. Messages younger than [`limits::LOOK_SETTLE`]
//! are read again by the next look: an older id may still come to light beside them.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::bitrix::methods;
use crate::bitrix::wire::history;
use crate::bitrix::wire::recent::RecentDialog;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::filter::GroupPolicy;
use crate::domain::filter::chat_rule;
use crate::domain::ids::AgentName;
use crate::domain::ids::ChatId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::inbound::Setback;
use crate::inbound::dice;
use crate::inbound::ingest::Reader;
use crate::inbound::intake::Intake;
use crate::limits;
use crate::store::Store;
use crate::store::looks::Look;
use crate::store::outbox::Progress;

/// Whether the portal tells of messages by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inbound) enum Source {
    /// It has an event log; dialogs are looked through besides.
    Events,
    /// It has none; dialogs are all there is.
    Dialogs,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::inbound) struct Looked {
    /// Somebody wrote to the agent.
    pub talk: bool,
    /// The look goes on in the next turn, and nothing younger may be taken before it is complete.
    pub unfinished: bool,
    /// Events went astray: they are to be subscribed and read from the first on.
    pub events_astray: bool,
}

/// See the module.
pub(in crate::inbound) struct CatchUp {
    store: Store,
    intake: Arc<Intake>,
    groups: GroupPolicy,
    agents: Mutex<HashMap<AgentName, Watch>>,
}

/// What is known of one agent besides the facts in the store.
struct Watch {
    user: UserId,
    /// When the next look is due.
    due: Instant,
    /// Nothing younger may be taken before the next look is complete.
    first: bool,
    look: Option<Under>,
    /// Since when pages of events have come without a long pause, and the last, by the portal's
    /// clock.
    events: Option<(UnixMs, UnixMs)>,
    /// Looks in a row that found what an event should have told.
    astray: u32,
    /// Without an event log: up to where chats were read in this process, and when they were last
    /// listed.
    remembers: bool,
    read: HashMap<ChatId, MessageId>,
    listed: Option<UnixMs>,
}

/// A look that is under way.
struct Under {
    base: Look,
    /// When it began, by the portal's clock.
    began: UnixMs,
    dialogs: VecDeque<RecentDialog>,
    /// How far the dialog that is first has been read, once it is begun.
    at: Option<MessageId>,
    /// The newest message that is old enough to be settled.
    settled: MessageId,
    /// Failures in a row of the dialog that is first.
    failures: u32,
    /// No dialog was passed over because of trouble.
    whole: bool,
    /// Messages found, and those of them that an event should have told.
    found: usize,
    astray: usize,
    /// It reads only what is new since the last listing, and is no complete look.
    quick: bool,
}

impl Under {
    fn edge(&self) -> UnixMs {
        self.began.minus(limits::LOOK_SETTLE)
    }

    fn settle(&mut self, message: MessageId, at: Option<UnixMs>) {
        if at.is_some_and(|at| at <= self.edge()) {
            self.settled = self.settled.max(message);
        }
    }
}

impl CatchUp {
    /// Nobody is watched yet.
    pub fn new(store: Store, intake: Arc<Intake>, groups: GroupPolicy) -> CatchUp {
        CatchUp { store, intake, groups, agents: Mutex::default() }
    }

    /// Does what is due of an agent's look.
    ///
    /// # Errors
    /// The look goes on where it was.
    pub fn turn(&self, reader: Reader<'_>, source: Source) -> Result<Looked, Setback> {
        let now_there = self.intake.registry.time_there(clock::now());
        // One turn of an agent at a time, so that nobody else looks for it meanwhile.
        let mut watch = self.take_watch(reader, now_there);
        let outcome = self.go_on(reader, source, &mut watch, now_there);
        self.agents().insert(reader.agent.clone(), watch);
        outcome
    }

    /// A page of events came.
    pub fn events_came(&self, agent: &AgentName) {
        let now_there = self.intake.registry.time_there(clock::now());
        if let Some(watch) = self.agents().get_mut(agent) {
            let since = watch.events.map_or(now_there, |(since, _)| since);
            watch.events = Some((since, now_there));
        }
    }

    /// Forgets agents that are no more.
    pub fn keep_only(&self, there: impl Fn(&AgentName) -> bool) {
        self.agents().retain(|name, _| there(name));
    }

    /// Agents whose events go astray time and again.
    pub fn suspicions(&self) -> Vec<AgentName> {
        let agents = self.agents();
        let astray = agents.iter().filter(|(_, one)| one.astray >= limits::LOOKS_ASTRAY_SUSPECT);
        let mut names: Vec<AgentName> = astray.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// What is known of an agent, taken out for its turn.
    fn take_watch(&self, reader: Reader<'_>, now_there: UnixMs) -> Watch {
        let known = self.agents().remove(reader.agent).filter(|one| one.user == reader.user);
        let mut watch = known.unwrap_or_else(|| Watch::new(reader.user));
        // b24: messenger §3.2 item 8: the portal drops events after a day, read or not.
        if watch.events.is_some_and(|(_, last)| now_there.since(last) > limits::EVENTS_GAP_MAX) {
            watch = Watch::new(reader.user);
        }
        watch
    }

    fn go_on(
        &self,
        reader: Reader<'_>,
        source: Source,
        watch: &mut Watch,
        now_there: UnixMs,
    ) -> Result<Looked, Setback> {
        let mut looked = Looked::default();
        if watch.look.is_none() {
            let due = Instant::now() >= watch.due;
            if source == Source::Events && !due {
                return Ok(looked);
            }
            let Some(base) = self.store.last_look(reader.agent)? else {
                self.begin_here(reader.agent, now_there)?;
                watch.rest(source);
                return Ok(looked);
            };
            let quick = source == Source::Dialogs && !due && watch.listed.is_some();
            watch.look = Some(self.begin(reader.agent, watch, base, now_there, quick)?);
        }
        let Some(mut look) = watch.look.take() else { return Ok(looked) };
        watch.remembers = source == Source::Dialogs;
        let complete = self.read_dialogs(reader, watch, &mut look);
        looked.talk = look.found > 0;
        if complete.as_ref().is_ok_and(|complete| *complete) {
            looked.events_astray = self.finish(reader.agent, source, watch, &look)?;
            return Ok(looked);
        }
        watch.look = Some(look);
        complete?;
        looked.unfinished = watch.first || source == Source::Dialogs;
        Ok(looked)
    }

    /// The first look of all begins with what is there now: what was said before the agent came is
    /// none of its business.
    fn begin_here(&self, agent: &AgentName, now_there: UnixMs) -> Result<(), Setback> {
        let page = self.intake.registry.call(agent, &methods::recent_list(0))?;
        let newest = page.dialogs.iter().map(|dialog| dialog.last).max();
        let up_to = newest.unwrap_or(MessageId(0));
        self.store.look_done(agent, Look { up_to, began: now_there })?;
        log::info!("dialogs_looked_at_first agent={agent} message={up_to}");
        Ok(())
    }

    fn begin(
        &self,
        agent: &AgentName,
        watch: &mut Watch,
        base: Look,
        now_there: UnixMs,
        quick: bool,
    ) -> Result<Under, Setback> {
        let since = if quick { watch.listed.unwrap_or(base.began) } else { base.began };
        let since = since.minus(limits::LOOK_SLACK);
        let listed = self.list(agent, since, now_there)?;
        watch.listed = Some(now_there);
        let mut look = Under {
            base,
            began: now_there,
            dialogs: VecDeque::new(),
            at: None,
            settled: base.up_to,
            failures: 0,
            whole: true,
            found: 0,
            astray: 0,
            quick,
        };
        for dialog in &listed {
            look.settle(dialog.last, dialog.last_at);
        }
        let mut dialogs: Vec<RecentDialog> = listed;
        dialogs.retain(|dialog| {
            let known = watch.read.get(&dialog.chat).filter(|_| quick);
            dialog.last > *known.unwrap_or(&base.up_to) && self.may_have_some(dialog)
        });
        // Who has waited longest comes first.
        dialogs.sort_by_key(|dialog| dialog.last);
        look.dialogs = dialogs.into();
        Ok(look)
    }

    /// Whether anything of a dialog can be forwarded.
    fn may_have_some(&self, dialog: &RecentDialog) -> bool {
        let off = self.groups == GroupPolicy::Off && dialog.kind == ChatKind::Group;
        !off && chat_rule(dialog.kind, dialog.has_external).is_none()
    }

    /// Dialogs that changed since a moment, each once.
    fn list(
        &self,
        agent: &AgentName,
        since: UnixMs,
        now_there: UnixMs,
    ) -> Result<Vec<RecentDialog>, Setback> {
        if now_there.since(since) < limits::RECENT_SINCE_MAX {
            match self.intake.registry.call(agent, &methods::recent_since(since)) {
                Ok(page) => return Ok(page.dialogs),
                Err(failure) if failure.class == Class::MethodMissing => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let mut dialogs: HashMap<ChatId, RecentDialog> = HashMap::new();
        for number in 0..limits::RECENT_PAGES_MAX {
            let call = methods::recent_list(number * limits::RECENT_PAGE);
            let page = self.intake.registry.call(agent, &call)?;
            let is_old =
                |one: &RecentDialog| !one.pinned && one.last_at.is_some_and(|at| at < since);
            let last = !page.has_more || page.dialogs.iter().any(is_old);
            // The list moves while it is read: a dialog may come twice, the later with more.
            dialogs.extend(page.dialogs.into_iter().map(|dialog| (dialog.chat, dialog)));
            if last {
                break;
            }
        }
        Ok(dialogs.into_values().collect())
    }

    /// Reads dialogs as far as one turn may; `true` when all are read.
    fn read_dialogs(
        &self,
        reader: Reader<'_>,
        watch: &mut Watch,
        look: &mut Under,
    ) -> Result<bool, Setback> {
        let mut calls = 0;
        while let Some(dialog) = look.dialogs.front().cloned() {
            let mut next = Some(match look.at {
                Some(at) => at,
                None => self.begin_of(reader.agent, watch, look, dialog.chat)?,
            });
            while let Some(after) = next {
                look.at = next;
                if calls >= limits::LOOK_CALLS_PER_TURN {
                    return Ok(false);
                }
                calls += 1;
                next = match self.read_page(reader, watch, look, &dialog, after) {
                    Ok(next) => next,
                    Err(Setback::Portal(failure)) => {
                        self.pass_over(reader.agent, look, &dialog, failure)?;
                        None
                    }
                    Err(other) => return Err(other),
                };
            }
            (look.at, look.failures) = (None, 0);
            look.dialogs.pop_front();
        }
        Ok(true)
    }

    /// The message after which a dialog has not been read.
    fn begin_of(
        &self,
        agent: &AgentName,
        watch: &Watch,
        look: &Under,
        chat: ChatId,
    ) -> Result<MessageId, Setback> {
        if let Some(known) = watch.read.get(&chat).filter(|_| look.quick) {
            return Ok(*known);
        }
        // A look that a restart cut short left its mark.
        let mark = self.store.looked_at(agent, chat)?;
        Ok(mark.map_or(look.base.up_to, |mark| mark.max(look.base.up_to)))
    }

    /// Takes a page of a dialog; where the next begins, if there is one.
    fn read_page(
        &self,
        reader: Reader<'_>,
        watch: &mut Watch,
        look: &mut Under,
        dialog: &RecentDialog,
        after: MessageId,
    ) -> Result<Option<MessageId>, Setback> {
        let page = self
            .intake
            .registry
            .call(reader.agent, &methods::messages_after(dialog.dialog, after))?;
        let Some(newest) = page.newest.filter(|newest| *newest > after) else { return Ok(None) };
        let mut mark = None;
        for message in &page.messages {
            look.settle(message.id, message.sent_at());
            if message.sent_at().is_some_and(|at| at <= look.edge()) {
                mark = mark.max(Some(message.id));
            }
        }
        // Long before the last look: a chat that the agent came to since then has a past.
        let floor = look.base.began.minus(limits::LOOK_SLACK);
        let mut messages = page.messages;
        messages.retain(|message| message.sent_at().is_none_or(|at| at >= floor));
        let times: HashMap<MessageId, Option<UnixMs>> =
            messages.iter().map(|message| (message.id, message.sent_at())).collect();
        let progress = mark.map_or(Progress::None, |mark| Progress::Chat(dialog.chat, mark));
        let progress = if look.quick { Progress::None } else { progress };
        let taken = self.intake.dialog(reader, dialog, messages, progress)?;
        look.found += taken.committed.queued.len();
        let should_be_told = |id: &&MessageId| watch.expected(times.get(*id).copied().flatten());
        look.astray += taken.committed.queued.iter().filter(should_be_told).count();
        watch.read(dialog.chat, newest);
        // The list tells where the dialog ends, which spares a call to find nothing there.
        Ok((page.listed >= history::PAGE && newest < dialog.last).then_some(newest))
    }

    /// A dialog that cannot be read holds back the others no longer than a few attempts.
    fn pass_over(
        &self,
        agent: &AgentName,
        look: &mut Under,
        dialog: &RecentDialog,
        failure: Failure,
    ) -> Result<(), Setback> {
        if failure.class.is_refusal() && failure.class != Class::MethodMissing {
            // The agent left it meanwhile.
            log::debug!("dialog_not_read agent={agent} chat={} {failure}", dialog.chat);
            return Ok(());
        }
        let its_own = matches!(
            failure.class,
            Class::PortalTrouble | Class::Protocol | Class::Transport | Class::MethodMissing
        );
        look.failures += u32::from(its_own);
        if look.failures < limits::DIALOG_READ_TRIES {
            return Err(failure.into());
        }
        log::warn!("dialog_passed_over agent={agent} chat={} {failure}", dialog.chat);
        look.whole = false;
        Ok(())
    }

    /// Records a complete look; whether events went astray.
    fn finish(
        &self,
        agent: &AgentName,
        source: Source,
        watch: &mut Watch,
        look: &Under,
    ) -> Result<bool, Setback> {
        if look.quick {
            return Ok(false);
        }
        if look.whole {
            self.store.look_done(agent, Look { up_to: look.settled, began: look.began })?;
        }
        if look.found > 0 {
            log::info!("messages_caught_up agent={agent} count={}", look.found);
        }
        watch.astray = if look.astray > 0 { watch.astray.saturating_add(1) } else { 0 };
        if look.astray > 0 {
            let (count, row) = (look.astray, watch.astray);
            log::warn!("events_astray agent={agent} count={count} looks={row}");
        }
        watch.rest(source);
        Ok(look.astray > 0)
    }

    fn agents(&self) -> MutexGuard<'_, HashMap<AgentName, Watch>> {
        // Whole entries only; a panic leaves nothing half done in them.
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    fn new(user: UserId) -> Watch {
        Watch {
            user,
            due: Instant::now(),
            first: true,
            look: None,
            events: None,
            astray: 0,
            remembers: false,
            read: HashMap::new(),
            listed: None,
        }
    }

    /// Until the next look.
    fn rest(&mut self, source: Source) {
        self.first = false;
        let pause = match source {
            // What goes astray is found soon, for as long as that lasts.
            Source::Events if self.astray > 0 => limits::LOOK_SOON,
            Source::Events => limits::LOOK_EVERY,
            Source::Dialogs => limits::LOOK_SOON,
        };
        // Agents that began together do not look together for ever.
        let spread = u32::try_from(dice() % 100).unwrap_or(0);
        self.due = Instant::now() + pause + pause / 1000 * spread;
    }

    /// Whether an event should have told of a message by now: it was written well after they came
    /// and well before the last of them did.
    fn expected(&self, at: Option<UnixMs>) -> bool {
        let (Some((since, last)), Some(at)) = (self.events, at) else { return false };
        at > since.plus(limits::EVENT_LATE_MAX) && at.plus(limits::EVENT_LATE_MAX) < last
    }

    fn read(&mut self, chat: ChatId, up_to: MessageId) {
        if !self.remembers {
            return;
        }
        if self.read.len() >= limits::LOOK_CHATS_MAX {
            self.read.clear();
        }
        let mark = self.read.entry(chat).or_insert(up_to);
        *mark = (*mark).max(up_to);
    }
}

#[cfg(all(test, feature = "sim"))]
mod virtual_time;
