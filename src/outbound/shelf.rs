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

use crate::base::crypto;
use crate::base::crypto::Digest;

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
        Ok(Shelf { directory })
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
        let directory = self.directory.clone();
        let digest = Digest::new();
        Ok(Filling { directory, name, path: Some(path), file, digest, bytes: 0, bytes_max })
    }

    /// Where a file lies, for reading.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Removes a file; one that is not there is as good.
    pub fn remove(&self, name: &str) {
        if let Err(why) = fs::remove_file(self.path(name))
            && why.kind() != io::ErrorKind::NotFound
        {
            log::warn!("file_not_removed reason={why}");
        }
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
    directory: PathBuf,
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
            fs::rename(path, self.directory.join(&self.name))?;
        }
        self.path = None;
        // The name is durable once its directory is.
        File::open(&self.directory)?.sync_all()?;
        let name = std::mem::take(&mut self.name);
        Ok(Kept { name, bytes: self.bytes, sha256: std::mem::take(&mut self.digest).finish() })
    }
}

impl Write for Filling {
    /// Writes; a file that would become too long is [`io::ErrorKind::FileTooLarge`].
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.bytes_max - self.bytes;
        if bytes.len() as u64 > room {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(bytes)?;
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

    use super::Shelf;
    use crate::base::crypto;

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
