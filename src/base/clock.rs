//! Wall-clock time as a value, and its text forms. The only place that reads the system clock for
//! time of day; pure code gets [`UnixMs`] as an argument. Durations are measured with `Instant`
//! where they are spent.

use std::fmt;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This moment and a duration; saturates.
    pub fn plus(self, duration: Duration) -> UnixMs {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        UnixMs(self.0.saturating_add(ms))
    }

    /// This moment less a duration; saturates.
    pub fn minus(self, duration: Duration) -> UnixMs {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        UnixMs(self.0.saturating_sub(ms))
    }

    /// RFC 3339 in UTC without fractions, rounded down: `2026-05-04T08:20:07+00:00`.
    pub fn to_seconds(self) -> String {
        let text = self.to_string();
        format!("{}+00:00", text.split('.').next().unwrap_or_default())
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: UnixMs) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for UnixMs {
    /// RFC 3339 in UTC with milliseconds: `2026-05-04T08:20:07.123Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, ms) = (self.0.div_euclid(1000), self.0.rem_euclid(1000));
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

/// Now, by the system clock.
pub fn now() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Reads `2026-05-04T11:20:07+03:00` and its `Z` and fractional forms; `None` for anything else.
pub fn parse_rfc3339(text: &str) -> Option<UnixMs> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let separators = bytes[4] == b'-' && bytes[7] == b'-' && bytes[13] == b':' && bytes[16] == b':';
    if !separators || !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..=23).contains(&hour)
        && (0..=59).contains(&minute)
        && (0..=60).contains(&second);
    if !in_range {
        return None;
    }
    let mut rest = &text[19..];
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        let first_three: String = fraction[..digits].chars().chain("000".chars()).take(3).collect();
        ms = first_three.parse::<i64>().ok().filter(|_| digits > 0)?;
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = rest[1..3].parse::<i64>().ok()? * 60 + rest[4..6].parse::<i64>().ok()?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    let seconds = days * 86_400 + hour * 3600 + (minute - offset_minutes) * 60 + second;
    Some(UnixMs(seconds * 1000 + ms))
}

/// How long a `Retry-After` asks to wait from `now`: seconds, or an HTTP date. Unbounded: the peer may
/// ask for anything.
pub fn retry_after(text: &str, now: UnixMs) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(parse_http_date(text)?.since(now)),
    }
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that servers must send.
pub fn parse_http_date(text: &str) -> Option<UnixMs> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_weekday, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut words = date.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z"))
}

/// Days since 1970-01-01 of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::UnixMs;
    use super::parse_rfc3339;

    #[test]
    fn prints_and_reads_rfc3339() {
        assert_eq!(UnixMs(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(UnixMs(1_709_208_000_007).to_string(), "2024-02-29T12:00:00.007Z");
        for ms in [0, 951_782_400_000, 1_777_882_807_123, 4_102_444_799_999, -1] {
            assert_eq!(parse_rfc3339(&UnixMs(ms).to_string()), Some(UnixMs(ms)));
        }
        let with_offset = parse_rfc3339("2026-05-04T11:20:07+03:00");
        assert_eq!(with_offset, parse_rfc3339("2026-05-04T08:20:07Z"));
        assert!(with_offset.is_some());
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", "false", "24.08.2023 13:19:39", "2026-13-01T00:00:00Z", "2026-05-04T11:20:07"]
        {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
