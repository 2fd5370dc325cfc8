//! `render`: what the connector makes of a text. Markdown on stdin to BB-code parts on stdout,
//! separated by a line of `---8<---`; `--json` as `{"parts":[…]}`; `--back` from BB-code to Markdown.

use std::io::Read;

use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::limits;
use crate::markup;

/// Between two parts.
const CUT: &str = "---8<---";

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    if let Some(code) = invocation.refuse_beyond(&["--json", "--back"], 0) {
        return code;
    }
    let mut text = String::new();
    let most = u64::try_from(limits::HTTP_DELIVER_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    if let Err(why) = std::io::stdin().take(most).read_to_string(&mut text) {
        complain(&format!("stdin: {why}"));
        return FAILED;
    }
    if invocation.has("--back") {
        say(&format!("{}\n", markup::read_back(&text)));
        return OK;
    }
    let mentions = markup::Mentions { all: false, members: Vec::new() };
    let parts = markup::render(&text, markup::Format::Markdown, &mentions);
    if invocation.has("--json") {
        say(&format!("{}\n", serde_json::json!({ "parts": parts })));
    } else {
        say(&format!("{}\n", parts.join(&format!("\n{CUT}\n"))));
    }
    OK
}
