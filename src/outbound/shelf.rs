//! Files that deliveries carry, kept beside the database until the portal has them: `files/` in the
//! state directory, one file each under a name of ours. A file is whole and durable before anything
//! refers to it, and nothing but this module opens, names or removes one. Knows no delivery; who
//! refers to a file is the ledger's matter.

use std::collections::HashSet;
use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::base::crypto;
use crate::base::crypto::Digest;
use crate::limits;

/// Name of the directory inside the state directory.
const DIRECTORY: &str = "files";
/// Ending of a file that is still being written.
const UNFINISHED: &str = ".part";

/// A file on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name on the shelf: hexadecimal, random.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Hash of its content.
    pub sha256: [u8; 32],
}

/// The directory. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Shelf {
    directory: PathBuf,
    /// Bytes on it, files that are being written included.
    used: Arc<AtomicU64>,
}

impl Shelf {
    /// Makes the directory, mode 0700, if there is none.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(state_dir: &Path) -> io::Result<Shelf> {
        let directory = state_dir.join(DIRECTORY);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        // The umask may have taken bits away that we need ourselves.
        fs::set_permissions(&directory, Permissions::from_mode(0o700))?;
        let mut used = 0;
        for entry in fs::read_dir(&directory)? {
            used += entry?.metadata()?.len();
        }
        Ok(Shelf { directory, used: Arc::new(AtomicU64::new(used)) })
    }

    /// Begins a file of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self, bytes_max: u64) -> io::Result<Filling> {
        let name = crypto::hex(&crypto::random::<16>());
        let path = self.directory.join(format!("{name}{UNFINISHED}"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        let (shelf, digest) = (self.clone(), Digest::new());
        Ok(Filling { shelf, name, path: Some(path), file, digest, bytes: 0, bytes_max })
    }

    /// Where a file lies, for reading.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Removes a file; one that is not there is as good.
    pub fn remove(&self, name: &str) {
        let path = self.path(name);
        let bytes = fs::metadata(&path).map_or(0, |file| file.len());
        match fs::remove_file(path) {
            Ok(()) => self.give_back(bytes),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => log::warn!("file_not_removed reason={why}"),
        }
    }

    /// Takes room for bytes that are about to be written.
    fn take_room(&self, bytes: u64) -> io::Result<()> {
        let order = Ordering::Relaxed;
        let taken = self.used.fetch_update(order, order, |used| {
            used.checked_add(bytes).filter(|used| *used <= limits::SHELF_BYTES_MAX)
        });
        taken.map(drop).map_err(|_| io::ErrorKind::ResourceBusy.into())
    }

    fn give_back(&self, bytes: u64) {
        let order = Ordering::Relaxed;
        // Never fails: the closure always has an answer.
        let _ = self.used.fetch_update(order, order, |used| Some(used.saturating_sub(bytes)));
    }

    /// Removes every file that is not in `wanted`: what a crash left between writing a file and
    /// accepting its delivery, or between an end and its clean-up. Only while nothing is written.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sweep(&self, wanted: &HashSet<String>) -> io::Result<usize> {
        let mut removed = 0;
        for entry in fs::read_dir(&self.directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !wanted.contains(&name) {
                self.remove(&name);
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// A file that is being written; dropping it unfinished removes it.
#[derive(Debug)]
pub struct Filling {
    shelf: Shelf,
    name: String,
    path: Option<PathBuf>,
    file: File,
    digest: Digest,
    bytes: u64,
    bytes_max: u64,
}

impl Filling {
    /// How much is written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes the file whole and durable under its name.
    ///
    /// # Errors
    /// The disk.
    pub fn finish(mut self) -> io::Result<Kept> {
        self.file.sync_all()?;
        if let Some(path) = &self.path {
            fs::rename(path, self.shelf.path(&self.name))?;
        }
        self.path = None;
        // The name is durable once its directory is.
        File::open(&self.shelf.directory)?.sync_all()?;
        let name = std::mem::take(&mut self.name);
        Ok(Kept { name, bytes: self.bytes, sha256: std::mem::take(&mut self.digest).finish() })
    }
}

impl Write for Filling {
    /// Writes; a file that would become too long is [`io::ErrorKind::FileTooLarge`], a shelf without
    /// room [`io::ErrorKind::ResourceBusy`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.bytes_max - self.bytes;
        if bytes.len() as u64 > room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.shelf.take_room(bytes.len() as u64)?;
        let written = self.file.write(bytes);
        // A disk may take a part, or nothing.
        let kept = *written.as_ref().unwrap_or(&0);
        self.shelf.give_back((bytes.len() - kept) as u64);
        let written = written?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // The sweep at the next start removes what this cannot.
            let _ = fs::remove_file(path);
            self.shelf.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::io::ErrorKind;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::sync::atomic::Ordering;

    use super::Shelf;
    use crate::base::crypto;
    use crate::limits;

    fn fresh() -> (PathBuf, Shelf) {
        let name = crypto::hex(&crypto::random::<8>());
        let state = std::env::temp_dir().join(format!("shelf-{name}"));
        let shelf = Shelf::open(&state).expect("opens");
        (state, shelf)
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let (state, shelf) = fresh();
        let mut filling = shelf.begin(5).expect("begins");
        filling.write_all(b"he").expect("fits");
        filling.write_all(b"llo").expect("fits");
        let refused = filling.write_all(b"!").expect_err("too long");
        assert_eq!(refused.kind(), ErrorKind::FileTooLarge);
        let kept = filling.finish().expect("finishes");
        assert_eq!((kept.bytes, kept.sha256), (5, crypto::sha256(b"hello")));
        assert_eq!(fs::read(shelf.path(&kept.name)).expect("there"), b"hello");
        let mode = fs::metadata(shelf.path(&kept.name)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(shelf.begin(5).expect("begins"));
        assert_eq!(fs::read_dir(state.join("files")).expect("there").count(), 1);
        shelf.remove(&kept.name);
        shelf.remove(&kept.name);
        assert!(!shelf.path(&kept.name).exists());
        fs::remove_dir_all(state).expect("removed");
    }

    #[test]
    fn the_shelf_has_an_end_and_gives_room_back() {
        let (state, shelf) = fresh();
        shelf.used.store(limits::SHELF_BYTES_MAX - 4, Ordering::Relaxed);
        let mut filling = shelf.begin(100).expect("begins");
        filling.write_all(b"four").expect("fits");
        let refused = filling.write_all(b"!").expect_err("no room");
        assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
        drop(filling);
        let mut filling = shelf.begin(100).expect("begins");
        filling.write_all(b"four").expect("fits again");
        let kept = filling.finish().expect("finishes");
        shelf.remove(&kept.name);
        shelf.remove(&kept.name);
        assert_eq!(shelf.used.load(Ordering::Relaxed), limits::SHELF_BYTES_MAX - 4);
        let mut filling = shelf.begin(100).expect("begins");
        filling.write_all(b"ab").expect("fits");
        filling.finish().expect("finishes");
        let again = Shelf::open(&state).expect("opens");
        assert_eq!(again.used.load(Ordering::Relaxed), 2, "counted at start");
        fs::remove_dir_all(state).expect("removed");
    }

    #[test]
    fn the_sweep_removes_what_nobody_wants() {
        let (state, shelf) = fresh();
        let keep = |text: &[u8]| {
            let mut filling = shelf.begin(100).expect("begins");
            filling.write_all(text).expect("fits");
            filling.finish().expect("finishes").name
        };
        let (wanted, unwanted) = (keep(b"a"), keep(b"b"));
        assert_eq!(shelf.sweep(&HashSet::from([wanted.clone()])).expect("sweeps"), 1);
        assert!(shelf.path(&wanted).exists() && !shelf.path(&unwanted).exists());
        fs::remove_dir_all(state).expect("removed");
    }
}
