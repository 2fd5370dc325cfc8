//! Tests of the way back: tables of what people's clients and the server make, and hostile texts.

use super::mentioned;
use super::mentions_all;
use super::read_back;
use crate::limits;

fn frame() -> String {
    "-".repeat(54)
}

/// A text as it stands in the tables, where `=54=` is a frame's border.
fn framed(text: &str) -> String {
    text.replace("=54=", &frame())
}

fn check(cases: &[(&str, &str)]) {
    for (bbcode, expected) in cases {
        assert_eq!(read_back(&framed(bbcode)), framed(expected), "{bbcode:?}");
    }
}

#[test]
fn links_of_the_server_become_what_was_typed() {
    check(&[
        ("Go to [URL]https://a.example/x[/URL], ok", "Go to https://a.example/x, ok"),
        ("see [URL=http://www.a.example]www.a.example[/URL] now", "see www.a.example now"),
        ("([URL]https://a.example/a_b_(c)[/URL]).", "(https://a.example/a_b_(c))."),
        ("**[URL]https://a.example**[/URL]", "**https://a.example**"),
        ("x|[URL]https://a.example|y[/URL]", "x|https://a.example|y"),
        ("[b][URL=https://a.example%5B/b%5D]https://a.example[/b][/URL]", "**https://a.example**"),
        (
            "[URL=https://a.example%5B/b%5D,%5BUSER=12%5DAnn]https://a.example[/b],[USER=12]Ann[/URL][/USER]",
            "https://a.example[/b],@Ann",
        ),
        (
            "[URL=http://www.a.example%5B/i%5D]www.a.example[/i][/URL] [i]x[/i]",
            "www.a.example[/i] *x*",
        ),
        ("[x]([URL]https://a.example[/URL])", "[x](https://a.example)"),
        ("[b][URL]https://a.example[/URL][/b]", "**https://a.example**"),
        ("[URL=https://a.example]https://a.example[/URL]", "https://a.example"),
        ("[URL=http://a.example]a.example[/URL]", "a.example"),
        ("[URL]https://a.example/%5B1%5D[/URL]", "https://a.example/%5B1%5D"),
        // Nobody but a person makes these.
        ("[URL]https://a.example[/URL]s", "<https://a.example>s"),
        ("[URL]mailto:a@b.example[/URL]", "<mailto:a@b.example>"),
        ("[URL]a b[/URL] [URL]x", "a b [URL]x"),
        ("[URL=http://%5B]x[/URL]", "[x](http://%5B)"),
    ]);
}

#[test]
fn links_with_a_text_stay_links() {
    check(&[
        ("[URL=https://b.example]b[/URL]", "[b](https://b.example)"),
        (
            "[URL=https://a.example/?q=%5B1%5D]a [1] b[/URL]",
            "[a \\[1\\] b](https://a.example/?q=%5B1%5D)",
        ),
        ("[URL=https://a.example/x_(y)]w[/URL]", "[w](https://a.example/x_(y))"),
        ("[URL=https://a.example/x_)y(]w[/URL]", "[w](https://a.example/x_%29y%28)"),
        ("[URL=https://a.example/a b]w[/URL]", "[w](https://a.example/a%20b)"),
        (
            "[URL=/company/]us[/URL] [URL=mailto:a@b.example]x[/URL]",
            "[us](/company/) [x](mailto:a@b.example)",
        ),
        ("wow![URL=https://b.example]b[/URL]", "wow\\![b](https://b.example)"),
        ("[URL=https://b.example] [b]b[/b] c [/URL]d", " [**b** c](https://b.example) d".trim()),
        (
            "[URL=https://b.example]one\ntwo[/URL]",
            "[one](https://b.example)\n[two](https://b.example)",
        ),
        ("[URL=https://b.example][/URL]x", "x"),
        (
            "[url=https://a.example]x [url=https://b.example]y[/url]",
            "[url=https://a.example]x [y](https://b.example)",
        ),
    ]);
}

