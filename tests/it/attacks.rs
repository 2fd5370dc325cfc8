//! What strangers do to the real executable as a whole. Single attacks on a listener are tested
//! beside it, in `src/http/tests`.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::stage::Connector;

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
