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

/// For what is no failure: only its turn did not come.
const AT_ONCE: Backoff = Backoff { first: Duration::ZERO, most: Duration::ZERO };

/// What is known of a delivery when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Failures so far of what was being sent, this one included; not those for want of a turn.
    pub failures: u32,
    /// How long ago the delivery was accepted.
    pub age: Duration,
    /// How long ago the first attempt began of which nobody knows whether it acted.
    pub doubt: Option<Duration>,
}

/// The next step of a delivery that failed. INVARIANT: once an attempt may have acted, the delivery
/// is looked up before each further one, and its end is never "nothing happened".
pub fn next(failure: &Failure, past: &Past, dice: u64) -> Next {
    let backoff = match failure.class {
        Class::Denied | Class::NotFound | Class::Invalid | Class::MethodMissing => {
            return Next::Reject;
        }
        Class::Duplicate => LINKING,
        Class::IdentityLost
        | Class::ScopeMissing
        | Class::Licence
        | Class::PortalClosed
        | Class::Certificate => MENDING,
        // The limiter makes everybody wait as long as needs be; a delay of its own, growing from
        // one to the next, would leave the portal's rate unused while deliveries wait.
        Class::RateLimited | Class::MethodParked => AT_ONCE,
        Class::TokenExpired | Class::PortalTrouble | Class::Protocol | Class::Transport => PASSING,
    };
    let delay = backoff.delay(past.failures, dice).max(failure.retry_after.unwrap_or_default());
    let over = past.age >= limits::DELIVERY_AGE_MAX;
    let unknown = (failure.effect == Effect::Unknown).then_some(Duration::ZERO);
    match past.doubt.or(unknown) {
        None if over => Next::GiveUp,
        None => Next::Again(delay),
        // However old the delivery is: what was sent a moment ago deserves to be looked for.
        Some(doubt) if doubt < limits::DELIVERY_DOUBT_MIN => Next::LookThenAgain(delay),
        Some(_) if over || failure.class == Class::Duplicate => Next::Park,
        Some(_) => Next::LookThenAgain(delay),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;
    use super::Next;
    use super::Past;
    use super::next;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;
    use crate::domain::failure::Failure;
    use crate::limits;

    fn failed(class: Class, effect: Effect) -> Failure {
        Failure { class, effect, code: "x".into(), method: "m", retry_after: None }
    }

    const FRESH: Past = Past { failures: 1, age: Duration::ZERO, doubt: None };
    const REFUSALS: [Class; 4] =
        [Class::Denied, Class::NotFound, Class::Invalid, Class::MethodMissing];

    #[test]
    fn what_may_have_happened_is_never_sent_again_without_looking() {
        let earlier = Past { doubt: Some(Duration::from_secs(60)), ..FRESH };
        for class in Class::ALL.into_iter().filter(|class| !REFUSALS.contains(class)) {
            for (effect, past) in [(Effect::Unknown, FRESH), (Effect::None, earlier)] {
                let step = next(&failed(class, effect), &past, 0);
                assert!(matches!(step, Next::LookThenAgain(_)), "{class:?} {step:?}");
                let old = Past { age: limits::DELIVERY_AGE_MAX, ..past };
                let step = next(&failed(class, effect), &old, 0);
                assert!(matches!(step, Next::LookThenAgain(_)), "{class:?} {step:?}");
            }
        }
    }

    #[test]
    fn every_class_ends_some_day_and_refusals_end_at_once() {
        let age = limits::DELIVERY_AGE_MAX;
        for class in Class::ALL {
            let refused = REFUSALS.contains(&class);
            let sure = next(&failed(class, Effect::None), &Past { age, ..FRESH }, 0);
            assert_eq!(sure, if refused { Next::Reject } else { Next::GiveUp }, "{class:?}");
            let doubt = Some(limits::DELIVERY_DOUBT_MIN);
            let unsure = next(&failed(class, Effect::Unknown), &Past { age, doubt, ..FRESH }, 0);
            assert_eq!(unsure, if refused { Next::Reject } else { Next::Park }, "{class:?}");
            let first = next(&failed(class, Effect::None), &FRESH, 0);
            assert_eq!(first == Next::Reject, refused, "{class:?}");
        }
    }

    #[test]
    fn a_uuid_in_flight_is_asked_for_until_its_hour_is_over() {
        let duplicate = failed(Class::Duplicate, Effect::Unknown);
        let since = |doubt| Past { age: Duration::from_secs(7200), doubt: Some(doubt), ..FRESH };
        let early = next(&duplicate, &since(Duration::from_secs(3600)), 0);
        assert_eq!(early, Next::LookThenAgain(limits::DELIVERY_LINK_FIRST));
        assert_eq!(next(&duplicate, &since(limits::DELIVERY_DOUBT_MIN), 0), Next::Park);
    }

    #[test]
    fn a_wait_the_portal_asks_for_is_honoured() {
        let asked = Duration::from_secs(77);
        for class in [Class::MethodParked, Class::RateLimited, Class::PortalTrouble] {
            let parked = Failure { retry_after: Some(asked), ..failed(class, Effect::None) };
            assert_eq!(next(&parked, &FRESH, 0), Next::Again(asked));
        }
        let first = next(&failed(Class::Transport, Effect::None), &FRESH, 0);
        assert_eq!(first, Next::Again(limits::DELIVERY_RETRY_FIRST));
    }

    #[test]
    fn waiting_for_a_turn_never_becomes_a_growing_delay() {
        let often = Past { failures: 1000, ..FRESH };
        for class in [Class::RateLimited, Class::MethodParked] {
            let failure = failed(class, Effect::None);
            assert_eq!(next(&failure, &often, 0), Next::Again(Duration::ZERO));
            let asked = Duration::from_secs(4);
            let failure = Failure { retry_after: Some(asked), ..failure };
            assert_eq!(next(&failure, &often, 0), Next::Again(asked));
        }
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
