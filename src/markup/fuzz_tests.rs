//! Fuzzing of the converter, in both directions: texts of the golden corpus, and BB-code as people
//! and clients write it, cut up, glued together and sprinkled with what means something, must keep
//! every promise of the module. `cargo test` looks at a fixed number of cases of a fixed seed;
//! `./dev slow` at as many as a minute for each direction allows, of a seed that it prints with the
//! figures. `AIHUMMER_SEED` makes a run choose the same again; a failure prints the whole text, so
//! that it can become a case of another test.

#![allow(clippy::print_stdout)] // figures of a run, which nobody asserts

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use super::Client;
use super::Format;
use super::Member;
use super::Mentions;
use super::golden_tests::corpus;
use super::mentioned;
use super::mentions_all;
use super::preview;
use super::preview::tests::GROWTH_MAX;
use super::preview::tests::assert_balanced;
use super::read_back;
use super::render;
use super::tests::Dice;
use super::tests::assert_sound;
use crate::limits;

/// Cases of a short run.
const SHORT_CASES: u64 = 1_500;
/// How long a long run takes in each direction.
const LONG: Duration = Duration::from_secs(60);
/// The seed of a short run.
const SHORT_SEED: u64 = 20_261_125;
/// Longest text, in characters: where texts are cut has tests of its own.
const TEXT_CHARS_MAX: usize = 3_000;
/// How much longer than its text what is read back may be (`readback::tests` has what costs most).
const BACK_GROWTH_MAX: usize = 40;
/// Room for what a page has beside its messages, and for the marks around a short text.
const FRAME_BYTES_MAX: usize = 4_096;

/// What means something in Markdown, in BB-code, to the server or to a client.
const WORDS: &[&str] = &[
    "**",
    "*",
    "_",
    "__",
    "~~",
    "`",
    "```",
    "```\n",
    "~~~\n",
    "\n",
    "\n\n",
    "> ",
    ">>",
    ">>>> ",
    "- ",
    "1. ",
    "7) ",
    "# ",
    "### ",
    "\n---\n",
    "\n===\n",
    "|",
    "|a|b|\n|-|-|\n",
    "[",
    "]",
    "](",
    "(",
    ")",
    "![",
    "[^1]",
    "[^1]: ",
    "- [ ] ",
    "- [x] ",
    "    ",
    "\t",
    "  \n",
    "\\",
    "\\\n",
    "<b>",
    "</b>",
    "<br>",
    "<!--",
    "-->",
    "<u>",
    "<",
    ">",
    "&",
    "&amp;",
    "&lt;",
    "&#91;",
    "&#93;",
    "&nbsp;",
    "&#0;",
    "https://a.example/x_(y)",
    "http://",
    "www.a.example",
    "mailto:a@b.example",
    "<a@b.example>",
    "bitrix24:user/12",
    "(bitrix24:all)",
    "@all",
    "@Ann Lee",
    "@",
    "[b]",
    "[/b]",
    "[i]",
    "[/i]",
    "[s]",
    "[/s]",
    "[u]",
    "[/u]",
    "[url]",
    "[url=",
    "[url=https://a.example]",
    "[/url]",
    "[code]",
    "[/code]",
    "[CODE]",
    "[user=12]",
    "[USER=12 REPLACE]",
    "[USER=all]",
    "[/user]",
    "[quote]",
    "[/quote]",
    "[list]",
    "[*]",
    "[/list]",
    "[h1]",
    "[table]",
    "[tr]",
    "[td]",
    "[size=20]",
    "[color=#ff0000]",
    "[/size]",
    "[/color]",
    "[disk=5]",
    "[send=/x]",
    "[/send]",
    "[put]",
    "[call=1]",
    "[br]",
    "#BR#",
    "[img size=medium]https://a.example/i.png [/img]",
    "[icon=x]",
    "[pch=1]",
    "[/pch]",
    "[rating=5]",
    "####REPLACEMENT_PUT_1",
    ":f09f9880:",
    ":)",
    "8)",
    ":/",
    "(C)",
    "/me ",
    "/loud ",
    "0",
    "• ",
    "◦ ",
    "☐ ",
    "☑ ",
    "│ ",
    "—————",
    "\u{200b}",
    "\u{a0}",
    "\u{2003}",
    "\u{2028}",
    "\u{feff}",
    "\u{fdd0}",
    "\u{0}",
    "\u{1b}",
    "\r",
    "\r\n",
    "😀",
    "👩\u{200d}💻",
    "ы",
    "é",
    "中",
    "\u{202e}",
    "\u{10ffff}",
    "------------------------------------------------------",
    "$$",
    "\\[",
    "\\(",
    "a",
    " ",
    "1",
];

