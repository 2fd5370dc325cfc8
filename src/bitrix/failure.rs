//! From what came back to what it means: **the** table from portal and OAuth error codes to
//! classes, and the rule of when an answer is a success. Codes decide, compared without case;
//! the HTTP status only helps where there is no known code, because documentation, source and
//! live portals disagree about it (b24: transport §1.10, §6 rules 1–3).

use std::time::Duration;

use serde_json::Value;

use crate::bitrix::transport::Reply;
use crate::bitrix::transport::Trouble;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;

/// Longest code kept; longer ones are noise.
const CODE_CHARS_MAX: usize = 64;

/// Code of an answer that sends the caller to another host: the portal was renamed
/// (b24: transport §1.12).
pub const MOVED: &str = "moved";
/// Code of a request whose body was too large for what stands before the portal, if its page is to
/// be believed.
pub const TOO_LARGE: &str = "not_json_413";
/// Code that means the plan has no REST, or that the account is not usable, or that this very
/// request is not allowed (b24: transport §2.5).
const AMBIGUOUS: &str = "access_denied";

/// Codes in lower case, their class, and whether the portal is known not to have acted.
const CODES: &[(&str, Class, Effect)] = &[
    // Tokens (b24: transport §1.10, §3.5).
    ("expired_token", Class::TokenExpired, Effect::None),
    ("invalid_token", Class::TokenExpired, Effect::None),
    ("no_auth_found", Class::TokenExpired, Effect::None),
    // Identities (b24: transport §1.9, §1.10, §1.12).
    ("invalid_grant", Class::IdentityLost, Effect::None),
    ("bad_verification_code", Class::IdentityLost, Effect::None),
    ("wrong_client", Class::IdentityLost, Effect::None),
    ("invalid_client", Class::IdentityLost, Effect::None),
    ("unauthorized_client", Class::IdentityLost, Effect::None),
    ("application_not_found", Class::IdentityLost, Effect::None),
    ("error_oauth", Class::IdentityLost, Effect::None),
    ("not_installed", Class::IdentityLost, Effect::None),
    ("authorization_error", Class::IdentityLost, Effect::None),
    ("user_access_error", Class::IdentityLost, Effect::None),
    ("invalid_credentials", Class::IdentityLost, Effect::None),
    // Scopes and methods.
    ("insufficient_scope", Class::ScopeMissing, Effect::None),
    ("invalid_scope", Class::ScopeMissing, Effect::None),
    ("error_method_not_found", Class::MethodMissing, Effect::None),
    // Limits (b24: transport §3.1, §3.2): never executed.
    ("query_limit_exceeded", Class::RateLimited, Effect::None),
    ("operation_time_limit", Class::MethodParked, Effect::None),
    // Plan, blocks and closures.
    ("payment_required", Class::Licence, Effect::None),
    ("wrong_license", Class::Licence, Effect::None),
    ("verification_needed", Class::Licence, Effect::None),
    ("portal_blocked_by_license_scanner", Class::Licence, Effect::None),
    ("portal_deleted", Class::PortalClosed, Effect::None),
    ("overload_limit", Class::PortalClosed, Effect::None),
    // Refusals of one request (b24: messenger §6.3).
    (AMBIGUOUS, Class::Denied, Effect::None),
    ("access_error", Class::Denied, Effect::None),
    ("canceled", Class::Denied, Effect::None),
    ("error_no_access", Class::Denied, Effect::None),
    ("error_from_other_module", Class::Denied, Effect::None),
    ("text_field_disabled", Class::Denied, Effect::None),
    ("reply_access_error", Class::Denied, Effect::None),
    ("reply_from_other_chat_error", Class::Denied, Effect::None),
    ("method_confirm_waiting", Class::Denied, Effect::None),
    ("method_confirm_denied", Class::Denied, Effect::None),
    ("wrong_auth_type", Class::Denied, Effect::None),
    ("user_not_found", Class::NotFound, Effect::None),
    ("user_not_exists", Class::NotFound, Effect::None),
    ("chat_id", Class::NotFound, Effect::None),
    ("chat_not_found", Class::NotFound, Effect::None),
    ("error_not_found", Class::NotFound, Effect::None),
    ("message_empty", Class::Invalid, Effect::None),
    ("empty_message", Class::Invalid, Effect::None),
    ("user_id_empty", Class::Invalid, Effect::None),
    ("chat_id_empty", Class::Invalid, Effect::None),
    ("dialog_id_empty", Class::Invalid, Effect::None),
    ("params_error", Class::Invalid, Effect::None),
    ("attach_error", Class::Invalid, Effect::None),
    ("attach_oversize", Class::Invalid, Effect::None),
    ("keyboard_error", Class::Invalid, Effect::None),
    ("menu_error", Class::Invalid, Effect::None),
    ("id_empty", Class::Invalid, Effect::None),
    ("first_id_string", Class::Invalid, Effect::None),
    ("last_id_string", Class::Invalid, Effect::None),
    ("error_argument", Class::Invalid, Effect::None),
    ("invalid_request", Class::Invalid, Effect::None),
    ("unsupported_grant_type", Class::Invalid, Effect::None),
    ("https_required", Class::Invalid, Effect::None),
    // Refusals of an operation on a message (b24: messenger §7).
    ("message_id_error", Class::NotFound, Effect::None),
    ("message_not_found", Class::NotFound, Effect::None),
    ("cant_edit_message", Class::Denied, Effect::None),
    ("without_changes", Class::Invalid, Effect::None),
    ("reaction_not_found", Class::Invalid, Effect::None),
    ("reaction_already_set", Class::Invalid, Effect::None),
    // Files (b24: messenger §9). A file that is stored and not shown is no effect: nobody sees it.
    ("file_empty", Class::Invalid, Effect::None),
    ("file_too_large", Class::Invalid, Effect::None),
    ("file_invalid_content", Class::Invalid, Effect::None),
    ("files_error", Class::Invalid, Effect::None),
    ("disk_obj_22000", Class::Invalid, Effect::None),
    ("save_error", Class::Denied, Effect::None),
    ("file_send_failed", Class::Denied, Effect::None),
    ("send_failed", Class::Denied, Effect::None),
    ("file_upload_failed", Class::PortalTrouble, Effect::None),
    ("upload_failed", Class::PortalTrouble, Effect::None),
    ("file_folder_error", Class::PortalTrouble, Effect::None),
    ("folder_error", Class::PortalTrouble, Effect::None),
    // Neither success nor failure (b24: messenger §6.2).
    ("message_duplicated_by_uuid", Class::Duplicate, Effect::Unknown),
    // Trouble of the portal's own. Only the first is known to come before execution.
    ("connection_error", Class::PortalTrouble, Effect::None),
    ("internal_server_error", Class::PortalTrouble, Effect::Unknown),
    ("error_core", Class::PortalTrouble, Effect::Unknown),
    ("error_unexpected_answer", Class::PortalTrouble, Effect::Unknown),
    ("internal_wrong_transport", Class::PortalTrouble, Effect::Unknown),
    ("wrong_encoding", Class::PortalTrouble, Effect::Unknown),
];

