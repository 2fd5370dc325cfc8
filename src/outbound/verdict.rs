//! What a failure of the portal is called towards the gateway and people, and how long one of its
//! refusals lasts. Pure tables; called by `execute`.

use crate::bitrix::failure;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::retry::Past;
use crate::domain::step::StepKind;
use crate::limits;

/// The portal's codes for a publication that was not made and whose files it removed: its own, and
/// the messenger's behind it (b24: messenger §9.2, §1 item 8).
const FILES_REMOVED: &[&str] = &["save_error", "message_duplicated_by_uuid"];

/// Whether the sentence of a failed publication says that its files were removed.
pub(super) fn tells_of_removed_files(sentence: &str) -> bool {
    let lower = sentence.to_ascii_lowercase();
    FILES_REMOVED.iter().any(|code| lower.ends_with(code))
}

/// A publication that is refused after one that may have acted is neither success nor failure: its
/// UUID is claimed, by the first or by this one, and free again after an hour. Until then each
/// further attempt would only cost the files again.
pub(super) fn with_patience(kind: Option<StepKind>, failure: Failure, past: &Past) -> Failure {
    let publishes = kind == Some(StepKind::Publish);
    let removed = FILES_REMOVED.iter().any(|code| failure.code.eq_ignore_ascii_case(code));
    let Some(doubt) = past.doubt.filter(|_| publishes && removed) else { return failure };
    Failure {
        class: Class::Duplicate,
        effect: Effect::Unknown,
        retry_after: Some(limits::UUID_CLAIMED_MAX.saturating_sub(doubt)),
        ..failure
    }
}

/// The code of the contract's error table for a class of failure.
pub(super) fn outward_code(class: Class) -> &'static str {
    match class {
        Class::Denied => "permission_denied",
        Class::NotFound => "not_found",
        Class::Invalid => "invalid_argument",
        Class::MethodMissing
        | Class::IdentityLost
        | Class::ScopeMissing
        | Class::Licence
        | Class::PortalClosed => "failed_precondition",
        Class::RateLimited | Class::MethodParked => "resource_exhausted",
        Class::TokenExpired
        | Class::Duplicate
        | Class::PortalTrouble
        | Class::Protocol
        | Class::Transport
        | Class::Certificate => "unavailable",
    }
}

/// Our own code for a file that is not on the shelf any more.
pub(super) const FILE_GONE: &str = "file_gone";

/// The sentence that people get.
pub(super) fn told(failure: &Failure) -> String {
    if failure.code == FILE_GONE {
        return "its file is not kept here any more: send it again under another delivery_id"
            .into();
    }
    if failure.class == Class::Invalid && failure.code == failure::TOO_LARGE {
        return "the portal's web server takes no request of this size: send a smaller file".into();
    }
    format!("{}: {}", sentence(failure.class), failure.code)
}

/// The beginning of that sentence.
fn sentence(class: Class) -> &'static str {
    match class {
        Class::Denied => "the portal refuses this message",
        Class::NotFound => "the portal does not know this dialog",
        Class::Invalid => "the portal calls the message malformed",
        Class::MethodMissing => "the portal lacks what it takes",
        Class::IdentityLost => "the agent is not connected",
        Class::ScopeMissing => "the application lacks a scope",
        Class::Licence => "the portal's plan does not allow it",
        Class::PortalClosed => "the portal is closed or the application blocked",
        Class::RateLimited | Class::MethodParked => "the portal asks to wait",
        Class::Certificate => "the portal's certificate is not trusted",
        Class::Duplicate => "the portal is still busy with the first attempt",
        Class::TokenExpired | Class::PortalTrouble | Class::Protocol | Class::Transport => {
            "the portal did not answer"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::with_patience;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;
    use crate::domain::failure::Failure;
    use crate::domain::retry::Past;
    use crate::domain::step::StepKind;
    use crate::limits;

    #[test]
    fn a_refused_publication_waits_only_when_an_earlier_one_may_have_acted() {
        let failure = Failure {
            class: Class::Denied,
            effect: Effect::None,
            code: "SAVE_ERROR".to_owned(),
            method: "m",
            retry_after: None,
        };
        let past = Past { failures: 1, age: Duration::ZERO, doubt: None };
        let publish = Some(StepKind::Publish);
        assert_eq!(with_patience(publish, failure.clone(), &past), failure);
        let doubt = Some(Duration::from_secs(100));
        let waits = with_patience(publish, failure.clone(), &Past { doubt, ..past });
        assert_eq!((waits.class, waits.effect), (Class::Duplicate, Effect::Unknown));
        let rest = limits::UUID_CLAIMED_MAX - Duration::from_secs(100);
        assert_eq!(waits.retry_after, Some(rest));
        let text = Some(StepKind::Add);
        assert_eq!(with_patience(text, failure.clone(), &Past { doubt, ..past }), failure);
        let other = Failure { code: "ACCESS_ERROR".to_owned(), ..failure };
        assert_eq!(with_patience(publish, other.clone(), &Past { doubt, ..past }), other);
    }
}
