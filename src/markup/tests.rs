//! Tests of the converter: properties over generated input. `golden_tests` has the golden corpus.

use super::Format;
use super::Mentions;
#[cfg(feature = "sim")]
use super::hostile_tests::through_the_portal::assert_differs;
use super::mentioned;
use super::read_back;
use super::render;
#[cfg(feature = "sim")]
use super::same_text;
use crate::limits;

const NOBODY: Mentions = Mentions { all: false, members: Vec::new() };

fn markdown(text: &str) -> Vec<String> {
    render(text, Format::Markdown, &NOBODY)
}

/// A tag in BB-code: name in lower case, whether it closes.
fn tags(text: &str) -> Vec<(String, bool)> {
    let known = [
        "b", "i", "u", "s", "url", "user", "code", "disk", "send", "put", "call", "img", "chat",
        "br",
    ];
    let mut tags = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        rest = &rest[start + 1..];
        let closes = rest.starts_with('/');
        let name = rest.strip_prefix('/').unwrap_or(rest);
        let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
        let word = name[..end].to_ascii_lowercase();
        let next = name[end..].chars().next();
        if known.contains(&word.as_str()) && matches!(next, Some(']' | '=' | ' ')) {
            tags.push((word.clone(), closes));
            // Nothing is a tag inside code but its end.
            if word == "code" && !closes {
                let close = rest.find("[/code]").map_or(rest.len(), |at| at);
                rest = &rest[close..];
            }
        }
    }
    tags
}

pub(super) fn assert_sound(part: &str) {
    assert!(
        part.chars().count() <= limits::MARKUP_PART_CHARS_MAX,
        "{} chars",
        part.chars().count()
    );
    let mut open: Vec<String> = Vec::new();
    for (name, closes) in tags(part) {
        assert!(
            ["b", "i", "u", "s", "url", "user", "code"].contains(&name.as_str()),
            "[{name}] is active in {part:?}"
        );
        if closes {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "crossing tags in {part:?}");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "unclosed {open:?} in {part:?}");
    for active in ["#BR#", "[br]", "[BR]", "####REPL"] {
        assert!(!part.contains(active), "{active} in {part:?}");
    }
    assert!(!part.starts_with('/') && part != "0" && !part.contains('\r'), "{part:?}");
    let longest = part.split(|c| c != '-').map(str::len).max().unwrap_or(0);
    assert!(longest < 54 || part.contains("[code]"), "a frame of dashes in {part:?}");
}

/// A small generator, so that failures repeat.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

const SCRAPS: &[&str] = &[
    "word ",
    "**",
    "*",
    "_",
    "~~",
    "`",
    "```\n",
    "\n",
    "\n\n",
    "> ",
    "- ",
    "1. ",
    "# ",
    "| a | b |\n",
    "|---|---|\n",
    "[USER=1]",
    "[/USER]",
    "[b]",
    "[/b]",
    "[code]",
    "[/code]",
    "[url=",
    "]",
    "[",
    "(https://a.example)",
    "https://a.example/x_(y)",
    "www.a.example",
    "#BR#",
    "[DISK=5]",
    "&lt;",
    "&#91;b]",
    "<b>",
    "</b>",
    "<u>",
    "<!-- ",
    "-->",
    "\\",
    "  ",
    "\t",
    "/",
    "0",
    ":f09f9880:",
    "[send=x]",
    "####REPLACEMENT_PUT_1",
    "-----------------------------------------------------------",
    "[x](bitrix24:user/12)",
    "![i](https://a.example/i.png)",
    "ы",
    "😀",
    "\u{200b}",
    "[^1]",
    "[^1]: n\n",
    "- [x] ",
    "[br]",
    "@all ",
    "<br>",
    "\r\n",
    "\u{b}",
    "\u{1}",
    "\u{a0}",
    "\u{2028}",
    "&amp;",
    "&lt;b&gt;",
    "[t](https://a.example/?a=1&lt=2)",
    "[t](https://a.example/&amp;#91;b&amp;#93;)",
    "https://a.example/&#91;USER=1&#93;",
    "HTTP://A.example",
    "ftp://a.example",
    "(C)",
    "(TM)",
    "/me ",
    "http",
    "://",
    "[/code]",
    "[USER=1 REPLACE]",
    "[Br]",
    "#",
    "BR",
];

/// What a reader gets of a part: the portal stores it, and its parser reads it.
#[cfg(feature = "sim")]
pub(super) fn as_readers_get_it(part: &str) -> String {
    let saved = crate::sim::messenger::save::save(part, &|_| true);
    assert!(saved.files.is_empty(), "a file tag acts in {part:?}");
    // Blanks at the ends are cut; everything else is stored as it was sent.
    assert_eq!(saved.text, crate::sim::messenger::save::php_trim(part), "the portal changed it");
    crate::sim::messenger::read::read(&saved.text, &|_| None, "everyone")
}