/// Whether a code speaks of a token only, which users saw come and go (b24: transport §3.5).
pub fn of_a_token(code: &str) -> bool {
    classify(code, 401).0 == Class::TokenExpired
}

/// The class and effect of a code that came with this status.
fn classify(code: &str, status: u16) -> (Class, Effect) {
    let lower = code.to_ascii_lowercase();
    if let Some((_, class, effect)) = CODES.iter().find(|(known, _, _)| *known == lower) {
        return (*class, *effect);
    }
    if lower.starts_with("attach_") || lower.starts_with("reply_") {
        return (Class::Denied, Effect::None);
    }
    match status {
        429 => (Class::RateLimited, Effect::None),
        // An unknown code with a server status says nothing about execution; an empty or numeric
        // one comes from an exception in a handler that may have acted (b24: transport §2.5).
        500.. => (Class::PortalTrouble, Effect::Unknown),
        _ if lower.is_empty() || lower.bytes().all(|byte| byte.is_ascii_digit()) => {
            (Class::PortalTrouble, Effect::Unknown)
        }
        // b24: messenger §6.3: an unknown code with a client status is a refusal for good.
        _ => (Class::Invalid, Effect::None),
    }
}

/// A failure of `method`; `writes` says whether it could have changed anything.
pub fn failure(
    method: &'static str,
    writes: bool,
    class: Class,
    effect: Effect,
    code: &str,
) -> Failure {
    let effect = if writes { effect } else { Effect::None };
    let code = code.chars().filter(|c| c.is_ascii_graphic()).take(CODE_CHARS_MAX).collect();
    Failure { class, effect, code, method, retry_after: None }
}

