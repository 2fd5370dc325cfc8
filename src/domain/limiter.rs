//! The portal's request rate as a value: a leaky bucket that drains at a steady rate and refuses
//! above a threshold (b24: transport §3.1), and how we give way when others fill it too. `now` goes
//! in, go or wait comes out. `domain::turns` decides whose place it is.

use std::time::Duration;

use crate::domain::retry::Backoff;
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

    /// The rate of a licence as `app.info` names it, such as `en_ent250` or `en_pro100`. A
    /// self-hosted portal says `en_selfhosted`: its limit, if any, is whatever its administrator
    /// made it, so it is taken for the slower one unless a setting says better.
    pub fn of_licence(licence: &str) -> Rate {
        let plan = licence.split('_').next_back().unwrap_or(licence);
        if plan.starts_with("ent") { Rate::ENTERPRISE } else { Rate::STANDARD }
    }

    /// What we let into the portal's bucket at once. Calls may arrive later than they left, and so
    /// closer together: whatever drains during that delay is left free.
    fn most(self) -> f64 {
        let late = f64::from(self.per_second) * limits::LIMITER_LATE_MAX.as_secs_f64();
        (f64::from(self.burst) - late).max(1.0)
    }
}

/// Short at first, up to a minute, with the dice in it (b24: transport §3.5).
const PAUSE: Backoff =
    Backoff { first: limits::LIMITER_PAUSE_FIRST, most: limits::LIMITER_PAUSE_MOST };
/// Sums of fractions are not exact.
const HAIR: f64 = 1e-9;

/// How full the portal's bucket is, as far as we know. Somebody else may fill it too.
///
/// It begins full. What this process's predecessor sent a moment ago is still in the portal's
/// bucket, and a connector that is killed again and again would otherwise send a burst each time.
/// Any life that begins full sends no more than drains meanwhile, so no sequence of lives is
/// refused; it costs half a second before the first call. A level kept in the database would have
/// to be written before every call, and believed across a changed clock.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// `None` when there is no limit.
    rate: Option<Rate>,
    level: f64,
    /// When `level` was right; in the future during a pause, in which nothing drains for us.
    at: Duration,
    /// Since when the reserve has been building up.
    filled_at: Duration,
    /// The part of the rate that we take for ours: all of it until the portal refuses.
    share: f64,
    /// Refusals that successes have not outweighed.
    refusals: u32,
    refused_at: Option<Duration>,
}

impl Bucket {
    /// A full bucket, or none. Times are durations since any fixed moment.
    pub fn new(rate: Option<Rate>, now: Duration) -> Bucket {
        let level = rate.map_or(0.0, Rate::most);
        Bucket { rate, level, at: now, filled_at: now, share: 1.0, refusals: 0, refused_at: None }
    }

    /// How long until there is a place; zero when there is one. With `spare`, a part of the burst is
    /// left to those who do not ask so.
    pub fn wait(&mut self, now: Duration, spare: bool) -> Duration {
        self.drain(now);
        let pause = self.at.saturating_sub(now);
        let Some(rate) = self.rate else { return pause };
        let reserve = if spare { self.reserve(rate, now) } else { 0.0 };
        let over = self.level + 1.0 - (rate.most() - reserve);
        if over <= HAIR {
            return pause;
        }
        let drains = over / self.pace(rate) + 1e-6;
        pause.saturating_add(Duration::try_from_secs_f64(drains).unwrap_or(Duration::MAX))
    }

    /// Takes a place that [`Bucket::wait`] said is there.
    pub fn take(&mut self) {
        if self.rate.is_some() {
            self.level += 1.0;
        }
    }

    /// The portal refused a call that left at `left` (b24: transport §6 rule 17): its bucket is
    /// full, and somebody else fills it. So everybody pauses, longer each time, and then goes on at
    /// half the rate. `dice` is any random number. Returns the pause, unless it has begun already.
    pub fn refused(&mut self, left: Duration, now: Duration, dice: u64) -> Option<Duration> {
        if self.refused_at.is_some_and(|known| left <= known) {
            // It was under way when we heard of the same full bucket.
            return None;
        }
        self.drain(now);
        self.refusals = self.refusals.saturating_add(1);
        self.refused_at = Some(now);
        self.share = (self.share / 2.0).max(limits::LIMITER_SHARE_LEAST);
        let pause = PAUSE.delay(self.refusals, dice);
        self.at = now + pause;
        self.filled_at = self.at;
        // One call goes at the end of the pause and sees what it finds.
        self.level = self.rate.map_or(0.0, |rate| rate.most() - 1.0);
        Some(pause)
    }

    /// The portal let in a call that left at `left`.
    pub fn admitted(&mut self, left: Duration) {
        if self.refused_at.is_some_and(|known| left > known) {
            self.refusals = self.refusals.saturating_sub(1);
        }
    }

    /// Another rate. The room stays what it was: a larger bucket may be as full as the smaller was.
    pub fn set_rate(&mut self, rate: Rate, now: Duration) {
        self.drain(now);
        if let Some(old) = self.rate {
            self.level += (rate.most() - old.most()).max(0.0);
            self.rate = Some(rate);
        }
    }

    /// The nominal rate; `None` without a limit.
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// Requests in the bucket, and the part of the rate that we take.
    pub fn figures(&mut self, now: Duration) -> (f64, f64) {
        self.drain(now);
        (self.level, self.share)
    }

