//! What a large file costs in memory: one fetched from the model's host of files, one inside the
//! call in base64, made while it is sent. The peak of the connector's resident memory is read from
//! `/proc`, against what it had idle.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

use serde_json::json;

use crate::cli::bench::figures;
use crate::cli::bench::line;
use crate::cli::bench::process;
use crate::sim::client;
use crate::sim::gateway::DELIVER_PATH;
use crate::sim::stage::Connector;
use crate::sim::stage::SECRET;

/// How long a caller waits, and is let wait.
const WAIT_MS: &str = "120000";
const TIMEOUT: Duration = Duration::from_secs(180);
/// Base64 of 48 KiB of zero bytes.
static PIECE: [u8; 64 * 1024] = [b'A'; 64 * 1024];

/// Prints the lines for a file of so many bytes, sent to a dialog of `helper`; `host` serves it.
pub(super) fn measure(
    connector: &Connector,
    host: &str,
    user: u64,
    bytes: u64,
) -> Result<(), String> {
    let size = figures::megabytes(bytes);
    let url = format!("{host}/bytes/{bytes}");
    let what = format!("{size} by URL");
    one(connector, &what, || {
        let body = json!({
            "delivery_id": "upload-url", "external_id": format!("helper/{user}"),
            "text": "By URL.", "media": [{ "name": "large.bin", "url": url }],
        });
        let headers = [("X-AIHummer-Inbound-Secret", SECRET), ("Connect-Timeout-Ms", WAIT_MS)];
        let answer = client::post_json(&connector.deliver_url(), &headers, &body, TIMEOUT);
        answer.map(|answer| answer.text())
    })?;
    let what = format!("{size} in base64");
    one(connector, &what, || inline(connector, user, bytes))
}

/// Makes a call and prints its line.
fn one(
    connector: &Connector,
    what: &str,
    call: impl FnOnce() -> io::Result<String>,
) -> Result<(), String> {
    let pid = connector.pid();
    let (idle, _) = process::resident_and_peak(pid)?;
    process::forget_peak(pid)?;
    let began = Instant::now();
    let answer = call().map_err(|why| format!("{what}: {why}"))?;
    let took = began.elapsed();
    if !answer.contains("\"delivered\"") {
        return Err(format!("{what}: {answer}"));
    }
    let (_, peak) = process::resident_and_peak(pid)?;
    let told = format!(
        "peak {} above {} idle, {:.1} s",
        figures::megabytes(peak.saturating_sub(idle)),
        figures::megabytes(idle),
        took.as_secs_f64()
    );
    line(what, &told, "<= 16 MB");
    Ok(())
}

/// A call with a file of zero bytes in it, which is never whole in memory here either.
fn inline(connector: &Connector, user: u64, bytes: u64) -> io::Result<String> {
    let before = format!(
        "{{\"delivery_id\":\"upload-inline\",\"external_id\":\"helper/{user}\",\"text\":\"Inline.\",\
         \"media\":[{{\"name\":\"large.bin\",\"data\":\""
    );
    // The last group has fewer bytes.
    let (groups, rest) = (bytes / 3, bytes % 3);
    let padded = ["", "AA==", "AAA="][rest as usize];
    let after = format!("{padded}\"}}]}}");
    let length = before.len() as u64 + groups * 4 + after.len() as u64;
    let origin = connector.origin("deliver");
    let address = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(
        stream,
        "POST {DELIVER_PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nX-AIHummer-Inbound-Secret: {SECRET}\r\n\
         Connect-Timeout-Ms: {WAIT_MS}\r\nContent-Length: {length}\r\n\r\n{before}"
    )?;
    let mut left = groups * 4;
    while left > 0 {
        let count = left.min(PIECE.len() as u64);
        stream.write_all(&PIECE[..count as usize])?;
        left -= count;
    }
    stream.write_all(after.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
