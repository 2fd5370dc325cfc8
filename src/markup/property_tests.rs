//! Properties of the converter over generated documents, against an independent reader: pulldown-cmark
//! itself, once as the rendering of what was written, once as a client that reads Markdown in what we
//! sent (b24: messenger §10.6).

use pulldown_cmark::Event;
use pulldown_cmark::Options;
use pulldown_cmark::Parser;
use pulldown_cmark::Tag;

use super::Format;
use super::Mentions;
use super::defang::ZWSP;
use super::render;
use super::render_within;
use super::tests::Dice;
use super::tests::assert_sound;

const NOBODY: Mentions = Mentions { all: false, members: Vec::new() };

/// What begins blocks and lines.
const BLOCKS: &[&str] = &[
    "\n\n",
    "\n\n",
    "\n",
    "\n",
    "  \n",
    "\n> ",
    "\n>> ",
    "\n>\n> ",
    "\n- ",
    "\n* ",
    "\n+ ",
    "\n  - ",
    "\n    - ",
    "\n\n  ",
    "\n\n    ",
    "\n1. ",
    "\n7. ",
    "\n2) ",
    "\n   1. ",
    "\n- [ ] ",
    "\n- [x] ",
    "\n# ",
    "\n\n### ",
    "\n```\n",
    "\n\n```rust\n",
    "\n~~~\n",
    "\n\n    ",
    "\n---\n",
    "\n***\n",
    "\n===\n",
    "\n\n\t",
];

/// Text and marks in it.
const INLINE: &[&str] = &[
    "word",
    "слово",
    "two words",
    "«Акт»",
    "😀",
    "👩\u{200d}💻",
    "e\u{301}",
    " ",
    " ",
    " ",
    ", ",
    ". ",
    "!",
    "?",
    "(",
    ")",
    "\"",
    ":",
    "5",
    "42. ",
    "**",
    "**",
    "*",
    "*",
    "***",
    "_",
    "__",
    "~",
    "~~",
    "`",
    "``",
    "`x*y`",
    "`[b]`",
    "\\",
    "\\*",
    "\\_",
    "\\`",
    "\\#",
    "\\|",
    "\\~",
    "\\[",
    "\\]",
    "\\<",
    "\\&",
    "\\-",
    "\\+",
    "\\>",
    "\\.",
    "\\=",
    "2 * 3",
    "a_b_c",
    "&lt;",
    "&amp;lt;",
    "&copy;",
    "&amp;copy;",
    "&#91;b]",
    "&#42;",
    "&#x41;",
    "[t](https://a.example/x_(y))",
    "[**b**, c](https://a.example/?a=1&b=2)",
    "https://a.example/x",
    "www.a.example",
    "<https://a.example/y>",
    "[t](/rel)",
    "[",
    "]",
    "](",
    "[a]: x",
    "![",
    "[USER=1]",
    "[b]",
    "[/b]",
    "[code]",
    "[*]",
    "(C)",
    "#BR#",
    "#",
    "##",
    "=",
    "-",
    "+",
    ">",
    "|",
    "a|b",
    "<b>",
    "</b>",
    "<br>",
    "<i>",
    "<x>",
    "</x ",
    "<!-- ",
    "-->",
    "1. ",
    "1.",
    "2) ",
    "8)",
    ":)",
    ":/",
    ":f09f9880:",
    "/me ",
    "0",
    "\u{200b}",
    "\u{a0}",
    "$",
    "$x$",
    "$$",
    "------------------------------------------------------------",
];

fn document(dice: &mut Dice, most: u64) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(most) {
        let kind = if dice.below(4) == 0 { BLOCKS } else { INLINE };
        text.push_str(kind[dice.below(kind.len() as u64) as usize]);
    }
    text
}

fn dice(seed: u64) -> Dice {
    Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed))
}

fn events(text: &str) -> Parser<'_> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    Parser::new_ext(text, options)
}

/// Signs of a text that no mark and no decoration is made of.
fn is_content(c: char) -> bool {
    !c.is_whitespace() && c != ZWSP && (c.is_alphabetic() || "&;\\<[]()!?,\"«»😀".contains(c))
}

/// What a reader of rendered Markdown sees of a document, as far as it is content. `None` when HTML
/// or a formula is in it, which are read in another way.
fn seen(text: &str) -> Option<String> {
    let mut seen = String::new();
    for event in events(text) {
        match event {
            Event::Text(text) => seen.push_str(&text),
            // The one sign that cannot be shown in it (b24: messenger §16).
            Event::Code(text) => seen.push_str(&text),
            Event::Html(_) | Event::InlineHtml(_) => return None,
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. })
                if !dest_url.starts_with("http") =>
            {
                return None;
            }
            _ => {}
        }
    }
    Some(seen.chars().filter(|c| is_content(*c)).collect())
}

/// A part as its reader sees it: without tags of ours; entities are decoded, but not in code (b24: messenger §10.2).
fn decoded(part: &str) -> String {
    let mut out = String::new();
    for (number, piece) in part.split("[code]").enumerate() {
        let (code, text) = match piece.split_once("[/code]") {
            Some((code, text)) if number > 0 => (code, text),
            _ => ("", piece),
        };
        out.push_str(code);
        out.push_str(&untagged(text).replace("&amp;", "&"));
    }
    out
}

