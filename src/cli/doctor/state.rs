//! The state directory with its disk, the master key and the database. First the facts are gathered,
//! then judged; a running service has proven key and database, so they are opened only while it is
//! stopped. Called by `doctor`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::app::CONTROL_SECRET_FILE;
use crate::app::inspect;
use crate::app::inspect::Inspected;
use crate::base::sys;
use crate::cli::doctor::report::Report;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::limits;
use crate::settings::Settings;
use crate::store;
use crate::store::DATABASE_FILE;
use crate::store::examine;
use crate::vault::KEY_FILE;
use crate::vault::VaultError;

/// An agent as the database has it: name, state, reason.
pub type Stored = (String, String, String);

/// A state directory.
enum Directory {
    Missing,
    /// It is there and cannot be looked into; why.
    Closed(String),
    Open {
        mode: u32,
        owner: u32,
        writable: bool,
        files: Vec<FileFacts>,
    },
}

/// One of its files.
struct FileFacts {
    name: String,
    mode: u32,
    owner: u32,
}

/// Looks at all of it; the agents as they are stored, while the service is stopped.
pub fn look(settings: &Settings, status: Option<&Value>, report: &mut Report) -> Vec<Stored> {
    let dir = &settings.state_dir;
    let directory = facts(dir);
    report.extend(of_directory(dir, &directory));
    report.extend(room(dir));
    if !matches!(directory, Directory::Open { .. }) {
        return Vec::new();
    }
    match status {
        Some(status) => {
            report.extend(proven(status));
            Vec::new()
        }
        None => {
            if examine::in_use(dir) {
                report.extend([finding::STATE_IN_USE.of(dir.display().to_string(), "")]);
            }
            let inspected = inspect::inspect(settings);
            report.extend(of_inspected(dir, &inspected));
            inspected.database.ok().flatten().map(|found| found.agents).unwrap_or_default()
        }
    }
}

fn facts(dir: &Path) -> Directory {
    let metadata = match fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Directory::Missing,
        Err(why) => return Directory::Closed(why.to_string()),
    };
    if let Err(why) = fs::read_dir(dir) {
        return Directory::Closed(why.to_string());
    }
    let (wal, shm) = (format!("{DATABASE_FILE}-wal"), format!("{DATABASE_FILE}-shm"));
    let names = [DATABASE_FILE, &wal, &shm, KEY_FILE, CONTROL_SECRET_FILE];
    let files = names.into_iter().filter_map(|name| {
        let metadata = fs::metadata(dir.join(name)).ok()?;
        let mode = metadata.permissions().mode() & 0o777;
        Some(FileFacts { name: name.to_owned(), mode, owner: metadata.uid() })
    });
    Directory::Open {
        mode: metadata.permissions().mode() & 0o777,
        owner: metadata.uid(),
        writable: sys::may_write_in(dir),
        files: files.collect(),
    }
}

fn of_directory(dir: &Path, directory: &Directory) -> Vec<Finding> {
    let about = dir.display().to_string();
    let (mode, owner, writable, files) = match directory {
        Directory::Missing => return vec![finding::STATE_MISSING.of(about, "")],
        Directory::Closed(why) => return vec![finding::STATE_UNREADABLE.of(about, why.as_str())],
        Directory::Open { mode, owner, writable, files } => (*mode, *owner, *writable, files),
    };
    let mut findings = Vec::new();
    if mode & 0o002 != 0 {
        findings.push(finding::STATE_OPEN.of(about.as_str(), format!("mode {mode:03o}")));
    }
    if !writable {
        let detail = format!("mode {mode:03o}, owner uid {owner}");
        findings.push(finding::STATE_NOT_WRITABLE.of(about.as_str(), detail));
    }
    for file in files {
        let path = dir.join(&file.name).display().to_string();
        let mode = format!("mode {:03o}", file.mode);
        if file.mode & 0o007 != 0 {
            findings.push(finding::FILE_OPEN.of(path.as_str(), mode));
        } else if file.mode & 0o070 != 0 {
            findings.push(finding::FILE_OPEN_TO_GROUP.of(path.as_str(), mode));
        }
        if file.owner != owner {
            let detail = format!("owner uid {}, of the directory uid {owner}", file.owner);
            findings.push(finding::STATE_MIXED_OWNERS.of(path.as_str(), detail));
        }
    }
    if findings.is_empty() {
        findings.push(finding::STATE_OK.of(about, ""));
    }
    findings
}

/// The room on the disk where the directory is, or would be.
fn room(dir: &Path) -> Option<Finding> {
    let there =
        dir.ancestors().find(|place| place.exists()).filter(|place| *place != Path::new(""));
    let place = there.unwrap_or(Path::new("."));
    // A disk that does not tell is no reason to worry: the database will.
    let left = sys::room_left(place).ok()?;
    Some(of_room(place, left))
}

fn of_room(place: &Path, left: u64) -> Finding {
    let kind = if left < limits::DISK_FULL_BYTES {
        &finding::DISK_FULL
    } else if left < limits::DISK_LOW_BYTES {
        &finding::DISK_LOW
    } else {
        &finding::DISK_OK
    };
    kind.of(place.display().to_string(), format!("{} MiB left", left / (1024 * 1024)))
}