    /// How much is kept for answers. It builds up while others get three quarters of the rate: right
    /// after a start or a refusal there is nothing to keep, and polling would stand still for it.
    fn reserve(&self, rate: Rate, now: Duration) -> f64 {
        let whole = f64::from(rate.burst / limits::LIMITER_RESERVE_DIVISOR);
        let built = now.saturating_sub(self.filled_at).as_secs_f64() * self.pace(rate) / 4.0;
        built.min(whole)
    }

    /// Requests that drain in a second, as far as we rely on it.
    fn pace(&self, rate: Rate) -> f64 {
        f64::from(rate.per_second) * limits::LIMITER_RATE_USED * self.share
    }

    fn drain(&mut self, now: Duration) {
        let Some(passed) = now.checked_sub(self.at) else { return };
        let seconds = passed.as_secs_f64();
        if let Some(rate) = self.rate {
            self.level = (self.level - seconds * self.pace(rate)).max(0.0);
        }
        let doublings = seconds / limits::LIMITER_SHARE_DOUBLES.as_secs_f64();
        self.share = (self.share * doublings.exp2()).min(1.0);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Bucket;
    use super::Rate;
    use crate::limits;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn bucket(rate: Rate) -> Bucket {
        Bucket::new(Some(rate), Duration::ZERO)
    }

    /// Takes as many places as there are at once.
    fn take_all(bucket: &mut Bucket, now: Duration, spare: bool) -> u32 {
        let mut taken = 0;
        while bucket.wait(now, spare).is_zero() && taken < 1000 {
            bucket.take();
            taken += 1;
        }
        taken
    }

    #[test]
    fn it_begins_full_and_holds_a_burst_later() {
        for (rate, most) in [(Rate::STANDARD, 46), (Rate::ENTERPRISE, 240)] {
            let mut bucket = bucket(rate);
            assert_eq!(take_all(&mut bucket, Duration::ZERO, false), 0);
            let wait = bucket.wait(Duration::ZERO, false);
            assert!(wait <= Duration::from_secs(1) / rate.per_second * 11 / 10, "{wait:?}");
            assert_eq!(take_all(&mut bucket, wait, false), 1);
            assert_eq!(take_all(&mut bucket, seconds(3600), false), most);
        }
    }

    #[test]
    fn a_portal_that_says_full_is_believed_and_left_alone_for_longer_each_time() {
        let mut bucket = bucket(Rate::STANDARD);
        let mut now = seconds(3600);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            bucket.refused(now, now, 0);
            // What was under way with it changes nothing.
            let pause = bucket.wait(now, false);
            bucket.refused(now, now + Duration::from_millis(5), 0);
            assert_eq!(bucket.wait(now, false), pause);
            now += pause;
            pauses.push(pause.as_secs());
            assert_eq!(take_all(&mut bucket, now, false), 1, "one sees what it finds");
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
        for _ in 0..8 {
            now += seconds(60);
            bucket.admitted(now);
        }
        assert_eq!(bucket.figures(now).1, 1.0, "all of the rate is ours again");
        bucket.refused(now, now, 0);
        assert_eq!(bucket.wait(now, false), limits::LIMITER_PAUSE_FIRST);
    }

    #[test]
    fn without_a_limit_a_refusal_still_makes_everybody_pause() {
        let mut bucket = Bucket::new(None, Duration::ZERO);
        assert_eq!(take_all(&mut bucket, Duration::ZERO, true), 1000);
        bucket.refused(Duration::ZERO, seconds(1), 0);
        assert_eq!(bucket.wait(seconds(1), false), limits::LIMITER_PAUSE_FIRST);
        assert!(bucket.wait(seconds(3), false).is_zero());
    }

    #[test]
    fn polling_leaves_room_for_a_burst_of_answers() {
        let mut bucket = bucket(Rate::STANDARD);
        let mut now = seconds(3600);
        assert_eq!(take_all(&mut bucket, now, true), 36);
        // Polling goes on at the steady rate and never eats into the reserve.
        let mut polls = 0;
        for _ in 0..100 {
            now += seconds(1);
            polls += take_all(&mut bucket, now, true);
        }
        assert!((190..=196).contains(&polls), "{polls}");
        assert_eq!(take_all(&mut bucket, now, false), 10);
    }

    #[test]
    fn polling_begins_at_once_after_a_start_and_the_reserve_builds_up() {
        let mut bucket = bucket(Rate::STANDARD);
        let mut polls = 0;
        for second in 1..=25 {
            polls += take_all(&mut bucket, seconds(second), true);
        }
        assert!((36..=40).contains(&polls), "{polls}");
        assert!(take_all(&mut bucket, seconds(25), false) >= 9);
    }

    #[test]
    fn another_rate_changes_no_room() {
        let mut standard = bucket(Rate::STANDARD);
        let now = seconds(5);
        standard.set_rate(Rate::ENTERPRISE, now);
        assert_eq!(take_all(&mut standard, now, false), 9, "what drained in five seconds");
        standard.set_rate(Rate::STANDARD, now);
        assert!(standard.wait(now, false) > seconds(60), "a smaller bucket is over-full for long");
    }

    #[test]
    fn the_licence_decides() {
        assert_eq!(Rate::of_licence("en_ent250"), Rate::ENTERPRISE);
        assert_eq!(Rate::of_licence("en_pro100"), Rate::STANDARD);
        assert_eq!(Rate::of_licence("ru_selfhosted"), Rate::STANDARD);
        assert_eq!(Rate::of_licence(""), Rate::STANDARD);
    }
}
