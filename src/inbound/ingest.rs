//! Turns a page of events into outbox rows: a verdict for every message, Markdown for those that
//! are forwarded, and one transaction for the rows and the cursor behind the page. Asks the portal
//! nothing and sends nothing. Called by `inbound::poll`.

use std::collections::HashSet;

use crate::base::clock::UnixMs;
use crate::base::metrics::Counter;
use crate::base::metrics::add;
use crate::base::metrics::count;
use crate::bitrix::wire::event::EventKind;
use crate::bitrix::wire::event::EventPage;
use crate::domain::filter;
use crate::domain::filter::Context;
use crate::domain::filter::GroupPolicy;
use crate::domain::filter::Rule;
use crate::domain::filter::Verdict;
use crate::domain::ids::AgentName;
use crate::domain::ids::EventId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;
use crate::markup;
use crate::store;
use crate::store::Store;
use crate::store::outbox::NewInbound;

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

/// Who reads a page.
#[derive(Clone, Copy, Debug)]
pub(in crate::inbound) struct Reader<'a> {
    /// The agent.
    pub agent: &'a AgentName,
    /// Its portal user.
    pub user: UserId,
    /// The portal users of all agents.
    pub agents: &'a HashSet<UserId>,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inbound) struct Taken {
    /// The cursor that is committed now.
    pub cursor: EventId,
    /// Rows that are new in the outbox.
    pub queued: usize,
    /// Somebody wrote to the agent, or it wrote itself.
    pub talk: bool,
}

/// The rules and the outbox.
pub(in crate::inbound) struct Ingest {
    store: Store,
    groups: GroupPolicy,
    prefix: SenderPrefix,
}

impl Ingest {
    /// With these rules.
    pub fn new(store: Store, groups: GroupPolicy, prefix: SenderPrefix) -> Ingest {
        Ingest { store, groups, prefix }
    }

    /// Commits what is to be forwarded of a page that was asked for with `cursor`, together with
    /// the next cursor. INVARIANT: cursor after commit; only the returned cursor may be sent, and
    /// it is committed when this returns.
    ///
    /// # Errors
    /// See [`store::Error`]; nothing changed then, and the same page can be taken again.
    pub fn page(
        &self,
        reader: Reader<'_>,
        cursor: EventId,
        page: EventPage,
        now: UnixMs,
    ) -> store::Result<Taken> {
        // b24: messenger §14 R3: without a higher offset the stored one stays.
        let next = page.next.map_or(cursor, |next| next.max(cursor));
        let received = page.events.len();
        let (mut rows, mut ignored) = (Vec::new(), Vec::new());
        for event in page.events {
            match event.kind {
                EventKind::Added(message) => match self.decide(reader, &message)? {
                    Ok(row) => rows.push(row),
                    Err(rule) => ignored.push((message.id, rule)),
                },
                EventKind::Other => {}
                // Passed over for good: the page must not wait for it (b24: messenger §14 R10).
                EventKind::Undecodable => {
                    count(Counter::EventsUndecodable);
                    let id = event.id.map_or(0, |id| id.0);
                    log::warn!("event_undecodable agent={} event={id}", reader.agent);
                }
            }
        }
        // Neighbours in the event log may be swapped; ids rise in the order in which people wrote
        // (b24: messenger §14 R7).
        rows.sort_by_key(|row| row.message);
        let own = ignored.iter().any(|(_, rule)| *rule == Rule::Own);
        let talk = own || !rows.is_empty();
        // An idle poll writes nothing.
        let queued = if rows.is_empty() && next == cursor {
            0
        } else {
            self.store.commit_events(reader.agent, rows, next, now)?
        };
        add(Counter::EventsReceived, received as u64);
        add(Counter::MessagesQueued, queued as u64);
        for (message, rule) in ignored {
            count(counter(rule));
            let rule = rule.as_str();
            log::debug!("message_ignored agent={} message={message} rule={rule}", reader.agent);
        }
        Ok(Taken { cursor: next, queued, talk })
    }

    /// The row of a message, or the rule that keeps it.
    fn decide(
        &self,
        reader: Reader<'_>,
        message: &Message,
    ) -> store::Result<Result<NewInbound, Rule>> {
        let mentioned = markup::mentioned(&message.text, reader.user.0);
        // Only messages that this connector sent are known; what a person wrote under the agent's
        // account is not, nor is a part whose answer was lost until it was looked up.
        let replies_to_agent = match message.reply_to {
            Some(target) if message.kind == ChatKind::Group && !mentioned => {
                self.store.uuid_of_own(reader.agent, target)?.is_some()
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
        if let Verdict::Ignore(rule) = filter::verdict(message, &context) {
            return Ok(Err(rule));
        }
        let text = markup::read_back(&message.text);
        if text.trim().is_empty() {
            // Tags without content; the filter sees only the text as it came.
            return Ok(Err(Rule::NoText));
        }
        let named = match self.prefix {
            SenderPrefix::Always => true,
            SenderPrefix::Group => message.kind == ChatKind::Group,
            SenderPrefix::Never => false,
        };
        let name = one_line(&message.sender.name);
        Ok(Ok(NewInbound {
            chat: message.chat,
            dialog: message.dialog,
            message: message.id,
            text: if named { prefixed(&name, text) } else { text },
            sender: message.sender.id,
            sender_name: name,
            mentioned,
            reply_to: message.reply_to,
            sent_at: message.sent_at,
        }))
    }
}

/// A name cannot begin a line of its own and so pretend that somebody else wrote it.
fn one_line(name: &str) -> String {
    let words = name.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `Name: text`. A quote or a fence stays one only at the beginning of a line.
fn prefixed(name: &str, text: String) -> String {
    if name.is_empty() {
        return text;
    }
    let block = ["> ", "```", "~~~"].iter().any(|start| text.starts_with(start));
    let gap = if block { "\n\n" } else { " " };
    format!("{name}:{gap}{text}")
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
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_and_fences_begin_their_own_line() {
        let table = [
            ("hi", "Olaf: hi"),
            ("> quoted", "Olaf:\n\n> quoted"),
            ("```\ncode\n```", "Olaf:\n\n```\ncode\n```"),
            (">5 is more", "Olaf: >5 is more"),
        ];
        for (text, expected) in table {
            assert_eq!(super::prefixed("Olaf", text.to_owned()), expected);
        }
        assert_eq!(super::prefixed("", "hi".to_owned()), "hi");
    }
}
