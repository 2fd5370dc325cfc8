//! Tests of mentions, and of what nobody meant as one: hostile texts and hostile names assembled
//! from fragments must come out of the portal's own save and read without a tag that is not ours.

use super::Format;
use super::Member;
use super::Mentions;
use super::may_mention;
use super::render;
use super::tests::assert_sound;
use crate::limits;

fn dialog(all: bool, members: &[(i64, &str)]) -> Mentions {
    let member = |(id, name): &(i64, &str)| Member { id: *id, name: (*name).to_owned() };
    Mentions { all, members: members.iter().map(member).collect() }
}

/// Two of them bear one name.
fn office(all: bool) -> Mentions {
    dialog(
        all,
        &[
            (21, "Ann Lee"),
            (22, "Ann Lee Smith"),
            (23, "Пётр  Иванов"),
            (24, "Olaf O'Neil & Co [QA]"),
            (31, "Bob Ray"),
            (32, "bob\u{a0}ray"),
            (33, "Zoë Maß"),
            (33, "Zoë Maß"),
            (35, "Bob Ray Senior"),
            (36, "All"),
            (37, " \u{200b} "),
            (38, "Joan_of_Arc"),
        ],
    )
}

fn one_part(text: &str, mentions: &Mentions) -> String {
    render(text, Format::Markdown, mentions).join("\n---\n")
}

#[test]
fn a_full_name_that_one_member_bears_is_a_mention() {
    let cases = [
        ("@Ann Lee, hi", "[USER=21]Ann Lee[/USER], hi"),
        ("(@ANN   lee)", "([USER=21]Ann Lee[/USER])"),
        ("@Ann\u{a0}Lee's", "[USER=21]Ann Lee[/USER]'s"),
        ("@Ann Lee Smith!", "[USER=22]Ann Lee Smith[/USER]!"),
        ("@Ann Lee Smithson", "[USER=21]Ann Lee[/USER] Smithson"),
        ("**@пётр иванов**: да", "[b][USER=23]Пётр Иванов[/USER][/b]: да"),
        ("# @Zoë maß", "[b][USER=33]Zoë Maß[/USER][/b]"),
        ("> @Ann Lee", ">>[USER=21]Ann Lee[/USER]"),
        ("- @Ann Lee\n- x", "• [USER=21]Ann Lee[/USER]\n• x"),
        ("a<u>@Ann Lee</u>", "a[u]@Ann Lee[/u]"),
        ("@Ann Lee@Ann Lee", "[USER=21]Ann Lee[/USER]@Ann Lee"),
        ("@@Ann Lee", "@[USER=21]Ann Lee[/USER]"),
        ("|a|b|\n|-|-|\n|@Ann Lee|@Ann|", "[b][USER=21]Ann Lee[/USER][/b] — b: @Ann"),
        // In pieces for the parser.
        ("&#64;Ann&nbsp;L&#101;e", "[USER=21]Ann Lee[/USER]"),
        ("@Olaf O'Neil &amp; Co \\[QA\\]", "[USER=24]Olaf O'Neil & Co [QA][/USER]"),
        ("@Olaf O'Neil & Co [QA]", "[USER=24]Olaf O'Neil & Co [QA][/USER]"),
        ("@Joan_of_Arc", "[USER=38]Joan_of_Arc[/USER]"),
    ];
    for (text, expected) in cases {
        assert_eq!(one_part(text, &office(false)), expected, "{text}");
        assert!(may_mention(text), "{text}");
    }
}

