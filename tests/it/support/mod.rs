//! What the black-box tests stand on: the real executable as a child process, a scene with the
//! model portal and gateway around it, and waiting on conditions instead of sleeping.

pub mod calls;
pub mod office;
pub mod scene;

use std::ffi::OsStr;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// How long a condition may take before a test gives up and shows what it has. Generous, because
/// it only bounds failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` gives something; panics with `what` after [`PATIENCE`].
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// How a run of the executable that ends by itself ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code; `None` when it had to be killed.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it complained of and logged.
    pub stderr: String,
}

/// Runs the executable in `dir` with these arguments, and these variables as its whole environment,
/// to its end.
pub fn run<V: AsRef<OsStr>>(dir: &std::path::Path, args: &[&str], env: &[(&str, V)]) -> Run {
    run_fed(dir, args, env, "")
}

/// The same with something on stdin, which is short.
pub fn run_fed<V: AsRef<OsStr>>(
    dir: &std::path::Path,
    args: &[&str],
    env: &[(&str, V)],
    input: &str,
) -> Run {
    let mut child = Command::new(scene::BINARY)
        .args(args)
        .current_dir(dir)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the executable starts");
    // Fails only for one that ended without reading it. Dropping it ends the input.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    let deadline = Instant::now() + PATIENCE;
    let mut ended = child.try_wait().expect("a child");
    while ended.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
        ended = child.try_wait().expect("a child");
    }
    // Fails only for one that has ended.
    let _ = child.kill();
    let text = |pipe: &mut dyn Read| {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("UTF-8");
        text
    };
    Run {
        code: ended.and_then(|status| status.code()),
        stdout: text(&mut child.stdout.take().expect("piped")),
        stderr: text(&mut child.stderr.take().expect("piped")),
    }
}

/// A fresh directory below the system's temporary one, removed on drop.
pub struct TempDir(PathBuf);

impl TempDir {
    /// A new empty directory.
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("aihummer-it-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("temporary directory");
        TempDir(path)
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A leftover directory in /tmp harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
