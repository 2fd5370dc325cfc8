//! The house rules that a compiler does not check, as a test over the sources: layers, file and
//! function sizes, headers, confined crates and texts.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// Functions that are tables: one row after the other, nothing to follow.
const TABLES: &[&str] = &["fn refusal", "fn typed"];

/// Rank of each top-level module; imports go strictly downward (ARCHITECTURE.md, code map).
const RANKS: &[(&str, u32)] = &[
    ("base", 0),
    ("limits", 0),
    ("domain", 1),
    ("markup", 1),
    ("bitrix", 2),
    ("gateway", 2),
    ("http", 2),
    ("store", 2),
    ("vault", 2),
    ("agents", 3),
    ("directory", 3),
    ("inbound", 4),
    ("outbound", 4),
    ("upkeep", 4),
    ("api", 5),
    ("settings", 6),
    ("app", 6),
    ("cli", 7),
];

/// Imports inside one rank that are allowed, each with its reason.
const SAME_RANK: &[(&str, &str)] = &[
    // The bound of a constant, not a dependency on behaviour.
    ("base", "limits"),
    // It asks the portal as the agents; they never ask it.
    ("directory", "agents"),
    // The composition root turns settings into each component's options.
    ("app", "settings"),
];

struct Source {
    /// Path below the repository, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The top-level module the file belongs to.
    fn module(&self) -> &str {
        let inner = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inner.split('/').next().unwrap_or(inner).trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }

    /// The lines before the inline test module, numbered from 1.
    fn production(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines = self.text[..end].lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|_| !self.is_test())
    }
}

fn sources(below: &str) -> Vec<Source> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("directory is readable") {
            let path = entry.expect("entry is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&Path::new(ROOT).join(below), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("source is UTF-8");
        let path = path.strip_prefix(ROOT).expect("below the root").to_string_lossy().into_owned();
        Source { path, text }
    };
    paths.into_iter().map(read).collect()
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn rank(module: &str) -> Option<u32> {
    RANKS.iter().find(|(name, _)| *name == module).map(|(_, rank)| *rank)
}

#[test]
fn imports_go_strictly_downward() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let module = source.module();
        if matches!(module, "lib" | "main") {
            continue;
        }
        for (number, line) in source.text.lines().enumerate().map(|(i, l)| (i + 1, l)) {
            let mut at = |problem: String| {
                problems.push(format!("{}:{number}: {problem}", source.path));
            };
            if line.contains("use crate::{") {
                at("write one path per `use`".into());
            }
            for used in line.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let used = &used[..end.unwrap_or(used.len())];
                if used == module || line.trim_start().starts_with("//") {
                    continue;
                }
                if module == "sim" {
                    if used != "base" {
                        at(format!("sim imports nothing of ours but base, not {used}"));
                    }
                    continue;
                }
                // The demo and the benches drive the model; nothing else may know it.
                if used == "sim" {
                    let in_test = source.is_test() || line_is_in_tests(&source.text, number);
                    if module != "cli" && !in_test {
                        at("only cli and tests may use sim".into());
                    }
                    continue;
                }
                let (Some(from), Some(to)) = (rank(module), rank(used)) else {
                    at(format!("{module} or {used} has no rank"));
                    continue;
                };
                if to >= from && !SAME_RANK.contains(&(module, used)) {
                    at(format!("{module} (rank {from}) must not import {used} (rank {to})"));
                }
            }
        }
    }
    report(&problems);
}

fn line_is_in_tests(text: &str, number: usize) -> bool {
    let before: usize = text.lines().take(number).map(|line| line.len() + 1).sum();
    text.find("#[cfg(all(test").or(text.find("#[cfg(test)]")).is_some_and(|start| start < before)
}