#[test]
fn what_is_no_clear_name_stays_text() {
    for text in [
        "@Ann Leed",
        "@Ann",
        "@ Ann Lee",
        "x@Ann Lee",
        "7@Ann Lee",
        "@Bob Ray",
        "@Nobody",
        "@all",
        "@All of you",
        "@",
    ] {
        assert_eq!(one_part(text, &office(false)), text.trim_end(), "{text}");
    }
    // The longest name is the one that was written, even if nobody is meant by it.
    let twins = dialog(false, &[(1, "Ann Lee"), (2, "Ann Lee Smith"), (3, "ann lee smith")]);
    assert_eq!(one_part("@Ann Lee Smith", &twins), "@Ann Lee Smith");
    let cases = [
        ("`@Ann Lee`", "`@Ann Lee`"),
        ("```\n@Ann Lee\n```", "[code]@Ann Lee[/code]"),
        ("    @Ann Lee", "[code]@Ann Lee[/code]"),
        ("[@Ann Lee](https://a.example)", "[url=https://a.example]@Ann Lee[/url]"),
        ("[@Ann Lee](/a)", "@Ann Lee (/a)"),
        ("[x](/@Ann Lee)", "[x](/[USER=21]Ann Lee"),
        ("[x](</@Ann Lee>)", "x (/@Ann Lee)"),
        ("![@Ann Lee](x.png)", "🖼 @Ann Lee (x.png)"),
        ("[@Ann Lee](bitrix24:user/12)", "[USER=12]@Ann Lee[/USER]"),
        ("https://a.example/@Ann Lee", "[url]https://a.example/@Ann[/url] Lee"),
        ("@Ann *Lee*", "@Ann [i]Lee[/i]"),
        ("@Ann\nLee", "@Ann\nLee"),
        ("**@Ann Lee**s", "[b]@Ann Lee[/b]s"),
    ];
    for (text, expected) in cases {
        let rendered = one_part(text, &office(false));
        assert!(rendered.replace('\u{200b}', "").starts_with(expected), "{text}: {rendered}");
    }
    assert_eq!(render("@Ann Lee", Format::Plain, &office(true)), ["@Ann Lee"]);
}

#[test]
fn a_name_is_shown_in_one_line_and_inert() {
    let mentions =
        dialog(false, &[(5, "Eve\u{1}\u{200b} [USER=1]\n\tLee"), (0, "Nil"), (-1, "Neg")]);
    let expected = "[USER=5]Eve [\u{200b}USER=1] Lee[/USER] @Nil @Neg";
    assert_eq!(one_part("@Eve [USER=1] Lee @Nil @Neg", &mentions), expected);
}

#[test]
fn everyone_is_addressed_only_where_that_is_allowed() {
    let cases = [
        ("@all: hi", "[USER=all]all[/USER]: hi"),
        ("@ALL", "[USER=all]all[/USER]"),
        ("@allow", "@allow"),
        ("x@all", "x@all"),
        ("`@all`", "`@all`"),
    ];
    for (text, expected) in cases {
        assert_eq!(one_part(text, &office(true)), expected, "{text}");
        assert_eq!(one_part(text, &office(false)), text, "{text}");
    }
}

#[test]
fn members_are_asked_for_only_where_a_name_could_stand() {
    for text in ["", "no", "mail a@b.example", "7@8", "я@я", "[Ann](bitrix24:user/1)", "a & b"] {
        assert!(!may_mention(text), "{text}");
    }
    for text in ["@", "a @b", "**@**", "&#64;", "&#x40;", "&commat;", "\\@x", "a\u{1}@x"] {
        assert!(may_mention(text), "{text}");
    }
}

/// With work that grew like the square of the length, each of these would take minutes.
#[test]
fn names_cost_no_more_than_they_are_long() {
    let long = "@ ".repeat(limits::MARKUP_NAME_CHARS_MAX);
    let mut members = vec![(1, "a"), (2, "@ @ @ a"), (3, long.as_str())];
    let rows: Vec<String> = (0..5000).map(|n| format!("@ @ @ @ @ {n}")).collect();
    members.extend((10..).zip(rows.iter().map(String::as_str)));
    let mentions = dialog(true, &members);
    for piece in ["@", "@ ", "@a ", "@ @ @ @ @ 77", "@\u{a0}", "@all"] {
        let text = piece.repeat(limits::DELIVERY_TEXT_BYTES_MAX / piece.len() / 10);
        let parts = render(&text, Format::Markdown, &mentions);
        assert!(!parts.is_empty(), "{piece}");
        parts.iter().for_each(|part| assert_sound(part));
    }
}

