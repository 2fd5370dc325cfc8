//! Virtual time of the model: the system's time plus an offset that only grows. Everything in the
//! model that has an age (codes, tokens, baskets, events) reads this clock and no other, so that a
//! test lets a token expire by [`Clock::advance`] instead of waiting an hour. Knows nothing else.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::clock;
pub use crate::base::clock::UnixMs;

/// A shared clock: clones show the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that shows the system's time.
    pub fn new() -> Clock {
        Clock::default()
    }

    /// The model's time now.
    pub fn now(&self) -> UnixMs {
        UnixMs(clock::now().0.saturating_add(self.offset_ms.load(Ordering::SeqCst)))
    }

    /// Lets `by` pass at once for everything that reads this clock.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

/// Whole Unix seconds of a moment.
pub fn unix_seconds(moment: UnixMs) -> i64 {
    moment.0.div_euclid(1000)
}

/// `2026-05-04T11:20:07+03:00`: seconds resolution and the portal server's fixed offset, never `Z`
/// (b24: messenger §1 item 9).
pub fn portal_time(moment: UnixMs, offset_minutes: i32) -> String {
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset_minutes.abs() / 60, offset_minutes.abs() % 60);
    format!("{}{sign}{hours:02}:{minutes:02}", wall(moment, offset_minutes, 'T'))
}

/// `2026-05-04 11:20:07` in the portal server's zone (one of the two odd formats of
/// `user.current`, b24: transport §4.2).
pub fn database_time(moment: UnixMs, offset_minutes: i32) -> String {
    wall(moment, offset_minutes, ' ')
}

/// `04.05.2026 11:20:07` in the portal server's zone (the other odd format).
pub fn site_time(moment: UnixMs, offset_minutes: i32) -> String {
    let text = wall(moment, offset_minutes, ' ');
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}.{}.{} {}", part(8, 10), part(5, 7), part(0, 4), part(11, 19))
}

/// `Mon, 04 May 2026 08:20:07 GMT`: the `Date` of an answer, as every web server sends it.
pub fn http_date(moment: UnixMs) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // The first day of 1970 was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let text = wall(moment, 0, ' ');
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let day = unix_seconds(moment).div_euclid(86_400).rem_euclid(7);
    let day = usize::try_from(day).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or_default();
    let month =
        part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let month = month.copied().unwrap_or_default();
    format!("{day}, {} {month} {} {} GMT", part(8, 10), part(0, 4), part(11, 19))
}

fn wall(moment: UnixMs, offset_minutes: i32, separator: char) -> String {
    let local = UnixMs(moment.0.saturating_add(i64::from(offset_minutes) * 60_000));
    let text = local.to_string();
    let cut: String = text.chars().take(19).collect();
    cut.replace('T', separator.to_string().as_str())
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use super::database_time;
    use super::http_date;
    use super::portal_time;
    use super::site_time;
    use crate::base::clock::UnixMs;
    use std::time::Duration;

    #[test]
    fn time_passes_for_all_clones_at_once() {
        let clock = Clock::new();
        let copy = clock.clone();
        let before = copy.now();
        clock.advance(Duration::from_secs(3600));
        assert!(copy.now().since(before) >= Duration::from_secs(3600));
    }

    #[test]
    fn three_formats_of_the_portal() {
        let moment = UnixMs(1_709_208_000_007);
        assert_eq!(portal_time(moment, 180), "2024-02-29T15:00:00+03:00");
        assert_eq!(portal_time(moment, -150), "2024-02-29T09:30:00-02:30");
        assert_eq!(database_time(moment, 180), "2024-02-29 15:00:00");
        assert_eq!(site_time(moment, 180), "29.02.2024 15:00:00");
        assert_eq!(http_date(moment), "Thu, 29 Feb 2024 12:00:00 GMT");
        assert_eq!(http_date(UnixMs(-1)), "Wed, 31 Dec 1969 23:59:59 GMT");
    }
}
