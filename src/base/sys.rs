//! What the standard library does not offer: waiting for the signals that ask the process to stop,
//! the length of a listener's queue, the room on a disk, and whether a place may be written to. The
//! only module with `unsafe`: calls into libc, none of which touches memory we do not own. `app`
//! blocks the signals before the first thread starts (threads inherit the mask) and then waits on the
//! main thread; `http` lengthens queues; the verb `doctor` asks for the other two.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// The signals that ask to stop, blocked in this thread and every thread it starts from now on.
pub struct StopSignals {
    set: libc::sigset_t,
}

impl StopSignals {
    /// Blocks SIGTERM and SIGINT. Must run before any other thread exists, else that thread keeps
    /// the default disposition and the process dies without its stop sequence.
    pub fn block() -> StopSignals {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises the set it is given; sigaddset and pthread_sigmask then
        // read and write that initialised set; the old mask is not asked for.
        let set = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            libc::sigaddset(&mut set, libc::SIGTERM);
            libc::sigaddset(&mut set, libc::SIGINT);
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            set
        };
        StopSignals { set }
    }

    /// Waits at most `timeout` for one of the signals; `true` when one came.
    pub fn wait(&self, timeout: Duration) -> bool {
        let timeout = libc::timespec {
            tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: both structures outlive the call, which writes to neither; no siginfo is asked
        // for. An interrupted or timed-out wait returns -1, which means no signal.
        let signal = unsafe { libc::sigtimedwait(&self.set, std::ptr::null_mut(), &timeout) };
        signal == libc::SIGTERM || signal == libc::SIGINT
    }
}

/// Lets so many connections wait to be accepted. The standard library's 128 are less than a burst;
/// beyond them the kernel drops a connection's first packet, and its peer waits a second.
///
/// # Errors
/// What the operating system says.
pub fn lengthen_queue(listener: &TcpListener, connections: i32) -> std::io::Result<()> {
    // SAFETY: the descriptor is open for the whole call because the listener is borrowed; listen
    // touches no memory of ours. Called on a listening socket it changes the length only.
    match unsafe { libc::listen(listener.as_raw_fd(), connections) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Bytes that a user without privileges can still write on the disk of a path.
///
/// # Errors
/// What the operating system says.
pub fn room_left(path: &Path) -> std::io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut disk = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is a string that outlives the call, which writes one structure of its own type
    // and is not asked for it unless it succeeded.
    let disk = unsafe {
        match libc::statvfs(path.as_ptr(), disk.as_mut_ptr()) {
            0 => disk.assume_init(),
            _ => return Err(std::io::Error::last_os_error()),
        }
    };
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Whether this process may create files in a directory: its modes, its owner, and how its disk is
/// mounted.
pub fn may_write_in(dir: &Path) -> bool {
    let Ok(path) = CString::new(dir.as_os_str().as_bytes()) else { return false };
    let (wanted, as_we_act) = (libc::W_OK | libc::X_OK, libc::AT_EACCESS);
    // SAFETY: the path is a string that outlives the call, which only reads it.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), wanted, as_we_act) == 0 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::may_write_in;
    use super::room_left;

    #[test]
    fn a_disk_has_room_and_nothing_is_written_in_places_that_are_not_there() {
        assert!(room_left(&std::env::temp_dir()).expect("a disk") > 0);
        assert!(may_write_in(&std::env::temp_dir()));
        for nowhere in ["/no/such/place", "a\0b"] {
            assert!(room_left(Path::new(nowhere)).is_err());
            assert!(!may_write_in(Path::new(nowhere)));
        }
    }
}