#[cfg(feature = "sim")]
pub(super) mod through_the_portal {
    use super::*;
    use crate::markup::same_text;
    use crate::markup::tests::Dice;
    use crate::sim::messenger::read::read;
    use crate::sim::messenger::save::save;

    /// Users that only an injected tag names have ids below this.
    const INJECTED_BELOW: i64 = 10;

    /// What people would like to see active, as text and as somebody's name.
    const ACTIVE: &[&str] = &[
        "[USER=1]x[/USER]",
        "[user=2 REPLACE]",
        "[USER=all]",
        "[/USER]",
        "[/user]",
        "[SEND=/x]y[/SEND]",
        "[send]",
        "[PUT=/x]y[/PUT]",
        "[/put]",
        "[CALL=112]c[/CALL]",
        "[call]",
        "[DISK=5]",
        "[disk=6]",
        "[IMG size=small]https://a.example/i.png [/IMG]",
        "[img]",
        "[ICON=https://a.example/i.png size=20]",
        "[TIMESTAMP=1 FORMAT=SHORT_TIME_FORMAT]",
        "[CONTEXT=chat1/2]c[/CONTEXT]",
        "[context=",
        "[CHAT=5]c[/CHAT]",
        "[RATING=5]",
        "[LIKE]",
        "[cut]",
        "[size=20]",
        "[url=https://evil.example]u[/url]",
        "[URL]",
        "[b]",
        "[/b]",
        "[code]",
        "[/code]",
        "[/CODE]",
        "[br]",
        "[BR]",
        "#BR#",
        "####REPLACEMENT_PUT_1",
        "####REPLACEMENT_CODE_0####",
        "&#91;USER=1&#93;x&#91;/USER&#93;",
        "&#91;b]",
        "&amp;#91;b]",
        "&lt;br /&gt;",
        "<br />",
        ":5b555345523d315d:",
        ":5b625d:",
        ":f09f9880:",
        "/me ",
        "https://a.example/",
        "www.a.example",
        "------------------------------------------------------",
    ];

    /// Names of tags that must be ours or not at all.
    const KNOWN: &str = "b i u s url user code send put call disk img icon timestamp context chat \
        rating like cut size color br list";

    /// Pieces of those, to be put together by markup that vanishes.
    const PIECES: &[&str] = &[
        "[",
        "]",
        "/",
        "=",
        "#",
        "##",
        "B",
        "R#",
        "BR",
        "US",
        "ER=1]",
        "USER",
        "=1]",
        "DI",
        "SK=5]",
        "&",
        "&#",
        "91;",
        "#91;",
        "amp;",
        "b]",
        ":",
        "5b625d",
        ":5b62",
        "5d:",
        "ht",
        "tp://",
        "www",
        ".a.example",
        "co",
        "de]",
        "----------------------------",
        "0",
        "<br",
        " />",
        "(",
        "C)",
    ];

    /// Markup around and between them.
    const MARKUP: &[&str] = &[
        "**",
        "*",
        "_",
        "~~",
        "`",
        "```\n",
        "\n```\n",
        "    ",
        "\n",
        "\n\n",
        "> ",
        "- ",
        "1. ",
        "# ",
        "| ",
        " |",
        "|a|b|\n|---|---|\n|",
        "[^1]",
        "[^1]: ",
        "<b>",
        "</b>",
        "<u>",
        "<!-- ",
        "-->",
        "\\",
        " ",
        "\u{200b}",
        "\u{a0}",
        "\u{1}",
        "![",
        "[",
        "](https://a.example/",
        "](/",
        "](",
        " \"",
        "\")",
        ")",
        "<",
        ">",
        "&nbsp;",
        "word",
        "é",
    ];

    /// Mentions that are meant, and such as are not.
    const ADDRESSED: &[&str] = &[
        "@",
        "@Ann Lee",
        "@Ann Lee ",
        "a@Ann Lee",
        "@Bob Ray",
        "@all",
        "`@Ann Lee`",
        "](bitrix24:user/12)",
        "](bitrix24:user/99)",
        "[x](bitrix24:user/99)",
        "](bitrix24:all)",
        "](bitrix24:user/1x)",
        "](bitrix24:user/0)",
        "&#64;",
    ];