/// A part without tags of ours.
fn untagged(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        let tag = &rest[at..];
        let end = tag.find(']').map_or(tag.len(), |end| end + 1);
        let name = tag[1..end].trim_start_matches('/').trim_end_matches(']');
        let name = name.split('=').next().unwrap_or_default();
        let ours = ["b", "i", "u", "s", "url", "USER", "code"].contains(&name);
        if !ours {
            out.push('[');
        }
        rest = if ours { &tag[end..] } else { &tag[1..] };
    }
    out.push_str(rest);
    out
}

fn check(label: &str, text: &str, parts: &[String], sound: bool, why: &str) {
    assert!(sound, "{label}, {why}: {text:?} -> {parts:?}");
}

#[test]
fn nothing_that_is_seen_is_lost_or_added() {
    let mut compared = 0;
    for seed in 1..8000 {
        let text = document(&mut dice(seed), 24);
        if text.contains("$$") {
            continue;
        }
        let Some(seen) = seen(&text) else { continue };
        let parts = render(&text, Format::Markdown, &NOBODY);
        let shown = decoded(&parts.join("\n")).replace("%28", "(").replace("%2D", "-");
        let shown = shown.replace("%3A", ":");
        let shown: String = shown.chars().filter(|c| is_content(*c)).collect();
        let same = shown == seen;
        check(&format!("seed {seed}"), &text, &parts, same, &format!("{seen:?} is {shown:?}"));
        compared += 1;
    }
    assert!(compared > 4000, "{compared} compared");
}

#[test]
fn small_parts_say_what_one_part_says() {
    let bare = |parts: &[String]| -> String {
        let text = untagged(&parts.join("\n")).replace("%2D", "-").replace("%3A", ":");
        let text = text.replace("%28", "(");
        text.chars().filter(|c| !c.is_whitespace() && !"\u{200b}>│`".contains(*c)).collect()
    };
    for seed in 1..4000 {
        let mut dice = dice(seed);
        let text = document(&mut dice, 120);
        let most = 240 + dice.below(300) as usize;
        for format in [Format::Markdown, Format::Plain] {
            let whole = render(&text, format, &NOBODY);
            let parts = render_within(&text, format, &NOBODY, most);
            let label = format!("seed {seed}, {most}, {format:?}");
            for part in &parts {
                let sound = std::panic::catch_unwind(|| assert_sound(part)).is_ok();
                check(&label, &text, &parts, sound, "unsound");
                let fits = part.chars().count() <= most;
                check(&label, &text, &parts, fits, "too long");
            }
            let why = format!("{:?} is {:?}", bare(&whole), bare(&parts));
            check(&label, &text, &parts, bare(&whole) == bare(&parts), &why);
        }
    }
}

/// Stars, single tildes and back-ticks aside, which no invisible sign keeps from meaning something
/// to a strict parser: there a client's own rules decide.
#[test]
fn a_client_that_reads_markdown_finds_nothing_new() {
    for seed in 1..8000 {
        let text = document(&mut dice(seed), 16).replace(['`', '*'], "'").replace('~', "");
        for format in [Format::Markdown, Format::Plain] {
            let parts = render(&text, format, &NOBODY);
            for part in &parts {
                let label = format!("seed {seed}, {format:?}");
                let found = found_again(part);
                check(&label, &text, &parts, found.is_none(), &format!("{found:?}"));
            }
        }
    }
}

/// A text without what stands between these.
fn without(text: &str, open: &str, close: &str) -> String {
    let pieces =
        text.split(open).enumerate().map(|(number, piece)| match piece.split_once(close) {
            Some((_, behind)) if number > 0 => behind,
            _ => piece,
        });
    pieces.collect::<Vec<_>>().join("§§")
}

/// What a part has in it for such a client that is not ours.
fn found_again(part: &str) -> Option<String> {
    // Code and addresses are taken out before.
    let text = without(part, "[code]", "[/code]");
    let text = without(&without(&text, "[url]", "[/url]"), "[url=", "]").replace("&amp;", "&");
    let mut seen = String::new();
    for event in events(&text) {
        match event {
            Event::Text(text) => seen.push_str(&text),
            Event::SoftBreak => {}
            Event::End(_) => {}
            // Quotes and numbered lists are meant to be such there too.
            Event::Start(Tag::Paragraph | Tag::BlockQuote(_) | Tag::List(Some(_)) | Tag::Item) => {}
            Event::Start(Tag::Emphasis | Tag::Strong) => {}
            other => return Some(format!("{other:?}")),
        }
    }
    // Numbers and quote marks belong to what is found, and marks of emphasis may.
    let content =
        |text: &str| -> String { text.chars().filter(|c| is_content(*c) && *c != ')').collect() };
    let (seen, text) = (content(&seen), content(&text));
    (seen != text).then(|| format!("{seen:?} of {text:?}"))
}
