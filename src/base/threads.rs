//! The only place that starts a thread. A thread has a name from the closed list [`ThreadName`],
//! gets a [`Stop`] to wait on, and is a handle: dropping [`Thread`] joins it. A thread that ends,
//! by return or by panic, is reported to whoever listens on [`Exits`]; `app` ends the process when
//! one ends unasked, and systemd starts a clean one.

use std::fmt;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;

/// Every thread of the process, by what it does. The text form is the thread's name in the OS, in
/// logs and in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreadName {
    /// Pulls events of all agents of the portal.
    Poll(usize),
    /// Empties the outbox towards the gateway; by dialog hash.
    Relay(usize),
    /// Decides which delivery runs next.
    Schedule,
    /// Executes deliveries.
    Deliver(usize),
    /// Shows agents as typing.
    Typing,
    /// Marks messages as read.
    ReadMarks,
    /// Token timetable.
    Refresh,
    /// Reads the company's structure.
    Directory,
    /// Removes what ended long ago.
    Upkeep,
    /// The one database writer.
    Store,
    /// Serves the control listener.
    HttpControl(usize),
    /// Serves the Deliver listener.
    HttpDeliver(usize),
    /// Serves the consent listener.
    HttpConsent(usize),
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThreadName::Poll(n) => write!(f, "poll-{n}"),
            ThreadName::Relay(n) => write!(f, "relay-{n}"),
            ThreadName::Schedule => f.write_str("schedule"),
            ThreadName::Deliver(n) => write!(f, "deliver-{n}"),
            ThreadName::Typing => f.write_str("typing"),
            ThreadName::ReadMarks => f.write_str("read-marks"),
            ThreadName::Refresh => f.write_str("refresh"),
            ThreadName::Directory => f.write_str("directory"),
            ThreadName::Upkeep => f.write_str("upkeep"),
            ThreadName::Store => f.write_str("store"),
            ThreadName::HttpControl(n) => write!(f, "http-control-{n}"),
            ThreadName::HttpDeliver(n) => write!(f, "http-deliver-{n}"),
            ThreadName::HttpConsent(n) => write!(f, "http-consent-{n}"),
        }
    }
}

/// A stop request that many threads can wait on. Cloning shares it.
#[derive(Clone)]
pub struct Stop {
    /// Nothing is ever sent: the channel becomes readable (disconnected) when the last
    /// [`StopTrigger`] is dropped.
    closed: Receiver<()>,
}

/// The other end of [`Stop`]: dropping it asks every holder of the [`Stop`] to end.
pub struct StopTrigger {
    _open: Sender<()>,
}

impl Stop {
    /// A stop request and its trigger.
    pub fn new() -> (StopTrigger, Stop) {
        let (open, closed) = crossbeam_channel::bounded(0);
        (StopTrigger { _open: open }, Stop { closed })
    }

    /// Whether the stop was asked for.
    pub fn is_set(&self) -> bool {
        matches!(self.closed.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected))
    }

    /// Waits at most `duration`; `true` when the stop was asked for, at once in that case.
    pub fn wait(&self, duration: Duration) -> bool {
        matches!(
            self.closed.recv_timeout(duration),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected)
        )
    }

    /// For `crossbeam_channel::select!`: readable once the stop was asked for.
    pub fn signal(&self) -> &Receiver<()> {
        &self.closed
    }
}

/// How a thread ended.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Which thread.
    pub name: ThreadName,
    /// Whether it ended by a panic instead of returning.
    pub panicked: bool,
}

/// Where threads report their end. Cloning shares it. Unbounded on purpose: at most one message
/// per thread ever exists, and the number of threads is fixed.
#[derive(Clone)]
pub struct Exits {
    reports: Sender<Exit>,
}

impl Exits {
    /// The reporting side and the listening side.
    #[allow(clippy::disallowed_methods)] // one message per thread, see the type
    pub fn new() -> (Exits, Receiver<Exit>) {
        let (reports, listen) = crossbeam_channel::unbounded();
        (Exits { reports }, listen)
    }
}

/// A running thread. Dropping it joins it, so whoever drops must have asked it to end before
/// (field order in the owning handle: trigger or sender first, then the [`Thread`]).
pub struct Thread {
    name: ThreadName,
    join: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts `body` under `name`. A panic in it is caught and reported, not propagated.
    ///
    /// # Errors
    /// The operating system refused a thread.
    #[allow(clippy::disallowed_methods)] // the one place
    pub fn spawn(
        name: ThreadName,
        exits: &Exits,
        body: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Thread> {
        let reports = exits.reports.clone();
        let join = std::thread::Builder::new().name(name.to_string()).spawn(move || {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // Nobody listens any more only when the process is ending.
            let _ = reports.send(Exit { name, panicked: outcome.is_err() });
        })?;
        Ok(Thread { name, join: Some(join) })
    }

    /// Waits until the thread ended or `deadline` passed; `true` when it ended. A thread that
    /// missed the deadline is left behind: the process is about to exit.
    pub fn join_until(&mut self, deadline: Instant) -> bool {
        while let Some(join) = &self.join {
            if join.is_finished() {
                break;
            }
            if Instant::now() >= deadline {
                // Forget the handle, so that drop does not wait for it after all.
                self.join = None;
                return false;
            }
            // Polling is enough here: it happens once, at the end of the process.
            std::thread::sleep(Duration::from_millis(2));
        }
        self.join_now();
        true
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.join.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The thread's name.
    pub fn name(&self) -> ThreadName {
        self.name
    }

    fn join_now(&mut self) {
        if let Some(join) = self.join.take() {
            // The panic, if any, was caught and reported inside.
            let _ = join.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.join_now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Exits;
    use super::Stop;
    use super::Thread;
    use super::ThreadName;

    #[test]
    fn stop_wakes_every_waiter_and_stays_set() {
        let (trigger, stop) = Stop::new();
        let (exits, ended) = Exits::new();
        let waiters: Vec<Thread> = (0..3)
            .map(|n| {
                let stop = stop.clone();
                Thread::spawn(ThreadName::Relay(n), &exits, move || {
                    assert!(stop.wait(Duration::from_secs(60)));
                })
                .expect("thread starts")
            })
            .collect();
        assert!(!stop.is_set());
        drop(trigger);
        drop(waiters);
        assert!(stop.is_set());
        let panicked = ended.try_iter().filter(|exit| exit.panicked).count();
        assert_eq!(panicked, 0);
    }

    #[test]
    fn a_panic_is_reported_with_the_name() {
        let (exits, ended) = Exits::new();
        drop(Thread::spawn(ThreadName::Poll(0), &exits, || panic!("on purpose")).expect("starts"));
        let exit = ended.recv().expect("one report");
        assert_eq!(exit.name.to_string(), "poll-0");
        assert!(exit.panicked);
    }
}
