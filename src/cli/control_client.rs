//! Asks the running connector: one HTTP/1.1 exchange with its control listener, which is on this
//! machine. Finds the address in the settings and the secret there or in the state directory.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use serde_json::Value;

use crate::base::secret::Secret;
use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::complain;
use crate::cli::say;
use crate::limits;
use crate::settings::Settings;

/// An answer of the control API.
struct Answered {
    /// HTTP status.
    status: u16,
    /// The body, `Null` when it was no JSON.
    body: Value,
}

/// Asks, and prints the answer as `readable` makes it, or as it is with `--json`; the exit code.
pub(in crate::cli) fn perform(
    invocation: &Invocation,
    method: &str,
    path: &str,
    body: Option<&Value>,
    readable: impl FnOnce(&Value) -> String,
) -> u8 {
    let settings = match invocation.settings() {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let answered = match ask(&settings, method, path, body) {
        Ok(answered) => answered,
        Err(problem) => {
            complain(&problem);
            return FAILED;
        }
    };
    if invocation.has("--json") {
        say(&format!("{}\n", answered.body));
    }
    if !(200..300).contains(&answered.status) {
        let message = answered.body["message"].as_str().unwrap_or("no reason given");
        complain(&format!("refused with {}: {message}", answered.status));
        return FAILED;
    }
    if !invocation.has("--json") {
        say(&readable(&answered.body));
    }
    OK
}

/// Sends one request with an optional JSON body.
///
/// # Errors
/// Why the connector could not be asked, with what to do about it.
fn ask(
    settings: &Settings,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<Answered, String> {
    let secret = secret(settings)?;
    let address = settings.control_addr;
    let stream = TcpStream::connect_timeout(&address, limits::CONTROL_CLIENT_TIMEOUT);
    let mut stream = stream.map_err(|why| {
        format!("nothing answers at {address} ({why}); start the service, or set BITRIX24_CONTROL_ADDR as it has it")
    })?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        secret.expose(),
        body.len()
    );
    exchange(&mut stream, request.as_bytes()).map_err(|why| format!("{address}: {why}"))
}

fn exchange(stream: &mut TcpStream, request: &[u8]) -> std::io::Result<Answered> {
    stream.set_read_timeout(Some(limits::CONTROL_CLIENT_TIMEOUT))?;
    stream.set_write_timeout(Some(limits::CONTROL_CLIENT_TIMEOUT))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let most = u64::try_from(limits::CONTROL_CLIENT_BODY_BYTES_MAX).unwrap_or(u64::MAX);
    stream.take(most).read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}

fn parse(bytes: &[u8]) -> Option<Answered> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answered { status, body: serde_json::from_str(body).unwrap_or(Value::Null) })
}

fn secret(settings: &Settings) -> Result<Secret, String> {
    if let Some(secret) = &settings.control_secret {
        return Ok(secret.clone());
    }
    let path = settings.state_dir.join(crate::app::CONTROL_SECRET_FILE);
    std::fs::read_to_string(&path).map(|text| Secret::new(text.trim().to_owned())).map_err(|why| {
        format!(
            "{}: {why}; run this as the service's user with its settings (--env-file), or set BITRIX24_CONTROL_SECRET",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_an_answer_and_refuses_noise() {
        let answered = super::parse(b"HTTP/1.1 201 Created\r\nA: b\r\n\r\n{\"a\":1}");
        let answered = answered.expect("HTTP");
        assert_eq!((answered.status, answered.body["a"].as_i64()), (201, Some(1)));
        for noise in [&b""[..], b"HTTP/1.1", b"hello\r\n\r\n{}", b"\xff\r\n\r\n"] {
            assert!(super::parse(noise).is_none());
        }
    }
}
