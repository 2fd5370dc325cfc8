//! Turns what was read of an agent's messages into outbox rows: a verdict for every message, Markdown
//! for those that are forwarded, and one transaction for the rows and up to where they were looked
//! for. Asks the portal nothing and sends nothing; whom the department rule lets through arrives as
//! a value. Called by `inbound::poll` and `inbound::catch_up`.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::base::clock::UnixMs;
use crate::base::metrics::Counter;
use crate::base::metrics::add;
use crate::base::metrics::count;
use crate::domain::acl::Decision;
use crate::domain::filter;
use crate::domain::filter::Context;
use crate::domain::filter::GroupPolicy;
use crate::domain::filter::Rule;
use crate::domain::filter::Verdict;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;
use crate::inbound::batch::Batch;
use crate::inbound::batch::Fate;
use crate::inbound::seen::Seen;
use crate::limits;
use crate::markup;
use crate::store;
use crate::store::Store;
use crate::store::outbox::Committed;
use crate::store::outbox::Findings;
use crate::store::outbox::NewInbound;
use crate::store::outbox::Progress;

/// Where the sender's name is put before the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderPrefix {
    /// In groups only.
    Group,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub(in crate::inbound) struct Reader<'a> {
    /// The agent.
    pub agent: &'a AgentName,
    /// Its portal user.
    pub user: UserId,
    /// The portal users of all agents.
    pub agents: &'a HashSet<UserId>,
}

/// Where a batch came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inbound) enum Origin {
    /// The event log.
    Events,
    /// The dialogs themselves.
    Dialogs,
}

/// A batch with everything decided but what the department rule says of the authors.
#[derive(Debug, Default)]
pub(in crate::inbound) struct Considered {
    candidates: Vec<Candidate>,
    ignored: Vec<Ignored>,
    withdrawn: Vec<MessageId>,
    unreadable: Vec<(Option<EventId>, String)>,
}

/// A message that goes if its author may talk with the agent.
#[derive(Debug)]
struct Candidate {
    message: Box<Message>,
    mentioned: bool,
    changed: bool,
}

/// A message that does not go, and why.
#[derive(Debug)]
struct Ignored {
    message: Box<Message>,
    rule: Rule,
    changed: bool,
}

impl Considered {
    /// Whose messages go if the department rule allows.
    pub fn authors(&self) -> BTreeSet<UserId> {
        self.candidates.iter().map(|candidate| candidate.message.sender.id).collect()
    }

    /// Who wrote to the agent in private and may not.
    pub fn refused(&self, people: &People) -> BTreeSet<UserId> {
        let private = self.candidates.iter().filter(|one| one.message.kind == ChatKind::Private);
        private.map(|one| one.message.sender.id).filter(|author| !may(people, *author)).collect()
    }
}

/// What the department rule says of authors; whoever is not in it may not.
pub(in crate::inbound) type People = HashMap<UserId, Decision>;

fn may(people: &People, author: UserId) -> bool {
    people.get(&author).is_some_and(|decision| decision.allowed)
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::inbound) struct Taken {
    /// What the outbox has of it.
    pub committed: Committed,
    /// Somebody wrote to the agent, or it wrote itself.
    pub talk: bool,
}

/// The rules and the outbox.
pub(in crate::inbound) struct Ingest {
    store: Store,
    groups: GroupPolicy,
    prefix: SenderPrefix,
    seen: Mutex<HashMap<AgentName, Seen>>,
}

impl Ingest {
    /// With these rules.
    pub fn new(store: Store, groups: GroupPolicy, prefix: SenderPrefix) -> Ingest {
        Ingest { store, groups, prefix, seen: Mutex::default() }
    }

