//! What a text becomes on the portal, for whoever writes an agent's prompt and wants to see it before
//! a colleague does: Markdown in, the parts in BB-code out. Asks no portal and keeps nothing, so
//! nobody is mentioned by name. Called by `control`, whose listener bounds the body.

use serde_json::Value;
use serde_json::json;

use crate::api::problem::Problem;
use crate::http::Reply;
use crate::http::Request;
use crate::markup;
use crate::markup::Format;
use crate::markup::Mentions;

/// The parts of the text in a body of `{"text":"…"}`.
pub(super) fn render(request: &Request) -> Result<Reply, Problem> {
    let body = request.body.in_memory().unwrap_or_default();
    let body: Value = serde_json::from_slice(body)
        .map_err(|_| Problem::invalid("the body is not JSON; send {\"text\":\"**hello**\"}"))?;
    let text = body.get("text").and_then(Value::as_str);
    let text = text.ok_or_else(|| Problem::invalid("text: a string in Markdown is required"))?;
    let parts = markup::render(text, Format::Markdown, &Mentions::default());
    Ok(Reply::json(200, &json!({ "parts": parts })))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::render;
    use crate::http::Method;
    use crate::http::Request;

    fn post(body: &str) -> Request {
        Request {
            method: Method::Post,
            path: "/v1/render".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec().into(),
        }
    }

    #[test]
    fn a_text_becomes_its_parts() {
        let shown = |body: &str| -> Value {
            let reply = render(&post(body)).expect("rendered");
            serde_json::from_slice(&reply.body).expect("JSON")
        };
        assert_eq!(shown("{\"text\":\"**a** @all\"}"), json!({ "parts": ["[b]a[/b] @all"] }));
        assert_eq!(shown("{\"text\":\" \",\"more\":1}"), json!({ "parts": [] }));
        let long = json!({ "text": "word ".repeat(10_000) }).to_string();
        let parts = shown(&long)["parts"].as_array().expect("a list").clone();
        let most = crate::limits::MARKUP_PART_CHARS_MAX;
        let fits = |part: &Value| part.as_str().is_some_and(|part| part.chars().count() <= most);
        assert!(parts.len() >= 4 && parts.iter().all(fits), "{}", parts.len());
    }

    #[test]
    fn what_is_no_text_is_refused_with_what_to_send() {
        for body in ["", "text", "[]", "{}", "{\"text\":7}", "{\"text\":null}", "\u{0}"] {
            let problem = render(&post(body)).expect_err("refused");
            assert_eq!((problem.status, problem.code), (400, "invalid_argument"), "{body:?}");
            assert!(problem.message.contains("text"), "{}", problem.message);
        }
    }
}
