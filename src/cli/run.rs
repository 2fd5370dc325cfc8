//! `run`: the service itself. Reads the settings, starts the log, hands over to `app`, and turns its
//! end into an exit code.

use crate::app;
use crate::app::Ended;
use crate::base::log;
use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::USAGE;
use crate::cli::complain;
use crate::cli::say;

/// Carries the verb out: runs until SIGTERM or SIGINT.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&[], 0) {
        return code;
    }
    let settings = match invocation.settings() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    log::start(&settings.log_filter, settings.log_format);
    // The addresses go to stdout, because with port 0 nobody else knows them.
    exit_code(app::run(settings, &mut |addresses| say(&format!("{addresses}\n"))))
}

/// Says why something of `app` ended; the exit code for it.
pub(in crate::cli) fn exit_code(ended: Ended) -> u8 {
    match ended {
        Ended::Stopped => OK,
        Ended::Settings(problem) => {
            complain(&problem);
            USAGE
        }
        Ended::Failed(problem) => {
            complain(&problem);
            FAILED
        }
    }
}
