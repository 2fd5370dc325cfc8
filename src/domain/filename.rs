//! Which names a file may have on the portal: what its storage refuses, and what would deceive
//! people. Pure.

/// Longest name in characters; the portal's storage takes 255 and may add a number.
const CHARS_MAX: usize = 200;

/// Says what is wrong with a name.
///
/// # Errors
/// One sentence.
pub fn check(name: &str) -> Result<(), &'static str> {
    let deceives = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match name {
        "" => Err("missing"),
        // b24: messenger §9.1: PHP takes it for nothing.
        "0" => Err("the portal takes no file called 0"),
        _ if name.chars().count() > CHARS_MAX => Err("longer than 200 characters"),
        _ if name.trim() != name => Err("begins or ends with white space"),
        _ if name.ends_with('.') => Err("ends with a dot"),
        _ if name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) => {
            Err("has one of / \\ : * ? \" < > | in it")
        }
        _ if name.contains(char::is_control) || name.contains(deceives) => {
            Err("has characters in it that cannot be seen")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_are_what_people_see() {
        for good in ["plan.pdf", "отчёт за май.xlsx", ".profile", "a", "00", "f(1).tar.gz"]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(201);
        let bad = [
            "",
            "0",
            ".",
            "..",
            " a",
            "a ",
            "a.",
            "a/b",
            "a\\b",
            "a:b",
            "a\nb",
            "a\0b",
            "photo\u{202e}gpj.exe",
            long.as_str(),
        ];
        for bad in bad {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