/// The failure behind an exchange that brought no whole answer.
pub fn of_trouble(method: &'static str, writes: bool, trouble: &Trouble) -> Failure {
    match trouble {
        Trouble::NotSent(word) => failure(method, writes, Class::Transport, Effect::None, word),
        Trouble::Certificate(_) => {
            failure(method, writes, Class::Certificate, Effect::None, "certificate_refused")
        }
        Trouble::NoAnswer(word) => failure(method, writes, Class::Transport, Effect::Unknown, word),
    }
}

/// The JSON object of an answer, or the failure it tells of. Success is: status 2xx, a JSON object,
/// no top-level `error`. What else it must have is the caller's matter.
///
/// # Errors
/// The classified failure.
pub fn object(method: &'static str, writes: bool, reply: &Reply) -> Result<Value, Failure> {
    let refused = match value(method, writes, reply) {
        Ok(value) => return Ok(value),
        Err(failure) => failure,
    };
    Err(Failure { retry_after: reply.retry_after, ..refused })
}

fn value(method: &'static str, writes: bool, reply: &Reply) -> Result<Value, Failure> {
    let parsed: Option<Value> = serde_json::from_slice(&reply.body).ok();
    let Some(value) = parsed.filter(Value::is_object) else {
        return Err(no_object(method, writes, reply));
    };
    match value.get("error") {
        // A false or null error beside a result is PHP's way of saying there is none.
        None | Some(Value::Null | Value::Bool(false)) => {}
        Some(error) => {
            let code = error_code(error);
            let (class, effect) = classify(&code, reply.status);
            return Err(failure(method, writes, class, effect, &code));
        }
    }
    if (200..300).contains(&reply.status) {
        Ok(value)
    } else {
        Err(no_object(method, writes, reply))
    }
}

/// An answer that no portal gives: a page of a proxy, nothing, half a JSON. Whatever its status, it
/// is neither token expiry nor rate limiting (b24: transport §6 rule 3).
fn no_object(method: &'static str, writes: bool, reply: &Reply) -> Failure {
    match reply.status {
        // The old address of a renamed portal, or a gateway in front of it.
        300..400 => {
            let code = if reply.elsewhere { MOVED } else { "redirected" };
            failure(method, writes, Class::Protocol, Effect::None, code)
        }
        status => {
            let code = format!("not_json_{status}");
            failure(method, writes, Class::Protocol, Effect::Unknown, &code)
        }
    }
}

