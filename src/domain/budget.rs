//! The operating time of REST methods as a value: the portal allows each method so much time in ten
//! minutes, for all agents of the application together and for each webhook (b24: transport §3.2). Owns which methods are
//! parked, and slows one down before the portal parks it. `domain::turns` asks it; `now` goes in.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::ids::UserId;
use crate::limits;

/// Whose time a call spends, and on what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Meter {
    /// The method.
    pub method: &'static str,
    /// Whose webhook makes the call; `None` for the application, whose time all its agents share.
    pub webhook: Option<UserId>,
}

/// What an answer says of its method's time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// `time.operating`: seconds spent in the last ten minutes.
    pub spent: f64,
    /// `time.duration`: what this call cost at most, in seconds.
    pub cost: f64,
    /// How long until the oldest minute of `spent` drops out.
    pub reset: Duration,
}

/// Every method that was called.
#[derive(Debug, Default)]
pub struct Budget {
    methods: HashMap<Meter, Method>,
}

#[derive(Debug, Default)]
struct Method {
    /// The portal refuses it until then.
    parked: Duration,
    /// When `spent` stops being true.
    reset: Duration,
    spent: f64,
    /// What a call costs: the most of late.
    cost: f64,
    /// Calls under way; their cost is not in `spent` yet.
    running: u32,
    /// When the last call left.
    left: Duration,
}

impl Budget {
    /// How long until the method may be called; zero when it may. Those that do not `hurry` slow
    /// down earlier.
    pub fn wait(&self, meter: Meter, hurry: bool, now: Duration) -> Duration {
        let Some(known) = self.methods.get(&meter) else { return Duration::ZERO };
        let parked = known.parked.saturating_sub(now);
        if !parked.is_zero() {
            return parked;
        }
        let limit = limits::METHOD_TIME_MAX.as_secs_f64();
        let (slow, most) = if hurry {
            (limits::METHOD_TIME_SLOW_REPLY, limits::METHOD_TIME_MOST_REPLY)
        } else {
            (limits::METHOD_TIME_SLOW, limits::METHOD_TIME_MOST)
        };
        let reset = known.reset.saturating_sub(now);
        if reset.is_zero() {
            // Some of it dropped out and nobody knows how much: one call goes and brings the news.
            let unsure = known.spent >= slow * limit && known.running > 0;
            return if unsure { limits::LIMITER_LOOK } else { Duration::ZERO };
        }
        let spent = known.spent + f64::from(known.running) * known.cost;
        if spent < slow * limit {
            return Duration::ZERO;
        }
        // What is left is spread over the time it has to last.
        let left = most * limit - spent;
        if left < known.cost {
            return reset;
        }
        (known.left + reset.mul_f64(known.cost / left)).saturating_sub(now).min(reset)
    }

    /// A call leaves.
    pub fn begin(&mut self, meter: Meter, now: Duration) {
        let known = self.methods.entry(meter).or_default();
        known.running = known.running.saturating_add(1);
        known.left = now;
    }

    /// A call is over, whatever came of it.
    pub fn end(&mut self, meter: Meter) {
        if let Some(known) = self.methods.get_mut(&meter) {
            known.running = known.running.saturating_sub(1);
        }
    }

    /// Takes over what an answer says.
    pub fn learn(&mut self, meter: Meter, figures: Figures, now: Duration) {
        let known = self.methods.entry(meter).or_default();
        let reset = now + figures.reset;
        // Answers overtake each other: within one reset the figure only grows. Another reset is a
        // minute later at least.
        let same = now < known.reset && reset < known.reset + limits::METHOD_RESET_BLUR;
        known.spent = if same { known.spent.max(figures.spent) } else { figures.spent };
        known.cost = figures.cost.max(known.cost * 0.9).max(limits::METHOD_COST_LEAST);
        known.reset = reset;
    }