#[test]
fn marks_are_valid_emphasis() {
    check(&[
        ("[b]now[/b] [i]y[/i] [s]x[/s] [u]z[/u]", "**now** *y* ~~x~~ z"),
        ("[B]now[/B]", "**now**"),
        ("a[b] b [/b]c", "a **b** c"),
        ("[b]a\nb\n\nc[/b]", "**a**\n**b**\n\n**c**"),
        ("[b]a [i]b[/i] c[/b]", "**a *b* c**"),
        ("[b][i]a[/i][/b] [i][b]b[/b][/i]", "**_a_** _**b**_"),
        ("[b]a[/b][i]b[/i]", "**a**_b_"),
        ("[b]a[i]b[/b]c[/i]", "**a<i>b</i>**_c_"),
        ("[b]one [i]two[/b] three[/i]", "**one _two_** *three*"),
        ("[b]a[b]b[/b]c[/b]", "**abc**"),
        ("[b]слово[/b]м", "**слово**м"),
        ("[b]«Акт»[/b]ом", "<b>«Акт»</b>ом"),
        ("x[b]\"y\"[/b]", "x<b>\"y\"</b>"),
        ("[b][/b]x[i] [/i]y", "x y"),
        ("[b]x", "[b]x"),
        ("a[i] = b[i] + 1[/i]", "a[i] = b *+ 1*"),
        ("x[/b]", "x[/b]"),
        ("[b]a\\[/b]", "**a\\\\**"),
        ("[b]a[/b] [b]b[/b]", "**a** **b**"),
        ("[b]a[code]x[/code]b[/b]", "**a**\n```\nx\n```\n**b**"),
    ]);
}

#[test]
fn mentions_read_as_the_names_they_show() {
    check(&[
        ("[USER=57 REPLACE]Mira Holt[/USER], [b]now[/b]", "@Mira Holt, **now**"),
        (
            "[user=57]Mira[/user] [USER=all REPLACE]all participants[/USER]",
            "@Mira @all participants",
        ),
        ("[USER=57]@Mira[/USER] [USER=57] Mira[/USER]", "@Mira @Mira"),
        ("[b][USER=57]Mira[/USER][/b]", "**@Mira**"),
        ("[USER=57][b]Mira[/b][/USER]", "**@Mira**"),
        ("[USER=57][/USER] [USER=all][/USER]", "@57 @all"),
        ("[USER=57]Mira", "[USER=57]Mira"),
        ("[USER=x]Mira[/USER]", "[USER=x]Mira[/USER]"),
        ("[chat=5]Invoices[/chat] [CHAT=imol|5]Line[/CHAT]", "Invoices Line"),
        ("[CONTEXT=chat904/70412]there[/CONTEXT]", "there"),
        ("[put=x]t[/put] [send=/x]s[/send] [PUT]p[/PUT] [call=112]c[/call]", "t s p c"),
    ]);
}

#[test]
fn the_other_tags_show_what_they_can() {
    check(&[
        ("[size=20]big[/size] [color=#ff0000]red[/color] [size=20]x", "big red [size=20]x"),
        ("[img size=medium][URL]https://a.example/i.png[/URL] [/img]", "https://a.example/i.png"),
        ("see[img size=small]https://a.example/i.png [/img]ok", "see https://a.example/i.png ok"),
        (
            "[icon=https://a.example/i.png size=20 title=Done] [icon=https://a.example/i.png]x",
            "Done x",
        ),
        ("[icon=u title=\"All done\" size=20]", "All done"),
        ("[disk=15]a[br]b#BR#c", "a\nb\nc"),
        ("[timestamp=1796684160 format=SHORT_TIME_FORMAT]", "2026-12-07T22:56:00Z"),
        (
            "[timestamp=x] [timestamp=99999999999999999]",
            "[timestamp=x] [timestamp=99999999999999999]",
        ),
        ("[rating=4] [like] [dislike] [rating=9]", "★★★★☆ 👍 👎 [rating=9]"),
        ("a[pch=1]hidden[/pch]b", "ab"),
        ("[1] [note] [list] [*] [h1]x[/h1] [", "[1] [note] [list] [*] [h1]x[/h1] ["),
    ]);
}

