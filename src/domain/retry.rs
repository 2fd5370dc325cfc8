//! When something that failed is tried again. Pure: how often it failed and a random number go in,
//! a duration comes out.

use std::time::Duration;

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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

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
