//! The connector as a child process: started with an empty environment plus its settings, addresses
//! read from its first line on stdout, log appended to a file. Killed when dropped.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use super::Result;

/// How long a connector that was asked to stop may take: its own two phases, and some more.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A running connector.
pub struct Connector {
    child: Child,
    /// Bound addresses by listener name: control, deliver, consent.
    addresses: BTreeMap<String, String>,
    log: PathBuf,
}

impl Connector {
    /// Starts `binary run` with these settings and waits for its addresses.
    ///
    /// # Errors
    /// It cannot be started, or ended before it listened; its log is shown.
    pub fn start(binary: &Path, settings: &[(String, String)], log: &Path) -> Result<Connector> {
        let log_file = std::fs::OpenOptions::new().create(true).append(true).open(log);
        let log_file = log_file.map_err(|why| format!("{}: {why}", log.display()))?;
        let mut child = Command::new(binary)
            .arg("run")
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_file)
            .spawn()
            .map_err(|why| format!("{}: {why}", binary.display()))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            // A line that cannot be read is an empty one, which is reported below.
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let parsed: Option<Value> = serde_json::from_str(&line).ok();
        let mut connector = Connector { child, addresses: BTreeMap::new(), log: log.to_owned() };
        let Some(addresses) = parsed.as_ref().and_then(Value::as_object) else {
            connector.kill();
            return Err(format!("the connector did not start:\n{}", connector.log()));
        };
        for (name, address) in addresses {
            let address = address.as_str().unwrap_or_default().to_owned();
            connector.addresses.insert(name.clone(), address);
        }
        Ok(connector)
    }

    /// `http://127.0.0.1:PORT` of a listener: control, deliver or consent.
    pub fn origin(&self, listener: &str) -> String {
        format!("http://{}", self.addresses.get(listener).map_or("", String::as_str))
    }

    /// Ends it the hard way, `kill -9`.
    pub fn kill(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        signal("TERM", self.pid());
        let deadline = Instant::now() + STOP_PATIENCE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(3));
                }
                Ok(None) => return Err(format!("it did not stop in {STOP_PATIENCE:?}")),
                Err(why) => return Err(format!("it cannot be waited for: {why}")),
            }
        }
    }

    /// What it logged so far, restarts included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by name through the shell, which every system has; a process that is gone is fine.
pub fn signal(name: &str, pid: u32) {
    let command = format!("kill -{name} {pid}");
    let _ = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
}
