//! What strangers do to the real executable as a whole. Single attacks on a listener are tested
//! beside it, in `src/http/tests`.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;

use crate::support::PATIENCE;
use crate::support::eventually;
use crate::support::scene::BINARY;
use crate::support::scene::Scene;

fn health(connector: &Connector, listener: &str) -> Option<u16> {
    let url = format!("{}/healthz", connector.origin(listener));
    client::request("GET", &url, &[], &[], PATIENCE).ok().map(|answer| answer.status)
}

fn connect(connector: &Connector, listener: &str) -> Option<TcpStream> {
    let origin = connector.origin(listener);
    TcpStream::connect(origin.trim_start_matches("http://")).ok()
}

/// The executable with so few descriptors.
fn short_of_descriptors(dir: &Path, count: u32) -> std::path::PathBuf {
    let script = dir.join("short-of-descriptors");
    std::fs::write(&script, format!("#!/bin/sh\nulimit -n {count}\nexec {BINARY} \"$@\"\n"))
        .expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("a mode");
    script
}

#[test]
fn running_out_of_descriptors_closes_no_listener() {
    let scene = Scene::new();
    let connector = scene.start_as(&short_of_descriptors(scene.dir(), 64));
    for _ in 0..3 {
        let crowd: Vec<TcpStream> =
            (0..150).filter_map(|_| connect(&connector, "consent")).collect();
        eventually("the shortage to be noticed", || {
            connector.log().contains("accept_failed").then_some(())
        });
        drop(crowd);
        for listener in ["control", "deliver", "consent"] {
            eventually("everybody to be served again", || {
                (health(&connector, listener) == Some(200)).then_some(())
            });
        }
    }
    assert!(!connector.log().contains("panicked"), "{}", connector.log());
}

#[test]
fn a_length_beyond_all_memory_ends_nothing() {
    let scene = Scene::new();
    let mut connector = scene.start();
    for listener in ["control", "deliver", "consent"] {
        let mut stream = connect(&connector, listener).expect("connects");
        let head = "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 40000000000\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("sends");
        drop(stream);
        assert_eq!(health(&connector, listener), Some(200));
    }
    assert!(connector.terminate().expect("it ends").success());
}

/// Sends a Deliver call whose body is `before`, so many bytes of base64, and `after`; the answer.
fn deliver_file(connector: &Connector, secret: &str, base64: usize, after: &str) -> String {
    let before = r#"{"delivery_id":"d","external_id":"helper/1","media":[{"name":"a","data":""#;
    let length = before.len() + base64 + after.len();
    let head = format!(
        "POST /aihummer.connector.v1.ConnectorService/Deliver HTTP/1.1\r\nHost: a\r\n\
         Connection: close\r\nContent-Type: application/json\r\n\
         X-AIHummer-Inbound-Secret: {secret}\r\nContent-Length: {length}\r\n\r\n{before}"
    );
    let mut stream = connect(connector, "deliver").expect("connects");
    let piece = [b'A'; 64 * 1024];
    // Who is refused is not read to the end.
    let _ = stream.write_all(head.as_bytes());
    let mut left = base64;
    while left > 0 && stream.write_all(&piece[..left.min(piece.len())]).is_ok() {
        left -= left.min(piece.len());
    }
    let _ = stream.write_all(after.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The most memory that the process ever had resident, in KiB.
fn peak_kib(connector: &Connector) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", connector.pid()));
    let status = status.expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn a_body_with_the_largest_file_costs_no_memory_and_strangers_cannot_send_one() {
    let scene = Scene::new();
    let connector = scene.start();
    let stranger = deliver_file(&connector, "guessed", 4_000_000, "\"}]}");
    assert!(stranger.starts_with("HTTP/1.1 413 "), "{stranger}");
    let before = peak_kib(&connector);
    // The largest file that a portal takes, and a last character that spoils it.
    let spoilt = deliver_file(&connector, SECRET, 139_810_132, "!\"}]}");
    assert!(spoilt.starts_with("HTTP/1.1 400 "), "{spoilt}");
    assert!(spoilt.contains("data of file 1 is not base64"), "{spoilt}");
    assert!(spoilt.contains("at character 139810133"), "{spoilt}");
    let grown = peak_kib(&connector) - before;
    assert!(grown <= 16 * 1024, "resident memory grew by {grown} KiB");
    let files = scene.state_dir().join("files");
    assert_eq!(std::fs::read_dir(files).expect("a directory").count(), 0);
}
