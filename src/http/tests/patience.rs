//! Peers that stall, drip, or do not read: none costs a worker, and each is cut in the end.

use std::io::Read;
use std::io::Write;
use std::time::Duration;

use super::rest;
use super::stand;
use super::stand_with;
use super::until;

/// Short enough to be seen ending in a test.
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn stalled_bodies_cost_no_worker_and_are_cut() {
    let stand = stand_with(|listen| listen.patience.body = SHORT);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\nhalf";
    let mut stalled: Vec<_> = (0..20).map(|_| stand.connect()).collect();
    for stream in &mut stalled {
        stream.write_all(head).expect("sends");
    }
    stand.assert_serves();
    for stream in &mut stalled {
        assert!(rest(stream).starts_with("HTTP/1.1 408 "));
    }
    let served: Vec<String> = stand.handler.asked();
    assert_eq!(served, ["Get /well 0"]);
}

#[test]
fn a_dripping_head_is_cut_like_a_stalled_one() {
    let stand = stand_with(|listen| listen.patience.head = SHORT);
    let mut stalled = stand.connect();
    stalled.write_all(b"GET / HTTP/1.1\r\nHos").expect("sends");
    let mut dripping = stand.connect();
    dripping.write_all(b"GET / HTTP/1.1\r\n").expect("sends");
    // Each byte comes long before any timeout of a single read.
    let mut cut = false;
    for _ in 0..2000 {
        if dripping.write_all(b"X").is_err() {
            cut = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(cut, "a head that never ends is cut");
    assert!(rest(&mut stalled).starts_with("HTTP/1.1 408 "));
    stand.assert_serves();
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let stand = stand_with(|listen| listen.patience.idle = SHORT);
    let mut fresh = stand.connect();
    assert_eq!(rest(&mut fresh), "");
    let mut used = stand.connect();
    used.write_all(b"GET /well HTTP/1.1\r\nHost: a\r\n\r\n").expect("sends");
    let answer = rest(&mut used);
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("Connection: close"));
}

#[test]
fn peers_that_do_not_read_cost_no_worker_and_are_cut() {
    let stand = stand_with(|listen| listen.patience.write = SHORT);
    let mut slow: Vec<_> = (0..4).map(|_| stand.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").expect("sends");
    }
    until("all of them to be asked", || stand.handler.asked().len() == slow.len());
    stand.assert_serves();
    // Reading a little now and then does not help: the deadline is for the whole answer.
    for stream in &mut slow {
        let (mut piece, mut total) = (vec![0; 16 * 1024], 0);
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            total += count;
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(total < super::LARGE, "{total} bytes came");
    }
}

#[test]
fn a_pipelining_flood_is_done_one_by_one_and_then_cut() {
    let stand = stand_with(|listen| listen.patience.write = SHORT);
    let mut flood = stand.connect();
    let requests = "GET /flood HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    let mut cut = false;
    for _ in 0..400 {
        if flood.write_all(requests.as_bytes()).is_err() {
            cut = true;
            break;
        }
    }
    assert!(cut, "who does not read answers cannot go on asking");
    let asked = stand.handler.asked().len();
    assert!(asked < 400_000, "{asked} requests were carried out");
    stand.assert_serves();
}

#[test]
fn resets_are_nobodys_problem() {
    let stand = stand();
    for _ in 0..300 {
        let mut stream = stand.connect();
        let twice = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n";
        stream.write_all(twice).expect("sends");
        // Closing over an answer that was not read is a reset, here in the middle of the second.
        let _ = stream.peek(&mut [0]);
        drop(stream);
    }
    for _ in 0..300 {
        // Gone before anybody could look who it was.
        drop(stand.connect());
    }
    stand.assert_serves();
}
