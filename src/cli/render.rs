//! `render`: what the connector makes of a text. Markdown on stdin to BB-code parts on stdout,
//! separated by a line of `---8<---`; `--json` as `{"parts":[…]}`; `--html` as a page that shows the
//! parts as the classic client does, `--html=newest` as one that reads Markdown once more; `--back`
//! from BB-code to Markdown. Asks no portal, so nobody is mentioned by name.

use std::io::Read;

use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::limits;
use crate::markup;
use crate::markup::Client;

/// Between two parts.
const CUT: &str = "---8<---";
/// What a text is turned into; at most one of them.
const TARGETS: [&str; 4] = ["--json", "--html", "--html=newest", "--back"];

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&TARGETS, 0) {
        return code;
    }
    if invocation.flags.len() > 1 {
        return complain(&format!("render takes one of {}", TARGETS.join(", ")));
    }
    match text(std::io::stdin().lock()) {
        Ok(text) => {
            say(&rendered(&text, invocation.flags.first().map(String::as_str)));
            OK
        }
        Err(problem) => {
            complain(&problem);
            FAILED
        }
    }
}

fn rendered(text: &str, target: Option<&str>) -> String {
    if target == Some("--back") {
        return format!("{}\n", markup::read_back(text));
    }
    let parts = markup::render(text, markup::Format::Markdown, &markup::Mentions::default());
    match target {
        Some("--json") => format!("{}\n", serde_json::json!({ "parts": parts })),
        Some("--html") => markup::preview(&parts, Client::Classic),
        Some("--html=newest") => markup::preview(&parts, Client::Newest),
        // Nothing visible is no part at all, and so no line.
        _ if parts.is_empty() => String::new(),
        _ => format!("{}\n", parts.join(&format!("\n{CUT}\n"))),
    }
}

/// The whole input, which must be a text that an agent could deliver. A mark at its beginning, as
/// some editors write it, is none of its characters.
fn text(input: impl Read) -> Result<String, String> {
    let most = limits::DELIVERY_TEXT_BYTES_MAX;
    let mut bytes = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    input.take(bound).read_to_end(&mut bytes).map_err(|why| format!("stdin: {why}"))?;
    if bytes.len() > most {
        return Err(format!(
            "the text on stdin is longer than {most} bytes, and so is no delivery that is taken; \
             render it in pieces"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|wrong| {
        let at = wrong.utf8_error().valid_up_to();
        let bytes = wrong.as_bytes();
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!(
            "the text on stdin is not UTF-8: byte {:#04x} at offset {at}, in line {line}; convert \
             it first, for example with iconv -f WINDOWS-1251 -t UTF-8",
            bytes[at]
        )
    })?;
    Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::rendered;
    use super::text;
    use crate::limits;

    #[test]
    fn input_that_is_too_long_or_no_text_is_refused_with_what_to_do() {
        let most = limits::DELIVERY_TEXT_BYTES_MAX;
        assert_eq!(text(&vec![b'a'; most][..]).map(|text| text.len()), Ok(most));
        let long = text(&vec![b'a'; most + 1][..]).expect_err("too long");
        assert!(long.contains("longer than 300000 bytes") && long.contains("in pieces"), "{long}");
        let wrong = text(&b"ok\n\xcf\xf0"[..]).expect_err("not UTF-8");
        assert!(wrong.contains("byte 0xcf at offset 3, in line 2") && wrong.contains("iconv"));
        let cut = text(&"ы".as_bytes()[..1]).expect_err("cut in the middle");
        assert!(cut.contains("offset 0"), "{cut}");
        assert_eq!(text("\u{feff}# a".as_bytes()).as_deref(), Ok("# a"));
    }

    #[test]
    fn every_target_has_its_form() {
        let text = "**a** `b`";
        assert_eq!(rendered(text, None), "[b]a[/b] `b`\n");
        assert_eq!(rendered(text, Some("--json")), "{\"parts\":[\"[b]a[/b] `b`\"]}\n");
        assert_eq!(rendered("[b]a[/b]", Some("--back")), "**a**\n");
        assert!(rendered(text, Some("--html")).contains("<div><b>a</b> `b`</div>"));
        assert!(rendered(text, Some("--html=newest")).contains("<b>a</b> <code>b</code></div>"));
        assert_eq!(rendered(" \n", None), "");
        assert_eq!(rendered(" \n", Some("--json")), "{\"parts\":[]}\n");
    }
}