/// Checks every part of generated texts of up to `most` scraps.
fn generated(seeds: u64, most: u64, check: impl Fn(&str) + std::panic::RefUnwindSafe) {
    for seed in 1..seeds {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let length = 1 + dice.below(most);
        let text: String =
            (0..length).map(|_| SCRAPS[dice.below(SCRAPS.len() as u64) as usize]).collect();
        for format in [Format::Markdown, Format::Plain] {
            for part in render(&text, format, &NOBODY) {
                let sound = std::panic::catch_unwind(|| check(&part));
                assert!(sound.is_ok(), "seed {seed}, {format:?}: {text:?} -> {part:?}");
            }
        }
        let _ = read_back(&text);
        let _ = mentioned(&text, 12);
    }
}

#[test]
fn whatever_comes_in_comes_out_sound() {
    generated(4000, 30, assert_sound);
}

#[cfg(feature = "sim")]
#[test]
fn what_the_portal_makes_of_it_is_still_ours() {
    generated(6000, 12, |part| {
        let read = as_readers_get_it(part);
        assert!(!read.is_empty() && !read.starts_with('/'), "a command: {read:?}");
        // What the portal links by itself it tags in capitals: none but ours.
        assert_eq!(tags(&read), tags(part), "{read:?}");
        assert!(same_text(part, &read), "not found again: {read:?}");
        assert_differs(part, &read);
    });
}

#[test]
fn an_address_is_read_as_it_was_written() {
    // The server decodes entities once, in addresses too.
    let address = "https://a.example/?a=1&lt;=2&amp;b=3";
    assert_eq!(
        render(address, Format::Plain, &NOBODY),
        ["[url]https://a.example/?a=1&amp;lt;=2&amp;amp;b=3[/url]"]
    );
}

#[test]
fn a_table_costs_no_more_than_it_shows() {
    let title = "x".repeat(70_000);
    let text = format!("|{title}|{title}|\n|-|-|\n{}", "|a|b|\n".repeat(20_000));
    let chars: usize = markdown(&text).iter().map(|part| part.chars().count()).sum();
    assert!(chars < text.len() * 4, "{chars} characters of {}", text.len());
    assert_eq!(markdown("- x\n\n  |a|b|\n  |-|-|"), ["• x\n\u{2003}[b]a[/b]; [b]b[/b]"]);
}

#[test]
fn only_our_own_mentions_are_active() {
    let text = "[USER=1]a[/USER] [Olaf](bitrix24:user/12) [all](bitrix24:all)";
    assert_eq!(markdown(text), ["[\u{200b}USER=1]a[\u{200b}/USER] [USER=12]Olaf[/USER] all"]);
    let everyone = Mentions { all: true, members: Vec::new() };
    let allowed = render("[all](bitrix24:all)", Format::Markdown, &everyone);
    assert_eq!(allowed, ["[USER=all]all[/USER]"]);
}

#[test]
fn long_texts_are_cut_where_they_can_be() {
    let paragraph = format!("{}\n\n", "A sentence of words. ".repeat(40).trim());
    let text = paragraph.repeat(60);
    let parts = markdown(&text);
    assert!(parts.len() > 1);
    for part in &parts {
        assert_sound(part);
        assert!(part.ends_with('.') && part.starts_with("A sentence"), "cut at a block border");
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&parts.join("\n")), words(&text), "joined parts equal the whole");
}

#[test]
fn one_endless_line_is_cut_too() {
    for unit in ["word ", "слово", "😀", "**b** ", "[", "a*", "a. "] {
        let text = unit.repeat(50_000 / unit.chars().count());
        let parts = markdown(&text);
        assert!(parts.len() > 1, "{unit}");
        parts.iter().for_each(|part| assert_sound(part));
    }
}

#[test]
fn long_code_is_closed_and_opened_again() {
    let code: String = (0..3000).map(|n| format!("line {n}\n")).collect();
    let parts = markdown(&format!("before\n\n```\n{code}```\n\nafter"));
    assert!(parts.len() > 1);
    parts.iter().for_each(|part| assert_sound(part));
    let joined = parts.join("\n").replace("[code]", "").replace("[/code]", "");
    let lines: Vec<&str> = joined.lines().filter(|line| line.starts_with("line ")).collect();
    assert_eq!(lines.len(), 3000);
    assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("line {n}")));
}