/// What a running service has proven by running.
fn proven(status: &Value) -> Vec<Finding> {
    const BY: &str = "the running service uses it";
    let database = finding::DATABASE_OK.of(DATABASE_FILE, BY);
    match status["limits"].is_object() {
        true => vec![finding::KEY_OK.of("", BY), database],
        // Without a portal nothing is sealed.
        false => vec![database],
    }
}

fn of_inspected(dir: &Path, inspected: &Inspected) -> Vec<Finding> {
    let file = dir.join(DATABASE_FILE).display().to_string();
    let database = match &inspected.database {
        Ok(Some(found)) => finding::DATABASE_OK.of(file, format!("schema {}", found.schema)),
        Ok(None) => finding::DATABASE_NOT_MADE.of(file, ""),
        Err(why @ store::Error::NewerSchema { .. }) => {
            finding::DATABASE_NEWER.of(file, why.to_string())
        }
        Err(why) => finding::DATABASE_UNUSABLE.of(file, why.to_string()),
    };
    let key = match (&inspected.key, &inspected.database) {
        // Nothing can be proven against a database that does not open.
        (_, Err(_)) => None,
        (Ok(true), _) => Some(finding::KEY_OK.of("", "")),
        (Ok(false), _) => Some(finding::KEY_UNPROVEN.of("", "")),
        (Err(VaultError::Missing(path)), _) => Some(finding::KEY_MISSING.of(path.as_str(), "")),
        (Err(VaultError::Wrong(source)), _) => Some(finding::KEY_WRONG.of(source.as_str(), "")),
        (Err(why), _) => Some(finding::KEY_UNUSABLE.of("", why.to_string())),
    };
    key.into_iter().chain([database]).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::Directory;
    use super::FileFacts;
    use super::of_directory;
    use super::of_inspected;
    use super::of_room;
    use super::proven;
    use crate::app::inspect::Inspected;
    use crate::domain::finding::Finding;
    use crate::limits;
    use crate::store;
    use crate::store::examine::Examined;
    use crate::vault::VaultError;

    fn ids(findings: &[Finding]) -> Vec<&'static str> {
        findings.iter().map(|found| found.kind.id).collect()
    }

    fn open(mode: u32, writable: bool, files: &[(u32, u32)]) -> Directory {
        let file = |(mode, owner): &(u32, u32)| FileFacts {
            name: "master.key".to_owned(),
            mode: *mode,
            owner: *owner,
        };
        Directory::Open { mode, owner: 998, writable, files: files.iter().map(file).collect() }
    }

    #[test]
    fn a_directory_is_judged_by_modes_owners_and_access() {
        let dir = Path::new("/state");
        let denied = Directory::Closed("denied".to_owned());
        for (directory, expected) in [
            (Directory::Missing, &["state_missing"][..]),
            (denied, &["state_unreadable"]),
            (open(0o700, true, &[(0o600, 998)]), &["state_ok"]),
            (open(0o755, true, &[]), &["state_ok"]),
            (open(0o777, true, &[]), &["state_open"]),
            (open(0o700, false, &[]), &["state_not_writable"]),
            (open(0o700, true, &[(0o644, 998)]), &["file_open"]),
            (open(0o700, true, &[(0o640, 998)]), &["file_open_to_group"]),
            (open(0o700, true, &[(0o600, 0)]), &["state_mixed_owners"]),
        ] {
            assert_eq!(ids(&of_directory(dir, &directory)), expected);
        }
    }

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        for (left, id) in [
            (0, "disk_full"),
            (limits::DISK_FULL_BYTES - 1, "disk_full"),
            (limits::DISK_FULL_BYTES, "disk_low"),
            (limits::DISK_LOW_BYTES - 1, "disk_low"),
            (limits::DISK_LOW_BYTES, "disk_ok"),
        ] {
            assert_eq!(of_room(Path::new("/"), left).kind.id, id, "{left}");
        }
    }

    #[test]
    fn key_and_database_are_told_apart() {
        let some = || Ok(Some(Examined { schema: 4, ..Examined::default() }));
        let newer = store::Error::NewerSchema { found: 9, known: 4 };
        for (database, key, expected) in [
            (some(), Ok(true), &["key_ok", "database_ok"][..]),
            (some(), Ok(false), &["key_unproven", "database_ok"]),
            (Ok(None), Ok(false), &["key_unproven", "database_not_made"]),
            (some(), Err(VaultError::Missing("k".into())), &["key_missing", "database_ok"]),
            (some(), Err(VaultError::Wrong("k".into())), &["key_wrong", "database_ok"]),
            (some(), Err(VaultError::File("k".into())), &["key_unusable", "database_ok"]),
            (Err(newer), Ok(false), &["database_newer"]),
            (Err(store::Error::Corrupt), Ok(false), &["database_unusable"]),
        ] {
            let inspected = Inspected { database, key };
            assert_eq!(ids(&of_inspected(Path::new("/state"), &inspected)), expected);
        }
        let seen = |status| ids(&proven(&status));
        assert_eq!(seen(json!({"limits": {}})), ["key_ok", "database_ok"]);
        assert_eq!(seen(json!({"limits": null})), ["database_ok"]);
    }
}