/// BB-code as clients make it, beside what the corpus expects.
const BBCODE: &[&str] = &[
    "[USER=12 REPLACE]Ann Lee[/USER], [b]see[/b] [URL=https://a.example]this[/URL]\n>>quoted\nok",
    "------------------------------------------------------\nAnn Lee [today 10:30] #chat904/70412\n\
     text [b]bold[/b]\n------------------------------------------------------\nanswer",
    "[code]\nlet x = 1;\n  y();\n[/code]\nafter [URL]https://a.example/x[/URL], ok",
    "[size=20][color=#ff0000]big[/color][/size] [u]under[/u] [s]gone[/s] [i]it[/i]",
    "[list][*]a[*]b[list=1][*]c[/list][/list] [h1]t[/h1] [table][tr][td]x[/td][/tr][/table]",
    "[send=/x]go[/send] [put=y]t[/put] [call=112]c[/call] [disk=5] [rating=4] [pch=1]x[/pch]",
    "[img size=medium]https://a.example/i.png [/img] [icon=https://a.example/i.png size=20]",
    ">>a\n>>[b]b[/b]\n>>\n>>│ c\n\n• x\n\u{2003}◦ y\n1. z\n☐ t\n☑ d",
    "[b]a[i]b[/b]c[/i] [url=javascript:x]t[/url] [url=/p]u[/url] [context=chat904/1]j[/context]",
];

fn dialog() -> Mentions {
    let member = |(id, name): (i64, &str)| Member { id, name: name.to_owned() };
    let members = [(12, "Ann Lee"), (13, "Пётр [b]"), (14, "Bob Ray"), (15, "Bob Ray")];
    Mentions { all: true, members: members.map(member).into() }
}

/// A text with something done to it.
fn mutated(text: &str, seeds: &[String], dice: &mut Dice) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(6) {
        let from = index(dice, chars.len() + 1);
        let to = (from + index(dice, 12)).min(chars.len());
        let word = |dice: &mut Dice| WORDS[index(dice, WORDS.len())].chars();
        match dice.below(9) {
            0 => drop(chars.drain(from..to)),
            1 => {
                let again: Vec<char> = chars[from..to].to_vec();
                chars.splice(from..from, again);
            }
            2 => {
                let place = index(dice, chars.len() + 1);
                let moved: Vec<char> = chars[from..to].to_vec();
                chars.splice(place..place, moved);
            }
            3 => drop(chars.splice(from..to, word(dice)).count()),
            4 => {
                let word: Vec<char> = word(dice).collect();
                let many = 1 + index(dice, 70);
                chars.splice(from..from, word.iter().cycle().take(word.len() * many).copied());
            }
            5 => {
                // The beginning of one and the end of another.
                let other: Vec<char> = seeds[index(dice, seeds.len())].chars().collect();
                let start = index(dice, other.len() + 1);
                chars.truncate(from);
                chars.extend(&other[start..]);
            }
            6 => {
                let mut bytes = chars.iter().collect::<String>().into_bytes();
                if !bytes.is_empty() {
                    let at = index(dice, bytes.len());
                    bytes[at] ^= 1 << dice.below(8);
                }
                chars = String::from_utf8_lossy(&bytes).chars().collect();
            }
            _ => drop(chars.splice(from..from, word(dice)).count()),
        }
        chars.truncate(TEXT_CHARS_MAX);
    }
    chars.into_iter().collect()
}

