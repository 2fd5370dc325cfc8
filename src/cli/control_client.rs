//! Asks the running connector: one HTTP/1.1 exchange with its control listener, which is on this
//! machine. Finds the address in the settings and the secret there or in the state directory. `doctor`
//! asks besides who has a port.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

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
pub(in crate::cli) struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The body, `Null` when it was no JSON.
    pub body: Value,
}

/// Why the connector could not be asked, with what to do about it.
pub(in crate::cli) enum Unasked {
    /// There is no secret to present.
    NoSecret(String),
    /// Nobody answers, or not as the connector does.
    Unheard(String),
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Holder {
    /// Nobody listens.
    Nobody,
    /// A connector.
    Connector,
    /// Another program, which answers something else.
    Stranger,
    /// Whoever listens says nothing.
    Silent,
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
    let answered = match ask(&settings, method, path, body, limits::CONTROL_CLIENT_TIMEOUT) {
        Ok(answered) => answered,
        Err(Unasked::NoSecret(problem) | Unasked::Unheard(problem)) => {
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

/// Sends one request with an optional JSON body; `patience` is for each step of it.
///
/// # Errors
/// See [`Unasked`].
pub(in crate::cli) fn ask(
    settings: &Settings,
    method: &str,
    path: &str,
    body: Option<&Value>,
    patience: Duration,
) -> Result<Answered, Unasked> {
    let secret = secret(settings).map_err(Unasked::NoSecret)?;
    let address = settings.control_addr;
    let stream = TcpStream::connect_timeout(&address, patience);
    let mut stream = stream.map_err(|why| {
        Unasked::Unheard(format!("nothing answers at {address} ({why}); start the service, or set BITRIX24_CONTROL_ADDR as it has it"))
    })?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        secret.expose(),
        body.len()
    );
    exchange(&mut stream, request.as_bytes(), patience)
        .map_err(|why| Unasked::Unheard(format!("{address}: {why}")))
}

/// Asks whoever has an address for its health, as a stranger would.
pub(in crate::cli) fn holder(address: SocketAddr, patience: Duration) -> Holder {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, patience) else {
        return Holder::Nobody;
    };
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let Ok(heard) = converse(&mut stream, request.as_bytes(), patience) else {
        return Holder::Stranger;
    };
    match parse(&heard.bytes) {
        Some(Answered { body, .. }) if body["status"] == "ok" && body["version"].is_string() => {
            Holder::Connector
        }
        _ if heard.bytes.is_empty() && !heard.whole => Holder::Silent,
        _ => Holder::Stranger,
    }
}

/// What was heard within a time.
struct Heard {
    bytes: Vec<u8>,
    /// Whether the other side had said everything.
    whole: bool,
}

fn exchange(
    stream: &mut TcpStream,
    request: &[u8],
    patience: Duration,
) -> std::io::Result<Answered> {
    let heard = converse(stream, request, patience)?;
    if !heard.whole {
        return Err(ErrorKind::TimedOut.into());
    }
    parse(&heard.bytes).ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}

/// Says something and listens until the other side has said everything, or the time is over: also for
/// one that says a little now and then.
fn converse(stream: &mut TcpStream, request: &[u8], patience: Duration) -> std::io::Result<Heard> {
    let until = Instant::now() + patience;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 8192];
    while bytes.len() < limits::CONTROL_CLIENT_BODY_BYTES_MAX {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Heard { bytes, whole: false });
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Heard { bytes, whole: false });
            }
            Err(why) => return Err(why),
        }
    }
    Ok(Heard { bytes, whole: true })
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
    use std::io::Read;
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    use super::Holder;

    /// Who a port that answers one connection so is taken for.
    fn taken_for(answer: Option<&'static str>) -> Holder {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::scope(|scope| {
            let server = scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut request = [0; 1024];
                let _ = stream.read(&mut request);
                match answer {
                    Some(text) => stream.write_all(text.as_bytes()).expect("writes"),
                    // Until the other side gives up.
                    None => drop(stream.read(&mut request)),
                }
            });
            let holder = super::holder(address, Duration::from_millis(200));
            server.join().expect("ends");
            holder
        })
    }

    #[test]
    fn who_has_a_port_is_told_by_how_it_answers() {
        let ours = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\",\"version\":\"9.9.9\"}";
        assert_eq!(taken_for(Some(ours)), Holder::Connector);
        for odd in ["SSH-2.0-OpenSSH\r\n", "", "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"ok\"}"] {
            assert_eq!(taken_for(Some(odd)), Holder::Stranger, "{odd}");
        }
        assert_eq!(taken_for(None), Holder::Silent);
        let nobody = free();
        assert_eq!(super::holder(nobody, Duration::from_millis(200)), Holder::Nobody);
    }

    /// An address that nobody listens on any more.
    fn free() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    }

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
