//! What is measured of the program and its process: size and profile of the executable, crates,
//! starts, memory and processor time. Reads `/proc`, so it knows Linux only.

use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::sim::client;
use crate::sim::stage::Connector;
use crate::store::DATABASE_FILE;

/// How long an answer of `/healthz` may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Clock ticks a second in `/proc/PID/stat`: 100 on every Linux that we support.
const TICKS: u64 = 100;

/// Prints size, profile and crates.
pub(super) fn build(binary: &Path) -> Result<(), String> {
    let size = std::fs::metadata(binary).map_err(|why| format!("{}: {why}", binary.display()))?;
    let release = !cfg!(debug_assertions);
    let profile = if release { "release" } else { "DEBUG: the numbers mean nothing" };
    line("build", profile, "");
    line("executable, the model included", &figures::megabytes(size.len()), "<= 6 MB without it");
    let crates = crates().map_or_else(
        || "unknown: `cargo tree` does not work here".to_owned(),
        |count| count.to_string(),
    );
    line("crates in the tree, this one included", &crates, "");
    Ok(())
}

/// `cargo tree -e normal --prefix none | sort -u | wc -l`, run where the bench was started.
fn crates() -> Option<usize> {
    let arguments = ["tree", "-e", "normal", "--prefix", "none", "--locked", "--offline"];
    let output = Command::new("cargo").args(arguments).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let ours = text.starts_with(env!("CARGO_PKG_NAME")) && output.status.success();
    let lines: std::collections::BTreeSet<&str> = text.lines().collect();
    ours.then_some(lines.len())
}

/// Starts and stops a connector so many times; how long each took to answer `/healthz`.
pub(super) fn starts(
    count: usize,
    start: impl Fn(usize) -> Result<Connector, String>,
) -> Result<Vec<Duration>, String> {
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let began = Instant::now();
        let mut connector = start(number)?;
        let url = format!("{}/healthz", connector.origin("control"));
        let health = client::request("GET", &url, &[], &[], TIMEOUT);
        let took = began.elapsed();
        match health {
            Ok(health) if health.status == 200 => times.push(took),
            Ok(health) => return Err(format!("/healthz answers {}", health.status)),
            Err(why) => return Err(format!("/healthz: {why}")),
        }
        connector.terminate()?;
    }
    Ok(times)
}

/// Resident memory of a process, and how much of it is its own.
pub(super) fn memory(pid: u32) -> Result<String, String> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
    let bytes = |name| field(&status, name).map(|kilobytes| kilobytes * 1024);
    match (bytes("VmRSS:"), bytes("RssAnon:")) {
        (Some(resident), Some(own)) => Ok(format!(
            "{} ({} of it anonymous, the rest mapped from files)",
            figures::megabytes(resident),
            figures::megabytes(own)
        )),
        _ => Err(format!("{path} does not say how much memory is resident")),
    }
}

/// The resident memory of a process now and its peak, in bytes.
pub(super) fn resident_and_peak(pid: u32) -> Result<(u64, u64), String> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).map_err(|why| format!("{path}: {why}"))?;
    let bytes = |name| field(&status, name).map(|kilobytes| kilobytes * 1024);
    let both = bytes("VmRSS:").zip(bytes("VmHWM:"));
    both.ok_or_else(|| format!("{path} does not say how much memory is resident"))
}

/// Makes the peak what is resident now.
pub(super) fn forget_peak(pid: u32) -> Result<(), String> {
    let path = format!("/proc/{pid}/clear_refs");
    std::fs::write(&path, "5").map_err(|why| format!("{path}: {why}"))
}

/// Bytes of the database in a state directory: the file and what lies in its log.
pub(super) fn database_bytes(state: &Path) -> u64 {
    let bytes = |ending: &str| {
        let path = state.join(format!("{DATABASE_FILE}{ending}"));
        std::fs::metadata(path).map_or(0, |found| found.len())
    };
    bytes("") + bytes("-wal")
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Processor time of a process so far.
pub(super) fn cpu(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    ticks(&stat).map(|ticks| Duration::from_millis(ticks * 1000 / TICKS))
}

/// User and system time: the 14th and 15th field, counted behind the name, which may have blanks.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::field;
    use super::ticks;

    #[test]
    fn proc_is_read_by_name_and_place() {
        let status = "Name:\tx\nVmRSS:\t   11264 kB\nRssAnon:\t    5000 kB\n";
        assert_eq!(field(status, "VmRSS:"), Some(11264));
        assert_eq!(field(status, "VmSwap:"), None);
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 31 12 0 0 20 0 1 0";
        assert_eq!(ticks(stat), Some(43));
    }
}
