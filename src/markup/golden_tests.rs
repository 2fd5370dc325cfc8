//! The golden corpus: every `tests/data/markup/NAME.md` with what is sent for it in `NAME.bb`, parts
//! separated by a line of `---8<---`. Beside being what it was, each part is sound, found again
//! among what the portal returns, previewed as balanced HTML, and reads alike in both clients.
//! Whether it comes back from the portal, `readback::roundtrip_tests` checks.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::Client;
use super::Format;
use super::Mentions;
use super::preview;
use super::preview::tests::assert_balanced;
use super::preview::tests::visible;
use super::render;
use super::tests::assert_sound;

/// Between two parts.
const CUT: &str = "\n---8<---\n";

/// The documents, and where what is expected of each stands.
pub(super) fn corpus() -> Vec<(PathBuf, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/markup");
    let paths = fs::read_dir(&dir).expect("corpus").map(|entry| entry.expect("entry").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("UTF-8");
        (path.with_extension("bb"), text)
    };
    paths.into_iter().map(read).collect()
}

fn parts(text: &str) -> Vec<String> {
    render(text, Format::Markdown, &Mentions::default())
}

/// `UPDATE_EXPECT=1` writes what is expected instead of comparing with it: CONTRIBUTING.md.
#[test]
#[allow(clippy::disallowed_methods)] // a switch of the test, not a setting
fn the_golden_corpus_renders_as_it_did() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let corpus = corpus();
    let mut differing = Vec::new();
    for (golden, text) in &corpus {
        let rendered = format!("{}\n", parts(text).join(CUT));
        if update {
            fs::write(golden, &rendered).expect("writes");
        } else if fs::read_to_string(golden).unwrap_or_default() != rendered {
            differing.push(format!("{}:\n{rendered}", golden.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    let answers = corpus.iter().filter(|(golden, _)| {
        let name = golden.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("answer_")
    });
    let (all, answers) = (corpus.len(), answers.count());
    assert!(all >= 150 && answers >= 30, "{all} cases, {answers} of them long answers");
}

#[test]
fn every_part_of_the_corpus_is_sound_and_found_again() {
    for (golden, text) in corpus() {
        for part in parts(&text) {
            assert_sound(&part);
            #[cfg(feature = "sim")]
            {
                let read = super::tests::as_readers_get_it(&part);
                assert!(super::same_text(&part, &read), "{}: {read:?}", golden.display());
            }
            for client in [Client::Classic, Client::Newest] {
                assert_balanced(&preview(std::slice::from_ref(&part), client));
            }
        }
        let expected = fs::read_to_string(&golden).expect("an expectation");
        assert!(expected.ends_with('\n'), "{}", golden.display());
    }
}

/// A text without what the newest client shows in another way: back-ticks, the numbers of a list, the
/// marks of a quote.
fn compared(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.trim_start_matches('>').trim_start();
        let number = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        // An item without a text has no blank behind its number.
        let rest = line[number..].strip_prefix('.').filter(|_| number > 0);
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let line = rest.unwrap_or(line);
        let words = line.replace('`', "");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// Documents that the newest client shows in another way: U+200B behind a back-tick of ours makes that
/// inert there, and entities in code it decodes once more.
const READ_OTHERWISE: &[&str] = &["inline_code"];

#[test]
fn the_corpus_reads_alike_in_both_clients() {
    let mut differing = Vec::new();
    let mut told = Vec::new();
    for (golden, text) in corpus() {
        for part in parts(&text) {
            let [classic, newest] =
                [Client::Classic, Client::Newest].map(|client| compared(&visible(&part, client)));
            if classic != newest {
                let name = golden.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
                differing.push(name.to_owned());
                told.push(format!("{name}:\n{classic}\n--- newest:\n{newest}"));
            }
        }
    }
    assert_eq!(differing, READ_OTHERWISE, "{}", told.join("\n\n"));
}
