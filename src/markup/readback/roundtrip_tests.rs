//! What an agent writes and somebody quotes or forwards comes back as it was meant: Markdown,
//! rendered, stored and read by the model portal's own parsers and read back, renders to the same
//! again. Hand-written cases, the golden corpus, and generated documents.

use std::fs;
use std::path::Path;

use super::read_back;
use crate::markup::Format;
use crate::markup::Member;
use crate::markup::Mentions;
use crate::markup::render;
use crate::markup::tests::Dice;
use crate::sim::messenger::read::read;
use crate::sim::messenger::save::save;

fn office() -> Mentions {
    let member = |(id, name): (i64, &str)| Member { id, name: name.to_owned() };
    let members = [(12, "Ann Lee"), (13, "Пётр Иванов"), (14, "O'Neil & Co [QA]")];
    Mentions { all: true, members: members.map(member).into() }
}

fn rendered(markdown: &str) -> String {
    render(markdown, Format::Markdown, &office()).join("\n\n")
}

/// What comes back of a text.
fn back(markdown: &str) -> String {
    let parts = render(markdown, Format::Markdown, &office());
    let parts = parts.iter().map(|part| {
        let saved = save(part, &|_| true);
        read_back(&read(&saved.text, &|_| None, "everyone"))
    });
    parts.collect::<Vec<_>>().join("\n\n")
}

/// What differs after a round trip.
fn difference(markdown: &str) -> Option<String> {
    let (sent, back) = (rendered(markdown), back(markdown));
    let again = rendered(&back);
    (sent != again)
        .then(|| format!("{markdown:?}\n  sent  {sent:?}\n  back  {back:?}\n  again {again:?}"))
}

#[test]
fn explore() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/markup");
    for entry in fs::read_dir(&dir).expect("corpus") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        if let Some(difference) = difference(&fs::read_to_string(&path).expect("UTF-8")) {
            println!("{}: {difference}", path.display());
        }
    }
}
