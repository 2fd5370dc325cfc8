//! `vendor/` is what `packaging/vendor.py` makes of Cargo.lock: every file has the digest its crate
//! lists, every crate the registry checksum of the lock, and the recipe run again changes nothing.
//! The recipe from the registry itself runs with the slow suites.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use serde_json::Value;

use crate::support::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const BYTES_MAX: u64 = 50_000_000;
/// Directories in `vendor/`. A further crate is a decision of its own.
const CRATES: usize = 76;

/// Path below a directory, with forward slashes, to the SHA-256 of the file, in hex.
type Tree = BTreeMap<String, String>;

fn digest(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every file below `dir`, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut stack = vec![dir.to_owned()];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(&dir).expect("directory is readable") {
            let entry = entry.expect("entry is readable");
            if entry.file_type().expect("file type").is_dir() {
                stack.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn tree(dir: &Path) -> Tree {
    let named = |path: PathBuf| {
        let name = path.strip_prefix(dir).expect("below").to_string_lossy().into_owned();
        (name, digest(&fs::read(path).expect("file is readable")))
    };
    files(dir).into_iter().map(named).collect()
}

fn differences(before: &Tree, after: &Tree) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.cloned().collect()
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).expect("below"));
        fs::create_dir_all(target.parent().expect("has a parent")).expect("directory");
        fs::copy(&file, &target).expect("copied");
    }
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// One directory of `vendor/`.
struct Crate {
    dir: PathBuf,
    name: String,
    version: String,
    /// `{"files":…,"package":…}`; a crate of our own has no package.
    checksum: Value,
}

impl Crate {
    fn package(&self) -> Option<&str> {
        self.checksum["package"].as_str()
    }
}

/// The value of `key = "value"` in lines of TOML.
fn value<'a>(toml: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = toml.lines().filter_map(|line| line.split_once(" = "));
    lines.find(|(found, _)| *found == key).map(|(_, value)| value.trim_matches('"'))
}

fn crates() -> Vec<Crate> {
    let read = |path: PathBuf| {
        fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    let entries = fs::read_dir(Path::new(ROOT).join("vendor")).expect("vendor/ is readable");
    let dirs = entries.map(|entry| entry.expect("entry is readable").path());
    let dirs = dirs.filter(|path| path.is_dir());
    dirs.map(|dir| {
        let manifest = read(dir.join("Cargo.toml"));
        let package = manifest
            .split("\n[")
            .find(|table| table.starts_with("package]") || table.starts_with("[package]"));
        let package = package.unwrap_or_else(|| panic!("{}: no [package]", dir.display()));
        let field = |key| value(package, key).expect("name and version").to_owned();
        let checksum = serde_json::from_str(&read(dir.join(".cargo-checksum.json")));
        let (name, version) = (field("name"), field("version"));
        Crate { name, version, checksum: checksum.expect("JSON"), dir }
    })
    .collect()
}

#[test]
fn every_file_is_the_one_its_crate_lists() {
    let mut problems = Vec::new();
    for vendored in crates().iter().filter(|vendored| vendored.package().is_some()) {
        let mut found = tree(&vendored.dir);
        found.remove(".cargo-checksum.json");
        let listed = vendored.checksum["files"].as_object().expect("a list of files");
        let listed = listed
            .iter()
            .map(|(name, digest)| (name.clone(), digest.as_str().expect("a digest").to_owned()));
        let differ = differences(&listed.collect(), &found);
        problems.extend(differ.iter().map(|file| format!("{}: {file}", vendored.dir.display())));
    }
    report(&problems);
}

#[test]
fn every_crate_is_the_one_of_the_lock() {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).expect("Cargo.lock");
    let locked: BTreeSet<(&str, &str, Option<&str>)> = lock
        .split("[[package]]")
        .skip(1)
        .map(|table| {
            let field = |key| value(table, key).expect("name and version");
            (field("name"), field("version"), value(table, "checksum"))
        })
        .filter(|(name, ..)| *name != env!("CARGO_PKG_NAME"))
        .collect();
    let crates = crates();
    let vendored: BTreeSet<(&str, &str, Option<&str>)> = crates
        .iter()
        .map(|found| (found.name.as_str(), found.version.as_str(), found.package()))
        .collect();
    let differ: Vec<_> = locked.symmetric_difference(&vendored).collect();
    assert!(differ.is_empty(), "Cargo.lock and vendor/ differ: {differ:?}");
    assert_eq!(crates.len(), CRATES, "vendor/ changed: say why in docs/decisions and here");
}

