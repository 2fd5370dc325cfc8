//! A crowd in front of a listener: thousands of connections that say nothing and hundreds that stop
//! in the middle of a head, held by a process of their own because of its descriptors, and how long
//! the listener's health takes beside them. `bench crowd ADDRESS` is that process.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use crate::base::sys::StopSignals;
use crate::cli::FAILED;
use crate::cli::OK;
use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::complain;
use crate::cli::say;
use crate::sim::client;
use crate::sim::stage::Connector;
use crate::sim::stage::Process;

/// Connections that say nothing.
const IDLE: usize = 2000;
/// Connections that stop in the middle of a head.
const HALF_SENT: usize = 500;
const HALF: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Ha";
/// How often health is asked for beside them.
const QUESTIONS: usize = 200;
const TIMEOUT: Duration = Duration::from_secs(10);
/// What a shell makes of these words: room for the crowd, then the crowd.
const WITH_DESCRIPTORS: &str = "ulimit -n 4096 2>/dev/null; exec \"$0\" bench crowd \"$1\"";

/// Holds the crowd until it is asked to stop; says on stdout when all of it is there.
pub(super) fn hold(address: &str) -> u8 {
    let signals = StopSignals::block();
    let mut crowd = Vec::with_capacity(IDLE + HALF_SENT);
    for number in 0..IDLE + HALF_SENT {
        match TcpStream::connect(address) {
            Ok(mut stream) => {
                if number % (IDLE / HALF_SENT + 1) == 0 {
                    // It may have been closed for a newer one already.
                    let _ = stream.write_all(HALF);
                }
                crowd.push(stream);
            }
            Err(why) => {
                complain(&format!("connection {number} to {address}: {why}"));
                return FAILED;
            }
        }
    }
    say(&format!("{{\"connections\":{}}}\n", crowd.len()));
    while !signals.wait(Duration::from_secs(60)) {}
    OK
}

/// Prints how long health takes on the consent listener alone, and beside a crowd.
pub(super) fn measure(binary: &Path, dir: &Path, connector: &Connector) -> Result<(), String> {
    let origin = connector.origin("consent");
    let url = format!("{origin}/healthz");
    line("alone", &figures::spread(&healths(&url)?), "");
    let binary = binary.display().to_string();
    let address = origin.trim_start_matches("http://");
    let shell = ["-c", WITH_DESCRIPTORS, &binary, address];
    let (mut crowd, _) = Process::start(Path::new("/bin/sh"), &shell, &[], &dir.join("crowd.log"))?;
    let what = format!("beside {IDLE} idle, {HALF_SENT} half-sent");
    line(&what, &figures::spread(&healths(&url)?), "<= 100 ms");
    crowd.terminate().map(drop)
}

fn healths(url: &str) -> Result<Vec<Duration>, String> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let began = Instant::now();
        let health = client::request("GET", url, &[], &[], TIMEOUT);
        times.push(began.elapsed());
        match health {
            Ok(health) if health.status == 200 => {}
            Ok(health) => return Err(format!("/healthz answers {}", health.status)),
            Err(why) => return Err(format!("/healthz: {why}")),
        }
    }
    Ok(times)
}