    fn assembled(dice: &mut Dice, kinds: &[&[&str]], most: u64) -> String {
        let pick = |dice: &mut Dice| {
            let kind = kinds[dice.below(kinds.len() as u64) as usize];
            kind[dice.below(kind.len() as u64) as usize]
        };
        (0..=dice.below(most)).map(|_| pick(dice)).collect()
    }

    /// Tags outside code: name in small letters, value, whether it closes. Looser than any parser
    /// we know of, so that none finds more.
    fn tags(text: &str) -> Vec<(String, String, bool)> {
        let lower = text.to_ascii_lowercase();
        let mut tags = Vec::new();
        let mut rest = lower.as_str();
        while let Some(start) = rest.find('[') {
            rest = &rest[start + 1..];
            let inside = &rest[..rest.find(']').unwrap_or(rest.len())];
            let name = inside.trim_start_matches('/');
            let end = name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len());
            let (word, value) = name.split_at(end);
            let known = KNOWN.split(' ').any(|name| name == word);
            let ends = value.is_empty() && rest.len() > inside.len();
            let opens = ends || value.starts_with('=') || value.starts_with(char::is_whitespace);
            if known && opens {
                tags.push((word.to_owned(), value.to_owned(), inside.starts_with('/')));
            }
            if word == "code" && opens && !inside.starts_with('/') {
                let code = &rest[..rest.find("[/code]").expect("code is closed")];
                for active in ["[user=", "[disk=", "[br]", "#br#", "####repl", "[send=", "[put="] {
                    assert!(!code.contains(active), "{active} acts in code");
                }
                rest = &rest[code.len()..];
            }
        }
        tags
    }

    /// What a part becomes for a reader while only some users may be seen, checked.
    fn check(part: &str, intended: &dyn Fn(&str) -> bool) {
        assert_sound(part);
        for nobody in [false, true] {
            let saved = save(part, &|_| !nobody);
            assert!(saved.files.is_empty(), "a file is attached");
            let lines = |text: &str| text.matches('\n').count();
            assert_eq!(lines(&saved.text), lines(part), "saving broke a line");
            let shown = read(&saved.text, &|_| None, "everyone");
            assert_eq!(lines(&shown), lines(&saved.text), "reading broke a line: {shown:?}");
            let (stored, found) = (tags(&saved.text), tags(&shown));
            let names = |tags: &[(String, String, bool)]| -> Vec<(String, bool)> {
                tags.iter().map(|(name, _, closes)| (name.clone(), *closes)).collect()
            };
            assert_eq!(names(&stored), names(&found), "reading made a tag: {shown:?}");
            for (name, value, closes) in &found {
                let ours = ["b", "i", "u", "s", "url", "user", "code"].contains(&name.as_str());
                assert!(ours, "[{name}{value}] is active: {shown:?}");
                if name == "user" && !closes {
                    assert!(intended(value), "[user{value}] was not meant: {shown:?}");
                    assert!(!nobody || value == "=all", "a hidden user is mentioned");
                }
            }
            for active in ["#BR#", "####REPL", "[br]"] {
                assert!(!shown.contains(active), "{active} in {shown:?}");
            }
            assert!(!shown.starts_with('/') && shown != "0", "{shown:?}");
            assert!(same_text(part, &shown), "not found again: {shown:?}");
            assert_differs(part, &shown);
            let dashes = shown.split(|c| c != '-').map(str::len).max().unwrap_or(0);
            assert!(dashes < 54 || shown.contains("[code]"), "a frame of dashes in {shown:?}");
        }
    }

    /// Another sign in some places of a text makes it another text.
    pub(in super::super) fn assert_differs(part: &str, shown: &str) {
        let visible = |c: char| !c.is_whitespace() && c != '\u{200b}';
        let places = part.char_indices().filter(|(_, c)| visible(*c) && *c != 'Q');
        let places: Vec<(usize, char)> = places.collect();
        for (at, c) in places.iter().step_by(places.len() / 5 + 1) {
            let other = format!("{}Q{}", &part[..*at], &part[at + c.len_utf8()..]);
            assert!(!same_text(&other, shown), "{other:?} is taken for {shown:?}");
        }
    }

    fn sound(label: &str, text: &str, part: &str, intended: impl Fn(&str) -> bool) {
        let check = std::panic::AssertUnwindSafe(|| check(part, &intended));
        let sound = std::panic::catch_unwind(check);
        assert!(sound.is_ok(), "{label}: {text:?} -> {part:?}");
    }

    #[test]
    fn no_text_makes_a_tag_of_its_own() {
        for seed in 1..3000_u64 {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
            let text = assembled(&mut dice, &[ACTIVE, PIECES, MARKUP, MARKUP], 14);
            for format in [Format::Markdown, Format::Plain] {
                for part in render(&text, format, &office(true)) {
                    sound(&format!("seed {seed}"), &text, &part, |_| false);
                }
            }
        }
    }

    #[test]
    fn what_is_passed_as_it_is_is_found_again_too() {
        let name = |user: u64| Some(format!("User {user} [b]"));
        for seed in 1..2000_u64 {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
            // Entities that a link of the server's cuts in two, or that a file's tag held apart, are
            // not found again: nobody writes them.
            let text = assembled(&mut dice, &[ACTIVE, PIECES, MARKUP], 14).replace('&', "+");
            let text = text.replace("[DISK", "[FILE").replace("[disk", "[file");
            for part in render(&text, Format::Bbcode, &office(true)) {
                let shown = read(&save(&part, &|_| true).text, &name, "everyone");
                assert!(same_text(&part, &shown), "seed {seed}: {part:?} -> {shown:?}");
            }
        }
    }

    /// Every sign of a text as text.
    fn literal(text: &str) -> String {
        let sign =
            |c: char| if c.is_ascii_punctuation() { format!("\\{c}") } else { c.to_string() };
        text.chars().map(sign).collect()
    }

    #[test]
    fn what_a_mention_parts_does_not_join_without_it() {
        let frame = "-".repeat(60);
        let more =
            ["/me", "0", &frame, "https://a.example[b]", "[USER=1]x[/USER]&#91;b]", "#BR##BR#"];
        for whole in ACTIVE.iter().chain(&more) {
            let ends: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
            for from in 0..ends.len() {
                for to in from + 1..=ends.len() {
                    let to = ends.get(to).copied().unwrap_or(whole.len());
                    let [head, middle, tail] =
                        [&whole[..ends[from]], &whole[ends[from]..to], &whole[to..]].map(literal);
                    let text = format!("{head}[{middle}](bitrix24:user/99){tail}");
                    for part in render(&text, Format::Markdown, &office(false)) {
                        sound("parted", &text, &part, |value| value == "=99");
                    }
                }
            }
        }
    }

    #[test]
    fn no_name_and_no_mention_lets_a_tag_through() {
        for seed in 1..2000_u64 {
            let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
            let names: Vec<String> =
                (0..3).map(|_| assembled(&mut dice, &[ACTIVE, PIECES, MARKUP], 4)).collect();
            let mut members = vec![(21, "Ann Lee"), (31, "Bob Ray"), (32, "Bob Ray")];
            members.extend((40..).zip(names.iter().map(String::as_str)));
            let mentions = dialog(seed.is_multiple_of(2), &members);
            let kinds = [ACTIVE, PIECES, MARKUP, ADDRESSED, ADDRESSED];
            let mut text = String::new();
            for _ in 0..=dice.below(4) {
                text.push_str(&assembled(&mut dice, &kinds, 6));
                text.push('@');
                text.push_str(&names[dice.below(3) as usize]);
            }
            let meant = |value: &str| match value {
                "=all" => mentions.all,
                _ => value[1..].parse::<i64>().is_ok_and(|id| {
                    id >= INJECTED_BELOW && (may_mention(&text) || id == 12 || id == 99) && id < 31
                        || id >= 40
                }),
            };
            for format in [Format::Markdown, Format::Plain] {
                for part in render(&text, format, &mentions) {
                    sound(&format!("seed {seed} of {names:?}"), &text, &part, meant);
                }
            }
        }
    }
}
