//! Whether a text that the portal returns can be what became of one that we sent: how a message is
//! found again whose answer was lost, where the portal keeps no UUID of it. What was sent is taken
//! through what saving and reading do for certain (b24: messenger §6.4); then both are reduced to a
//! form without what they may do: links wrapped and rewritten, mentions taken away or filled in (b24:
//! messenger §10.2). Errs to "no" in doubt about anything that a reader can see. Pure and total.

use crate::limits;

/// Longer texts are cut when they are saved, to what and with what at the end.
const CUT_ABOVE: usize = 20_006;
const CUT_TO: usize = 20_000;
const CUT_MARK: &str = " (...)";

/// What the server decodes, once.
const ENTITIES: &[(&str, char)] = &[
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&amp;", '&'),
    ("&quot;", '"'),
    ("&nbsp;", ' '),
    ("&#91;", '['),
    ("&#93;", ']'),
    ("&#33;", '!'),
    ("&#36;", '$'),
    ("&#39;", '\''),
    ("&#092;", '\\'),
    ("&#124;", '|'),
];
/// Inside of these the server reads nothing.
const PROTECTED: &[(&str, &str)] = &[
    ("[code]", "[/code]"),
    ("[put]", "[/put]"),
    ("[put=", "[/put]"),
    ("[send]", "[/send]"),
    ("[send=", "[/send]"),
];
/// Tags that differ at most in the case of their letters.
const KEPT: &[&str] =
    &["[b]", "[/b]", "[i]", "[/i]", "[u]", "[/u]", "[s]", "[/s]", "[code]", "[/code]"];
/// Most digits between two colons that are an emoji.
const EMOJI_HEX_MAX: usize = 64;
/// Longest tag of a mention or a file.
const MENTION_BYTES_MAX: usize = 64;
/// Longest tag of a link: an address of ours with every character escaped.
const TAG_BYTES_MAX: usize = limits::MARKUP_ADDRESS_BYTES_MAX * 4;
/// Stands in the reduced form around what is not shown, or not ours: no text holds it.
const MARK: char = '\0';

/// Whether `read`, as the portal returns it, can be what became of `sent`, a part of ours as it left.
pub fn same_text(sent: &str, read: &str) -> bool {
    reduced(&received(sent)) == reduced(read)
}

/// A sent text after what the portal does for certain.
pub(super) fn received(sent: &str) -> String {
    let text = sent.replace("[BR]", "\n").replace("[br]", "\n").replace("#BR#", "\n");
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}']);
    let cut: String = match text.char_indices().nth(CUT_TO) {
        Some((end, _)) if text[end..].chars().nth(CUT_ABOVE - CUT_TO).is_some() => {
            format!("{}{CUT_MARK}", &text[..end])
        }
        _ => text.to_owned(),
    };
    let mut out = String::with_capacity(cut.len());
    let mut closes = Closes::default();
    let mut rest = cut.as_str();
    let mut plain_to = 0;
    while let Some(at) = rest[plain_to..].find('[').map(|at| plain_to + at) {
        let opened = PROTECTED.iter().find(|(open, _)| starts(&rest[at..], open));
        let end =
            opened.and_then(|(_, close)| Some(closes.find(&rest[at..], close)? + close.len()));
        let Some(end) = end else {
            plain_to = at + 1;
            continue;
        };
        decode(&rest[..at], &mut out);
        out.push_str(&rest[at..at + end]);
        rest = &rest[at + end..];
        plain_to = 0;
    }
    decode(rest, &mut out);
    out
}

/// Line ends, entities and emoji that are written as text.
fn decode(text: &str, out: &mut String) {
    let mut entities = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '[']) {
        entities.push_str(&rest[..at]);
        rest = &rest[at..];
        // Of these the server takes one in any case, the other as it stands.
        let line_end = ["[br]", "<br />"].into_iter().find(|mark| match *mark {
            "[br]" => starts(rest, mark),
            mark => rest.starts_with(mark),
        });
        let entity = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity));
        let (length, by) = match (line_end, entity) {
            (Some(mark), _) => (mark.len(), '\n'),
            (None, Some((entity, by))) => (entity.len(), *by),
            (None, None) => (1, char::from(rest.as_bytes()[0])),
        };
        entities.push(by);
        rest = &rest[length..];
    }
    entities.push_str(rest);
    let mut rest = entities.as_str();
    while let Some(at) = rest.find(':') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, emoji) = emoji(rest).unwrap_or((1, ":".to_owned()));
        out.push_str(&emoji);
        rest = &rest[length..];
    }
    out.push_str(rest);
}