#[test]
fn quotes_say_who_is_quoted() {
    check(&[
        (
            "=54=\nOlaf Brandt [10:01] #chat904/70412\nold text\n=54=\nnew",
            "> **Olaf Brandt**:\n> old text\n\nnew",
        ),
        (
            "=54=\nOlaf [yesterday, 10:01] #12:57/70412\none\n\ntwo\n=54=\nnew",
            "> **Olaf**:\n> one\n>\n> two\n\nnew",
        ),
        ("=54=\nno author\n=54=\nnew", "> no author\n\nnew"),
        ("=54=\nOlaf (QA) [10:01]\nx\n=54=", "> **Olaf (QA)**:\n> x"),
        ("=54=\nA [1:00]\nx\n=54=\n=54=\nB [2:00]\ny\n=54=", "> **A**:\n> x\n\n> **B**:\n> y"),
        ("hi =54=\nA [1:00]\nx\n=54= yes", "hi\n> **A**:\n> x\n\nyes"),
        (
            "=54=\nOlaf [10:01]\nsee[code]a\n\u{a0}\u{a0}b[/code]\nyes\n=54=\nno",
            "> **Olaf**:\n> see\n> ```\n> a\n>   b\n> ```\n> yes\n\nno",
        ),
        ("=54=\nOlaf [10:01]\n>>older\nold\n=54=", "> **Olaf**:\n> > older\n>\n> old"),
        ("a\n=54=\nb", "a\n=54=\nb"),
        ("[code]=54=[/code]\na\n=54=", "```\n=54=\n```\na\n=54="),
        (">>quoted\nanswer", "> quoted\n\nanswer"),
        (">>one\n>>two\n\nanswer", "> one\n> two\n\nanswer"),
        (">> [b]Note:[/b] x", "> **Note:** x"),
        (">>see [code]x[/code]\nyes", "> see\n> ```\n> x\n> ```\n\nyes"),
        (">>see\n[code]x[/code]\nyes", "> see\n\n```\nx\n```\nyes"),
        (">>a\n>>\n>>│ b", "> a\n>\n> > b"),
        ("[b]bold\n>>quoted[/b]", "**bold**\n> **quoted**"),
        ("a>>b", "a>>b"),
    ]);
}

#[test]
fn code_is_fenced_and_has_its_white_space() {
    check(&[
        ("a[code]x\u{a0}\u{a0}=[b]1[/b][/code]\nb", "a\n```\nx  =[b]1[/b]\n```\nb"),
        ("a\n[code]x[/code]", "a\n```\nx\n```"),
        ("[code]x[/code]b", "```\nx\n```\nb"),
        ("[CODE]\n\tx\n[/CODE]", "```\n\tx\n```"),
        ("[code]a\n```\n````[/code]", "`````\na\n```\n````\n`````"),
        ("[code][\u{200b}/code][/code]", "```\n[/code]\n```"),
        ("[code]a[/code]\n[code]b[/code]", "```\na\n```\n```\nb\n```"),
        ("[code]open", "[code]open"),
        ("• a\n[code]x[/code]\n\u{2003}b", "- a\n  ```\n  x\n  ```\n  b"),
    ]);
}

#[test]
fn lists_are_lists() {
    check(&[
        ("Intro:\n\n• one\n\u{2003}more\n• two\n\nend", "Intro:\n\n- one\n  more\n- two\n\nend"),
        ("1. a\n\u{2003}◦ b\n\u{2003}\u{2003}▪ c\n2. d", "1. a\n   - b\n     - c\n2. d"),
        ("☐ a\n☑ b", "- [ ] a\n- [x] b"),
        ("• a\nb", "- a\n\nb"),
        ("1. a\nb", "1. a\nb"),
        ("◦ a\n\u{2003}b", "◦ a\n\u{2003}b"),
        ("• [x] a", "- \\[x] a"),
        (">>• a\n>>• b", "> - a\n> - b"),
    ]);
}

#[test]
fn what_people_type_stays_as_they_typed_it() {
    for text in [
        "2 * 3 < 7 & 8 > 5, x_1, a|b, ~5, #12",
        "**bold** _i_ `code` [x](/y) # no",
        "* one\n* two\n- three\n+ four\n1. five",
        "# heading",
        "if (a<b) return List<String>;",
        "```rust\nlet a = \"> b\";\n> x\n```\nok",
        "``x`` and `y",
        "C:\\dir\\*.txt",
        "@Ann Lee: :) ;-) 👩‍💻 ❤️ 🇩🇪",
        "Olaf: hello",
        "a\tb  c\n\n\nd",
        "<b>bold</b>",
        "mail a@b.example",
    ] {
        assert_eq!(read_back(text), text);
    }
}