#[test]
fn hostile_repetition_ends_and_stays_small() {
    for unit in [
        "[", "]", "*", "_", ">", "> ", "`", "~", "- ", "1. ", "[a](", "<", "&", "http://", "|",
        "![", "[^1]",
    ] {
        let text = unit.repeat(50_000 / unit.len());
        let chars: usize = markdown(&text).iter().map(|part| part.chars().count()).sum();
        assert!(chars <= text.len() * 4, "{unit:?} grew to {chars}");
    }
    // Each of these brackets was once counted again for every other one.
    let parts = markdown(&format!("http://a{}", ")".repeat(200_000)));
    assert!(parts[0].starts_with("[url]http://a[/url])"));
}

/// With work that grew like the square of the length, each of these would take minutes.
#[test]
fn the_longest_hostile_texts_end_too() {
    let most = limits::DELIVERY_TEXT_BYTES_MAX;
    let fill = |piece: &str| piece.repeat(most / piece.len());
    let lazy = format!("{}a\n{}", "> ".repeat(most / 4), "b\n".repeat(most / 4));
    let row =
        format!("|{}\n|{}\n{}", "a|".repeat(20_000), "-|".repeat(20_000), "b\n".repeat(50_000));
    let notes: String = (0..12_000).map(|n| format!("[^{n}]: a\n\n[^{n}] ")).collect();
    let address = format!("http://a.example/{}", ")".repeat(most - 20));
    for text in [fill(">"), fill("> "), fill("1. "), fill("- > "), lazy, row, notes, address] {
        let parts = markdown(&format!("{text}\n\nthe end"));
        for part in &parts {
            let chars = part.chars().count();
            assert!(chars <= limits::MARKUP_PART_CHARS_MAX, "{chars}: {text:.60}");
        }
        // Footnotes come behind it.
        assert!(parts.iter().any(|part| part.contains("the end")), "{text:.60}");
    }
}

