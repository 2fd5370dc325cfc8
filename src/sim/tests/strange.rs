//! Strange input, generated: whatever arrives, the model answers and does not panic. The handlers
//! are called without HTTP, so that a panic ends the test.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use super::SCOPES;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::clock::Clock;
use crate::sim::http;
use crate::sim::http::Request;
use crate::sim::messenger::read::read;
use crate::sim::messenger::save::save;
use crate::sim::oauth;
use crate::sim::rest;
use crate::sim::world::World;

/// xorshift: the same inputs at every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.next()).unwrap_or(0) % from.len()]
    }
}

const METHODS: &[&str] = &[
    "profile",
    "scope",
    "app.info",
    "method.get",
    "user.current",
    "user.get",
    "department.get",
    "im.user.get",
    "im.user.list.get",
    "im.v2.event.subscribe",
    "im.v2.event.unsubscribe",
    "im.v2.event.get",
    "im.v2.file.upload",
    "im.disk.folder.get",
    "im.disk.file.commit",
    "disk.folder.uploadfile",
    "im.message.add",
    "im.dialog.messages.get",
    "im.recent.list",
    "im.message.update",
    "im.message.delete",
    "im.message.like",
    "im.v2.chat.message.reaction.add",
    "im.v2.chat.message.reaction.delete",
    "im.dialog.writing",
    "im.dialog.users.list",
    "batch",
];

const PIECES: &[&str] = &[
    "auth",
    "=",
    "&",
    "[",
    "]",
    "[]",
    "ID",
    "FILTER",
    "SORT",
    "order",
    "start",
    "-1",
    "%5B",
    "%FF",
    "%",
    "cmd",
    "$result[",
    "$result[a][0]",
    "?",
    "batch",
    "profile",
    "{",
    "}",
    "\"",
    ":",
    ",",
    "null",
    "1e9",
    "99999999999999999999",
    "true",
    "\u{0}",
    "Ж",
    "🙂",
    "--XX",
    "\r\n",
    "\r\n\r\n",
    "; name=\"",
    ">",
    "!",
    "user.get",
    "DIALOG_ID",
    "MESSAGE",
    "chat901",
    "TEMPLATE_ID",
    "UPLOAD_ID",
    "dialogId",
    "fields",
    "fileContent",
    "offset",
    "[user=1]",
    "[code]",
    "&#91;",
];

fn request(seeded: &mut Seeded, token: &str) -> Request {
    let mut text = |most: u64| {
        let count = seeded.next() % most;
        (0..count).map(|_| seeded.pick(PIECES)).collect::<String>()
    };
    let (query, body) = (text(30), text(60));
    let kind = seeded.pick(&[
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=XX",
        "multipart/form-data; boundary=",
        "text/plain",
    ]);
    let body = match kind {
        "application/json" => {
            format!("{{\"cmd\":{{\"a\":\"profile?{query}\"}},\"ID\":[{{\"x\":\"{query}\"}}]}}")
        }
        _ => format!(
            "{body}&DIALOG_ID={}&MESSAGE={body}&auth={token}&ID=70001&messageId=70001&reaction=like",
            seeded.pick(PIECES)
        ),
    };
    Request {
        method: "POST".to_owned(),
        path: format!("/rest/{}", seeded.pick(METHODS)),
        query: format!("{query}&auth={token}&start={}", seeded.pick(PIECES)),
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: body.into_bytes(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        keep_alive: true,
    }
}

#[test]
fn generated_parameters_never_end_the_model() {
    let mut world = World::new(Clock::new(), PortalOptions::default());
    let (client_id, _) = world.add_app("http://localhost/cb", &SCOPES);
    let user = world.add_user(User::employee("Ada", "Byron").in_departments(&[1]));
    let app = world.apps.get(&client_id).cloned().expect("just added");
    let (token, _) = oauth::issue_pair(&mut world, &app, user);
    let mut seeded = Seeded(0x5eed);
    let mut answered = 0;
    for _ in 0..20_000 {
        let request = request(&mut seeded, &token);
        let reply = rest::serve(&mut world, &request);
        assert!(
            matches!(reply.status, 200 | 400 | 401 | 403 | 404),
            "{request:?}: {}",
            reply.status
        );
        answered += usize::from(reply.status == 200);
        oauth::serve(&mut world, &Request { path: "/oauth/token/".to_owned(), ..request.clone() });
        oauth::authorize(&mut world, &request);
    }
    assert!(answered > 1000, "enough of them must reach the handlers: {answered}");
}

#[test]
fn generated_heads_never_end_the_server() {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut seeded = Seeded(7);
    for _ in 0..20_000 {
        let line = format!("{} /{} HTTP/1.1", seeded.pick(&["GET", "", "P"]), seeded.pick(PIECES));
        let field = format!(
            "{}: {}",
            seeded.pick(&["Content-Length", "Expect", ":", ""]),
            seeded.pick(PIECES)
        );
        let end = seeded.pick(&["\r\n\r\n", "\r\n", ""]);
        let text = format!("{line}{}{field}{end}", seeded.pick(&["\r\n", "\n", ""]));
        if let Some(head) = http::parse_head(text.as_bytes(), peer) {
            assert!(head.length <= text.len());
        }
    }
}

#[test]
fn generated_texts_never_end_the_parsers() {
    const TAGS: [&str; 24] = [
        "[",
        "]",
        "[/",
        "[url",
        "[url=",
        "[/url]",
        "[user=",
        "[/user]",
        "[disk=",
        "12",
        "[code]",
        "[/code]",
        "[put=",
        "[send]",
        "=",
        "https://",
        "www.",
        "a.example",
        "&#91;",
        "&amp;",
        ":f09f9880:",
        "Ж",
        "\u{a0}",
        "\n",
    ];
    let mut seeded = Seeded(11);
    let mut read_back = 0;
    for _ in 0..20_000 {
        let count = seeded.next() % 16;
        let text: String = (0..count).map(|_| seeded.pick(&TAGS)).collect();
        let saved = save(&text, &|user| user != 12);
        assert!(!saved.text.contains("[BR]"));
        let shown = read(&saved.text, &|user| Some(format!("N{user}")), "all");
        read_back += usize::from(!shown.is_empty());
    }
    assert!(read_back > 10_000, "most texts are texts: {read_back}");
}
