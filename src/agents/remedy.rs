//! Every way in which the portal or the authorization server ends an agent's work, for a while or for
//! good: what happens to the agent, how long it leaves the portal alone, and the one sentence about
//! what a person does (b24: transport §1.9, §1.12, §3.5). A table and how it is asked; pure. Called by
//! `registry`.

use std::time::Duration;

use crate::bitrix::oauth;
use crate::domain::agent::Event;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::limits;

/// One ending.
pub(super) struct Ending {
    /// The class of the failures that tell of it.
    pub class: Class,
    /// Their codes in lower case; empty for every code of the class that no row before names.
    pub codes: &'static [&'static str],
    /// What becomes of the agent.
    pub event: Event,
    /// How long the agent makes no call; zero when the pace of its calls is rest enough.
    pub rest: Duration,
    /// What a person does about it.
    pub remedy: &'static str,
}

/// Every ending. Missing scopes and methods are the registry's: they end one method, not an agent.
pub(super) const ENDINGS: &[Ending] = &[
    // The account was dismissed or deactivated.
    Ending {
        class: Class::IdentityLost,
        codes: &["authorization_error"],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the account is dismissed or inactive: reactivate it, or consent with another account",
    },
    // The application was restricted to other users.
    Ending {
        class: Class::IdentityLost,
        codes: &["user_access_error"],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the application is restricted to other users: allow this account in the \
                 application's rights",
    },
    // The application was deleted or uninstalled.
    Ending {
        class: Class::IdentityLost,
        codes: &["application_not_found", "not_installed", "error_oauth", "wrong_client"],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the application was deleted in the portal: create it again, set \
                 BITRIX24_CLIENT_ID and BITRIX24_CLIENT_SECRET, and consent again",
    },
    // The application got another secret.
    Ending {
        class: Class::IdentityLost,
        codes: &["invalid_client", "unauthorized_client"],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the application's secret is not the configured one: set BITRIX24_CLIENT_SECRET",
    },
    // The webhook was deleted, or somebody edited it, which gives it another secret.
    Ending {
        class: Class::IdentityLost,
        codes: &["invalid_credentials"],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the agent's webhook was deleted or changed: make one as the agent's own user and \
                 give it to the agent (agents webhook NAME)",
    },
    // The tokens are revoked, used up or too old.
    Ending {
        class: Class::IdentityLost,
        codes: &[],
        event: Event::Lost,
        rest: Duration::ZERO,
        remedy: "the portal does not accept the agent's tokens any more: open a new consent link",
    },
    // The licence or the trial is over, or the plan has no REST.
    Ending {
        class: Class::Licence,
        codes: &[],
        event: Event::Troubled,
        rest: limits::LICENCE_REST,
        remedy: "the portal refuses every call: its plan is over or has no REST, or the account is \
                 not confirmed yet",
    },
    // The application was blocked for load.
    Ending {
        class: Class::PortalClosed,
        codes: &["overload_limit"],
        event: Event::Troubled,
        rest: limits::OVERLOAD_REST,
        remedy: "the portal blocked the application for load: an administrator unblocks it there",
    },
    // The portal is closed, for maintenance or for good.
    Ending {
        class: Class::PortalClosed,
        codes: &["portal_deleted"],
        event: Event::Troubled,
        rest: limits::PORTAL_CLOSED_REST,
        remedy: "the portal is closed: a self-hosted one may be in maintenance",
    },
    // The authorization server refuses for a reason that we do not know; the chain itself rests.
    Ending {
        class: Class::PortalClosed,
        codes: &[],
        event: Event::Troubled,
        rest: Duration::ZERO,
        remedy: "the authorization server refuses to renew the agent's tokens for now",
    },
    // The authorization server is not allowed any more.
    Ending {
        class: Class::Certificate,
        codes: &[oauth::SERVER_NOT_ALLOWED],
        event: Event::Troubled,
        rest: Duration::ZERO,
        remedy: "the agent's authorization server is not in BITRIX24_OAUTH_SERVERS: add it, or open \
                 a new consent link",
    },
    // The application's settings were taken away.
    Ending {
        class: Class::Certificate,
        codes: &[oauth::NO_CLIENT],
        event: Event::Troubled,
        rest: Duration::ZERO,
        remedy: "the agent has tokens and the connector no application: set BITRIX24_CLIENT_ID and \
                 BITRIX24_CLIENT_SECRET, or give the agent a webhook",
    },
    // The portal's certificate is not trusted.
    Ending {
        class: Class::Certificate,
        codes: &[],
        event: Event::Troubled,
        rest: Duration::ZERO,
        remedy: "the portal's certificate is not trusted: set BITRIX24_CA_FILE",
    },
];

/// The row for a failure; `None` when it ends nothing.
pub(super) fn of(failure: &Failure) -> Option<&'static Ending> {
    let code = failure.code.to_ascii_lowercase();
    ENDINGS.iter().find(|ending| {
        let named = ending.codes.is_empty() || ending.codes.contains(&code.as_str());
        ending.class == failure.class && named
    })
}

/// The reason that people get: the remedy, and the code behind it.
pub(super) fn reason(ending: &Ending, code: &str) -> String {
    match ending.class {
        // These codes are ours and say what the sentence says.
        Class::Certificate => ending.remedy.to_owned(),
        _ => format!("{} ({})", ending.remedy, code.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::ENDINGS;
    use super::of;
    use super::reason;
    use crate::bitrix::failure;
    use crate::domain::agent::Event;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;

    #[test]
    #[allow(clippy::print_stdout, reason = "the table, for whoever compares it")]
    fn every_row_is_reached_by_its_codes_and_only_a_lost_identity_ends_an_agent() {
        println!("{:<15} {:<9} {:>7}  {:<65} remedy", "class", "agent", "rest", "codes");
        for ending in ENDINGS {
            let class = ending.class;
            assert_eq!(class == Class::IdentityLost, ending.event == Event::Lost);
            let any = ["some_other_code"];
            let codes = if ending.codes.is_empty() { &any } else { ending.codes };
            for code in codes {
                let failed = failure::failure("m", false, class, Effect::None, code);
                let found = of(&failed).expect("a row");
                assert_eq!((found.codes, found.remedy), (ending.codes, ending.remedy), "{code}");
                assert!(reason(found, code).starts_with(ending.remedy));
            }
            let (event, rest) = (format!("{:?}", ending.event), ending.rest.as_secs());
            let codes = ending.codes.join(", ");
            println!("{:<15} {event:<9} {rest:>6}s  {codes:<65} {}", class.as_str(), ending.remedy);
        }
        let passing = failure::failure("m", false, Class::Transport, Effect::None, "timeout");
        assert!(of(&passing).is_none());
    }
}
