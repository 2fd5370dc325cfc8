//! Starts the logger. A record is a fixed snake_case word and `key=value` fields, written by the
//! caller as `log::info!("agent_connected agent={name}")`. Lines go to stderr as text (for the
//! journal and people) or as JSON (for collectors). Never message text, names, tokens or URLs
//! with a query.

use std::io::Write;

use crate::base::clock;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-05-04T08:20:07.123Z INFO poll event_polled agent=mira`.
    Text,
    /// One JSON object a line: `at`, `level`, `thread`, `event`.
    Json,
}

/// This crate's name in filters.
const OURS: &str = "aihummer_bitrix24";

/// The filter really used: an operator's words apply to this crate. Libraries stay at warnings,
/// whatever is asked for, because what they print at lower levels is not written with our secrets
/// in mind.
fn own_filter(filter: &str) -> String {
    let words = filter.split(',').map(str::trim).filter(|word| !word.is_empty());
    let ours = words.filter_map(|word| match word.split_once('=') {
        None => Some(format!("{OURS}={word}")),
        Some((module, _)) => module.starts_with(OURS).then(|| word.to_owned()),
    });
    ours.fold("warn".to_owned(), |all, word| format!("{all},{word}"))
}

/// Whether `filter` is one that [`start`] takes: levels, for this crate or for modules of it.
pub fn is_filter(filter: &str) -> bool {
    let mut words = filter.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.all(|word| {
        let level = match word.split_once('=') {
            None => word,
            Some((module, level)) if module.starts_with(OURS) => level,
            Some(_) => return false,
        };
        level.parse::<log::LevelFilter>().is_ok()
    })
}

/// Starts logging to stderr. `filter` is a level such as `info`, or levels by module of this crate
/// such as `info,aihummer_bitrix24::inbound=debug`. A second call changes nothing.
pub fn start(filter: &str, format: Format) {
    let started = env_logger::Builder::new()
        .parse_filters(&own_filter(filter))
        .format(move |out, record| {
            let thread = std::thread::current();
            let thread = thread.name().unwrap_or("-");
            match format {
                Format::Text => writeln!(
                    out,
                    "{} {:5} {} {}",
                    clock::now(),
                    record.level(),
                    thread,
                    record.args()
                ),
                Format::Json => {
                    let line = serde_json::json!({
                        "at": clock::now().to_string(),
                        "level": record.level().as_str().to_lowercase(),
                        "thread": thread,
                        "event": record.args().to_string(),
                    });
                    writeln!(out, "{line}")
                }
            }
        })
        .try_init();
    // Already started: only tests in one process come here.
    let _ = started;
}

#[cfg(test)]
mod tests {
    use super::own_filter;

    #[test]
    fn libraries_stay_quiet_whatever_is_asked_for() {
        assert_eq!(own_filter("debug"), "warn,aihummer_bitrix24=debug");
        assert_eq!(
            own_filter("info, aihummer_bitrix24::inbound=debug, ureq=trace"),
            "warn,aihummer_bitrix24=info,aihummer_bitrix24::inbound=debug"
        );
        assert_eq!(own_filter(""), "warn");
    }
}