fn index(dice: &mut Dice, below: usize) -> usize {
    dice.below(below.max(1) as u64) as usize
}

/// Runs a check over mutations of these seeds and prints what was done.
#[allow(clippy::disallowed_methods)] // switches of the test, not settings
fn run(direction: &str, seeds: &[String], check: impl Fn(&str)) {
    let slow = std::env::var_os("AIHUMMER_SLOW").is_some();
    let again = std::env::var("AIHUMMER_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed: u64 = again.unwrap_or(if slow { now.as_secs() } else { SHORT_SEED });
    // The first numbers of this generator are as small as its seed.
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let start = Instant::now();
    let (mut cases, mut bytes) = (0, 0);
    while if slow { start.elapsed() < LONG } else { cases < SHORT_CASES } {
        let text = mutated(&seeds[index(&mut dice, seeds.len())], seeds, &mut dice);
        let sound = catch_unwind(AssertUnwindSafe(|| check(&text)));
        assert!(sound.is_ok(), "{direction}, seed {seed}, case {cases}: {text:?}");
        cases += 1;
        bytes += text.len();
    }
    let seconds = start.elapsed().as_secs_f32();
    println!("fuzz {direction}: {cases} cases, {bytes} bytes, seed {seed}, {seconds:.1} s");
}

/// A preview of anything, in both clients.
fn check_preview(text: &str) {
    for client in [Client::Classic, Client::Newest] {
        let page = preview(&[text.to_owned()], client);
        assert_balanced(&page);
        assert!(page.len() <= FRAME_BYTES_MAX + text.len() * GROWTH_MAX, "{} bytes", page.len());
    }
}

/// What comes back of a text that is not ours to trust.
fn check_back(bbcode: &str) -> String {
    let back = read_back(bbcode);
    let most = FRAME_BYTES_MAX + bbcode.len() * BACK_GROWTH_MAX;
    assert!(back.len() <= most, "{} bytes came back", back.len());
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!back.contains(control), "control characters in {back:?}");
    assert_eq!(back, read_back(bbcode), "it depends on something else");
    let _ = (mentioned(bbcode, 12), mentions_all(bbcode));
    back
}

/// What a part is for a reader, checked, and what it is for an agent.
fn check_part(part: &str) {
    assert_sound(part);
    check_preview(part);
    let shown = part.to_owned();
    #[cfg(feature = "sim")]
    let shown = {
        let read = super::tests::as_readers_get_it(&shown);
        assert!(super::same_text(part, &read), "not found again: {read:?}");
        read
    };
    check_back(&shown);
}

#[test]
fn what_agents_write_keeps_every_promise() {
    let seeds: Vec<String> = corpus().into_iter().map(|(_, text)| text).collect();
    let mentions = dialog();
    run("out", &seeds, |text| {
        for format in [Format::Markdown, Format::Plain] {
            let parts = render(text, format, &mentions);
            assert_eq!(parts, render(text, format, &mentions), "it depends on something else");
            parts.iter().for_each(|part| check_part(part));
        }
        for part in render(text, Format::Bbcode, &mentions) {
            assert!(part.chars().count() <= limits::MARKUP_PART_CHARS_MAX);
        }
    });
}

#[test]
fn what_people_write_keeps_every_promise() {
    let golden = corpus().into_iter().map(|(golden, _)| golden);
    let golden = golden.map(|path| std::fs::read_to_string(path).expect("UTF-8"));
    let seeds: Vec<String> = golden.chain(BBCODE.iter().map(|text| (*text).to_owned())).collect();
    let mentions = dialog();
    run("in", &seeds, |text| {
        check_preview(text);
        let back = check_back(text);
        // An agent may say again what it was told: nothing in that acts.
        for part in render(&back, Format::Markdown, &mentions) {
            check_part(&part);
        }
    });
}
