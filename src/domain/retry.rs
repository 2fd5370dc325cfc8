//! When something that failed is tried again, and what a failed delivery does next. Pure: what
//! failed, how often, how long ago it all began and a random number go in; the step comes out.

use std::time::Duration;

use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::limits;

/// A delay that doubles from failure to failure up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// However many failures there were.
    pub most: Duration,
}

impl Backoff {
    /// The delay after `failures` failures in a row. `dice` is any random number: it takes up to
    /// half of the delay away, so that what failed together does not come back together.
    pub fn delay(&self, failures: u32, dice: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.most);
        let half_ms = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX - 1);
        whole.saturating_sub(Duration::from_millis(dice % (half_ms + 1)))
    }
}

/// What a delivery does after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing happened: again after this long.
    Again(Duration),
    /// It may have happened: after this long look first, then again.
    LookThenAgain(Duration),
    /// Refused for good.
    Reject,
    /// Nothing happened, and it has been tried for too long.
    GiveUp,
    /// It may have happened, and could not be found out for too long: a person decides.
    Park,
}

/// Short at first, so that one lost answer heals quickly.
const PASSING: Backoff =
    Backoff { first: limits::DELIVERY_RETRY_FIRST, most: limits::DELIVERY_RETRY_MOST };
/// For what a person has to mend.
const MENDING: Backoff =
    Backoff { first: limits::DELIVERY_MEND_FIRST, most: limits::DELIVERY_MEND_MOST };
/// For a UUID that the portal knows and has not linked yet (b24: messenger R21).
const LINKING: Backoff =
    Backoff { first: limits::DELIVERY_LINK_FIRST, most: limits::DELIVERY_LINK_MOST };

/// The next step of a delivery that failed `attempts` times since it was accepted `age` ago.
pub fn next(failure: &Failure, attempts: u32, age: Duration, dice: u64) -> Next {
    let over = age >= limits::DELIVERY_AGE_MAX;
    let again = |delay: Duration| if over { Next::GiveUp } else { Next::Again(delay) };
    let asked = failure.retry_after.unwrap_or_default();
    match failure.class {
        Class::Denied | Class::NotFound | Class::Invalid | Class::MethodMissing => Next::Reject,
        Class::Duplicate if age >= limits::DELIVERY_LINK_AGE_MAX => Next::Park,
        Class::Duplicate => Next::LookThenAgain(LINKING.delay(attempts, dice)),
        Class::RateLimited | Class::MethodParked => again(asked.max(PASSING.delay(attempts, dice))),
        Class::IdentityLost
        | Class::ScopeMissing
        | Class::Licence
        | Class::PortalClosed
        | Class::Certificate => again(MENDING.delay(attempts, dice)),
        Class::TokenExpired | Class::PortalTrouble | Class::Protocol | Class::Transport => {
            let delay = asked.max(PASSING.delay(attempts, dice));
            match failure.effect {
                Effect::None => again(delay),
                Effect::Unknown if over => Next::Park,
                Effect::Unknown => Next::LookThenAgain(delay),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;
    use super::Next;
    use super::next;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;
    use crate::domain::failure::Failure;
    use crate::limits;

    fn failed(class: Class, effect: Effect) -> Failure {
        Failure { class, effect, code: "x".into(), method: "m", retry_after: None }
    }

    #[test]
    fn what_may_have_happened_is_never_sent_again_without_looking() {
        for class in Class::ALL {
            let step = next(&failed(class, Effect::Unknown), 1, Duration::ZERO, 0);
            let definite = matches!(
                class,
                Class::PortalTrouble | Class::Protocol | Class::Transport | Class::TokenExpired
            );
            if definite || class == Class::Duplicate {
                assert!(matches!(step, Next::LookThenAgain(_)), "{class:?}");
            }
        }
    }

    #[test]
    fn every_class_ends_some_day_and_refusals_end_at_once() {
        for class in Class::ALL {
            for effect in [Effect::None, Effect::Unknown] {
                let late = next(&failed(class, effect), 99, limits::DELIVERY_AGE_MAX, 0);
                assert!(matches!(late, Next::Reject | Next::GiveUp | Next::Park), "{class:?}");
            }
        }
        for class in [Class::Denied, Class::NotFound, Class::Invalid, Class::MethodMissing] {
            let step = next(&failed(class, Effect::None), 1, Duration::ZERO, 0);
            assert_eq!(step, Next::Reject);
        }
    }

    #[test]
    fn a_wait_the_portal_asks_for_is_honoured() {
        let asked = Duration::from_secs(77);
        let parked =
            Failure { retry_after: Some(asked), ..failed(Class::MethodParked, Effect::None) };
        assert_eq!(next(&parked, 1, Duration::ZERO, 0), Next::Again(asked));
        let first = next(&failed(Class::Transport, Effect::None), 1, Duration::ZERO, 0);
        assert_eq!(first, Next::Again(limits::DELIVERY_RETRY_FIRST));
    }

    const BACKOFF: Backoff =
        Backoff { first: Duration::from_millis(200), most: Duration::from_secs(30) };

    #[test]
    fn delays_double_up_to_the_bound() {
        let without_jitter = |failures| BACKOFF.delay(failures, 0).as_millis();
        let delays: Vec<u128> = (1..=10).map(without_jitter).collect();
        assert_eq!(delays, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(without_jitter(0), 200);
        assert_eq!(without_jitter(u32::MAX), 30_000);
    }

    #[test]
    fn jitter_takes_at_most_half() {
        let mut dice = 1_u64;
        for failures in 1..200 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (whole, delay) = (BACKOFF.delay(failures, 0), BACKOFF.delay(failures, dice));
            assert!(delay <= whole && delay >= whole / 2, "{failures}: {delay:?} of {whole:?}");
        }
        let none = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        assert_eq!(none.delay(3, 7), Duration::ZERO);
    }
}
