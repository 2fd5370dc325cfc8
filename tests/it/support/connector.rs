//! The connector as a child process on port 0: started with an empty environment plus what a test
//! sets, addresses read from its first line on stdout, log kept and shown when a test fails.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;

use crate::support::eventually;

/// The executable under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_aihummer-bitrix24");

/// A running connector; killed when dropped.
pub struct Connector {
    child: Child,
    /// Bound addresses by listener name: control, deliver, consent.
    pub addresses: BTreeMap<String, String>,
    log: std::path::PathBuf,
}

impl Connector {
    /// Starts `run` with these settings and waits for its addresses. The log goes to `log`,
    /// appended, so that restarts of one test read as one story.
    pub fn start(settings: &[(String, String)], log: &Path) -> Connector {
        let log_file = std::fs::OpenOptions::new().create(true).append(true).open(log);
        let mut child = Command::new(BINARY)
            .arg("run")
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file.expect("log file"))
            .spawn()
            .expect("the connector starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("stdout is text");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|why| {
            let _ = child.kill();
            let told = std::fs::read_to_string(log).unwrap_or_default();
            panic!("no addresses on stdout ({why}): {line:?}\n{told}");
        });
        let addresses = parsed.as_object().expect("an object").iter();
        let addresses = addresses
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        Connector { child, addresses, log: log.to_owned() }
    }

    /// `http://127.0.0.1:PORT` of a listener.
    pub fn origin(&self, listener: &str) -> String {
        format!("http://{}", self.addresses[listener])
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process id, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub fn terminate(&mut self) -> ExitStatus {
        let told = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(told.expect("kill runs").success());
        eventually("the connector to stop", || self.child.try_wait().expect("waitable"))
    }

    /// What it logged so far, restarts included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(80).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            println!("---- the connector's log, last lines ----\n{}", tail.join("\n"));
        }
    }
}
