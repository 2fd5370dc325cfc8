//! The portal's request rate as a value: a leaky bucket that drains at a steady rate and refuses
//! above a threshold (b24: transport §3.1). `now` goes in, go or wait comes out.

use std::time::Duration;

use crate::limits;

/// How fast a portal may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests that drain per second.
    pub per_second: u32,
    /// Requests that fit at once.
    pub burst: u32,
}

impl Rate {
    /// Every plan but Enterprise.
    pub const STANDARD: Rate = Rate { per_second: 2, burst: 50 };
    /// Enterprise.
    pub const ENTERPRISE: Rate = Rate { per_second: 5, burst: 250 };

    /// The rate of a licence as `app.info` names it, such as `en_ent250` or `en_pro100`.
    pub fn of_licence(licence: &str) -> Rate {
        let plan = licence.split('_').next_back().unwrap_or(licence);
        if plan.starts_with("ent") { Rate::ENTERPRISE } else { Rate::STANDARD }
    }
}

/// Thousandths of a request, so that draining a fraction of one is exact enough.
const MILLI: u64 = 1000;

/// How full the portal's bucket is, as far as we know. Somebody else may fill it too.
#[derive(Clone, Debug)]
pub struct Bucket {
    rate: Rate,
    level_milli: u64,
    at: Duration,
}

impl Bucket {
    /// An empty bucket. Times are durations since any fixed moment.
    pub fn new(rate: Rate, now: Duration) -> Bucket {
        Bucket { rate, level_milli: 0, at: now }
    }

    /// Takes one request's place, or says how long until there is one. With `spare`, a part of the
    /// burst is left to those who do not ask so.
    pub fn take(&mut self, now: Duration, spare: bool) -> Result<(), Duration> {
        self.drain(now);
        let reserve = if spare { self.rate.burst / limits::LIMITER_RESERVE_DIVISOR } else { 0 };
        // One below the threshold: the portal refuses what goes over it, and its clock is not ours.
        let most = u64::from(self.rate.burst.saturating_sub(1 + reserve).max(1)) * MILLI;
        let after = self.level_milli + MILLI;
        if after <= most {
            self.level_milli = after;
            return Ok(());
        }
        let drain_ms = u64::from(self.rate.per_second.max(1));
        Err(Duration::from_millis((after - most).div_ceil(drain_ms)))
    }

    /// The portal said it is full: so it is, whatever we counted (b24: transport §6 rule 17).
    pub fn fill(&mut self, now: Duration) {
        self.drain(now);
        self.level_milli = u64::from(self.rate.burst) * MILLI;
    }

    /// Another rate, with what is in the bucket kept.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.drain(now);
        self.rate = rate;
    }

    fn drain(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // Milliseconds times requests per second is thousandths of a request.
        let drained = passed.saturating_mul(u64::from(self.rate.per_second));
        self.level_milli = self.level_milli.saturating_sub(drained);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Bucket;
    use super::Rate;

    #[test]
    fn a_burst_goes_and_then_two_a_second() {
        let mut bucket = Bucket::new(Rate::STANDARD, Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..49 {
            assert_eq!(bucket.take(now, false), Ok(()));
        }
        let mut sent = 0;
        while now < Duration::from_secs(60) {
            match bucket.take(now, false) {
                Ok(()) => sent += 1,
                Err(wait) => {
                    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(500));
                    now += wait;
                }
            }
        }
        assert_eq!(sent, 119, "one every half second, the last due at the end");
    }

    #[test]
    fn any_minute_stays_within_what_the_portal_drains_and_holds() {
        for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
            let mut bucket = Bucket::new(rate, Duration::ZERO);
            let mut portal_level = 0.0_f64;
            let mut last = Duration::ZERO;
            for ms in 0..120_000 {
                let now = Duration::from_millis(ms);
                if bucket.take(now, false).is_ok() {
                    portal_level -= (now - last).as_secs_f64() * f64::from(rate.per_second);
                    portal_level = portal_level.max(0.0) + 1.0;
                    last = now;
                    assert!(portal_level <= f64::from(rate.burst), "over the threshold at {ms}");
                }
            }
        }
    }

    #[test]
    fn a_portal_that_says_full_is_believed() {
        let mut bucket = Bucket::new(Rate::STANDARD, Duration::ZERO);
        bucket.fill(Duration::ZERO);
        assert_eq!(bucket.take(Duration::ZERO, false), Err(Duration::from_secs(1)));
        assert_eq!(bucket.take(Duration::from_secs(1), false), Ok(()));
    }

    #[test]
    fn polling_leaves_room_for_a_burst_of_answers() {
        let mut bucket = Bucket::new(Rate::STANDARD, Duration::ZERO);
        let polls = (0..100).filter(|_| bucket.take(Duration::ZERO, true).is_ok()).count();
        assert_eq!(polls, 39);
        // Polling goes on at the steady rate and never eats into the reserve.
        for second in 1..100 {
            let now = Duration::from_secs(second);
            assert_eq!((0..9).filter(|_| bucket.take(now, true).is_ok()).count(), 2);
        }
        let now = Duration::from_secs(99);
        assert_eq!((0..100).filter(|_| bucket.take(now, false).is_ok()).count(), 10);
    }

    #[test]
    fn the_licence_decides() {
        assert_eq!(Rate::of_licence("en_ent250"), Rate::ENTERPRISE);
        assert_eq!(Rate::of_licence("en_pro100"), Rate::STANDARD);
        assert_eq!(Rate::of_licence("ru_selfhosted"), Rate::STANDARD);
    }
}
