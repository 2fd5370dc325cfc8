//! What systemd is told about the service (sd_notify): ready, alive, stopping. Without systemd
//! nothing is sent and nothing fails. Knows the protocol only; `app` decides when.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The service manager, if there is one that wants to be told.
pub struct Systemd {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Systemd {
    /// From `NOTIFY_SOCKET` and `WATCHDOG_USEC`, which systemd sets for a unit with `Type=notify`
    /// and `WatchdogSec=`. A socket that cannot be used is logged.
    #[allow(clippy::disallowed_methods)] // systemd's variables, not settings of ours
    pub fn from_environment() -> Systemd {
        let Ok(name) = std::env::var("NOTIFY_SOCKET") else {
            return Systemd { socket: None, watchdog: None };
        };
        let socket = connect(&name).inspect_err(|why| log::warn!("systemd_not_told reason={why}"));
        let micros = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let watchdog = micros.filter(|micros| *micros > 0).map(Duration::from_micros);
        Systemd { socket: socket.ok(), watchdog }
    }

    /// How often [`alive`](Systemd::alive) is expected at least; `None` when nobody watches.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// The service is up.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service works.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The service was asked to stop and does.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket {
            // A manager that went away restarts us, or nobody does; either is not ours to mend.
            let _ = socket.send(state.as_bytes());
        }
    }
}

/// `@name` is a socket without a file.
fn connect(name: &str) -> std::io::Result<UnixDatagram> {
    let addr = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&addr)?;
    // A full queue must not hold up the main thread.
    socket.set_nonblocking(true)?;
    Ok(socket)
}
