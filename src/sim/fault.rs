//! The closed list of what can go wrong with one exchange, and when. Faults happen at the model's
//! network, never inside the connector. `Network::plan` takes them, `net` carries them out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where in an exchange a [`Fault::Hook`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookPoint {
    /// The request was read, nothing was done yet.
    BeforeAct,
    /// The request was carried out, nothing was answered yet.
    AfterAct,
}

/// What a test runs in the middle of an exchange.
pub type Hook = Arc<dyn Fn(HookPoint) + Send + Sync>;

/// What goes wrong. "Acted" means that the model carried the request out; the client cannot see
/// the difference. (A server that refuses connections is `Portal::set_listening`.)
#[derive(Clone)]
pub enum Fault {
    /// Not acted: the connection is reset with the request unread.
    CloseBeforeReading,
    /// Acted: the connection is closed in order, without a byte of an answer.
    ActAndDropAnswer,
    /// Acted: the connection is reset instead of answered. A chunked request is closed in order.
    ActAndReset,
    /// Acted at once, answered after this much real time.
    ActAndAnswerLate(Duration),
    /// Acted after this much real time, the answer is dropped: a request that was stuck in a proxy
    /// and arrives when its client has long given up.
    ActLate(Duration),
    /// Acted: half of the body is sent under the full `Content-Length`, then the connection closes.
    Truncate,
    /// Not acted: an HTML page with this status.
    Html(u16),
    /// Not acted: 302 with a page, to this address: what stands before the portal sends everybody to
    /// sign in elsewhere, say.
    Redirect(String),
    /// Acted: an HTML page with this status instead of the answer (a gateway that lost patience).
    HtmlAfterAct(u16),
    /// Acted: status 200 with an empty body.
    Empty,
    /// Acted: status 200 with a PHP notice in front of JSON that is cut short.
    Garbage,
    /// Acted: status 200 with valid JSON of a shape no method answers.
    WrongType,
    /// Not acted: an error envelope, in the form of the server that is hit. Any documented code can
    /// be planned.
    Error {
        /// HTTP status.
        status: u16,
        /// `error`; may be empty or numeric.
        code: String,
        /// `error_description`.
        description: String,
    },
    /// Not acted: an error envelope with a `Retry-After` header, as gateways and proxies may send;
    /// a portal never does (b24: transport §2.3).
    RetryAfter {
        /// HTTP status.
        status: u16,
        /// The header's value.
        after: String,
    },
    /// Not acted: this body as JSON, for errors no envelope has (an object in `error`, numbers).
    Body {
        /// HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Acted: the body comes in sixteen pieces with this pause between them.
    SlowBody(Duration),
    /// Acted, with the hook called before and after; then the answer is dropped. For `kill -9` at
    /// an exchange.
    Hook(Hook),
}

impl Fault {
    /// An error envelope, see [`Fault::Error`].
    pub fn error(status: u16, code: &str, description: &str) -> Fault {
        Fault::Error { status, code: code.to_owned(), description: description.to_owned() }
    }

