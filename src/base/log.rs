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

/// Starts logging to stderr. `filter` is an `env_logger` filter such as `info` or
/// `info,aihummer_bitrix24=debug`. A second call changes nothing.
pub fn start(filter: &str, format: Format) {
    let started = env_logger::Builder::new()
        .parse_filters(filter)
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
