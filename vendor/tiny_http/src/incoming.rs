//! Bytes from a peer, under one absolute deadline: a peer that drips is cut like one that stalls.

use std::io;
use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::client::Refusal;

const BUFFER_BYTES: usize = 4096;

/// What was read and not yet used.
pub(crate) struct Incoming {
    stream: Arc<TcpStream>,
    buffer: Vec<u8>,
    start: usize,
    deadline: Instant,
}

impl Incoming {
    pub(crate) fn new(stream: Arc<TcpStream>) -> Incoming {
        let buffer = Vec::with_capacity(BUFFER_BYTES);
        Incoming { stream, buffer, start: 0, deadline: Instant::now() }
    }

    /// Everything up to the next call has to arrive within `time` from now.
    pub(crate) fn within(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    /// Some bytes, at least one unless the peer closed. They are still there until [`use_up`].
    ///
    /// [`use_up`]: Incoming::use_up
    pub(crate) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.start == self.buffer.len() {
            self.start = 0;
            self.buffer.resize(BUFFER_BYTES, 0);
            let read = self.receive();
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(&self.buffer[self.start..])
    }

    fn receive(&mut self) -> io::Result<usize> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            match (&*self.stream).read(&mut self.buffer) {
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Takes away what [`peek`](Incoming::peek) gave.
    pub(crate) fn use_up(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
    }

    /// A line without its CR LF; `budget` is what is left for this head. Only printable ASCII,
    /// spaces and tabs can stand in it.
    pub(crate) fn line(&mut self, budget: &mut usize) -> Result<String, Refusal> {
        let mut line = String::new();
        let mut after_cr = false;
        loop {
            let available = self.peek().map_err(Refusal::reading)?;
            let Some(&byte) = available.first() else { return Err(Refusal::Gone) };
            self.use_up(1);
            *budget = budget.checked_sub(1).ok_or(Refusal::head_too_large())?;
            match byte {
                b'\n' if after_cr => return Ok(line),
                _ if after_cr => return Err(Refusal::bad("a CR without LF")),
                b'\r' => after_cr = true,
                b'\n' => return Err(Refusal::bad("an LF without CR")),
                b' '..=b'~' | b'\t' => line.push(char::from(byte)),
                _ => return Err(Refusal::bad("a byte that no head may contain")),
            }
        }
    }

    /// After the last answer: reads away what the peer still sends, at most so much and so long,
    /// because closing over unread bytes resets the connection and the peer would lose the answer.
    pub(crate) fn discard(&mut self, most: usize, time: Duration) {
        self.within(time);
        let mut seen = 0;
        while seen < most {
            let count = self.peek().map_or(0, <[u8]>::len);
            if count == 0 {
                return;
            }
            self.use_up(count);
            seen += count;
        }
    }
}