    /// Decides about every message of a batch.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn consider(&self, reader: Reader<'_>, batch: Batch) -> store::Result<Considered> {
        let Batch { fates, unreadable } = batch;
        let mut considered = Considered { unreadable, ..Considered::default() };
        for (id, fate) in fates {
            let (message, changed) = match fate {
                Fate::Deleted => {
                    considered.withdrawn.push(id);
                    continue;
                }
                // Its row of the log was written, or found, after that of its deletion.
                _ if self.seen(reader.agent, |seen| seen.is_deleted(id)) => continue,
                Fate::Added(message) => (message, false),
                Fate::Updated(message) => (message, true),
            };
            self.judge(reader, message, changed, &mut considered)?;
        }
        Ok(considered)
    }

    /// Messages of which it is not known what they answer, and which would go if they answered the
    /// agent. Only a dialog itself leaves that open, and only what no event told of is looked at
    /// again (b24: messenger §4.2).
    pub fn perhaps_replies(&self, reader: Reader<'_>, considered: &Considered) -> Vec<MessageId> {
        let open = considered.ignored.iter().filter(|one| one.rule == Rule::NotAddressed);
        let ids = open.map(|one| one.message.id);
        self.seen(reader.agent, |seen| ids.filter(|id| !seen.was_told(*id)).collect())
    }

    /// Decides anew about messages of which it is known by now what they answer.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn with_replies(
        &self,
        reader: Reader<'_>,
        considered: &mut Considered,
        replies: &HashMap<MessageId, MessageId>,
    ) -> store::Result<()> {
        for mut one in std::mem::take(&mut considered.ignored) {
            one.message.reply_to = one.message.reply_to.or(replies.get(&one.message.id).copied());
            self.judge(reader, one.message, one.changed, considered)?;
        }
        Ok(())
    }

    /// Commits what is to be forwarded together with `progress`. INVARIANT: cursor after commit; when
    /// this returns, `progress` is committed and may be acted upon.
    ///
    /// # Errors
    /// See [`store::Error`]; nothing changed then, and the same batch can be taken again.
    pub fn take(
        &self,
        reader: Reader<'_>,
        mut considered: Considered,
        people: &People,
        (origin, progress): (Origin, Progress),
        now: UnixMs,
    ) -> store::Result<Taken> {
        let findings = self.findings(&mut considered, people, origin, now);
        let committed = match findings == Findings::default() && progress == Progress::None {
            true => Committed::default(),
            false => self.store.commit_inbound(reader.agent, findings, progress, now)?,
        };
        self.remember(reader, &considered, origin);
        tell(reader, &considered, people, origin, &committed);
        let own = considered.ignored.iter().any(|one| one.rule == Rule::Own);
        let talk = !committed.queued.is_empty() || (own && origin == Origin::Events);
        Ok(Taken { committed, talk })
    }

    /// What goes to the outbox. Moves candidates that may not to the ignored ones.
    fn findings(
        &self,
        considered: &mut Considered,
        people: &People,
        origin: Origin,
        now: UnixMs,
    ) -> Findings {
        let mut findings = Findings {
            withdrawn: considered.withdrawn.clone(),
            unreadable: considered.unreadable.clone(),
            ..Findings::default()
        };
        for candidate in std::mem::take(&mut considered.candidates) {
            let permitted = may(people, candidate.message.sender.id);
            let row = if permitted { self.row(&candidate) } else { Err(Rule::Department) };
            match row {
                // A changed message that was not for the agent before may be by now. One that a look
                // finds is new here, however old: the look asks for nothing older than the one before.
                Ok(row) if candidate.changed => {
                    let is_new = origin == Origin::Dialogs || is_news(&candidate.message, now);
                    findings.rows.extend(is_new.then(|| row.clone()));
                    findings.edits.push(row);
                    considered.candidates.push(candidate);
                }
                Ok(row) => {
                    findings.rows.push(row);
                    considered.candidates.push(candidate);
                }
                Err(rule) => {
                    let Candidate { message, changed, .. } = candidate;
                    considered.ignored.push(Ignored { message, rule, changed });
                }
            }
        }
        // As they are now, these are not for the agent. A dialog does not tell what they answer, so
        // only an event can say that.
        if origin == Origin::Events {
            let not_any_more = considered.ignored.iter().filter(|one| one.changed);
            findings.withdrawn.extend(not_any_more.map(|one| one.message.id));
        }
        findings
    }

    /// Sorts a message to the candidates or to the ignored.
    fn judge(
        &self,
        reader: Reader<'_>,
        message: Box<Message>,
        changed: bool,
        considered: &mut Considered,
    ) -> store::Result<()> {
        let mentioned = markup::mentioned(&message.text, reader.user.0);
        let replies_to_agent = match message.reply_to {
            Some(target) if message.kind == ChatKind::Group && !mentioned => {
                // What was sent and not confirmed, and what a person wrote under the agent's account,
                // only the events tell.
                self.seen(reader.agent, |seen| seen.is_own(target))
                    || self.store.uuid_of_own(reader.agent, target)?.is_some()
            }
            _ => false,
        };
        let context = Context {
            own: reader.user,
            agents: reader.agents,
            groups: self.groups,
            mentioned,
            replies_to_agent,
        };
        match filter::verdict(&message, &context) {
            Verdict::Forward => {
                considered.candidates.push(Candidate { message, mentioned, changed });
            }
            Verdict::Ignore(rule) => considered.ignored.push(Ignored { message, rule, changed }),
        }
        Ok(())
    }

    fn remember(&self, reader: Reader<'_>, considered: &Considered, origin: Origin) {
        let candidates = considered.candidates.iter().map(|one| &one.message);
        let ignored = considered.ignored.iter().map(|one| &one.message);
        self.seen(reader.agent, |seen| {
            for message in candidates.chain(ignored) {
                if message.sender.id == reader.user {
                    seen.own(message.id);
                }
                if origin == Origin::Events {
                    seen.told(message.id);
                }
            }
            considered.withdrawn.iter().for_each(|id| seen.deleted(*id));
        });
    }

    /// The row of a message, or the rule that keeps it.
    fn row(&self, candidate: &Candidate) -> Result<NewInbound, Rule> {
        let message = &candidate.message;
        let text = markup::read_back(&message.text);
        if text.trim().is_empty() {
            // Tags without content; the filter sees only the text as it came.
            return Err(Rule::NoText);
        }
        let named = match self.prefix {
            SenderPrefix::Always => true,
            SenderPrefix::Group => message.kind == ChatKind::Group,
            SenderPrefix::Never => false,
        };
        let name = one_line(&message.sender.name);
        Ok(NewInbound {
            chat: message.chat,
            dialog: message.dialog,
            message: message.id,
            text: if named { prefixed(&name, text) } else { text },
            sender: message.sender.id,
            sender_name: name,
            mentioned: candidate.mentioned,
            reply_to: message.reply_to,
            sent_at: message.sent_at,
        })
    }

    /// Asks or tells the memory of an agent.
    /// Forgets agents that are no more.
    pub fn keep_only(&self, there: impl Fn(&AgentName) -> bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|name, _| there(name));
    }

    fn seen<T>(&self, agent: &AgentName, with: impl FnOnce(&mut Seen) -> T) -> T {
        // Whole ids only; a panic leaves nothing half done in it.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(agent) {
            Some(known) => with(known),
            None => with(seen.entry(agent.clone()).or_default()),
        }
    }
}

