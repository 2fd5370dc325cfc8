//! The machine that was measured on: cores, kernel, and the disk below the state directory with how
//! long it takes to make a page durable, which bounds everything durable above it.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::cli::bench::figures;
use crate::cli::bench::line;

/// Pages made durable to see how long it takes.
const PAGES: usize = 200;
/// SQLite's page.
const PAGE: [u8; 4096] = [0x5a; 4096];

/// Prints the lines; `dir` is where the state directories will be.
pub(super) fn describe(dir: &Path) -> Result<(), String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown").to_owned();
    line("cores, kernel", &format!("{cores}, {}", kernel.trim()), "");
    line("load average when it began", &load, "");
    let file_system = file_system(&read("/proc/mounts"), dir);
    line("state directories", &format!("{} ({file_system})", dir.display()), "");
    if file_system == "tmpfs" {
        line("", "nothing is durable there: set TMPDIR to a real disk", "");
    }
    let times = durable_pages(dir).map_err(|why| format!("{}: {why}", dir.display()))?;
    line("a page of 4 KiB made durable", &figures::spread(&times), "");
    Ok(())
}

fn durable_pages(dir: &Path) -> std::io::Result<Vec<std::time::Duration>> {
    let mut file = std::fs::File::create(dir.join("pages"))?;
    let mut times = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let began = Instant::now();
        file.write_all(&PAGE)?;
        file.sync_data()?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// Type of the file system with the longest mount point above `dir`.
fn file_system(mounts: &str, dir: &Path) -> String {
    let mounts = mounts.lines().filter_map(|mount| {
        let mut fields = mount.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(point, _)| dir.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map_or("unknown", |(_, kind)| kind).to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::file_system;

    #[test]
    fn the_nearest_mount_decides() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(file_system(mounts, Path::new("/tmp/bench")), "tmpfs");
        assert_eq!(file_system(mounts, Path::new("/tmpfiles/bench")), "ext4");
        assert_eq!(file_system("", Path::new("/tmp")), "unknown");
    }
}
