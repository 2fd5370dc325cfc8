//! `settings`: every setting with its value, where that came from, and its default. Secrets are
//! shown as set or not set.

use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::settings::table;

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--json"], 0) {
        return code;
    }
    let settings = match invocation.settings() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    if invocation.has("--json") {
        say(&format!("{}\n", settings.describe()));
        return OK;
    }
    for setting in table::SETTINGS {
        let (value, source) = (settings.value(setting), settings.source(setting.name));
        say(&format!("{}: {value} ({source})\n    {}\n", setting.name, setting.meaning));
        say(&format!("    default: {}\n", setting.default));
    }
    for warning in &settings.warnings {
        complain(warning);
    }
    OK
}
