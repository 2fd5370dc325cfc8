//! What the portal makes of a stored text when somebody reads it: the server-side parser whose
//! output stands in `text` of every read method and event (b24: messenger §10.2, Q18). Pure.

use super::save::find_tag;
use super::save::php_trim;

/// Schemes that make bare text a link, followed by `://`.
const SCHEMES: &[&str] =
    &["http", "https", "news", "ftp", "aim", "mailto", "file", "tel", "callto", "skype", "viber"];
/// What may stand before a bare link, beside white space and the beginning.
const BEFORE: &str = ".,;:!?#-*|[](){}«“";
/// Entities that are decoded, once.
const ENTITIES: &[(&str, &str)] = &[
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&amp;", "&"),
    ("&quot;", "\""),
    ("&nbsp;", " "),
    ("&#91;", "["),
    ("&#93;", "]"),
    ("&#33;", "!"),
    ("&#36;", "$"),
    ("&#39;", "'"),
    ("&#092;", "\\"),
    ("&#124;", "|"),
];

/// Reads a stored text. `name` gives a user's full name; `everyone` is the portal's phrase for all.
pub fn read(text: &str, name: &dyn Fn(u64) -> Option<String>, everyone: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = php_trim(text);
    // Links see what stands before them across protected pieces, so the output is their context.
    while let Some((start, end)) = next_protected(rest) {
        plain(&rest[..start], name, everyone, &mut out);
        out.push_str(&rest[start..end]);
        rest = &rest[end..];
    }
    plain(rest, name, everyone, &mut out);
    out
}

/// The next `[code]…[/code]`, `[put…]…[/put]` or `[send…]…[/send]`.
fn next_protected(text: &str) -> Option<(usize, usize)> {
    let found = ["code", "put", "send"].iter().filter_map(|tag| {
        let start = find_open(text, tag)?;
        let close = format!("[/{tag}]");
        let end = start + find_tag(&text[start..], &close)? + close.len();
        Some((start, end))
    });
    found.min()
}

/// Where `[tag]` or `[tag=` begins.
fn find_open(text: &str, tag: &str) -> Option<usize> {
    let bare = find_tag(text, &format!("[{tag}]"));
    let with_value = if tag == "code" { None } else { find_tag(text, &format!("[{tag}=")) };
    bare.into_iter().chain(with_value).min()
}

fn plain(text: &str, name: &dyn Fn(u64) -> Option<String>, everyone: &str, out: &mut String) {
    if text.is_empty() {
        return;
    }
    let text = text.replace('\u{a0}', " ").replace("#BR#", "\n").replace("<br />", "\n");
    let text = replace_tag(&text, "[br]", "\n");
    let text = fill_names(&text, name, everyone);
    let linked = links(&text, out.chars().next_back());
    let text = decode_entities(&linked);
    let text = decode_emoji(&text);
    out.push_str(&text.replace("(C)", "(c)").replace("(TM)", "(tm)").replace("(R)", "(r)"));
}

fn replace_tag(text: &str, tag: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_tag(rest, tag) {
        out.push_str(&rest[..at]);
        out.push_str(by);
        rest = &rest[at + tag.len()..];
    }
    out.push_str(rest);
    out
}