/// Whether a changed message is news, and not something that somebody tidies up in an old dialog.
fn is_news(message: &Message, now: UnixMs) -> bool {
    message.sent_at.is_some_and(|at| now.since(at) < limits::EDIT_IS_NEWS_MAX)
}

/// Counts and tells what became of a batch.
fn tell(
    reader: Reader<'_>,
    considered: &Considered,
    people: &People,
    origin: Origin,
    committed: &Committed,
) {
    let agent = reader.agent;
    for Ignored { message, rule, .. } in &considered.ignored {
        // What is read a second time is not counted a second time.
        if origin == Origin::Events {
            count(counter(*rule));
        }
        let (id, user) = (message.id, message.sender.id);
        log::debug!("message_ignored agent={agent} message={id} rule={}", rule.as_str());
        if let (Rule::Department, Some(decision)) = (rule, people.get(&user)) {
            let because = decision.because.as_str();
            let department = decision.because.department().map_or(0, |id| id.0);
            log::info!(
                "sender_refused agent={agent} user={user} because={because} department={department}"
            );
        }
    }
    for (event, _) in &considered.unreadable {
        count(Counter::EventsUndecodable);
        let id = event.map_or(0, |id| id.0);
        log::warn!("event_undecodable agent={agent} event={id}");
    }
    add(Counter::MessagesQueued, committed.queued.len() as u64);
    add(Counter::MessagesEdited, committed.edited as u64);
    add(Counter::MessagesWithdrawn, committed.withdrawn as u64);
}

/// A name cannot begin a line of its own and so pretend that somebody else wrote it.
fn one_line(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `Name: text`. What stands at the beginning of a line only begins its own.
fn prefixed(name: &str, text: String) -> String {
    if name.is_empty() {
        return text;
    }
    let gap = if begins_block(&text) { "\n\n" } else { " " };
    format!("{name}:{gap}{text}")
}

/// Whether a quote, a fence or a list begins.
fn begins_block(text: &str) -> bool {
    let quoted = ["> ", "```", "~~~"].iter().any(|start| text.starts_with(start));
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let marks: &[&str] =
        if number.len() < text.len() { &[". ", ") "] } else { &["- ", "* ", "+ "] };
    quoted || marks.iter().any(|mark| number.starts_with(mark))
}

fn counter(rule: Rule) -> Counter {
    match rule {
        Rule::System => Counter::IgnoredSystem,
        Rule::Own => Counter::IgnoredOwn,
        Rule::OtherAgent => Counter::IgnoredOtherAgent,
        Rule::Bot => Counter::IgnoredBot,
        Rule::ExternalSender => Counter::IgnoredExternalSender,
        Rule::OpenLine => Counter::IgnoredOpenLine,
        Rule::Channel => Counter::IgnoredChannel,
        Rule::Comment => Counter::IgnoredComment,
        Rule::Notification => Counter::IgnoredNotification,
        Rule::UnknownChat => Counter::IgnoredUnknownChat,
        Rule::ExternalChat => Counter::IgnoredExternalChat,
        Rule::GroupsOff => Counter::IgnoredGroupsOff,
        Rule::NotAddressed => Counter::IgnoredNotAddressed,
        Rule::NoText => Counter::IgnoredNoText,
        Rule::Department => Counter::IgnoredDepartment,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_fences_and_lists_begin_their_own_line() {
        let table = [
            ("hi", "Olaf: hi"),
            ("> quoted", "Olaf:\n\n> quoted"),
            ("```\ncode\n```", "Olaf:\n\n```\ncode\n```"),
            (">5 is more", "Olaf: >5 is more"),
            ("- milk\n- eggs", "Olaf:\n\n- milk\n- eggs"),
            ("1. milk\n2. eggs", "Olaf:\n\n1. milk\n2. eggs"),
            ("-5 is less", "Olaf: -5 is less"),
            ("1.5 is more", "Olaf: 1.5 is more"),
            (". . .", "Olaf: . . ."),
        ];
        for (text, expected) in table {
            assert_eq!(super::prefixed("Olaf", text.to_owned()), expected);
        }
        assert_eq!(super::prefixed("", "hi".to_owned()), "hi");
    }
}
