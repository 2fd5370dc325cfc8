//! What the portal does to a message's text when it stores it (b24: messenger §6.4, Q17). Pure: the
//! text and what the sender may see go in, the stored text and the files to attach come out.

/// Longer texts are cut (code points).
const CUT_ABOVE: usize = 20_006;
/// What is kept of them.
const CUT_TO: usize = 20_000;
/// What is put in place of the rest.
const CUT_MARK: &str = " (...)";

/// A text as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The text.
    pub text: String,
    /// Files named by `[DISK=n]`, taken out of the text.
    pub files: Vec<u64>,
}

/// Normalises a text. `visible` tells whether the sender may mention a user. Acts inside `[code]`
/// as well, because the portal does.
pub fn save(text: &str, visible: &dyn Fn(u64) -> bool) -> Saved {
    // `[Br]` is left alone by the source's list of spellings.
    let text = text.replace("[BR]", "\n").replace("[br]", "\n").replace("#BR#", "\n");
    let text = php_trim(&text);
    let text = cut(text);
    let text = without_hidden_mentions(&text, visible);
    let (text, files) = without_files(&text);
    Saved { text: php_trim(&text).to_owned(), files }
}

/// Normalises the text of an edit by `im.message.update`, which does less: `#BR#` stays, and whom
/// the author may mention is not looked at (b24: messenger §7).
pub fn save_edited(text: &str) -> Saved {
    let text = text.replace("[BR]", "\n").replace("[br]", "\n");
    let (text, files) = without_files(&cut(php_trim(&text)));
    Saved { text: php_trim(&text).to_owned(), files }
}

/// PHP's `trim`: ASCII white space and NUL only.
pub fn php_trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\r', '\0', '\u{b}'])
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CUT_ABOVE {
        return text.to_owned();
    }
    // Tags cut in the middle are not repaired.
    text.chars().take(CUT_TO).chain(CUT_MARK.chars()).collect()
}

/// `[USER=n]name[/USER]` of somebody the sender may not see becomes the bare name.
fn without_hidden_mentions(text: &str, visible: &dyn Fn(u64) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = find_tag(rest, "[user=") {
        out.push_str(&rest[..start]);
        let tag = &rest[start..];
        let digits: String = tag[6..].chars().take_while(char::is_ascii_digit).take(18).collect();
        let head = 6 + digits.len();
        let closed = tag[head..].starts_with(']').then(|| head + 1);
        let end = closed
            .and_then(|open| find_tag(&tag[open..], "[/user]").map(|length| (open, open + length)));
        match (digits.parse::<u64>(), end) {
            (Ok(user), Some((open, close))) if !visible(user) => {
                out.push_str(&tag[open..close]);
                rest = &tag[close + "[/user]".len()..];
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

fn without_files(text: &str) -> (String, Vec<u64>) {
    let (mut out, mut files) = (String::with_capacity(text.len()), Vec::new());
    let mut rest = text;
    while let Some(start) = find_tag(rest, "[disk=") {
        out.push_str(&rest[..start]);
        let tag = &rest[start..];
        let digits: String = tag[6..].chars().take_while(char::is_ascii_digit).take(18).collect();
        let head = 6 + digits.len();
        match digits.parse() {
            Ok(file) if tag[head..].starts_with(']') => {
                files.push(file);
                rest = &tag[head + 1..];
            }
            _ => {
                out.push_str(&tag[..6]);
                rest = &tag[6..];
            }
        }
    }
    out.push_str(rest);
    (out, files)
}

/// Where an ASCII tag begins, in any case of letters.
pub fn find_tag(text: &str, tag: &str) -> Option<usize> {
    let (bytes, tag) = (text.as_bytes(), tag.as_bytes());
    (0..bytes.len().saturating_sub(tag.len() - 1))
        .find(|&at| bytes[at..at + tag.len()].eq_ignore_ascii_case(tag))
}

#[cfg(test)]
mod tests {
    use super::save;

    fn text(text: &str) -> String {
        save(text, &|user| user != 99).text
    }

    #[test]
    fn breaks_become_lines_also_in_code() {
        assert_eq!(text("a[BR]b[br]c#BR#d<br>e[Br]f"), "a\nb\nc\nd<br>e[Br]f");
        assert_eq!(text("[code]a[br]b[/code]"), "[code]a\nb[/code]");
        assert_eq!(text(" \t a\tb  c\r\n\r\nd \n"), "a\tb  c\r\n\r\nd");
        assert_eq!(text("\u{a0}a\u{a0}"), "\u{a0}a\u{a0}");
    }

    #[test]
    fn long_texts_are_cut_by_code_points() {
        let fits = "я".repeat(20_006);
        assert_eq!(text(&fits), fits);
        let cut = text(&"😀".repeat(20_007));
        assert_eq!(cut.chars().count(), 20_006);
        assert!(cut.ends_with(" (...)"));
    }

    #[test]
    fn mentions_of_hidden_people_become_names_also_in_code() {
        assert_eq!(text("[USER=99]Ann[/USER] [user=12]Bob[/user]"), "Ann [user=12]Bob[/user]");
        assert_eq!(text("[code][USER=99]Ann[/USER][/code]"), "[code]Ann[/code]");
        assert_eq!(text("[USER=99]open"), "[USER=99]open");
        assert_eq!(text("[USER=all]x[/USER] [USER=]y"), "[USER=all]x[/USER] [USER=]y");
    }

    #[test]
    fn file_tags_attach_and_vanish() {
        let saved = save("see [DISK=5] and [code][disk=6][/code] [disk=x]", &|_| true);
        assert_eq!(saved.files, [5, 6]);
        assert_eq!(saved.text, "see  and [code][/code] [disk=x]");
        assert_eq!(save("[DISK=5]", &|_| true).text, "");
    }
}