/// What `:f09f9880:` spells, and how long it is.
fn emoji(text: &str) -> Option<(usize, String)> {
    let hex = text[1..].bytes().take(EMOJI_HEX_MAX).take_while(u8::is_ascii_hexdigit).count();
    if hex < 8 || hex % 2 != 0 || !text[1 + hex..].starts_with(':') {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (1..=hex).step_by(2).map(byte).collect();
    Some((hex + 2, String::from_utf8(bytes?).ok()?))
}

/// A text without what the portal may add, take away or rewrite.
fn reduced(text: &str) -> String {
    let text = text.replace('\u{a0}', " ");
    let text = text.replace("(C)", "(c)").replace("(TM)", "(tm)").replace("(R)", "(r)");
    // Links first: those that the server makes may end in the middle of another tag. In code there are
    // none, and what looks like the beginning of one must not take in what follows.
    let mut closes = Closes::default();
    let text =
        rewritten(&text, |text, out| code(text, &mut closes, out).or_else(|| link(text, out)));
    let mut closes = Closes::default();
    rewritten(&text, |text, out| tag(text, &mut closes, out)).trim().to_owned()
}

/// A text with its tags rewritten: `rewrite` writes what stands for a tag at the beginning of a text
/// and tells how long that is; `None` when there is none.
fn rewritten(text: &str, mut rewrite: impl FnMut(&str, &mut String) -> Option<usize>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = rewrite(rest, &mut out).unwrap_or_else(|| {
            out.push('[');
            1
        });
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// A block of code, as it is.
fn code(text: &str, closes: &mut Closes, out: &mut String) -> Option<usize> {
    if !starts(text, "[code]") {
        return None;
    }
    let end = closes.find(text, "[/code]")?;
    out.push_str(&text[..end]);
    Some(end)
}

/// Tags of style are kept, those of mentions and files left out.
fn tag(text: &str, closes: &mut Closes, out: &mut String) -> Option<usize> {
    if let Some(kept) = KEPT.iter().find(|kept| starts(text, kept)) {
        out.push_str(kept);
        return Some(kept.len());
    }
    if starts(text, "[/user]") {
        return Some("[/user]".len());
    }
    let end = text.bytes().take(MENTION_BYTES_MAX).position(|byte| byte == b']')?;
    let (name, value) = text[1..end].split_once('=')?;
    let (who, filled) = match value.split_once(' ') {
        Some((who, mark)) => (who, mark.eq_ignore_ascii_case("replace")),
        None => (value, false),
    };
    let is_id = !who.is_empty() && who.bytes().all(|byte| byte.is_ascii_digit());
    if name.eq_ignore_ascii_case("disk") && is_id && who == value {
        return Some(end + 1);
    }
    let is_mention =
        name.eq_ignore_ascii_case("user") && (is_id || who.eq_ignore_ascii_case("all"));
    if !is_mention || who != value && !filled {
        return None;
    }
    let close = closes.find(&text[end + 1..], "[/user]");
    if let Some(length) = close.filter(|length| *length == 0 || filled) {
        // The portal puts in the name that the user has at the time of reading.
        out.extend([MARK].into_iter().chain(who.to_lowercase().chars()).chain([MARK]));
        return Some(end + 1 + length + "[/user]".len());
    }
    Some(end + 1)
}

/// An address that is not what its link shows is part of what was said.
fn link(text: &str, out: &mut String) -> Option<usize> {
    if let Some(bare) = ["[url]", "[/url]"].iter().find(|bare| starts(text, bare)) {
        return Some(bare.len());
    }
    if !starts(text, "[url=") {
        return None;
    }
    let mut depth = 0;
    let mut bytes = text.bytes().take(TAG_BYTES_MAX).enumerate().skip("[url=".len());
    let (end, _) = bytes.find(|(_, byte)| {
        let ends = *byte == b']' && depth == 0;
        depth = match byte {
            b'[' => depth + 1,
            b']' => depth - 1,
            _ => depth,
        };
        ends
    })?;
    let written = &text["[url=".len()..end];
    let address = address(written);
    let title = &text[end + 1..];
    if starts(title, "[/url]") {
        out.push_str(written);
    } else if !shows(title, &address) {
        out.extend([MARK].into_iter().chain(address.chars()).chain([MARK]));
    }
    Some(end + 1)
}

/// The server completes addresses, escapes brackets in them and breaks up what would be run.
fn address(written: &str) -> String {
    let address = written.replace("%5B", "[").replace("%5D", "]").replace(char::is_whitespace, "");
    address.strip_prefix("http://").map(str::to_owned).unwrap_or(address)
}

/// Whether a link's text, behind which more follows, is nothing but where it leads. Links that the
/// server makes may have other tags inside.
fn shows(text: &str, to: &str) -> bool {
    let mut rest = text.strip_prefix("http://").unwrap_or(text);
    for c in to.chars() {
        let escaped = match c {
            '[' => rest.strip_prefix("%5B"),
            ']' => rest.strip_prefix("%5D"),
            _ => None,
        };
        let Some(next) = escaped.or_else(|| rest.strip_prefix(c)) else { return false };
        rest = next;
    }
    starts(rest, "[/url]")
}

/// Looks for closing tags in what is left of one text, and remembers where it found them, so that
/// the text is gone through once for each tag.
#[derive(Default)]
struct Closes {
    /// How long the text is from there on; 0 when the tag does not come any more.
    found: Vec<(&'static str, usize)>,
}

impl Closes {
    fn find(&mut self, text: &str, close: &'static str) -> Option<usize> {
        let known = self.found.iter_mut().find(|(tag, _)| *tag == close);
        if let Some((_, left)) = &known
            && *left <= text.len()
        {
            return Some(text.len() - *left).filter(|at| *at < text.len());
        }
        let mut brackets = text.match_indices('[').map(|(at, _)| at);
        let at = brackets.find(|at| starts(&text[*at..], close));
        let left = at.map_or(0, |at| text.len() - at);
        match known {
            Some(known) => known.1 = left,
            None => self.found.push((close, left)),
        }
        at
    }
}

/// Whether a text begins with an ASCII one, in any case of letters.
fn starts(text: &str, with: &str) -> bool {
    text.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with))
}

#[cfg(test)]
mod tests {
    use super::same_text;
    use crate::limits;

    #[test]
    fn what_the_portal_does_makes_no_difference() {
        let long = "я".repeat(20_007);
        let cut = format!("{} (...)", "я".repeat(20_000));
        let cases = [
            (" a\u{a0}b ", "a b"),
            ("a[br]b#BR#c[BR]d<br />e[Br]f", "a\nb\nc\nd\ne\nf"),
            ("a#br#b<BR />c", "a#br#b<BR />c"),
            (
                "[code]x[url=y[/code] [url=https://a.example]t[/url]]",
                "[code]x[url=y[/code] [URL=https://a.example]t[/URL]]",
            ),
            ("[code]a[br]b[/code]", "[code]a\nb[/code]"),
            ("&amp;lt; &#91;b]", "&lt; [b]"),
            ("[code]&lt;[/code]&lt;", "[code]&lt;[/code]<"),
            ("see https://a.example, ok", "see [URL]https://a.example[/URL], ok"),
            (
                "[b]https://a.example[/b]",
                "[b][URL=https://a.example%5B/b%5D]https://a.example[/b][/URL]",
            ),
            ("see www.a.example", "see [URL=http://www.a.example]www.a.example[/URL]"),
            ("[url]https://a.example[/url]", "[URL]https://a.example[/URL]"),
            ("[url=a.example]t[/url]", "[URL=http://a.example]t[/URL]"),
            ("[url=https://a.example/?q=[1]]t[/url]", "[URL=https://a.example/?q=%5B1%5D]t[/URL]"),
            ("[url=https://a.example][/url]", "[URL]https://a.example[/URL]"),
            ("[url=javascript:x]t[/url]", "[URL=http://java script:x]t[/URL]"),
            ("[USER=12]Ann[/USER], hi", "Ann, hi"),
            ("[USER=12][/USER], hi", "[USER=12 REPLACE]Ann Lee[/USER], hi"),
            ("[USER=all][/USER]", "[USER=all REPLACE]everyone[/USER]"),
            ("(C) (TM) (R)", "(c) (tm) (r)"),
            (":f09f9880: x", "😀 x"),
            ("see [DISK=5]", "see"),
            (&long, &cut),
        ];
        for (sent, read) in cases {
            assert!(same_text(sent, read), "{sent:.60} -> {read:.60}");
        }
    }

    #[test]
    fn what_an_agent_said_does() {
        let cases = [
            ("Invoice 12", "Invoice 13"),
            ("Invoice 12", "Invoice 12."),
            ("a", ""),
            ("", "a"),
            ("Done", "done"),
            ("a b", "ab"),
            ("a\nb", "a b"),
            ("&amp;lt;", "<"),
            ("[b]a[/b]", "a"),
            ("[url=https://a.example/1]t[/url]", "[URL=https://a.example/2]t[/URL]"),
            ("[url=https://a.example/1]t[/url]", "t"),
            ("[USER=12]Ann[/USER]", "[USER=12]Eve[/USER]"),
            ("[USER=12][/USER]", "[USER=13 REPLACE]Ann[/USER]"),
            ("[USER=x]", ""),
            ("[1]", "1"),
            ("a\u{200b}b", "ab"),
            (":f09f9880:", "😁"),
            ("[code]:f09f9880:[/code]", "[code]😀[/code]"),
        ];
        for (sent, read) in cases {
            assert!(!same_text(sent, read), "{sent} -> {read}");
        }
    }

    /// With work that grew like the square of the length, each of these would take minutes.
    #[test]
    fn hostile_texts_are_compared_too() {
        for piece in [
            "[",
            "[url=",
            "[url=a]",
            "[user=1 REPLACE]",
            "[user=1]",
            "[code]",
            "[put=",
            "&",
            ":",
            "[/url]",
            "[code][/code]",
            ":f09f",
            "я[url=я]я",
            "[send]&lt;",
        ] {
            for end in ["", "[/url][/user][/code][/put][/send]"] {
                let text = piece.repeat(limits::DELIVERY_TEXT_BYTES_MAX / piece.len() / 8) + end;
                assert!(!same_text(&text, "x"), "{piece}");
            }
        }
    }
}
