//! Asks the control listener for its health, as a stranger would, before systemd is told that the
//! service is alive: a process whose listeners hang is restarted although its threads exist. Called
//! by the main thread on each tick.

use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use crate::base::systemd::Systemd;
use crate::limits;

const QUESTION: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 ";

/// Tells systemd, while there is something good to tell.
pub(super) struct Watchdog {
    systemd: Systemd,
    control: SocketAddr,
    next: Instant,
}

impl Watchdog {
    /// Tells systemd that the service is ready.
    pub(super) fn start(systemd: Systemd, control: SocketAddr) -> Watchdog {
        systemd.ready();
        let control = SocketAddr::new(reachable(control.ip()), control.port());
        Watchdog { systemd, control, next: Instant::now() }
    }

    /// Looks when it is time to, and tells systemd when all is well.
    pub(super) fn tick(&mut self, now: Instant) {
        let Some(interval) = self.systemd.watchdog().filter(|_| now >= self.next) else { return };
        // Twice per interval, as its documentation asks for, and early enough to try again.
        self.next = now + interval / 2;
        match healthy(self.control, interval / 2) {
            Ok(true) => self.systemd.alive(),
            Ok(false) => log::error!("watchdog_not_served"),
            Err(why) => log::error!("watchdog_not_served reason={why}"),
        }
    }

    /// Tells systemd that the service stops.
    pub(super) fn stopping(&self) {
        self.systemd.stopping();
    }
}

/// Where a listener that takes any address can be asked.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

fn healthy(control: SocketAddr, time: Duration) -> std::io::Result<bool> {
    let time = time.min(limits::WATCHDOG_TIME_MAX);
    let mut stream = TcpStream::connect_timeout(&control, time)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    stream.write_all(QUESTION)?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer == ANSWER)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    use super::healthy;

    fn listener() -> (TcpListener, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let addr = listener.local_addr().expect("an address");
        (listener, addr)
    }

    #[test]
    fn only_a_listener_that_answers_well_is_healthy() {
        let answers =
            [("HTTP/1.1 200 OK\r\n", true), ("HTTP/1.1 503 Service Unavailable\r\n", false)];
        for (answer, expected) in answers {
            let (listener, addr) = listener();
            let told = std::thread::scope(|scope| {
                scope.spawn(|| {
                    let (mut stream, _) = listener.accept().expect("a connection");
                    stream.read_exact(&mut vec![0; super::QUESTION.len()]).expect("a question");
                    stream.write_all(answer.as_bytes()).expect("answers");
                });
                healthy(addr, Duration::from_secs(20))
            });
            assert_eq!(told.ok(), Some(expected), "{answer:?}");
        }
        let (silent, addr) = listener();
        assert!(healthy(addr, Duration::from_millis(20)).is_err(), "the kernel accepts, no more");
        drop(silent);
        assert!(healthy(addr, Duration::from_secs(20)).is_err(), "nobody listens");
    }
}