    /// The portal refuses the method (b24: transport §6 rule 18). Returns for how long.
    pub fn park(&mut self, meter: Meter, now: Duration) -> Duration {
        let known = self.methods.entry(meter).or_default();
        let wait = known.reset.saturating_sub(now);
        let wait = if wait.is_zero() { limits::METHOD_PARKED_DEFAULT } else { wait };
        known.parked = now + wait;
        known.reset = known.parked;
        // Until an answer says better it is as good as used up: afterwards one call goes first.
        known.spent = limits::METHOD_TIME_MAX.as_secs_f64();
        wait
    }

    /// The methods that are parked and for how long, in order of their names.
    pub fn parked(&self, now: Duration) -> Vec<(Meter, Duration)> {
        let waits = self.methods.iter().map(|(name, m)| (*name, m.parked.saturating_sub(now)));
        let mut parked: Vec<_> = waits.filter(|(_, wait)| !wait.is_zero()).collect();
        parked.sort_unstable();
        parked
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Budget;
    use super::Figures;
    use super::Meter;
    use crate::domain::ids::UserId;
    use crate::limits;

    const M: Meter = Meter { method: "m", webhook: None };
    const OTHER: Meter = Meter { method: "other", webhook: None };
    const NOW: Duration = Duration::from_secs(1000);

    fn spent(budget: &mut Budget, spent: f64, reset: u64, now: Duration) {
        let figures = Figures { spent, cost: 1.0, reset: Duration::from_secs(reset) };
        budget.learn(M, figures, now);
    }

    #[test]
    fn a_method_is_slowed_above_eight_tenths_and_polling_first() {
        let mut budget = Budget::default();
        for (figure, poll_waits, reply_waits) in
            [(300.0, false, false), (340.0, true, false), (385.0, true, true)]
        {
            spent(&mut budget, figure, 300, NOW);
            budget.begin(M, NOW);
            budget.end(M);
            let waits = |hurry| !budget.wait(M, hurry, NOW).is_zero();
            assert_eq!((waits(false), waits(true)), (poll_waits, reply_waits), "{figure}");
            assert!(budget.wait(OTHER, false, NOW).is_zero());
        }
        // Nothing is left for polling: it waits for the reset, and then one goes to ask.
        let reset = NOW + Duration::from_secs(300);
        assert_eq!(budget.wait(M, false, NOW), Duration::from_secs(300));
        assert!(budget.wait(M, false, reset).is_zero());
        budget.begin(M, reset);
        assert!(!budget.wait(M, false, reset).is_zero());
    }

    #[test]
    fn an_answer_that_was_overtaken_makes_nothing_better() {
        let mut budget = Budget::default();
        spent(&mut budget, 415.0, 300, NOW);
        spent(&mut budget, 10.0, 301, NOW);
        assert!(!budget.wait(M, true, NOW).is_zero());
        spent(&mut budget, 10.0, 360, NOW);
        assert!(budget.wait(M, true, NOW).is_zero(), "an old minute dropped out");
    }

    #[test]
    fn a_refused_method_is_parked_until_its_reset_and_no_other_is() {
        let mut budget = Budget::default();
        assert_eq!(budget.park(M, NOW), limits::METHOD_PARKED_DEFAULT);
        spent(&mut budget, 420.0, 200, NOW + Duration::from_secs(70));
        let now = NOW + Duration::from_secs(80);
        assert_eq!(budget.park(M, now), Duration::from_secs(190));
        assert_eq!(budget.parked(now), [(M, Duration::from_secs(190))]);
        assert!(budget.wait(OTHER, false, now).is_zero());
        let webhook = Meter { webhook: Some(UserId(7)), ..M };
        assert!(budget.wait(webhook, false, now).is_zero(), "a webhook has its own");
        let later = now + Duration::from_secs(190);
        assert!(budget.parked(later).is_empty());
        assert!(budget.wait(M, false, later).is_zero());
    }
}
