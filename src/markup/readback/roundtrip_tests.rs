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

/// What differs after a round trip; empty lines at the ends of code, which clients do not show, are
/// not looked at.
fn difference(markdown: &str) -> Option<String> {
    let (sent, back) = (rendered(markdown), back(markdown));
    let again = rendered(&back);
    let text = || format!("{markdown:?}\n  sent  {sent:?}\n  back  {back:?}\n  again {again:?}");
    (within(&sent) != within(&again)).then(text)
}

fn within(sent: &str) -> String {
    let pieces = sent.split("[code]").map(|piece| match piece.split_once("[/code]") {
        Some((code, behind)) => format!("{}[/code]{behind}", code.trim_matches('\n')),
        None => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("[code]")
}

/// What the way out leaves as it is although Markdown could read it, or takes away: a document with
/// such in it may come back as another one. `what_does_not_come_back_is_known` holds one of each kind.
fn is_exception(sent: &str) -> bool {
    let quoted_blank = |line: &str| {
        line.strip_prefix(">>").is_some_and(|line| line.trim_matches(['│', ' ']).is_empty())
    };
    // An item, in quotes or not.
    let item = |line: &str| {
        let line = line.trim_start_matches(['>', '│', ' ', '\u{2003}']);
        line.starts_with(['•', '◦', '▪', '☐', '☑'])
            || line.starts_with(|c: char| c.is_ascii_digit())
    };
    let lines: Vec<&str> = sent.lines().collect();
    let pairs = lines.windows(2);
    let odd_line = |line: &&str| line.starts_with(' ') || line.ends_with(['☐', '☑']);
    let orphan = |before: &str, line: &str| before.is_empty() && line.starts_with('\u{2003}');
    lines.iter().any(odd_line)
        || pairs.clone().any(|pair| quoted_blank(pair[0]) && !pair[1].starts_with(">>"))
        || pairs.clone().any(|pair| orphan(pair[0], pair[1]))
        || lines.windows(3).any(|l| item(l[0]) && l[1].is_empty() && item(l[2]))
        || sent.contains("%28C")
        || glues_an_address(sent)
        || glues_a_name(sent)
}

/// Whether more stands right behind an address without a scheme than one word's end: the server
/// writes the scheme, so the address comes back as bare as it was, and is read again with that.
fn glues_an_address(sent: &str) -> bool {
    sent.split("[url=http://www.a.example").skip(1).any(|rest| {
        let behind = rest.strip_prefix("]www.a.example[/url]");
        behind.is_none_or(|behind| !behind.is_empty() && !behind.starts_with([' ', '\n', ',', '.']))
    })
}

/// Whether the text around a mention, tags left out, would be a part of its name, or the name is none.
fn glues_a_name(sent: &str) -> bool {
    let tags = ["[b]", "[/b]", "[i]", "[/i]", "[s]", "[/s]", "[/url]"];
    let text = tags.iter().fold(sent.to_owned(), |text, tag| text.replace(tag, ""));
    let mut rest = text.as_str();
    while let Some((before, behind)) = rest.split_once("[USER=") {
        let (name, after) = behind.split_once("[/USER]").unwrap_or_default();
        let name = name.split_once(']').map_or("", |(_, name)| name);
        let known = ["Ann Lee", "Пётр Иванов", "O'Neil & Co [QA]", "all"].contains(&name);
        let link = after.starts_with("[url");
        if before.ends_with(|c: char| c.is_alphanumeric() || "]`\u{200b}".contains(c))
            || link
            || !known
            || after.starts_with(|c: char| c.is_alphanumeric() || c == '\u{200b}')
            || after.starts_with("[USER=")
        {
            return true;
        }
        rest = behind;
    }
    false
}

const CASES: &[&str] = &[
    // Prose.
    "Hello, world.",
    "One line\nand another one",
    "One paragraph\n\nand another one",
    "Hard  \nbreak",
    "Счёт № 4711 оплачен, «Акт» подписан — спасибо!",
    "Emoji 😀 👩‍💻 ❤️ 🇩🇪 :) ;-)",
    "2 * 3 < 7 and a_b_c, ~5 minutes & more",
    // Emphasis.
    "**bold** *italic* ~~gone~~ __b__ _i_",
    "***both*** and **bold *and italic* again**",
    "*italic **and bold** again*",
    "**bold *nested***",
    "***nested* bold**",
    "*a***b**",
    "**a***b*",
    "~~**x**~~ **~~y~~**",
    "in**tra**word and сло**во**м",
    "**bold\nover lines**",
    "**Note:** text, **«Акт»**, (**x**)",
    "a<b>\"q\"</b>b <i>«и»</i>х",
    "**`code` in bold** and *`code`*",
    // Headings, rules.
    "# Title\n\ntext",
    "text\n\n## Sub *title*\n\n---\n\nmore",
    // Lists.
    "- a\n- b\n- c",
    "Intro:\n\n- one\n- two\n\nend",
    "1. a\n2. b",
    "7. seven\n8. eight",
    "- a\n  - b\n    - c\n      - d\n- e",
    "1. a\n   - b\n     1. c\n     2. d\n2. e",
    "- a\n  7. b\n     - c\n- d",
    "- a\n\n  more of a\n- b",
    "- a\n  - b\n\n  more of a\n- c",
    "- [ ] open\n- [x] done\n- plain",
    "- a\n  - [ ] b\n- c",
    "- **a**: `b` — [c](https://a.example/c)",
    "- a\n\n  ```\n  code\n  ```\n\n  b\n- c",
    "1. first\n   ```sh\n   ls\n   ```\n2. second",
    "- \\- a\n- \\# b\n- \\[ ] c",
    // Code.
    "`inline` and `a*b_c` and `[b]x[/b]`",
    "`https://a.example` `www.a.example` `&lt;`",
    "```\nfn main() {\n    print(\"x\");\n}\n```",
    "text\n\n```rust\nlet a  =  1;\n\tb\n\n  c\n```\n\ntext",
    "````\n```\ninner\n```\n````",
    "```\n[/code] [USER=1] #BR# > x\n```",
    "    indented\n      more",
    "```\na\n```\n\n```\nb\n```",
    // Tables.
    "|a|b|\n|-|-|\n|1|2|\n|3|4|",
    "|Имя|Счёт|\n|-|-|\n|**Ann**|`x\\|y`|\n|Пётр|[l](https://a.example)|",
    "|only|titles|\n|-|-|",
    // Links.
    "see https://a.example/x_(y), ok",
    "(https://a.example/a?b=1&c=2#d).",
    "**https://a.example/x**",
    "https://a.example/x: see. <https://a.example/y>",
    "<https://a.example/x>abc and x<https://a.example/y>",
    "[text](https://a.example/x_(y)) and [**bold** \\[1\\]](https://a.example/?q=[1])",
    "[a](https://a.example)[b](https://b.example)",
    "wow\\![here](https://a.example)",
    "**[bold link](https://a.example)** and [`code`](https://a.example)",
    "[mail](mailto:a@b.example) <mailto:a@b.example> [tel](tel:+4930123)",
    "![picture](https://a.example/i.png) www.a.example",
    "[https://b.example](https://a.example)",
    "[one\ntwo](https://a.example)",
    // Quotes.
    "> quoted",
    "> one\n> two\n>\n> three",
    "> quoted\n\nanswer\n\n> again",
    "> a\n>\n> > b\n> >\n> > c\n>\n> d",
    "> - a\n>   - b\n> - c",
    "> **Olaf Brandt**:\n> hi",
    "> # Title\n>\n> text `code`",
    "text\n\n> q\n\n- a\n- b",
    // Mentions.
    "@Ann Lee, see this",
    "[Пётр Иванов](bitrix24:user/13): да, [all](bitrix24:all)",
    "**@Ann Lee** and *@Пётр Иванов*, @O'Neil & Co [QA]!",
    "> @Ann Lee\n\n- @all",
    // What is meant literally.
    "\\*not italic\\* \\_nor this\\_ \\`nor code\\` \\~\\~x\\~\\~",
    "\\# no heading\n\n\\- no item\n\n\\+ no item\n\n\\> no quote",
    "a\n1\\. no item\n\n2\\) nor this\n\n\\* nor this\n\n\\== no title",
    "\\<b> x \\<!-- y --> \\~a\\~ a\\\\.b c\\\\",
    "\\[a]: /b",
    "`x`\\*[t](https://a.example)*",
    "> a\n>\n> ```\n> x\n> ```\n>\n> b",
    "- [ ] a\n  -\n- b",
    "- - a\n  - b\n- 1. c\n\n1.\n   ```\n   d\n   ```",
    "[Ann Lee](bitrix24:user/12) [Ann Lee](bitrix24:user/12)",
    "[t](https://a.example)[t](https://a.example)",
    "a \\| b, \\[x](y), [b]tag[/b] [USER=1]x[/USER] #BR#",
    "&amp;lt; &amp;copy; &copy; &amp;amp;",
    "C:\\dir and \\\\**bold**",
    "(C) (TM) 8) :/ :f09f9880: /me",
    "-----------------------------------------------------------",
    "\\`https://a.example/x\\` \\`\\`\\`",
    // All together.
    "Sure! Here's how:\n\n1. **Stop** it:\n   ```\n   systemctl stop app\n   ```\n2. Check `/var/log`:\n   - look for `ERROR`\n   - see [docs](https://a.example/a_(b))\n\n> **Note:** this takes ~2 minutes.\n\n|What|Time|\n|-|-|\n|Stop|10 s|\n\nLet me know! :)",
    "Готово ✅\n\n**Итог**\n- счёт *оплачен*\n- акт ~~отправлен~~ подписан\n\n@Пётр Иванов, проверьте: https://a.example/счёт",
];

#[test]
fn what_agents_write_comes_back() {
    let differing: Vec<String> = CASES.iter().filter_map(|case| difference(case)).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(CASES.len() >= 60);
}

/// Documents of the golden corpus that do not come back, because of what the next test shows.
const CORPUS_EXCEPTIONS: &[&str] = &[
    "bad_links",
    "bold_italic_strike",
    "html_styles",
    "html_unbalanced",
    "link_bad_schemes",
    "list_interrupted",
    "list_literal_bullets",
    "list_loose",
    "list_markers",
    "list_with_quote",
    "mention_in_code",
    "mention_of_people",
    "mentions",
    "tags_entities",
    "unicode_spaces",
    "zwsp_everywhere",
    "zwsp_in_input",
];

#[test]
fn the_golden_corpus_comes_back() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/markup");
    let mut differing = Vec::new();
    for entry in fs::read_dir(&dir).expect("corpus") {
        let path = entry.expect("entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.extension().is_some_and(|extension| extension == "md")
            && difference(&fs::read_to_string(&path).expect("UTF-8")).is_some()
        {
            differing.push(name);
        }
    }
    differing.sort();
    assert_eq!(differing, CORPUS_EXCEPTIONS);
}

/// Each with what comes back. Some of it could be told apart only if more were made inert on the way
/// out, some is not in the text any more.
#[test]
fn what_does_not_come_back_is_known() {
    let cases = [
        // No Markdown for it.
        ("<u>under</u>", "under"),
        // Invisible, or blanks that nobody sees.
        ("a\u{200b}b", "ab"),
        ("[t](tg://join)", "t (tg://join)"),
        ("[🖼 ](https://a.example)", "[🖼](https://a.example)"),
        ("a&nbsp;b", "a b"),
        // Names of others, and names inside of words.
        ("[Olaf](bitrix24:user/57)", "@Olaf"),
        ("x[Ann Lee](bitrix24:user/12)", "x@Ann Lee"),
        ("[Ann Lee](bitrix24:user/12)[s](https://a.example)", "@Ann Lee[s](https://a.example)"),
        ("https://a.example/(C)", "https://a.example/%28C)"),
        ("www.a.example©<https://b.example>", "www.a.example©https://b.example"),
        // Blocks that cannot stand in each other in the portal.
        ("- a\n  > q", "- a\n> \u{2003}q"),
        ("- a\n\n1) b\n\n2. c", "- a\n\n1. b\n\n2. c"),
    ];
    for (markdown, expected) in cases {
        assert_eq!(back(markdown), expected, "{markdown:?}");
        assert!(difference(markdown).is_some(), "{markdown:?} comes back");
    }
}

const BLOCKS: &[&str] = &[
    "\n\n",
    "\n\n",
    "\n",
    "\n> ",
    "\n>> ",
    "\n>\n> ",
    "\n- ",
    "\n  - ",
    "\n\n  ",
    "\n    - ",
    "\n1. ",
    "\n2. ",
    "\n   - ",
    "\n- [ ] ",
    "\n- [x] ",
    "\n# ",
    "\n\n## ",
    "\n```\n",
    "\n\n```rust\n",
    "\n```\n\n",
    "\n\n|a|b|\n|-|-|\n|",
    "|",
    "\n\n---\n\n",
    "  \n",
];

const INLINE: &[&str] = &[
    "word",
    "слово",
    "«Акт»",
    "😀",
    "👩\u{200d}💻",
    " ",
    " ",
    " ",
    ", ",
    ". ",
    "!",
    "(",
    ")",
    "\"",
    ":",
    "5",
    "**",
    "**",
    "*",
    "*",
    "_",
    "~~",
    "`",
    "`a*b`",
    "`x`",
    "[",
    "]",
    "\\*",
    "\\_",
    "\\`",
    "\\#",
    "\\|",
    "\\~\\~",
    "\\[",
    "\\]",
    "\\- ",
    "\\> ",
    "2 * 3",
    "a_b_c",
    "&amp;lt;",
    "&copy;",
    "&#91;b]",
    "[t](https://a.example/x_(y))",
    "[**b**, c](https://a.example/?a=1&b=2)",
    "https://a.example/x",
    "www.a.example",
    "<mailto:a@b.example>",
    "<https://a.example/y>",
    "![alt](https://a.example/i.png)",
    " @Ann Lee ",
    "@all",
    " [Пётр Иванов](bitrix24:user/13), ",
    "[USER=1]",
    "[b]",
    "[/b]",
    "(C)",
    "#BR#",
    ":)",
    "8)",
    "-----------------------------------------------------------",
];

#[test]
fn generated_documents_come_back() {
    let (mut differing, mut skipped) = (Vec::new(), 0);
    let seeds = 6000;
    for seed in 1..=seeds {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut text = String::new();
        for _ in 0..=dice.below(10) {
            let kind = if dice.below(4) == 0 { BLOCKS } else { INLINE };
            text.push_str(kind[dice.below(kind.len() as u64) as usize]);
        }
        if is_exception(&rendered(&text)) {
            skipped += 1;
        } else if let Some(difference) = difference(&text) {
            differing.push(format!("seed {seed}: {difference}"));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(skipped < seeds / 6, "{skipped} skipped");
}

#[test]
fn long_texts_come_back_from_their_parts() {
    let paragraph = format!("{}\n\n", "A *sentence* of **words**. ".repeat(40).trim());
    let text = paragraph.repeat(40);
    assert!(render(&text, Format::Markdown, &office()).len() > 1);
    assert_eq!(difference(&text), None);
}
