//! Keeps the list of quirks honest: none is missing, and every test it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sim::quirks::LEFT_OUT;
use crate::sim::quirks::MESSENGER;
use crate::sim::quirks::Quirk;
use crate::sim::quirks::Standing;
use crate::sim::quirks::TRANSPORT;

/// Names of all functions below `dir` that are marked as tests.
fn tests_below(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        for marked in text.split("#[test]\n").skip(1) {
            let name = marked.trim_start().strip_prefix("fn ").and_then(|f| f.split('(').next());
            found.extend(name.map(str::to_owned));
        }
    }
}

fn ids(quirks: &[Quirk]) -> Vec<&str> {
    quirks.iter().map(|quirk| quirk.id).collect()
}

#[test]
fn every_quirk_of_the_reference_is_listed_once() {
    let transport: Vec<String> = (1..=30).map(|n| format!("T{n}")).collect();
    assert_eq!(ids(TRANSPORT), transport);
    let mut messenger: Vec<String> = (1..=26).map(|n| format!("Q{n}")).collect();
    messenger.insert(2, "Q2a".to_owned());
    assert_eq!(ids(MESSENGER), messenger);
    for quirk in TRANSPORT.iter().chain(MESSENGER) {
        let document = if quirk.id.starts_with('T') { "transport §" } else { "messenger §" };
        assert!(quirk.source.starts_with(document), "{quirk:?}");
    }
    assert!(LEFT_OUT.iter().all(|one| one.contains(": ")), "each says where and what");
}

#[test]
fn every_modelled_quirk_has_a_test_and_every_other_a_reason() {
    let mut known = BTreeSet::new();
    tests_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sim"), &mut known);
    assert!(known.contains("every_modelled_quirk_has_a_test_and_every_other_a_reason"));
    for quirk in TRANSPORT.iter().chain(MESSENGER) {
        for test in quirk.tests {
            assert!(known.contains(*test), "{}: there is no test {test}", quirk.id);
        }
        let (tested, reason) = match quirk.standing {
            Standing::Modelled => (true, "all of it"),
            Standing::Partly(lacks) => (true, lacks),
            Standing::Missing(why) => (false, why),
        };
        assert_eq!(!quirk.tests.is_empty(), tested, "{quirk:?}");
        assert!(reason.len() > 8, "{quirk:?}");
    }
}