#[test]
fn changed_crates_are_listed() {
    let patches = Path::new(ROOT).join("vendor/PATCHES.md");
    let patches = fs::read_to_string(patches).expect("PATCHES.md");
    let own = crates().into_iter().filter(|vendored| vendored.package().is_none());
    let own: Vec<String> = own.map(|vendored| format!("`{}`", vendored.name)).collect();
    assert_eq!(own, ["`tiny_http`"], "crates that are not the registry's");
    report(&own.into_iter().filter(|name| !patches.contains(name)).collect::<Vec<_>>());
}

/// How files of machine code begin, whatever their name.
const OBJECT_CODE: &[&[u8]] =
    &[b"\x7fELF", b"!<arch>\n", b"MZ", b"\0asm", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe"];

#[test]
fn it_is_small_and_has_no_object_code() {
    let mut problems = Vec::new();
    let mut bytes = 0;
    for file in files(&Path::new(ROOT).join("vendor")) {
        let text = fs::read(&file).expect("file is readable");
        bytes += text.len() as u64;
        let name = file.extension().unwrap_or_default().to_ascii_lowercase();
        let named = ["o", "obj", "a", "lib", "so", "dll", "dylib", "exe", "rlib", "wasm"];
        let object = named.iter().any(|kind| name == *kind)
            || OBJECT_CODE.iter().any(|start| text.starts_with(start));
        if object {
            problems.push(format!("{}: object code", file.display()));
        }
    }
    report(&problems);
    assert!(bytes < BYTES_MAX, "vendor/ has {bytes} bytes, at most {BYTES_MAX}");
}

/// Tells past the test runner, which shows nothing of a test that passes.
fn note(text: &str) {
    use std::io::Write;
    // Nobody reads stderr: then nobody misses it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Runs the recipe of the repository in `root`; `None`, with a note, without Python.
fn recipe(root: &Path, arguments: &[&str]) -> Option<Output> {
    let mut python = Command::new("python3");
    match python.arg("packaging/vendor.py").args(arguments).current_dir(root).output() {
        Ok(output) => Some(output),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            note("vendor recipe skipped: python3 is not installed");
            None
        }
        Err(why) => panic!("python3: {why}"),
    }
}

#[test]
fn pruning_again_changes_nothing_and_takes_away_what_was_added() {
    let vendor = Path::new(ROOT).join("vendor");
    let dir = TempDir::new();
    copy(&vendor, dir.path());
    // What the registry has and the recipe takes away, put back: a test and a bench of crates that
    // are compiled, the code of one that is not, object code.
    let added = [
        "log/tests/integration.rs",
        "serde_json/benches/all.rs",
        "windows-sys/src/Windows/mod.rs",
        "ring/pregenerated/aes.o",
    ];
    for name in added {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("has a parent")).expect("directory");
        fs::write(path, "fn main() {}\n").expect("written");
    }
    fs::write(dir.path().join("windows-sys/src/lib.rs"), "pub mod core;\n").expect("written");
    let copied = dir.path().to_str().expect("UTF-8").to_owned();
    let Some(output) = recipe(Path::new(ROOT), &["--prune", &copied]) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    report(&differences(&tree(&vendor), &tree(dir.path())));
}

#[test]
fn the_recipe_from_the_registry_makes_the_same_bytes() {
    if std::env::var_os("AIHUMMER_SLOW").is_none() {
        return;
    }
    let dir = TempDir::new();
    let (root, copied) = (Path::new(ROOT), dir.path());
    for part in [".cargo", "packaging", "src", "vendor"] {
        copy(&root.join(part), &copied.join(part));
    }
    for file in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(root.join(file), copied.join(file)).expect("copied");
    }
    let Some(output) = recipe(copied, &[]) else { return };
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && told.contains("failed to download") {
        note(&format!("vendor recipe skipped: the registry cannot be reached\n{told}"));
        return;
    }
    assert!(output.status.success(), "{told}");
    for part in [".cargo", "vendor"] {
        report(&differences(&tree(&root.join(part)), &tree(&copied.join(part))));
    }
    note("vendor/ fetched and pruned: byte for byte what is committed");
}
