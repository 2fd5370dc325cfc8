//! Markdown to BB-code parts and back. Not written yet: everything is passed as plain text.

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CommonMark.
    Markdown,
    /// No markup at all.
    Plain,
    /// The portal's own, passed as it is.
    Bbcode,
}

/// Which mentions may become active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mentions {
    /// Whether everyone may be addressed.
    pub all: bool,
}

/// The BB-code parts of a text.
pub fn render(text: &str, _format: Format, _mentions: &Mentions) -> Vec<String> {
    if text.trim().is_empty() { Vec::new() } else { vec![text.trim().to_owned()] }
}

/// Markdown from BB-code.
pub fn read_back(bbcode: &str) -> String {
    bbcode.to_owned()
}

/// Whether BB-code mentions the user of this id. Not written yet: code and quotes are not told
/// apart.
pub fn mentioned(bbcode: &str, user: i64) -> bool {
    let text = bbcode.to_ascii_lowercase();
    [']', ' '].iter().any(|end| text.contains(&format!("[user={user}{end}")))
}
