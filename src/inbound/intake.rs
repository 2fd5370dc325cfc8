//! Takes what was read of an agent's messages to the outbox: has it considered, asks whoever knows
//! for what is still open about it (what messages answer, what the department rule says of authors),
//! has refused people told, and commits. Called by `poll` for events and by `catch_up` for dialogs.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::metrics::Counter;
use crate::base::metrics::add;
use crate::bitrix::failure;
use crate::bitrix::methods;
use crate::bitrix::wire::dialog::DialogMessage;
use crate::bitrix::wire::event::EventPage;
use crate::bitrix::wire::recent::RecentDialog;
use crate::directory::Directory;
use crate::domain::acl::Because;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::inbound::Refused;
use crate::inbound::Setback;
use crate::inbound::batch::Batch;
use crate::inbound::gate::Gate;
use crate::inbound::ingest::Considered;
use crate::inbound::ingest::Ingest;
use crate::inbound::ingest::Origin;
use crate::inbound::ingest::People;
use crate::inbound::ingest::Reader;
use crate::inbound::ingest::Taken;
use crate::limits;
use crate::store::outbox::Progress;

/// See the module.
pub(in crate::inbound) struct Intake {
    /// Decides and commits.
    pub ingest: Ingest,
    /// Acts as the agents.
    pub registry: Arc<Registry>,
    /// Knows who may.
    pub directory: Arc<Directory>,
    /// Wakes the relay.
    pub gate: Arc<Gate>,
    /// Told of people who may not.
    pub refused: Refused,
}

impl Intake {
    /// Commits a page of events that was asked for with `cursor`. INVARIANT: cursor after commit; the
    /// returned cursor is committed, and no other may be sent.
    ///
    /// # Errors
    /// Nothing changed; the same page can be taken again.
    pub fn events(
        &self,
        reader: Reader<'_>,
        cursor: EventId,
        page: EventPage,
    ) -> Result<(Taken, EventId), Setback> {
        // b24: messenger §14 R3: without a higher offset the stored one stays.
        let next = page.next.map_or(cursor, |next| next.max(cursor));
        let received = page.events.len();
        let considered = self.ingest.consider(reader, Batch::of_events(page.events))?;
        // An idle poll writes nothing.
        let progress = if next == cursor { Progress::None } else { Progress::Events(next) };
        let taken = self.commit(reader, considered, Origin::Events, progress)?;
        add(Counter::EventsReceived, received as u64);
        Ok((taken, next))
    }

    /// Commits messages of a dialog.
    ///
    /// # Errors
    /// Nothing changed; the same messages can be taken again.
    pub fn dialog(
        &self,
        reader: Reader<'_>,
        dialog: &RecentDialog,
        messages: Vec<DialogMessage>,
        progress: Progress,
    ) -> Result<Taken, Setback> {
        let batch = Batch::of_dialog(dialog, messages);
        let mut considered = self.ingest.consider(reader, batch)?;
        if dialog.kind == ChatKind::Group {
            let open = self.ingest.perhaps_replies(reader, &considered);
            let replies = self.replies(reader.agent, &open)?;
            self.ingest.with_replies(reader, &mut considered, &replies)?;
        }
        let taken = self.commit(reader, considered, Origin::Dialogs, progress)?;
        add(Counter::MessagesCaughtUp, taken.committed.queued.len() as u64);
        Ok(taken)
    }

    fn commit(
        &self,
        reader: Reader<'_>,
        considered: Considered,
        origin: Origin,
        progress: Progress,
    ) -> Result<Taken, Setback> {
        let people = self.people(reader, considered.authors())?;
        // Before the commit: afterwards nobody would come back to it.
        for person in considered.refused(&people) {
            (self.refused)(reader.agent, person);
        }
        let taken =
            self.ingest.take(reader, considered, &people, (origin, progress), clock::now())?;
        if taken.committed.withdrawn > 0 {
            // It may be what its chat waits for.
            self.gate.steer();
        } else if !taken.committed.queued.is_empty() {
            self.gate.kick();
        }
        Ok(taken)
    }

    /// What the department rule says of these people.
    fn people(&self, reader: Reader<'_>, people: BTreeSet<UserId>) -> Result<People, Setback> {
        if people.is_empty() {
            return Ok(People::new());
        }
        let asked: Vec<UserId> = people.iter().copied().collect();
        self.directory.ensure(reader.agent, &asked)?;
        let decide = |person| (person, self.directory.decide(reader.agent, reader.user, person));
        let decided: People = people.into_iter().map(decide).collect();
        if decided.values().any(|decision| decision.because == Because::NoStructure) {
            // Nobody can say who may. Nothing is forwarded, and nothing is lost: it stays where it is.
            let (class, effect) = (Class::ScopeMissing, Effect::None);
            return Err(failure::failure("directory", false, class, effect, "no_structure").into());
        }
        Ok(decided)
    }

    /// What these messages of a dialog answer, as far as the portal tells (b24: messenger §4.2).
    fn replies(
        &self,
        agent: &AgentName,
        open: &[MessageId],
    ) -> Result<HashMap<MessageId, MessageId>, Setback> {
        let (mut replies, mut told) = (HashMap::new(), HashSet::new());
        for _ in 0..limits::REPLY_LOOKS_MAX {
            let Some(next) = open.iter().find(|id| !told.contains(*id)) else { break };
            told.insert(*next);
            match self.registry.call(agent, &methods::replies_around(*next)) {
                Ok(around) => {
                    told.extend(around.iter().map(|(id, _)| *id));
                    replies.extend(around.iter().filter_map(|(id, to)| Some((*id, (*to)?))));
                }
                // A hidden method may go at any time: then replies that no event told of are taken for
                // what they look like.
                Err(failure)
                    if failure.class.is_refusal() || failure.class == Class::ScopeMissing =>
                {
                    log::debug!("replies_not_told agent={agent} {failure}");
                    break;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(replies)
    }
}
