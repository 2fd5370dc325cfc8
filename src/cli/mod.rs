//! argv to verb to exit code. **The** list of verbs is [`VERBS`]; each has a file of its own. The
//! only module that prints to stdout and stderr outside the log.
//!
//! Exit codes: 0 ok, 1 failed, 2 usage or settings, 3 doctor found a problem.

mod agents;
mod control_client;
mod deliveries;
mod doctor;
mod inbound;
mod render;
mod rotate_key;
mod run;
mod settings;
mod steering;

#[cfg(feature = "sim")]
mod bench;
#[cfg(feature = "sim")]
mod demo;
#[cfg(feature = "sim")]
mod sim;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::settings::Settings;
use crate::settings::Unusable;

/// Done.
pub(crate) const OK: u8 = 0;
/// It was tried and failed.
pub(crate) const FAILED: u8 = 1;
/// The command line or the settings are wrong.
pub(crate) const USAGE: u8 = 2;
/// It worked, and found something that does not.
pub(crate) const FOUND: u8 = 3;

/// One verb: what to type, what it does, what carries it out.
struct Verb {
    name: &'static str,
    arguments: &'static str,
    meaning: &'static str,
    run: fn(&Invocation) -> u8,
}

/// Every verb of this build.
const VERBS: &[Verb] = &[
    Verb { name: "run", arguments: "", meaning: "run the connector (the default)", run: run::run },
    Verb {
        name: "agents",
        arguments: "[list | add NAME | consent NAME | acl NAME WHO] [--json]\n\
                    {pause | resume | forget} NAME [--json]\n\
                    webhook NAME [--replace] [--json], its address on stdin\n\
                    rule NAME [--departments own|all|IDS] [--denied IDS]",
        meaning: "list agents, create, connect or end one; who may talk with it",
        run: agents::run,
    },
    Verb {
        name: "deliveries",
        arguments: "[--state S] [--agent A] [--limit N] [--json]\n\
                    {show | retry | drop} ID [--json]",
        meaning: "list deliveries, show one, try it again, drop it",
        run: deliveries::run,
    },
    Verb {
        name: "inbound",
        arguments: "[--state S] [--agent A] [--limit N] [--json]\n\
                    {show | retry | drop} ID [--json]",
        meaning: "the same for messages on their way to the gateway",
        run: inbound::run,
    },
    Verb {
        name: "render",
        arguments: "[--json | --html | --html=newest | --back]",
        meaning: "Markdown on stdin to BB-code parts or a preview, or back",
        run: render::run,
    },
    Verb {
        name: "doctor",
        arguments: "[--json]",
        meaning: "find out what is wrong and what to do about it",
        run: doctor::run,
    },
    Verb {
        name: "settings",
        arguments: "[--json]",
        meaning: "every setting, its value's source and its default",
        run: settings::run,
    },
    #[cfg(feature = "sim")]
    Verb {
        name: "demo",
        arguments: "[--once]",
        meaning: "the main job on an embedded model portal and gateway",
        run: demo::run,
    },
    #[cfg(feature = "sim")]
    Verb {
        name: "sim",
        arguments: "[--people=N] [--no-history]",
        meaning: "only the model portal and gateway, for trying by hand",
        run: sim::run,
    },
    #[cfg(feature = "sim")]
    Verb {
        name: "bench",
        arguments: "[--short] [stream | backlog | many | crowd ADDRESS]",
        meaning: "measure this build against the model portal",
        run: bench::run,
    },
    Verb {
        name: "rotate-key",
        arguments: "",
        meaning: "another master key, while the service is stopped",
        run: rotate_key::run,
    },
    Verb { name: "version", arguments: "", meaning: "print the version", run: version },
];

/// Options with a value: `--state S` and `--state=S` alike.
const VALUED: &[&str] = &["--state", "--agent", "--limit", "--departments", "--denied"];

/// A parsed command line.
pub(crate) struct Invocation {
    /// `--env-file FILE`.
    pub env_file: Option<PathBuf>,
    /// What follows the verb, flags taken out.
    pub words: Vec<String>,
    /// Flags after the verb, with their dashes.
    pub flags: Vec<String>,
}

impl Invocation {
    /// Whether a flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    /// The value of a flag that ends in `=`.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.flags.iter().rev().find_map(|given| given.strip_prefix(flag))
    }

    /// Says what is wrong with the command line and gives the exit code for it, or `None` when
    /// only these flags and at most this many words were given; a flag that ends in `=` has a
    /// value.
    pub fn refuse_beyond(&self, flags: &[&str], words_max: usize) -> Option<u8> {
        let is = |flag: &str, known: &str| match known.ends_with('=') {
            true => flag.starts_with(known),
            false => flag == known,
        };
        let unknown = |flag: &&String| !flags.iter().any(|known| is(flag, known));
        if let Some(flag) = self.flags.iter().find(unknown) {
            return Some(complain(&format!("unknown option {flag}; try --help")));
        }
        let extra = self.words.get(words_max)?;
        Some(complain(&format!("unexpected argument {extra:?}; try --help")))
    }

    /// The settings, or a complaint and its exit code.
    pub fn settings(&self) -> Result<Settings, u8> {
        crate::settings::load(self.env_file.as_deref()).map_err(|unusable| match unusable {
            Unusable::File(problem) => complain(&problem),
            Unusable::Settings(errors) => {
                for error in &errors {
                    complain(&error.to_string());
                }
                USAGE
            }
        })
    }
}

