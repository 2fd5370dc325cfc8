//! The load: threads that each call Deliver over one kept connection, the next call when the one
//! before is answered, for dialogs of their own. Times each call; knows of the answer only whether
//! it says what was waited for.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::base::crypto;
use crate::sim::gateway::DELIVER_PATH;
use crate::sim::stage::SECRET;

/// How long one call may take: longer than the connector lets a caller wait.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What every delivery says, of the length and kind of an agent's answer.
pub(super) const TEXT: &str = "**Invoice 4711** is paid:\n\n1. sent on *3 November*\n2. paid on *17 November*\
    \n\nSee [the ledger](https://example.org/ledger?id=4711) or run `ledger show 4711`.";

/// One load.
pub(super) struct Load {
    /// Goes into the delivery ids.
    pub(super) name: &'static str,
    /// Where Deliver listens.
    pub(super) address: String,
    /// Threads, each with a connection.
    pub(super) connections: usize,
    /// Portal users, each a dialog.
    pub(super) users: Vec<u64>,
    /// What the callers wait for.
    pub(super) waits_for: WaitsFor,
}

/// What a caller waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// That the delivery is durable.
    Acceptance,
    /// That the portal shows it.
    Outcome,
}

/// When a caller makes no further call.
#[derive(Clone, Copy)]
struct Limit {
    until: Option<Instant>,
    calls: usize,
}

/// What it showed.
pub(super) struct Measured {
    /// Times of the calls that were answered as hoped while it was measured.
    pub(super) times: Vec<Duration>,
    /// All calls, those before measuring included.
    pub(super) calls: usize,
    /// Calls that had another answer.
    pub(super) failures: usize,
    span: Duration,
}

impl Measured {
    fn of(calls: &[Call], counts: impl Fn(&&Call) -> bool, span: Duration) -> Measured {
        let good = calls.iter().filter(|call| call.hoped).filter(counts);
        Measured {
            times: good.map(|call| call.took).collect(),
            calls: calls.len(),
            failures: calls.iter().filter(|call| !call.hoped).count(),
            span,
        }
    }

    /// Deliveries a second.
    pub(super) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.span.as_secs_f64()
    }
}

impl Load {
    /// Calls for `warm` and then `span`, and measures the second.
    ///
    /// # Errors
    /// A connection broke.
    pub(super) fn run(&self, warm: Duration, span: Duration) -> Result<Measured, String> {
        let from = Instant::now() + warm;
        let until = from + span;
        let calls = self.call(Limit { until: Some(until), calls: usize::MAX })?;
        let within = |call: &&Call| call.ended >= from && call.ended < until;
        Ok(Measured::of(&calls, within, span))
    }

    /// Makes so many calls, the connections sharing them equally, and measures all of them.
    ///
    /// # Errors
    /// A connection broke.
    pub(super) fn run_count(&self, count: usize) -> Result<Measured, String> {
        let began = Instant::now();
        let calls = self.call(Limit { until: None, calls: count / self.connections })?;
        Ok(Measured::of(&calls, |_| true, began.elapsed()))
    }

    fn call(&self, limit: Limit) -> Result<Vec<Call>, String> {
        let callers: Vec<io::Result<Vec<Call>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|number| scope.spawn(move || self.caller(number, limit)))
                .collect();
            let broken = || Err(io::Error::other("a caller panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())).collect()
        });
        let callers: io::Result<Vec<Vec<Call>>> = callers.into_iter().collect();
        Ok(callers.map_err(|why| format!("Deliver: {why}"))?.concat())
    }

    fn caller(&self, number: usize, limit: Limit) -> io::Result<Vec<Call>> {
        let mut connection = Connection::open(&self.address)?;
        let dialogs = self.users.iter().skip(number).step_by(self.connections);
        let mut calls = Vec::new();
        for user in dialogs.cycle().take(limit.calls) {
            let began = Instant::now();
            if limit.until.is_some_and(|until| began >= until) {
                break;
            }
            // Like a gateway's: in no order, which is what an index has to live with.
            let id = crypto::hex(&crypto::random::<16>());
            let body = json!({
                "delivery_id": format!("{}-{id}", self.name),
                "external_id": format!("helper/{user}"),
                "text": TEXT,
            });
            let answer = connection.call(&body.to_string(), self.waits_for)?;
            let ended = Instant::now();
            let hoped = match self.waits_for {
                WaitsFor::Outcome => answer["status"] == "delivered",
                // It may be shown before its caller is told that it is durable.
                WaitsFor::Acceptance => {
                    answer["status"] == "accepted" || answer["status"] == "delivered"
                }
            };
            calls.push(Call { ended, took: ended - began, hoped });
        }
        Ok(calls)
    }
}

#[derive(Clone)]
struct Call {
    ended: Instant,
    took: Duration,
    /// Whether it was answered as hoped.
    hoped: bool,
}

/// A kept connection to the Deliver listener.
struct Connection {
    stream: TcpStream,
    address: String,
}

impl Connection {
    fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Connection { stream, address: address.to_owned() })
    }

    fn call(&mut self, body: &str, waits_for: WaitsFor) -> io::Result<Value> {
        let prefer = match waits_for {
            WaitsFor::Acceptance => "Prefer: respond-async\r\n",
            WaitsFor::Outcome => "",
        };
        let request = format!(
            "POST {DELIVER_PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             {prefer}X-AIHummer-Inbound-Secret: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let head = loop {
            let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None => self.more(&mut answer)?,
            }
        };
        let length = content_length(&answer[..head]).ok_or(io::ErrorKind::InvalidData)?;
        while answer.len() < head + length {
            self.more(&mut answer)?;
        }
        Ok(serde_json::from_slice(&answer[head..]).unwrap_or_default())
    }

    fn more(&mut self, answer: &mut Vec<u8>) -> io::Result<()> {
        let mut piece = [0; 4096];
        let count = self.stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&piece[..count]);
        Ok(())
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}
