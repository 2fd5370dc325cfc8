//! More connections than there is room for: who waits longest for its peer goes, who is owed an
//! answer stays, and somebody who behaves is served beside any number of others.

use std::io::Write;
use std::net::TcpStream;

use super::one;
use super::rest;
use super::stand;
use super::stand_with;
use super::until;
use crate::limits;

const GET: &[u8] = b"GET /well HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_burst_of_kept_connections_is_served_every_one_every_time() {
    let stand = stand();
    let mut burst: Vec<TcpStream> = (0..64).map(|_| stand.connect()).collect();
    for _ in 0..3 {
        for stream in &mut burst {
            stream.write_all(GET).expect("sends");
        }
        for stream in &mut burst {
            assert!(one(stream).starts_with("HTTP/1.1 200 "));
        }
    }
}

#[test]
fn beside_idle_and_half_sent_connections_everybody_is_served() {
    let stand = stand();
    let mut crowd = Vec::new();
    // As many as descriptors allow here; the whole crowd of thousands is a black-box test.
    for number in 0..400 {
        let mut stream = stand.connect();
        if number % 4 == 0 {
            // It may have been closed for a newer one by now.
            let _ = stream.write_all(b"GET / HTTP/1.1\r\nHo");
        }
        crowd.push(stream);
        if number % 50 == 0 {
            stand.assert_serves();
        }
    }
    stand.assert_serves();
    // The oldest idle ones had to go for it.
    assert_eq!(rest(&mut crowd[1]), "");
}

#[test]
fn who_is_owed_an_answer_stays_and_the_next_is_told_that_there_is_no_room() {
    let stand = stand();
    let mut owed: Vec<TcpStream> = Vec::new();
    for number in 1..=limits::HTTP_CONNECTIONS_MAX {
        let mut stream = stand.connect();
        stream.write_all(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").expect("sends");
        owed.push(stream);
        until("the request", || stand.handler.held() == number);
    }
    assert!(stand.ask(GET).starts_with("HTTP/1.1 503 "));
    stand.handler.release();
    for stream in &mut owed {
        assert!(one(stream).ends_with("released"));
    }
    stand.assert_serves();
}

#[test]
fn one_source_cannot_take_every_place() {
    let stand = stand_with(|listen| {
        listen.per_source_max = Some(3);
        listen.loopback_is_free = false;
    });
    let mut mine: Vec<TcpStream> = (0..5).map(|_| stand.connect()).collect();
    mine[4].write_all(GET).expect("sends");
    assert!(one(&mut mine[4]).starts_with("HTTP/1.1 200 "));
    assert_eq!(rest(&mut mine[0]), "", "the oldest of the same source goes");
    assert_eq!(rest(&mut mine[1]), "");
    for stream in &mut mine[2..] {
        stream.write_all(GET).expect("sends");
        assert!(one(stream).starts_with("HTTP/1.1 200 "));
    }
}
