//! BB-code of a line as tokens: text, what a tag that stands alone shows, and tags that need a
//! partner (b24: messenger §10.1). A tag without its partner is text, as the portal's clients show
//! it. Knows nothing of quotes and code, which `blocks` took out, nor of Markdown. Pure.

use crate::base::clock::UnixMs;

/// Last second of the year 9999; what lies outside is no time of a message.
const SECONDS_MAX: i64 = 253_402_300_799;
/// Most stars.
const RATING_MAX: usize = 5;

/// A piece of a line.
pub(super) enum Token<'a> {
    /// As it was typed.
    Text(&'a str),
    /// What a tag shows that stands alone.
    Made(String),
    /// A tag that opens or closes something.
    Tag(Tag<'a>),
}

/// A tag with a partner somewhere.
pub(super) struct Tag<'a> {
    pub(super) name: Name,
    /// What stands behind the equals sign.
    pub(super) value: &'a str,
    pub(super) closes: bool,
    /// As it was typed.
    pub(super) raw: &'a str,
    /// Whether the partner was found.
    pub(super) paired: bool,
}

/// Tags that open and close.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Bold,
    Italic,
    Underline,
    Strike,
    Link,
    User,
    Image,
    /// Not shown, nor what stands in it.
    Hidden,
    Chat,
    Context,
    Put,
    Send,
    Call,
    Size,
    Color,
    Font,
}

/// What may stand behind a name in an opening tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Needed,
    Any,
}

const NAMES: &[(&str, Name, Value)] = &[
    ("b", Name::Bold, Value::None),
    ("i", Name::Italic, Value::None),
    ("u", Name::Underline, Value::None),
    ("s", Name::Strike, Value::None),
    ("url", Name::Link, Value::Needed),
    ("user", Name::User, Value::Needed),
    ("img", Name::Image, Value::Any),
    ("pch", Name::Hidden, Value::Any),
    ("chat", Name::Chat, Value::Needed),
    ("context", Name::Context, Value::Needed),
    ("put", Name::Put, Value::Any),
    ("send", Name::Send, Value::Any),
    ("call", Name::Call, Value::Any),
    ("size", Name::Size, Value::Needed),
    ("color", Name::Color, Value::Needed),
    ("font", Name::Font, Value::Needed),
];

/// Whom a mention means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// A user.
    One(i64),
    /// Everyone in the chat.
    All,
}

/// Whom `12`, `all` or either with ` REPLACE` means (b24: messenger §11).
pub(super) fn whom(value: &str) -> Option<Whom> {
    let value = match value.split_once(' ') {
        Some((who, mark)) if mark.trim().eq_ignore_ascii_case("replace") => who,
        Some(_) => return None,
        None => value,
    };
    if value.eq_ignore_ascii_case("all") {
        return Some(Whom::All);
    }
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| digits).map(Whom::One)
}

/// The tokens of lines; partners may stand in different lines.
pub(super) fn tokens<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Vec<Token<'a>>> {
    let mut lines: Vec<Vec<Token<'a>>> = lines.map(line).collect();
    // Of each name, where the tags are that are open.
    let mut open: Vec<Vec<(usize, usize)>> = NAMES.iter().map(|_| Vec::new()).collect();
    for row in 0..lines.len() {
        for column in 0..lines[row].len() {
            let Token::Tag(tag) = &lines[row][column] else { continue };
            let open = &mut open[tag.name as usize];
            if !tag.closes {
                open.push((row, column));
            } else if let Some(partner) = open.pop() {
                for (row, column) in [partner, (row, column)] {
                    if let Token::Tag(tag) = &mut lines[row][column] {
                        tag.paired = true;
                    }
                }
            }
        }
    }
    lines
}

fn line(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut plain) = (text, 0);
    while let Some(start) = rest[plain..].find('[').map(|at| plain + at) {
        let Some((token, length)) = token(&rest[start..]) else {
            plain = start + 1;
            continue;
        };
        if start > 0 {
            tokens.push(Token::Text(&rest[..start]));
        }
        tokens.push(token);
        rest = &rest[start + length..];
        plain = 0;
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest));
    }
    tokens
}

/// The tag that a text begins with, and how long it is. What is inside of one has no brackets: the
/// server escapes those in addresses (b24: messenger §10.2 item 4).
fn token(text: &str) -> Option<(Token<'_>, usize)> {
    let end = 1 + text[1..].find(['[', ']']).filter(|at| text[1 + at..].starts_with(']'))?;
    let (raw, inside) = (&text[..=end], &text[1..end]);
    let (closes, inside) = match inside.strip_prefix('/') {
        Some(inside) => (true, inside),
        None => (false, inside),
    };
    let word = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
    let (word, behind) = (inside[..word].to_ascii_lowercase(), &inside[word..]);
    let (value, blank) = match behind.strip_prefix('=') {
        Some(value) => (Some(value), true),
        None => (None, behind.trim().is_empty()),
    };
    if let Some((_, name, needs)) = NAMES.iter().find(|(name, ..)| *name == word) {
        let fits = match (closes, needs) {
            (true, _) | (_, Value::None) => value.is_none() && blank,
            (_, Value::Needed) => value.is_some(),
            (_, Value::Any) => blank || behind.starts_with([' ', '=']),
        };
        let value = value.unwrap_or_default();
        let known = *name != Name::User || closes || whom(value).is_some();
        let tag = Tag { name: *name, value, closes, raw, paired: false };
        return (fits && known).then_some((Token::Tag(tag), raw.len()));
    }
    let made = match (word.as_str(), value) {
        _ if closes => None,
        ("icon", Some(value)) => Some(title(value)),
        ("disk", Some(_)) => Some(String::new()),
        ("timestamp", Some(value)) => moment(value),
        ("rating", Some(value)) => stars(value),
        ("like", None) if blank => Some("👍".to_owned()),
        ("dislike", None) if blank => Some("👎".to_owned()),
        _ => None,
    };
    Some((Token::Made(made?), raw.len()))
}

/// The title of `u size=20 title=T`; nothing when there is none.
fn title(value: &str) -> String {
    let lower = value.to_ascii_lowercase();
    let Some(start) = lower.find(" title=").map(|at| at + " title=".len()) else {
        return String::new();
    };
    let others = [" size=", " width=", " height="];
    let end = others.iter().filter_map(|other| lower[start..].find(other)).min();
    let title = &value[start..end.map_or(value.len(), |end| start + end)];
    title.trim().trim_matches(['"', '\'']).to_owned()
}

/// A moment as text. In whose zone a client would show it nobody told us, so it says its own.
fn moment(value: &str) -> Option<String> {
    let seconds: i64 = value.split(' ').next()?.parse().ok()?;
    let known = (0..=SECONDS_MAX).contains(&seconds);
    known.then(|| UnixMs(seconds * 1000).to_string().replace(".000Z", "Z"))
}

fn stars(value: &str) -> Option<String> {
    let full: usize = value.trim().parse().ok()?;
    let known = (1..=RATING_MAX).contains(&full);
    known.then(|| format!("{}{}", "★".repeat(full), "☆".repeat(RATING_MAX - full)))
}
