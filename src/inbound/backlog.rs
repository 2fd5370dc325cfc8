//! When the log is told that messages wait for the gateway, and when that this is over. Pure: counts
//! go in. Nothing is ever dropped because there are many; the disk is the bound, and this is the
//! warning before it. Asked by one relay thread.

use crate::limits;

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::inbound) enum News {
    /// More wait than the log was told of.
    Growing,
    /// Of what it was told, most has gone.
    Shrunk,
}

/// What was told: so many of [`limits::OUTBOX_TOLD`] were passed.
#[derive(Debug, Default)]
pub(in crate::inbound) struct Backlog {
    passed: usize,
}

impl Backlog {
    /// Takes in how many wait now.
    pub fn look(&mut self, pending: u32) -> Option<News> {
        let passed = limits::OUTBOX_TOLD.iter().filter(|most| pending >= **most).count();
        if passed > self.passed {
            self.passed = passed;
            return Some(News::Growing);
        }
        // Well below the first, so that a count that dances around it is told once.
        let over = self.passed > 0 && pending < limits::OUTBOX_TOLD[0] / 2;
        over.then(|| {
            self.passed = 0;
            News::Shrunk
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Backlog;
    use super::News;

    #[test]
    fn each_threshold_is_told_once_and_the_end_once() {
        let (growing, shrunk) = (Some(News::Growing), Some(News::Shrunk));
        let mut backlog = Backlog::default();
        let history = [
            (0, None),
            (999, None),
            (1_000, growing),
            (999, None),
            (1_001, None),
            (9_999, None),
            (10_000, growing),
            (900, None),
            (20_000, None),
            (100_000, growing),
            (u32::MAX, None),
            (500, None),
            (499, shrunk),
            (0, None),
            (100_000, growing),
            (1_000, None),
            (0, shrunk),
            (499, None),
        ];
        for (step, (pending, told)) in history.into_iter().enumerate() {
            assert_eq!(backlog.look(pending), told, "step {step}: {pending}");
        }
    }
}