/// The rows of docs/bitrix24.md that no golden file shows; U+200B is written as `|`.
#[test]
fn what_constructs_become() {
    let cases = [
        // Links.
        ("<a@b.example>", "[url=mailto:a@b.example]a@b.example[/url]"),
        ("www.a.example, ok", "[url=http://www.a.example]www.a.example[/url], ok"),
        ("HTTP://A.example.", "[url]HTTP://A.example[/url]."),
        ("[](https://a.example) [](/b)", "[url]https://a.example[/url] /b"),
        ("![](https://a.example/c.png?d)", "[url=https://a.example/c.png?d]🖼 c.png[/url]"),
        (
            "[a](https://a.example)[b](https://a.example)",
            "[url=https://a.example]a[/url][url=https://a.example]b[/url]",
        ),
        ("[A](bitrix24:user/1)[A](bitrix24:user/1)", "[USER=1]A[/USER][USER=1]A[/USER]"),
        ("[![a](https://b.example/c.png)](https://a.example)", "[url=https://a.example]🖼 a[/url]"),
        // Lists.
        ("- - a\n  - b\n1. - c", "• ◦ a\n\u{2003}◦ b\n\n1. ◦ c"),
        ("- a\n-\n- b", "• a\n•\n• b"),
        ("1. [x] a\n2. b", "1. ☑ a\n2. b"),
        ("- [ ] a\n  - [x] b", "☐ a\n\u{2003}☑ b"),
        ("3.\n   ```\n   x\n   ```\n   y", "3.\n[code]x[/code]\n\u{2003}y"),
        ("- a\n  > q\n\n  b", "• a\n>>\u{2003}q\n\n\u{2003}b"),
        // Quotes.
        ("> a\n\n> b", ">>a\n\n>>b"),
        ("> > a\n>\n> b", ">>│ a\n>>\n>>b"),
        ("> a\n>\n> ```\n> x\n> ```", ">>a\n\n[code]x[/code]"),
        // Tables.
        ("|a|b|\n|-|-|\n||5|", "b: 5"),
        ("|a|b|\n|-|-|\n|x<br>y|1|", "[b]x y[/b] — b: 1"),
        (
            "|a|\n|-|\n|[*x* y](https://a.example)|",
            "[b][url=https://a.example][i]x[/i] y[/url][/b]",
        ),
        // Footnotes.
        ("a[^x] b[^y]\n\n[^y]: Y\n\n[^x]: X\n\nend", "a¹ b²\n\nend\n\n¹ X\n² Y"),
        ("> a[^1]\n>\n> [^1]: n", ">>a¹\n\n¹ n"),
        // HTML.
        ("<ul><li>a</li><li>b</li></ul>", "• a\n• b"),
        ("<!-- a\nb -->\n\nc", "c"),
        ("<p>a <b>b</p>\n\nc", "a [b]b[/b]\n\nc"),
        ("a <b>b\n\nc", "a [b]b[/b]\n\nc"),
        ("<b>a *b</b> c* d", "[b]a [i]b c[/i] d[/b]"),
        ("**a __b <u>c</u> d__ e** f", "[b]a b [u]c[/u] d e[/b] f"),
        ("*a <u>b <b>c</u> d</b>* e", "[i]a [u]b [b]c[/b][/u][b] d[/b][/i] e"),
        ("a <span title=\"x>y\">b</span>", "a b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        // Formulas.
        ("$5 **a** and $6", "$5 [b]a[/b] and $6"),
        ("$$\na_1 * b_1 \\\\\n$$", "[code]a_1 * b_1 \\\\[/code]"),
        ("so $$x$$ is, $a*b*c$", "so $$x$$ is, $a*|b*|c$"),
        ("$$$$", "$$$$"),
        // Emoji.
        (":rocket: 10:30:45 :no_such: a:x:", "🚀 10:30:45 :no_such: a:x:"),
        ("`:rocket:` :white_check_mark:.", "`:rocket:` ✅."),
        // Signs.
        ("\\* a", "*| a"),
        ("2 * 3 ~5 \\~a\\~", "2 * 3 ~5 ~a~|"),
        ("1985\\. A year", "1985.| A year"),
        ("\\=\\=", "=|="),
        ("\\[a]: b", "[a]|: b"),
        ("\\<b> 1 < 2", "<|b> 1 < 2"),
        ("a\\\\.b C:\\dir\\", "a\\|.b C:\\dir\\|"),
        ("&amp;copy; &amp;lt; AT&T &x", "&|copy; &amp;|lt; AT&T &x"),
        ("**a**(b) **(c)**", "[b]a[/b]|(b) [b]|(c)[/b]"),
        ("`a``b` (8) 18) 8)", "`a‘‘b` (8) 18) 8|)"),
        ("&#10;a&#10;b", "a b"),
        ("a\u{0}\u{7}\u{85}b", "ab"),
        ("&nbsp;&nbsp;&nbsp;&nbsp;- a", "-| a"),
    ];
    for (text, expected) in cases {
        let parts = markdown(text).join("\n---\n").replace('|', "¦").replace('\u{200b}', "|");
        assert_eq!(parts, expected, "{text:?}");
    }
}

#[test]
fn what_is_nested_too_deep_is_shown_as_it_is() {
    let deep = |depth: usize, mark: &str| format!("{}a", mark.repeat(depth));
    assert!(markdown(&deep(60, "> "))[0].starts_with(">>│ │"));
    for mark in ["> ", ">", "- ", "1. "] {
        let shown = markdown(&deep(80, mark))[0].replace('\u{200b}', "");
        assert_eq!(shown, deep(80, mark), "{mark}");
    }
    let steps: String = (0..80).map(|n| format!("{}- a\n", "  ".repeat(n))).collect();
    assert!(markdown(&steps)[0].ends_with("\n-\u{200b} a"));
    // Blanks alone open nothing, and numbers are no marks.
    let wide = format!("**a**\n\n```\n{}12.5\n```", " ".repeat(400));
    assert!(markdown(&wide)[0].starts_with("[b]a[/b]\n\n[code]"));
}

#[test]
fn a_cut_item_has_its_mark_once_and_a_title_keeps_its_text() {
    let item = format!("7. {}\n8. end", "Words of an item. ".repeat(2000));
    let parts = markdown(&item);
    assert!(parts.len() > 1 && parts[0].starts_with("7. Words"));
    assert!(parts[1..].iter().all(|part| part.starts_with("\u{2003}Words")));
    assert!(parts.last().is_some_and(|part| part.ends_with("\n8. end")));
    let block = format!("{}\n\n", "Some words. ".repeat(60).trim());
    let text = format!("{}# Title\n\n{}", block.repeat(19), block.repeat(5));
    for most in 7_000..7_200 {
        let parts = super::render_within(&text, Format::Markdown, &NOBODY, most);
        assert!(parts.iter().all(|part| !part.ends_with("Title[/b]")), "{most}");
    }
}

#[test]
fn no_sign_is_parted() {
    let text = "👩\u{200d}💻".repeat(9_000);
    for part in markdown(&text) {
        assert!(part.starts_with('👩') && part.ends_with('💻'), "{part:.20}");
    }
}

#[test]
fn nothing_visible_is_nothing() {
    for text in ["", " \n\t ", "\u{200b}", "<!-- x -->", "\u{0}", "# \n"] {
        assert_eq!(markdown(text), Vec::<String>::new(), "{text:?}");
    }
}