    /// Its name in the history.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::CloseBeforeReading => "close_before_reading",
            Fault::ActAndDropAnswer => "act_and_drop_answer",
            Fault::ActAndReset => "act_and_reset",
            Fault::ActAndAnswerLate(_) => "act_and_answer_late",
            Fault::ActLate(_) => "act_late",
            Fault::Truncate => "truncate",
            Fault::Html(_) => "html",
            Fault::Redirect(_) => "redirect",
            Fault::HtmlAfterAct(_) => "html_after_act",
            Fault::Empty => "empty",
            Fault::Garbage => "garbage",
            Fault::WrongType => "wrong_type",
            Fault::Error { .. } => "error",
            Fault::RetryAfter { .. } => "retry_after",
            Fault::Body { .. } => "body",
            Fault::SlowBody(_) => "slow_body",
            Fault::Hook(_) => "hook",
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which server of the model an exchange is with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The portal.
    Portal,
    /// The authorization server.
    OAuth,
    /// The AiHummer gateway.
    Gateway,
    /// A host of files that deliveries name.
    Files,
}

/// Which exchanges a fault hits. Numbers count the exchanges of the whole network from 1, without
/// those that `Network::count_only` leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// The n-th exchange.
    Nth(u64),
    /// The n-th exchange and all after it.
    From(u64),
    /// Exchanges with a server whose method and path contain a text.
    Matching {
        /// Only this server; any when `None`.
        server: Option<ServerKind>,
        /// Part of `POST /rest/im.message.add`, in any case of letters.
        text: String,
        /// The first match that is hit, from 1.
        nth: u64,
        /// How many matches are hit from there on.
        times: u64,
    },
    /// Of the exchanges with a server whose method and path contain a text, every n-th.
    Every {
        /// Only this server; any when `None`.
        server: Option<ServerKind>,
        /// Part of `POST /rest/im.message.add`, in any case of letters.
        text: String,
        /// The first match that is hit, from 1.
        first: u64,
        /// How many matches further on the next one is; zero hits none.
        n: u64,
    },
    /// All.
    Always,
    /// None: a plan that only counts.
    Never,
}

impl When {
    /// The first exchange whose method and path contain `text`.
    pub fn first(text: &str) -> When {
        When::matching(text, 1, 1)
    }

    /// Every exchange whose method and path contain `text`.
    pub fn every(text: &str) -> When {
        When::matching(text, 1, u64::MAX)
    }

    /// `times` exchanges from the `nth` whose method and path contain `text`.
    pub fn matching(text: &str, nth: u64, times: u64) -> When {
        When::Matching { server: None, text: text.to_owned(), nth, times }
    }
}

/// The request line as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The server addressed.
    pub server: ServerKind,
    /// HTTP method.
    pub method: &'a str,
    /// Path with query.
    pub path: &'a str,
}

/// The faults planned and how often each matched.
#[derive(Debug, Default)]
pub struct Plan {
    planned: Vec<Planned>,
}

#[derive(Debug)]
struct Planned {
    when: When,
    fault: Fault,
    matches: u64,
}

impl Plan {
    /// Adds a fault. Of several that hit one exchange the first added wins.
    pub fn add(&mut self, when: When, fault: Fault) {
        self.planned.push(Planned { when, fault, matches: 0 });
    }

    /// Whether nothing is planned.
    pub fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    /// What hits this exchange; `number` 0 = not counted.
    pub fn decide(&mut self, number: u64, line: Line<'_>) -> Option<Fault> {
        let mut hit = None;
        for planned in &mut self.planned {
            if planned.hits(number, line) && hit.is_none() {
                hit = Some(planned.fault.clone());
            }
        }
        hit
    }
}

impl Planned {
    fn hits(&mut self, number: u64, line: Line<'_>) -> bool {
        match &self.when {
            When::Nth(n) => number == *n && number > 0,
            When::From(n) => number >= *n && number > 0,
            When::Always => true,
            When::Never => false,
            When::Matching { server, text, nth, times } => {
                let matches = line.is_with(*server, text);
                self.matches += u64::from(matches);
                matches && self.matches >= *nth && self.matches - nth < *times
            }
            When::Every { server, text, first, n } => {
                let matches = line.is_with(*server, text);
                self.matches += u64::from(matches);
                let since = self.matches.checked_sub(*first);
                matches && *n > 0 && since.is_some_and(|since| since.is_multiple_of(*n))
            }
        }
    }
}

impl Line<'_> {
    fn is_with(&self, server: Option<ServerKind>, text: &str) -> bool {
        let here = format!("{} {}", self.method, self.path).to_ascii_lowercase();
        server.is_none_or(|server| server == self.server)
            && here.contains(&text.to_ascii_lowercase())
    }
}