/// A code is a string (also empty or numeric) or, in REST 3, an object with one.
fn error_code(error: &Value) -> String {
    match error {
        Value::String(code) => code.clone(),
        Value::Number(code) => code.to_string(),
        Value::Object(object) => {
            object.get("code").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => String::new(),
    }
}

/// Whether the refusal may be about the account or the plan and not about this request: then only
/// another call tells.
pub fn is_ambiguous(failure: &Failure) -> bool {
    failure.class == Class::Denied && failure.code.eq_ignore_ascii_case(AMBIGUOUS)
}

/// The failure of a call that carried a file: a web server before the portal may take no body of
/// its size (b24: transport §3.3), and never will.
pub fn with_file(failure: Failure) -> Failure {
    if failure.code != TOO_LARGE {
        return failure;
    }
    Failure { class: Class::Invalid, effect: Effect::None, ..failure }
}

/// The same failure with a time to wait.
pub fn after(failure: Failure, wait: Duration) -> Failure {
    Failure { retry_after: Some(wait), ..failure }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::CODES;
    use super::object;
    use super::of_trouble;
    use crate::bitrix::transport::Reply;
    use crate::bitrix::transport::Trouble;
    use crate::domain::failure::Class;
    use crate::domain::failure::Effect;
    use crate::domain::failure::Failure;

    fn read(status: u16, body: &str) -> Result<serde_json::Value, Failure> {
        let body = body.as_bytes().to_vec();
        let elsewhere = status == 308;
        object("test.method", true, &Reply { status, body, elsewhere, ..Reply::default() })
    }

    #[test]
    fn every_code_decides_whatever_its_case_and_status() {
        let codes: HashSet<&str> = CODES.iter().map(|(code, _, _)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
        for (code, class, effect) in CODES {
            for code in [(*code).to_owned(), code.to_uppercase()] {
                for status in [200, 400, 401, 403, 429, 500, 503] {
                    let body = serde_json::json!({ "error": code, "error_description": "" });
                    let failure = read(status, &body.to_string()).expect_err("an error");
                    assert_eq!((failure.class, failure.effect), (*class, *effect), "{code}");
                }
            }
        }
    }

    #[test]
    fn an_error_at_status_200_is_an_error() {
        let failure = read(200, r#"{"error":"wrong_client"}"#).expect_err("an error");
        assert_eq!(failure.class, Class::IdentityLost);
        assert!(read(200, r#"{"result":true}"#).is_ok());
        assert!(read(200, r#"{"result":null,"error":null}"#).is_ok());
    }

    #[test]
    fn pages_of_proxies_are_neither_expiry_nor_rate_limiting() {
        for status in [200, 401, 403, 404, 413, 429, 500, 502, 503, 504] {
            for body in ["", "<html>Bad Gateway</html>", "{\"result\":", "[1]", "\"x\"", "null"] {
                let failure = read(status, body).expect_err("no answer of a portal");
                assert_eq!((failure.class, failure.effect), (Class::Protocol, Effect::Unknown));
            }
        }
        let moved = read(302, "<html>").expect_err("moved");
        assert_eq!((moved.class, moved.effect), (Class::Protocol, Effect::None));
        assert_eq!(moved.code, "redirected");
        assert_eq!(read(308, "<html>").expect_err("moved").code, super::MOVED);
    }

    #[test]
    fn unknown_empty_and_numeric_codes_are_told_apart() {
        let class = |status, body| read(status, body).map_err(|f| (f.class, f.effect)).err();
        let refused = Some((Class::Invalid, Effect::None));
        let trouble = Some((Class::PortalTrouble, Effect::Unknown));
        assert_eq!(class(400, r#"{"error":"SOMETHING_NEW"}"#), refused);
        assert_eq!(class(502, r#"{"error":"Bad Gateway"}"#), trouble);
        assert_eq!(class(400, r#"{"error":""}"#), trouble);
        assert_eq!(class(400, r#"{"error":0}"#), trouble);
        assert_eq!(class(400, r#"{"error":"0"}"#), trouble);
        let v3 = r#"{"error":{"code":"EXPIRED_TOKEN","message":"x"}}"#;
        assert_eq!(class(401, v3), Some((Class::TokenExpired, Effect::None)));
    }

    #[test]
    fn a_maintenance_page_may_ask_to_wait() {
        let retry_after = Some(std::time::Duration::from_secs(120));
        let reply = Reply { status: 503, retry_after, ..Reply::default() };
        assert_eq!(object("m", true, &reply).expect_err("a page").retry_after, retry_after);
        let body = br#"{"result":true}"#.to_vec();
        assert!(object("m", true, &Reply { status: 200, body, ..reply }).is_ok());
    }

    #[test]
    fn a_read_never_has_an_effect_and_an_unsent_write_neither() {
        let cut = Trouble::NoAnswer("connection_cut");
        assert_eq!(of_trouble("m", true, &cut).effect, Effect::Unknown);
        assert_eq!(of_trouble("m", false, &cut).effect, Effect::None);
        assert_eq!(of_trouble("m", true, &Trouble::NotSent("x")).effect, Effect::None);
        let bad = Trouble::Certificate("expired".into());
        assert_eq!(of_trouble("m", true, &bad).class, Class::Certificate);
    }
}
