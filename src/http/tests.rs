//! Tests of the listener against real sockets.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

use super::Answer;
use super::Handler;
use super::Listen;
use super::Reply;
use super::Request;
use super::Server;
use crate::base::threads::Exits;
use crate::base::threads::ThreadName;

struct Echo;

impl Handler for Echo {
    fn handle(&self, request: Request, answer: Answer) {
        match request.path.as_str() {
            "/panic" => panic!("on purpose"),
            "/forget" => drop(answer),
            "/later" => {
                std::thread::scope(|scope| {
                    scope.spawn(|| answer.send(Reply::text(200, "later")));
                });
            }
            _ => answer.send(Reply::json(
                200,
                &serde_json::json!({
                    "path": request.path,
                    "name": request.query_value("name"),
                    "form": request.form_value("name"),
                    "cookie": request.cookie("a"),
                    "bearer": request.bearer(),
                    "body": request.body.len(),
                }),
            )),
        }
    }
}

fn server() -> Server {
    let listen = Listen {
        addr: "127.0.0.1:0".parse().expect("an address"),
        workers: 2,
        thread: ThreadName::HttpControl,
        body_bytes_max: 1000,
        per_source_max: None,
    };
    Server::start(listen, &Exits::new().0, Arc::new(Echo)).expect("starts")
}

fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.addr()).expect("connects");
    stream.write_all(request.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("reads");
    answer
}

#[test]
fn a_request_arrives_whole_and_decoded() {
    let server = server();
    let answer = ask(
        &server,
        "POST /a?name=x%20y+z HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: b=1; a=2\r\n\
         Authorization: bearer t\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 10\r\n\r\nname=%D0%B0",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for part in ["\"name\":\"x y z\"", "\"cookie\":\"2\"", "\"bearer\":\"t\"", "no-store"] {
        assert!(answer.contains(part), "{answer}");
    }
}

#[test]
fn a_panic_or_a_forgotten_answer_is_a_500_and_the_workers_live() {
    let server = server();
    for path in ["/panic", "/forget", "/panic", "/forget", "/panic"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(ask(&server, &request).starts_with("HTTP/1.1 500"), "{path}");
    }
    let later = ask(&server, "GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(later.ends_with("later"));
}

#[test]
fn a_stopped_server_refuses_connections() {
    let mut server = server();
    server.stop();
    let addr = server.addr();
    drop(server);
    let refused = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        TcpStream::connect(addr).is_err()
    });
    assert!(refused);
}
