//! Turns the texts of settings into values: where a text comes from (environment, file, default),
//! and the parsers of each kind with errors that name the setting, the problem and an example.
//! Knows kinds of values, not what they are for.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use url::Url;

use crate::base::secret::Secret;
use crate::settings::table;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An environment variable.
    Environment,
    /// The file named by `--env-file`.
    File,
    /// Nothing was set.
    Default,
}

impl Source {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Environment => "environment",
            Source::File => "file",
            Source::Default => "default",
        }
    }
}

/// One setting as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// Its name.
    pub name: &'static str,
    /// Where its value came from.
    pub source: Source,
    /// The value as given; `None` when nothing was, and for secrets.
    pub text: Option<String>,
}

/// One malformed setting. Its text never repeats the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// Which setting.
    pub name: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)?;
        if let Some(setting) = table::find(self.name) {
            if setting.secret {
                write!(f, "; how: {}", setting.example)?;
            } else {
                write!(f, "; example: {}={}", self.name, setting.example)?;
            }
        }
        Ok(())
    }
}

/// Reads settings one by one and remembers what was wrong and where each came from.
pub struct Reader {
    environment: HashMap<String, String>,
    file: HashMap<String, String>,
    /// Every malformed setting met so far, in order of reading.
    pub errors: Vec<SettingError>,
    /// Where each setting read so far came from, and its text (never a secret's).
    pub sources: Vec<Sourced>,
    read: HashSet<&'static str>,
}

impl Reader {
    /// A reader over an environment and the assignments of a file. A blank value means unset.
    pub fn new(environment: HashMap<String, String>, file: HashMap<String, String>) -> Reader {
        Reader { environment, file, errors: Vec::new(), sources: Vec::new(), read: HashSet::new() }
    }

    /// The text of a setting, without surrounding blanks.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        debug_assert!(table::find(name).is_some(), "{name} is not in the table");
        let filled = |map: &HashMap<String, String>| {
            map.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let (value, source) = match (filled(&self.environment), filled(&self.file)) {
            (Some(value), _) => (Some(value), Source::Environment),
            (None, Some(value)) => (Some(value), Source::File),
            (None, None) => (None, Source::Default),
        };
        if self.read.insert(name) {
            let open = table::find(name).is_some_and(|setting| !setting.secret);
            let text = value.clone().filter(|_| open);
            self.sources.push(Sourced { name, source, text });
        }
        value
    }

    /// Records that a setting is malformed.
    pub fn wrong(&mut self, name: &'static str, problem: impl Into<String>) {
        self.errors.push(SettingError { name, problem: problem.into() });
    }

    /// A setting through a parser that says what is wrong.
    pub fn parsed<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.wrong(name, problem);
                None
            }
        }
    }

    /// A secret text. It travels in HTTP headers, which carry nothing but printable ASCII.
    pub fn secret(&mut self, name: &'static str) -> Option<Secret> {
        self.parsed(name, |text| {
            let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
            let secret = || Secret::new(text.to_owned());
            printable.then(secret).ok_or_else(|| "it is not all printable ASCII".to_owned())
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)], default: T) -> T {
        let chosen = self.parsed(name, |text| {
            let found = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
                format!("{text:?} is none of {}", words.join(", "))
            })
        });
        chosen.unwrap_or(default)
    }

    /// `on` or `off`.
    pub fn switch(&mut self, name: &'static str, default: bool) -> bool {
        self.choice(name, &[("on", true), ("off", false)], default)
    }

    /// A whole number within bounds.
    pub fn number(&mut self, name: &'static str, least: u64, most: u64, default: u64) -> u64 {
        let number = self.parsed(name, |text| match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number),
            _ => Err(format!("{text:?} is not a whole number from {least} to {most}")),
        });
        number.unwrap_or(default)
    }

    /// Milliseconds within bounds.
    pub fn millis(
        &mut self,
        name: &'static str,
        least: Duration,
        most: Duration,
        default: Duration,
    ) -> Duration {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.number(name, ms(least), ms(most), ms(default)))
    }

    /// An address to listen on; `localhost` is read as 127.0.0.1.
    pub fn address(&mut self, name: &'static str, default: &str) -> SocketAddr {
        let parse = |text: &str| {
            let numeric = match text.strip_prefix("localhost:") {
                Some(port) => format!("127.0.0.1:{port}"),
                None => text.to_owned(),
            };
            numeric.parse::<SocketAddr>().map_err(|_| {
                format!("{text:?} is not an address and port; write an IPv6 address in brackets")
            })
        };
        let fallback = || parse(default).expect("the default address is valid");
        self.parsed(name, parse).unwrap_or_else(fallback)
    }

    /// An absolute http or https URL with a host and without user name, password or fragment. It is
    /// never repeated in an error: what does not belong into it may be a password, and the address
    /// of a webhook is one.
    pub fn url(&mut self, name: &'static str) -> Option<Url> {
        self.parsed(name, |text| {
            let url = Url::parse(text).map_err(|why| format!("it is not a URL ({why})"))?;
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err("it must begin with https:// (or http://) and a host".to_owned());
            }
            if !url.username().is_empty() || url.password().is_some() {
                return Err("a URL here carries no user name and no password".to_owned());
            }
            if url.fragment().is_some() {
                return Err("it has a # part, which means nothing here".to_owned());
            }
            Ok(url)
        })
    }

    /// Comma-separated entries without blanks; empty entries are passed over.
    pub fn list(&mut self, name: &'static str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::to_owned).collect()
    }

    /// Names of this connector that are set and that nobody reads, each with what was probably
    /// meant.
    pub fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        let known = |name: &str| table::find(name).is_some();
        let names = self.environment.keys().chain(self.file.keys());
        let mut unknown: Vec<String> =
            names.filter(|name| name.starts_with("BITRIX24_") && !known(name)).cloned().collect();
        unknown.sort();
        unknown.dedup();
        unknown.into_iter().map(|name| (table::nearest(&name), name)).map(|(n, u)| (u, n)).collect()
    }
}
