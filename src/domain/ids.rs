//! Identifiers as types of their own, so that a chat is never taken for a user. Each says who makes
//! it, within what it is unique, and whether we may look inside. Ids travel as bare numbers or
//! strings only at the edges (`bitrix/`, `gateway/`, `api/`, `store/`).

use std::fmt;

/// Longest agent name.
const AGENT_NAME_CHARS_MAX: usize = 39;
/// Longest delivery id; the contract's bound.
const DELIVERY_ID_CHARS_MAX: usize = 255;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// A portal user. Made by the portal, unique within it, positive.
    UserId
}
number_id! {
    /// A chat object. Made by the portal, unique within it, positive. The stable key of a
    /// conversation (b24: messenger §2): the same private chat has two dialog ids.
    ChatId
}
number_id! {
    /// A message. Made by the portal, unique within it over all chats, increasing within one chat.
    MessageId
}
number_id! {
    /// A department. Made by the portal, unique within it, positive.
    DepartmentId
}
number_id! {
    /// A row of the portal's event log. Made by the portal, unique within it until its counter is
    /// reset (b24: messenger §3.2 item 5), increasing with large gaps.
    EventId
}
number_id! {
    /// A row of our ledger or outbox, unique within that table, increasing in order of acceptance.
    RowId
}

/// The short name of an agent, `[a-z0-9][a-z0-9-]{0,38}`. Chosen by the operator, unique within
/// this connector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(String);

impl AgentName {
    /// Reads a name; `None` when it does not have the form above.
    pub fn parse(text: &str) -> Option<AgentName> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let starts = text.chars().next().is_some_and(letter);
        let rest = text.chars().all(|c| letter(c) || c == '-');
        (starts && rest && text.len() <= AGENT_NAME_CHARS_MAX).then(|| AgentName(text.to_owned()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a message goes, as one agent sees it: `12` is its private dialog with user 12, `chat904`
/// is chat 904. An address, not a key: the key of a conversation is its [`ChatId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialogId {
    /// The private dialog with this user.
    User(UserId),
    /// A chat by number.
    Chat(ChatId),
}

impl DialogId {
    /// Reads `12` or `chat904` (any case, as the portal does). Other aliases of the portal (`sg…`,
    /// `crm…`) are not addresses of this connector.
    pub fn parse(text: &str) -> Option<DialogId> {
        let digits = |text: &str| {
            let plain =
                !text.is_empty() && text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit());
            plain.then(|| text.parse::<i64>().ok()).flatten().filter(|&id| id > 0)
        };
        match text.get(..4) {
            Some(prefix) if prefix.eq_ignore_ascii_case("chat") => {
                digits(&text[4..]).map(|id| DialogId::Chat(ChatId(id)))
            }
            _ => digits(text).map(|id| DialogId::User(UserId(id))),
        }
    }

    /// Whether two addresses are of two conversations. A private chat may be addressed either way, so
    /// of one of each kind nobody can tell.
    pub fn is_surely_not(self, other: DialogId) -> bool {
        self != other && self.is_private() == other.is_private()
    }

    /// Whether this is a private dialog.
    pub fn is_private(self) -> bool {
        matches!(self, DialogId::User(_))
    }
}

impl fmt::Display for DialogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialogId::User(user) => user.fmt(f),
            DialogId::Chat(chat) => write!(f, "chat{chat}"),
        }
    }
}

/// `<agent>/<dialog>`: the address of a conversation towards the gateway. Stable across portal
/// renames, and by itself enough to address the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExternalId {
    /// Who reads and writes.
    pub agent: AgentName,
    /// Where.
    pub dialog: DialogId,
}

impl ExternalId {
    /// Reads the text form.
    pub fn parse(text: &str) -> Option<ExternalId> {
        let (agent, dialog) = text.split_once('/')?;
        Some(ExternalId { agent: AgentName::parse(agent)?, dialog: DialogId::parse(dialog)? })
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.agent, self.dialog)
    }
}

/// The gateway's idempotency key of a delivery: 1 to 255 printable characters, opaque.
/// Unique within this connector for as long as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Reads an id; `None` when it is empty, too long or has unprintable characters.
    pub fn parse(text: &str) -> Option<DeliveryId> {
        let printable = text.chars().all(|c| c == ' ' || !(c.is_control() || c.is_whitespace()));
        let fits = (1..=DELIVERY_ID_CHARS_MAX).contains(&text.chars().count());
        (printable && fits).then(|| DeliveryId(text.to_owned()))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The stable identity of a portal: 32 hexadecimal characters, survives renames. Opaque.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberId(pub String);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::AgentName;
    use super::DeliveryId;
    use super::DialogId;
    use super::ExternalId;

    #[test]
    fn agent_names_have_one_form() {
        for good in ["a", "7", "helper", "help-desk-2", &"a".repeat(39)] {
            assert!(AgentName::parse(good).is_some(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "помощник", &"a".repeat(40)] {
            assert!(AgentName::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn dialogs_are_numbers_or_chats() {
        for text in ["12", "chat904"] {
            assert_eq!(DialogId::parse(text).expect("reads").to_string(), text);
        }
        assert_eq!(DialogId::parse("CHAT7"), DialogId::parse("chat7"));
        for bad in ["", "0", "-1", "chat", "chat0", "chat-1", "chatx", "sg12", "1 ", "+1", "чат1"]
        {
            assert_eq!(DialogId::parse(bad), None, "{bad}");
        }
        assert_eq!(DialogId::parse("9999999999999999999"), None);
    }

    #[test]
    fn a_private_chat_has_two_addresses() {
        let is = |one, other| {
            let parse = |text| DialogId::parse(text).expect("a dialog");
            parse(one).is_surely_not(parse(other))
        };
        assert!(is("12", "13") && is("chat12", "chat13"));
        assert!(!is("12", "12") && !is("12", "chat12") && !is("chat13", "12"));
    }

    #[test]
    fn external_ids_invert() {
        let id = ExternalId::parse("helper/chat904").expect("reads");
        assert_eq!(id.to_string(), "helper/chat904");
        for bad in ["helper", "/12", "helper/", "helper/12/3", "Helper/12"] {
            assert_eq!(ExternalId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn delivery_ids_are_printable_and_bounded() {
        for good in ["a b", "é", "доставка", &"x".repeat(255), &"é".repeat(255)] {
            assert!(DeliveryId::parse(good).is_some(), "{good:?}");
        }
        for bad in ["", "a\nb", "a\u{2028}b", "a\u{85}b", &"x".repeat(256)] {
            assert!(DeliveryId::parse(bad).is_none());
        }
    }
}