/// `[USER=12][/USER]` gets the current name and says so.
fn fill_names(text: &str, name: &dyn Fn(u64) -> Option<String>, everyone: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find_tag(rest, "[user=") {
        out.push_str(&rest[..at]);
        let tag = &rest[at..];
        let value = tag[6..].split(']').next().unwrap_or_default();
        let after = tag.get(6 + value.len() + 1..).unwrap_or_default();
        let empty = after.get(..7).is_some_and(|close| close.eq_ignore_ascii_case("[/user]"));
        let shown = if value.eq_ignore_ascii_case("all") {
            Some(everyone.to_owned())
        } else {
            value.parse().ok().and_then(name)
        };
        match shown {
            Some(shown) if empty => {
                out.push_str(&format!("[USER={value} REPLACE]{shown}[/USER]"));
                rest = &after[7..];
            }
            _ => {
                out.push_str(&tag[..6]);
                rest = &tag[6..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Links: explicit ones are rewritten, bare ones wrapped.
fn links(text: &str, before: Option<char>) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut before = before;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = if c == '[' { explicit(rest) } else { bare(rest, before) };
        match taken {
            Some((written, length)) => {
                out.push_str(&written);
                before = rest[..length].chars().next_back();
                rest = &rest[length..];
            }
            None => {
                out.push(c);
                before = Some(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

/// `[url]u[/url]` and `[url=u]t[/url]` at the beginning of `text`: what is written, how much of the
/// text it replaces.
fn explicit(text: &str) -> Option<(String, usize)> {
    let head = text.get(..5)?;
    if head.eq_ignore_ascii_case("[url]") {
        let close = find_tag(&text[5..], "[/url]")?;
        let address = &text[5..5 + close];
        return Some((format!("[URL]{address}[/URL]"), 5 + close + 6));
    }
    if !head.eq_ignore_ascii_case("[url=") {
        return None;
    }
    // The address may hold balanced brackets.
    let mut depth = 0;
    let end = text[5..].char_indices().find_map(|(at, c)| match c {
        '[' => {
            depth += 1;
            None
        }
        ']' if depth == 0 => Some(5 + at),
        ']' => {
            depth -= 1;
            None
        }
        _ => None,
    })?;
    let close = end + 1 + find_tag(&text[end + 1..], "[/url]")?;
    let (address, title) = (&text[5..end], &text[end + 1..close]);
    let written = if title.is_empty() {
        format!("[URL]{address}[/URL]")
    } else {
        format!("[URL={}]{title}[/URL]", address_of(address))
    };
    Some((written, close + 6))
}

fn address_of(address: &str) -> String {
    let lower = address.to_ascii_lowercase();
    let known = SCHEMES
        .iter()
        .any(|scheme| lower.strip_prefix(scheme).is_some_and(|rest| rest.starts_with(':')));
    let escaped = address.replace('[', "%5B").replace(']', "%5D");
    if known || address.starts_with('/') {
        return escaped;
    }
    // How exactly the source breaks this scheme up is not recorded; that it does is.
    let escaped = escaped.replace("javascript:", "java script:");
    format!("http://{escaped}")
}

/// A bare link at the beginning of `text`.
fn bare(text: &str, before: Option<char>) -> Option<(String, usize)> {
    let may_begin = match before {
        None => true,
        Some(c) => c.is_whitespace() || BEFORE.contains(c),
    };
    if !may_begin {
        return None;
    }
    let is_www = text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("www."));
    let scheme = SCHEMES.iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
            && text[scheme.len()..].starts_with("://")
    });
    if !is_www && !scheme {
        return None;
    }
    let run = text.find(|c: char| c.is_whitespace() || matches!(c, '"' | '{' | '}'));
    let mut link = &text[..run.unwrap_or(text.len())];
    link = link.strip_suffix(['.', ',', '?', '!', ';']).unwrap_or(link);
    let closing = match before {
        Some('(') => Some(')'),
        Some('“') => Some('”'),
        Some('«') => Some('»'),
        _ => None,
    };
    link = closing.and_then(|closing| link.strip_suffix(closing)).unwrap_or(link);
    if link.ends_with("://") || link.len() <= 4 {
        return None;
    }
    // Whatever else stands at the end is swallowed, tags included.
    let written = if is_www {
        format!("[URL=http://{}]{link}[/URL]", link.replace('[', "%5B").replace(']', "%5D"))
    } else if link.contains(['[', ']']) {
        format!("[URL={}]{link}[/URL]", link.replace('[', "%5B").replace(']', "%5D"))
    } else {
        format!("[URL]{link}[/URL]")
    };
    Some((written, link.len()))
}

fn decode_entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity)) {
            Some((entity, decoded)) => {
                out.push_str(decoded);
                rest = &rest[entity.len()..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// `:f09f9880:` becomes the character that its bytes spell.
fn decode_emoji(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match emoji(rest) {
            Some((decoded, length)) => {
                out.push_str(&decoded);
                rest = &rest[length..];
            }
            None => {
                out.push(':');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn emoji(text: &str) -> Option<(String, usize)> {
    let hex: String = text[1..].chars().take_while(char::is_ascii_hexdigit).take(64).collect();
    let whole = hex.len() >= 8 && hex.len().is_multiple_of(2);
    if !whole || !text[1 + hex.len()..].starts_with(':') {
        return None;
    }
    let bytes: Option<Vec<u8>> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
    let decoded = String::from_utf8(bytes?).ok()?;
    Some((decoded, hex.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn text(text: &str) -> String {
        read(text, &|user| (user == 12).then(|| "Olaf Brandt".to_owned()), "all participants")
    }

    #[test]
    fn the_vectors_that_were_run_on_the_vendors_parser() {
        let vectors = [
            ("Go to https://a.example/x, ok", "Go to [URL]https://a.example/x[/URL], ok"),
            ("Go (https://a.example/x).", "Go ([URL]https://a.example/x[/URL])."),
            ("see www.a.example now", "see [URL=http://www.a.example]www.a.example[/URL] now"),
            ("`https://a.example`", "`https://a.example`"),
            ("<https://a.example>", "<https://a.example>"),
            (">>https://a.example", ">>https://a.example"),
            ("\"https://a.example\"", "\"https://a.example\""),
            ("«https://b.example»", "«[URL]https://b.example[/URL]»"),
            ("-https://a.example", "-[URL]https://a.example[/URL]"),
            ("**https://a.example**", "**[URL]https://a.example**[/URL]"),
            (
                "[b]https://a.example[/b]",
                "[b][URL=https://a.example%5B/b%5D]https://a.example[/b][/URL]",
            ),
            ("x|https://a.example|y", "x|[URL]https://a.example|y[/URL]"),
            ("[b][url]https://a.example[/url][/b]", "[b][URL]https://a.example[/URL][/b]"),
            ("[i]see https://a.example now[/i]", "[i]see [URL]https://a.example[/URL] now[/i]"),
            ("[url=https://a.example/?q=[1]]t[/url]", "[URL=https://a.example/?q=%5B1%5D]t[/URL]"),
            ("[url=https://a.example]a [1] b[/url]", "[URL=https://a.example]a [1] b[/URL]"),
            ("[url=mailto:a@b.example]x[/url]", "[URL=mailto:a@b.example]x[/URL]"),
            ("mail me a@b.example", "mail me a@b.example"),
            ("[x](https://a.example)", "[x]([URL]https://a.example[/URL])"),
            ("https://a.example/a_b_(c)", "[URL]https://a.example/a_b_(c)[/URL]"),
            ("https://a.example/p?x=1&y=2#f!", "[URL]https://a.example/p?x=1&y=2#f[/URL]!"),
            ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
            ("&#91;b]x[/b]", "[b]x[/b]"),
            (
                "x [code]a&lt;b https://a.example :f09f9880:[/code] y",
                "x [code]a&lt;b https://a.example :f09f9880:[/code] y",
            ),
            (
                "[USER=12][/USER] and [USER=12]Ann[/USER]",
                "[USER=12 REPLACE]Olaf Brandt[/USER] and [USER=12]Ann[/USER]",
            ),
            ("(C) (TM) (R)", "(c) (tm) (r)"),
            (":f09f9880:", "😀"),
        ];
        for (stored, read) in vectors {
            assert_eq!(text(stored), read, "{stored}");
        }
    }

    #[test]
    fn addresses_are_completed_and_escaped() {
        assert_eq!(text("[url=a.example]t[/url]"), "[URL=http://a.example]t[/URL]");
        assert_eq!(text("[url=tg://x]t[/url]"), "[URL=http://tg://x]t[/URL]");
        assert_eq!(text("[url=#a]t[/url]"), "[URL=http://#a]t[/URL]");
        assert_eq!(text("[url=/path]t[/url]"), "[URL=/path]t[/URL]");
        assert_eq!(text("[url=https://x.example][/url]"), "[URL]https://x.example[/URL]");
        assert!(!text("[url=javascript:alert(1)]t[/url]").contains("javascript:"));
    }

    #[test]
    fn other_rules() {
        assert_eq!(text("  a\u{a0}b[br]c<br />d#BR#e "), "a b\nc\nd\ne");
        assert_eq!(text("[USER=all][/USER]"), "[USER=all REPLACE]all participants[/USER]");
        assert_eq!(text("[USER=99][/USER]"), "[USER=99][/USER]");
        assert_eq!(text("\u{200b}https://a.example"), "\u{200b}https://a.example");
        assert_eq!(text("ahttps://a.example"), "ahttps://a.example");
        assert_eq!(text(":deadbeef: :12: &amp;lt; &copy;"), ":deadbeef: :12: &lt; &copy;");
        assert_eq!(text("[put=x]https://a.example[/put]"), "[put=x]https://a.example[/put]");
    }

    #[test]
    fn strange_input_is_survived() {
        for odd in [
            "",
            "[",
            "[url",
            "[url=",
            "[url=[[]",
            "[code]",
            "&",
            ":",
            "http://",
            "www.",
            "[user=",
            "я:я[url=я]я",
        ] {
            let _ = text(odd);
        }
    }
}