#[test]
fn crates_and_texts_stay_in_their_rooms() {
    // (text, where it may stand)
    let confined: &[(&str, &[&str])] = &[
        (
            "ureq::",
            &[
                "src/base/names.rs",
                "src/bitrix/transport.rs",
                "src/gateway/",
                "src/outbound/media.rs",
            ],
        ),
        ("tiny_http", &["src/http/"]),
        ("rusqlite", &["src/store/"]),
        ("pulldown_cmark", &["src/markup/"]),
        ("libc::", &["src/base/sys.rs"]),
        ("unsafe {", &["src/base/sys.rs"]),
        ("SELECT ", &["src/store/"]),
        ("INSERT ", &["src/store/"]),
        ("\"im.", &["src/bitrix/methods.rs", "src/bitrix/methods/", "src/sim/"]),
        ("\"user.", &["src/bitrix/methods.rs", "src/bitrix/methods/", "src/sim/"]),
        ("\"department.", &["src/bitrix/methods.rs", "src/bitrix/methods/", "src/sim/"]),
        ("println!", &["src/cli/"]),
    ];
    let mut problems = Vec::new();
    for source in sources("src") {
        for (number, line) in source.production() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for (text, rooms) in confined {
                if line.contains(text) && !rooms.iter().any(|room| source.path.starts_with(room)) {
                    let path = &source.path;
                    problems.push(format!("{path}:{number}: {text:?} belongs in {rooms:?}"));
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn files_are_short_and_open_with_a_header() {
    let mut problems = Vec::new();
    for source in sources("src").iter().chain(&sources("tests")) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{}: {lines} lines, at most {FILE_LINES_MAX}", source.path));
        }
        let header = source.text.lines().take_while(|line| line.starts_with("//!")).count();
        let least = if source.is_test() || source.path == "src/main.rs" { 1 } else { 2 };
        if !(least..=60).contains(&header) {
            problems.push(format!("{}: a header of {header} lines", source.path));
        }
        for word in ["TODO", "FIXME", "XXX"] {
            if source.text.contains(word) && source.path != "tests/it/tidy.rs" {
                problems.push(format!("{}: {word} is not an answer", source.path));
            }
        }
    }
    report(&problems);
}

#[test]
fn functions_fit_a_screen() {
    let mut problems = Vec::new();
    for source in sources("src") {
        let mut open: Option<(usize, usize, String)> = None;
        for (number, line) in source.text.lines().enumerate().map(|(i, l)| (i + 1, l)) {
            let indent = line.len() - line.trim_start().len();
            let signature = line.trim_start().trim_start_matches("pub(crate) ");
            let signature = signature.trim_start_matches("pub(super) ").trim_start_matches("pub ");
            let starts = signature.starts_with("fn ") || signature.starts_with("const fn ");
            if starts && open.is_none() {
                open = Some((number, indent, signature.to_owned()));
            }
            let Some((start, depth, name)) = &open else { continue };
            if indent == *depth && (line.trim() == "}" || line.trim_end().ends_with("; }")) {
                let lines = number - start + 1;
                let name = name.split('(').next().unwrap_or(name);
                let long = lines > FUNCTION_LINES_MAX && !TABLES.contains(&name);
                if long && !source.is_test() {
                    problems.push(format!("{}:{start}: {name}: {lines} lines", source.path));
                }
                open = None;
            } else if number == *start && line.trim_end().ends_with(['}', ';']) {
                open = None;
            }
        }
    }
    report(&problems);
}

#[test]
fn every_module_is_in_the_architecture_and_nothing_else() {
    let map = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let mut problems = Vec::new();
    for source in sources("src") {
        if source.is_test() || matches!(source.module(), "lib" | "main") {
            continue;
        }
        let inner = source.path.trim_start_matches("src/").trim_end_matches("/mod.rs");
        let inner = inner.trim_end_matches(".rs");
        let deep = inner.split('/').count() > 2;
        if !deep && !map.contains(&format!("`{inner}`")) {
            problems.push(format!("ARCHITECTURE.md does not name `{inner}`"));
        }
    }
    for named in map.split('`').skip(1).step_by(2) {
        let module = named.split('/').next().unwrap_or(named);
        let path_like = named.chars().all(|c| c.is_ascii_lowercase() || c == '/' || c == '_');
        if named.contains('/') && path_like && rank(module).is_some() {
            let file = Path::new(ROOT).join("src").join(format!("{named}.rs"));
            let dir = Path::new(ROOT).join("src").join(named.trim_end_matches('/'));
            if !file.exists() && !dir.exists() {
                problems.push(format!("ARCHITECTURE.md names `{named}`, which does not exist"));
            }
        }
    }
    report(&problems);
}