#[test]
fn nobody_makes_what_only_the_connector_makes() {
    check(&[
        // A quote.
        ("> **Olaf**:\n> pay", "\\> **Olaf**:\n\\> pay"),
        ("  > x", "\\> x"),
        (">>>x", "> \\>x"),
        ("• > x", "- \\> x"),
        ("[b]> x[/b]", "**\\> x**"),
        ("a\r> b\u{2028}> c\u{85}> d", "a\n\\> b\n\\> c> d"),
        (">>a\u{2029}b\rc", "> a\n\nb\nc"),
        // A fence.
        ("```\n[code]x[/code]\ny", "\\```\n```\nx\n```\ny"),
        ("~~~\n>>q\n~~~", "\\~~~\n> q\n\n\\~~~"),
        ("````\na\n```", "\\````\na\n\\```"),
        ("[code]```\nout?[/code]", "````\n```\nout?\n````"),
        (">>```\nout\n>>```", "> \\```\n\nout\n> \\```"),
        (">>```\n>>in\n>>```\nout", "> ```\n> in\n> ```\n\nout"),
        // A comment that hides what follows.
        ("<!-- x\n>>q", "\\<!-- x\n> q"),
        ("<script>\n>>q", "\\<script>\n> q"),
        // The end of a link.
        (
            "[URL=https://a.example]x](https://b.example) [y[/URL]",
            "[x\\](https://b.example) \\[y](https://a.example)",
        ),
    ]);
}

#[test]
fn what_an_agent_meant_literally_stays_literal() {
    check(&[
        ("*\u{200b}x*\u{200b} _\u{200b}y_\u{200b} `\u{200b}z`\u{200b}", "\\*x\\* \\_y\\_ \\`z\\`"),
        ("#\u{200b} a\n-\u{200b} b\n+\u{200b} c\n>\u{200b} d", "\\# a\n\\- b\n\\+ c\n\\> d"),
        ("`[\u{200b}b] \u{200b}https://a.example`", "`[b] https://a.example`"),
        ("`\u{200b}https://a.example`", "`https://a.example`"),
        ("[x]\u{200b}(y) a |\u{200b} b ~\u{200b}~c~\u{200b}~", "[x\\](y) a \\| b \\~\\~c\\~\\~"),
        ("[\u{200b}USER=1]x 8\u{200b}) :\u{200b}/ (\u{200b}C)", "[USER=1]x 8) :/ (C)"),
        ("&lt; &amp; &copy; a&b; `&lt;`", "\\&lt; \\&amp; \\&copy; a\\&b; `&lt;`"),
        ("\\*\u{200b}", "\\\\\\*"),
        ("\u{200b}/me 0\u{200b}", "/me 0"),
    ]);
}

#[test]
fn signs_that_nobody_sees_go_and_emoji_stay() {
    check(&[
        ("a\u{1}b\u{0}c\u{7f}d\u{b}e", "abcde"),
        ("\u{200b}", ""),
        ("[b]\u{200b}[/b]", ""),
        ("👩\u{200d}💻 👍🏽 ❤\u{fe0f} :) [b]😀[/b]", "👩\u{200d}💻 👍🏽 ❤\u{fe0f} :) **😀**"),
        (" \n a \n ", "a"),
    ]);
}

#[test]
fn only_a_mention_outside_code_and_quotes_addresses() {
    let yes = [
        "[USER=57]Mira[/USER] hi",
        "hi [user=57 REPLACE]Mira[/user]",
        "[b][UsEr=57 replace]Mira[/b][/USER]",
        ">>old\n[USER=57]Mira[/USER]",
        "=54=\nOlaf\nx\n=54=\n[USER=57]Mira[/USER]?",
        "[code]=54=[/code]\n[USER=57]Mira[/USER]\n=54=",
        "=54=\n[USER=57]Mira[/USER]",
        "see [URL=https://a.example,%5BUSER=57%5DMira%5B/USER%5D]https://a.example,[USER=57]Mira[/USER][/URL]",
    ];
    let no = [
        "[USER=571]Mira[/USER]",
        "[USER=57",
        "[USER=57]Mira",
        "[USER=57 x]Mira[/USER]",
        "[USER= 57]Mira[/USER]",
        "[USER=+57]Mira[/USER]",
        "[code][USER=57]Mira[/USER][/code]",
        ">>[USER=57]Mira[/USER]\nyes",
        "> [USER=57]Mira[/USER]\nyes",
        ">>see [code]x[/code] [USER=57]Mira[/USER]",
        "=54=\nOlaf\n[USER=57]Mira[/USER] [code]x[/code] look\n=54=\nhe asked you",
        "=54=\n[USER=57]Mira[/USER] [10:01]\nx\n=54=\n",
        "@Mira @57",
        "",
    ];
    for (texts, expected) in [(yes.as_slice(), true), (no.as_slice(), false)] {
        for text in texts {
            assert_eq!(mentioned(&framed(text), 57), expected, "{text:?}");
            let all = text.replace("=57", "=All").replace("= 57", "= all").replace("+57", "+all");
            assert_eq!(mentions_all(&framed(&all)), expected, "{all:?}");
            assert!(!mentions_all(&framed(text)) && !mentioned(&framed(&all), 57), "{text:?}");
        }
    }
    assert!(mentioned("[USER=57]a[/USER] [USER=all]b[/USER]", 57));
    assert!(mentions_all("[USER=57]a[/USER] [user=ALL replace]b[/user]"));
}