/// Runs the program: the process's arguments in, its exit code out.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    ExitCode::from(dispatch(arguments))
}

fn dispatch(arguments: Vec<OsString>) -> u8 {
    let mut words = Vec::new();
    let mut flags = Vec::new();
    let mut env_file = None;
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else {
            return complain("an argument is not UTF-8");
        };
        match text {
            "--env-file" => match arguments.next() {
                Some(path) => env_file = Some(PathBuf::from(path)),
                None => return complain("--env-file needs a file; try --help"),
            },
            option if VALUED.contains(&option) => match arguments.next() {
                Some(value) => match value.to_str() {
                    Some(value) => flags.push(format!("{option}={value}")),
                    None => return complain("an argument is not UTF-8"),
                },
                None => return complain(&format!("{option} needs a value; try --help")),
            },
            "-h" | "--help" => {
                say(&help());
                return OK;
            }
            "-V" | "--version" => words.insert(0, "version".to_owned()),
            _ if text.starts_with('-') => flags.push(text.to_owned()),
            _ => words.push(text.to_owned()),
        }
    }
    let verb = if words.is_empty() { "run".to_owned() } else { words.remove(0) };
    match VERBS.iter().find(|known| known.name == verb) {
        Some(known) => (known.run)(&Invocation { env_file, words, flags }),
        None => complain(&format!("unknown verb {verb:?}; try --help")),
    }
}

fn help() -> String {
    let mut text = format!(
        "aihummer-bitrix24 {}\nAiHummer agents as colleagues in Bitrix24.\n\n\
         usage: aihummer-bitrix24 [--env-file FILE] [VERB]\n\n",
        env!("CARGO_PKG_VERSION")
    );
    for verb in VERBS {
        text.push_str(&format!("  {:<12}{}\n", verb.name, verb.meaning));
        for arguments in verb.arguments.lines() {
            text.push_str(&format!("  {:<12}  {} {arguments}\n", "", verb.name));
        }
    }
    text.push_str("\nSettings are environment variables; `settings` lists them.\n");
    text.push_str("Exit codes: 0 ok, 1 failed, 2 usage or settings, 3 doctor found a problem.\n");
    text
}

fn version(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&[], 0) {
        return code;
    }
    say(&format!("aihummer-bitrix24 {}\n", env!("CARGO_PKG_VERSION")));
    OK
}

/// Prints to stdout. A reader that went away (`| head`) is not our failure.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints to stderr what a person reads while stdout belongs to a program.
fn aside(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints a complaint to stderr and gives the usage exit code.
pub(crate) fn complain(problem: &str) -> u8 {
    use std::io::Write;
    // Nobody reads stderr: the exit code still tells.
    let _ = writeln!(std::io::stderr(), "aihummer-bitrix24: {problem}");
    USAGE
}

#[cfg(test)]
mod tests {
    use super::FAILED;
    use super::OK;
    use super::USAGE;
    use super::dispatch;
    use super::help;

    #[test]
    fn a_wrong_command_line_is_a_usage_error() {
        for arguments in [
            &["no-such-verb"][..],
            &["version", "extra"],
            &["version", "--what"],
            &["--env-file"],
            &["settings", "--env-file", "/no/such/file"],
            &["deliveries", "--state"],
            &["deliveries", "shout"],
            &["deliveries", "show"],
            &["deliveries", "retry", "a", "b"],
            &["deliveries", "drop", "a", "--state", "dead"],
            &["deliveries", "--before=1"],
            &["inbound", "shout"],
            &["inbound", "show"],
            &["inbound", "retry", "1", "2"],
            &["inbound", "drop", "q1", "--state", "dead"],
            &["inbound", "--before=1"],
            &["agents", "--limit", "5"],
            &["agents", "--denied", "3"],
            &["agents", "acl", "helper"],
            &["agents", "forget"],
            &["agents", "pause", "helper", "now"],
            &["agents", "rule"],
            &["agents", "rule", "helper", "--departments"],
            &["agents", "rule", "helper", "all"],
            &["render", "--json", "--html"],
            &["render", "--html=phone"],
            &["render", "file.md"],
            &["doctor", "helper"],
            &["doctor", "--html"],
        ] {
            let arguments = arguments.iter().map(|&word| word.into()).collect();
            assert_eq!(dispatch(arguments), USAGE);
        }
        assert_eq!(dispatch(vec!["version".into()]), OK);
        assert_ne!(OK, FAILED);
    }

    #[test]
    fn help_names_every_verb_and_fits_a_screen() {
        let help = help();
        for verb in super::VERBS {
            assert!(help.contains(verb.name));
        }
        assert!(help.lines().count() <= 40 && help.lines().all(|line| line.len() <= 80));
    }
}
