//! One executable as a child process: started with an empty environment plus what it is given, its
//! first line on stdout read as JSON, its stderr appended to a file. Killed when dropped. Knows
//! nothing of what the child does; `connector` and the bench do.

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

/// How long a child that was asked to stop may take: the connector's own two phases, and some more.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A running child.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with these arguments and this environment, and waits for its first line.
    ///
    /// # Errors
    /// It cannot be started, or its first line is no JSON; its log is shown.
    pub fn start(
        binary: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
        log: &Path,
    ) -> Result<(Process, Value)> {
        let log_file = std::fs::OpenOptions::new().create(true).append(true).open(log);
        let log_file = log_file.map_err(|why| format!("{}: {why}", log.display()))?;
        let mut child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
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
        let mut process = Process { child, log: log.to_owned() };
        match serde_json::from_str(&line) {
            Ok(first) => Ok((process, first)),
            Err(_) => {
                process.kill();
                let what = arguments.first().copied().unwrap_or_default();
                Err(format!("`{what}` did not start:\n{}", process.log()))
            }
        }
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

    /// What it wrote to stderr so far, restarts included.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by name through the shell, which every system has; a process that is gone is fine.
pub fn signal(name: &str, pid: u32) {
    let command = format!("kill -{name} {pid}");
    let _ = Command::new("sh").args(["-c", &command]).stderr(Stdio::null()).status();
}
