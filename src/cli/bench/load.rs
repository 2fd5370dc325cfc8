//! The load: threads that each call Deliver over one kept connection, the next call when the one
//! before is answered, for dialogs of their own. Times each call; knows of the answer only whether
//! it says `delivered`.

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
const TEXT: &str = "**Invoice 4711** is paid:\n\n1. sent on *3 November*\n2. paid on *17 November*\
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
}

/// What it showed.
pub(super) struct Measured {
    /// Times of the calls that were answered `delivered` while it was measured.
    pub(super) times: Vec<Duration>,
    /// All calls, those before measuring included.
    pub(super) calls: usize,
    /// Calls that had another answer.
    pub(super) failures: usize,
    span: Duration,
}

impl Measured {
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
        let run = crypto::hex(&crypto::random::<4>());
        let from = Instant::now() + warm;
        let until = from + span;
        let run = &run;
        let callers: Vec<io::Result<Vec<Call>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|number| scope.spawn(move || self.caller(run, number, until)))
                .collect();
            let broken = || Err(io::Error::other("a caller panicked"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())).collect()
        });
        let mut measured = Measured { times: Vec::new(), calls: 0, failures: 0, span };
        for calls in callers {
            let calls = calls.map_err(|why| format!("Deliver: {why}"))?;
            measured.calls += calls.len();
            measured.failures += calls.iter().filter(|call| !call.delivered).count();
            let within = |call: &&Call| call.delivered && call.ended >= from && call.ended < until;
            measured.times.extend(calls.iter().filter(within).map(|call| call.took));
        }
        Ok(measured)
    }

    fn caller(&self, run: &str, number: usize, until: Instant) -> io::Result<Vec<Call>> {
        let mut connection = Connection::open(&self.address)?;
        let dialogs = self.users.iter().skip(number).step_by(self.connections);
        let mut calls = Vec::new();
        for (turn, user) in dialogs.cycle().enumerate() {
            let began = Instant::now();
            if began >= until {
                break;
            }
            let body = json!({
                "delivery_id": format!("{}-{run}-{number}-{turn}", self.name),
                "external_id": format!("helper/{user}"),
                "text": TEXT,
            });
            let answer = connection.call(&body.to_string())?;
            let ended = Instant::now();
            let delivered = answer["status"] == "delivered";
            calls.push(Call { ended, took: ended - began, delivered });
        }
        Ok(calls)
    }
}

struct Call {
    ended: Instant,
    took: Duration,
    delivered: bool,
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

    fn call(&mut self, body: &str) -> io::Result<Value> {
        let request = format!(
            "POST {DELIVER_PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             X-AIHummer-Inbound-Secret: {SECRET}\r\nContent-Length: {}\r\n\r\n{body}",
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