/// With work that grew like the square of the length, each of these would take minutes. Nothing in
/// them is a tag or a quote, so each comes back as it is.
#[test]
fn hostile_repetition_is_read_back_as_it_is() {
    for piece in [
        "[",
        "]",
        "[USER=1]",
        "[url]",
        "[b",
        "[b]",
        "[/b]",
        "[code]",
        "[/code]",
        "[url=",
        "![",
        "[url=a]",
        "[CHAT=1][url=http://a]",
        "[i][b]",
        "[icon=",
        "[pch]",
        "[put=a]",
        "-",
        "[/url]",
        "`a",
    ] {
        let text = piece.repeat(limits::DELIVERY_TEXT_BYTES_MAX / piece.len());
        assert!(read_back(&text) == text, "{piece}");
        assert!(!mentioned(&text, 1) && !mentions_all(&text), "{piece}");
    }
}

#[test]
fn hostile_repetition_of_what_acts_stays_small() {
    let long = format!("[url={}", "a".repeat(200));
    let pieces = [
        ">>",
        ">>\n",
        ">>a\n\n",
        "[b]a[/b]",
        "[b][i][s]a[/b]b[/i]c[/s]",
        "[code]x[/code]",
        "`",
        "``` ",
        "```\n",
        "~~~~\n```\n",
        "\\[b]x[/b]",
        "[URL]a[/URL]",
        "[URL=a]a[/URL]",
        "[URL=a]b[/URL]",
        "[USER=1]a[/USER]",
        "\u{200b}",
        "*\u{200b}",
        "~\u{200b}",
        "&a;",
        "• a\n",
        "\u{2003}",
        "1. ",
        "\u{2003}◦ a\n• b\n",
        "=54=\n",
        "a=54=\n",
        "=54=a\n",
        "=54=\nA [1]\n",
        ">>│ │ │ ",
        ">>│ ",
        "[disk=1]",
        "[rating=5]",
        "[icon=a title=b size=",
        "[size=1]a[/size]",
        "[pch=1]a[/pch]",
        "\\",
        "[url=a%5B]a[",
        "[br]",
        "#BR#",
        &long,
        "😀[b]",
        "[img size=small]a[/img]",
        "[b]a\n",
        "[/b]\n",
    ];
    for piece in pieces {
        for (begin, end) in [("", ""), ("[b][i]", "[/b][/i]"), ("", "[/url][/user][/code]")] {
            let piece = framed(piece);
            let most = 50_000;
            let text = format!("{begin}{}{end}", piece.repeat(most / piece.len()));
            let chars = read_back(&text).chars().count();
            assert!(chars <= text.len() * 16, "{piece:?} grew to {chars}");
            let _ = (mentioned(&text, 1), mentions_all(&text));
        }
    }
    // Blanks in front of a line, and code below many items.
    let blanks = " ".repeat(limits::DELIVERY_TEXT_BYTES_MAX);
    assert_eq!(read_back(&format!("a\n{blanks}b")).len(), 3 + blanks.len());
    let items: String = (0..200).map(|n| format!("{}1. a\n", "\u{2003}".repeat(n))).collect();
    let text = format!("{items}[code]{}[/code]", "x\n".repeat(20_000));
    assert!(read_back(&text).len() < text.len() * 16);
    // A link over many lines, and one that other tags cross.
    let address = "x".repeat(9_000);
    for piece in ["a\n", "[b]a", "[/b]a[b]"] {
        let pieces = piece.repeat(10_000 / piece.len());
        let text = format!("[b][url={address}]{pieces}[/url][/b]");
        assert!(read_back(&text).len() < text.len() * 16, "{piece:?}");
    }
    let short = "[url=https://a.example]two\nlines[/url]";
    let linked = "[two](https://a.example)\n[lines](https://a.example)";
    assert_eq!(read_back(short), linked);
    // Openings first and then as many closings: how many are open must not matter to each.
    let many = 50_000;
    let text = format!("{}x{}", "[b][url=a]".repeat(many), "[/url][/b]".repeat(many));
    assert_eq!(read_back(&text), "**[x](a)**");
}
