//! Numbers for people: percentiles of durations, sizes. Pure; what the numbers are of is the other
//! files' business.

use std::time::Duration;

/// Median, 99th percentile and worst of some durations.
pub(super) fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let Some(worst) = sorted.last() else { return "none measured".to_owned() };
    format!(
        "p50 {}, p99 {}, most {} of {}",
        millis(percentile(&sorted, 50)),
        millis(percentile(&sorted, 99)),
        millis(*worst),
        sorted.len()
    )
}

/// Median, 90th percentile and worst of durations that people notice.
pub(super) fn waits(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let Some(worst) = sorted.last() else { return "none measured".to_owned() };
    let seconds = |time: Duration| match time.as_secs_f64() {
        seconds if seconds < 1.0 => millis(time),
        seconds => format!("{seconds:.1} s"),
    };
    format!(
        "p50 {}, p90 {}, most {} of {}",
        seconds(percentile(&sorted, 50)),
        seconds(percentile(&sorted, 90)),
        seconds(*worst),
        sorted.len()
    )
}

/// How many times a percentile of some durations is that of others.
pub(super) fn ratio(these: &[Duration], those: &[Duration], percent: usize) -> String {
    let of = |times: &[Duration]| {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        percentile(&sorted, percent).as_secs_f64()
    };
    format!("{:.2}", of(these) / of(those))
}

/// The smallest value that so many percent of the sorted ones do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Milliseconds with as many digits as say something.
pub(super) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        _ if millis < 1.0 => format!("{millis:.2} ms"),
        _ if millis < 10.0 => format!("{millis:.1} ms"),
        _ => format!("{millis:.0} ms"),
    }
}

/// Megabytes of a million bytes.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::megabytes;
    use super::ratio;
    use super::spread;
    use super::waits;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let ms = |count: u64| (1..=count).rev().map(Duration::from_millis).collect::<Vec<_>>();
        assert_eq!(spread(&ms(200)), "p50 100 ms, p99 198 ms, most 200 ms of 200");
        assert_eq!(spread(&ms(3)), "p50 2.0 ms, p99 3.0 ms, most 3.0 ms of 3");
        assert_eq!(spread(&[]), "none measured");
        assert_eq!(waits(&ms(1200)), "p50 600 ms, p90 1.1 s, most 1.2 s of 1200");
        assert_eq!(ratio(&ms(300), &ms(200), 99), "1.50");
        assert_eq!(megabytes(12_340_000), "12.3 MB");
    }
}
