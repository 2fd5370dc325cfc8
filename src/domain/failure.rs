//! What a failed call to the portal means, as a value. Every failure answers two questions: may I
//! try again (class), and may it already have happened (effect). `bitrix/failure.rs` holds the
//! table from portal codes to classes; `retry` turns a failure into the next step.

use std::fmt;
use std::time::Duration;

/// What kind of failure, and so what can be done about it. Closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The access token is over: refresh once, repeat once.
    TokenExpired,
    /// The identity is gone until a person acts: revoked, dismissed, app deleted, secret changed.
    IdentityLost,
    /// The application lacks a scope: final for the method.
    ScopeMissing,
    /// The portal refuses this very request (rights, membership, veto): final for it.
    Denied,
    /// The user, chat or message does not exist: final for the request.
    NotFound,
    /// The portal calls the request malformed: final for it.
    Invalid,
    /// The portal does not have the method.
    MethodMissing,
    /// Too many requests; not executed.
    RateLimited,
    /// The method used up its operating time; not executed, other methods go on.
    MethodParked,
    /// The plan is over or forbids REST: long pause, a person must act.
    Licence,
    /// The portal or the application is closed or blocked: long pause.
    PortalClosed,
    /// A message with the same UUID is known but not linked yet: neither success nor failure.
    Duplicate,
    /// The portal had trouble of its own.
    PortalTrouble,
    /// The answer was not what a portal answers: HTML, half a JSON, a wrong type.
    Protocol,
    /// The network: no connection, cut, timed out.
    Transport,
    /// The peer's certificate is not trusted: final until configuration changes.
    Certificate,
}

impl Class {
    /// Every class, for tables and documents.
    #[cfg(test)]
    pub const ALL: [Class; 16] = [
        Class::TokenExpired,
        Class::IdentityLost,
        Class::ScopeMissing,
        Class::Denied,
        Class::NotFound,
        Class::Invalid,
        Class::MethodMissing,
        Class::RateLimited,
        Class::MethodParked,
        Class::Licence,
        Class::PortalClosed,
        Class::Duplicate,
        Class::PortalTrouble,
        Class::Protocol,
        Class::Transport,
        Class::Certificate,
    ];

    /// Whether the portal will never carry this very request out, whoever waits or mends something.
    pub fn is_refusal(self) -> bool {
        matches!(self, Class::Denied | Class::NotFound | Class::Invalid | Class::MethodMissing)
    }

    /// The text form in the database, logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::TokenExpired => "token_expired",
            Class::IdentityLost => "identity_lost",
            Class::ScopeMissing => "scope_missing",
            Class::Denied => "denied",
            Class::NotFound => "not_found",
            Class::Invalid => "invalid",
            Class::MethodMissing => "method_missing",
            Class::RateLimited => "rate_limited",
            Class::MethodParked => "method_parked",
            Class::Licence => "licence",
            Class::PortalClosed => "portal_closed",
            Class::Duplicate => "duplicate",
            Class::PortalTrouble => "portal_trouble",
            Class::Protocol => "protocol",
            Class::Transport => "transport",
            Class::Certificate => "certificate",
        }
    }
}

/// Whether a request that failed may nevertheless have acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Refused, or never sent: nothing happened.
    None,
    /// Sent, and no trustworthy answer: it may have happened. Only for requests that write.
    Unknown,
}

impl Effect {
    /// The text form in the database, logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::None => "none",
            Effect::Unknown => "unknown",
        }
    }
}

/// A failed call. Carries no message text, no token and no URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub class: Class,
    /// Whether it may have acted.
    pub effect: Effect,
    /// The peer's code as received, at most 64 characters, or a word of ours (`timeout_connect`).
    pub code: String,
    /// The REST method, or what was asked of the authorization server.
    pub method: &'static str,
    /// How long the peer asked us to wait, or how long a parked method stays parked.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "method={} class={} code={} effect={}",
            self.method,
            self.class.as_str(),
            self.code,
            self.effect.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Class;

    #[test]
    fn class_names_are_distinct() {
        let names: HashSet<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        assert_eq!(names.len(), Class::ALL.len());
    }
}
