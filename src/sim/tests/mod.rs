//! Tests of the model's core, grouped by file: each names the quirk of the reference it holds the
//! model to. They talk HTTP through [`http`], a client of a few lines, because the model is what
//! is under test and not the connector.

mod batch;
mod changes;
mod context;
mod dialog;
mod envelope;
mod events;
mod faults;
mod filehost;
mod files;
mod gateway;
mod history;
mod limits;
mod messages;
mod oauth;
mod odd;
mod org;
mod quirks;
mod reactions;
mod recent;
mod rest;
mod seen;
mod strange;
mod users;

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use super::Network;
use super::Portal;
use super::PortalOptions;
use super::Switches;
use super::User;
use super::messenger::MessengerSwitches;

/// An answer as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or("none").to_owned()
    }

    fn result(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["result"].clone()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        let mut found = lines.filter_map(|line| line.split_once(": "));
        found.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// One request on its own connection; `None` when no whole answer came.
fn try_http(method: &str, url: &str, headers: &[&str], body: &[u8]) -> Option<Answer> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut head = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for header in headers {
        head += &format!("{header}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let answer = Answer { status, head: head.to_owned(), body: body.to_owned() };
    let length: usize = answer.header("Content-Length")?.parse().ok()?;
    (answer.body.len() == length).then_some(answer)
}

fn http(method: &str, url: &str, headers: &[&str], body: &[u8]) -> Answer {
    try_http(method, url, headers, body).expect("the model answers")
}

fn get(url: &str) -> Answer {
    http("GET", url, &[], b"")
}

/// A portal with one employee, one application and a token of hers.
struct Office {
    network: Network,
    portal: Portal,
    client_id: String,
    secret: String,
    ada: u64,
    token: String,
    refresh: String,
}

const SCOPES: [&str; 4] = ["department", "disk", "im", "user"];

impl Office {
    fn open() -> Office {
        Office::with(Switches::default())
    }

    fn with(switches: Switches) -> Office {
        Office::started_with(PortalOptions { switches, ..PortalOptions::default() })
    }

    fn started_with(options: PortalOptions) -> Office {
        let network = Network::new();
        let portal = Portal::start(&network, options).expect("ports are free");
        let (client_id, secret) = portal.add_app("http://localhost:1/cb?agent=a", &SCOPES);
        let root = portal.world().root().expect("there is a root");
        let ada = User { id: 101, ..User::employee("Ada", "Byron").in_departments(&[root]) };
        let ada = portal.add_user(ada);
        let (token, refresh) = portal.issue_tokens(&client_id, ada).expect("the app is known");
        Office { network, portal, client_id, secret, ada, token, refresh }
    }

    /// A call as the connector makes it: JSON with `auth` in the body.
    fn call(&self, method: &str, params: Value) -> Answer {
        self.call_with(&self.token, method, params)
    }

    fn call_with(&self, token: &str, method: &str, mut params: Value) -> Answer {
        params["auth"] = json!(token);
        let url = format!("{}/rest/{method}", self.portal.url());
        let json = "Content-Type: application/json; charset=utf-8";
        http("POST", &url, &[json], params.to_string().as_bytes())
    }

    /// A token of another user for the same application.
    fn token_of(&self, user: u64) -> String {
        self.portal.issue_tokens(&self.client_id, user).expect("the app is known").0
    }

    fn token_request(&self, query: &str) -> Answer {
        get(&format!("http://{}/oauth/token/?{query}", self.portal.oauth_host()))
    }

    fn refresh_with(&self, refresh: &str) -> Answer {
        let (id, secret) = (&self.client_id, &self.secret);
        self.token_request(&format!(
            "grant_type=refresh_token&client_id={id}&client_secret={secret}&refresh_token={refresh}"
        ))
    }

    fn exchange(&self, code: &str) -> Answer {
        let (id, secret) = (&self.client_id, &self.secret);
        self.token_request(&format!(
            "grant_type=authorization_code&client_id={id}&client_secret={secret}&code={code}"
        ))
    }

    fn authorize(&self, query: &str) -> Answer {
        get(&format!("{}/oauth/authorize/?{query}", self.portal.url()))
    }

    /// The code of a consent by the user who is signed in.
    fn code(&self) -> String {
        let answer = self.authorize(&format!("client_id={}&state=s", self.client_id));
        let location = answer.header("Location").expect("a redirect").to_owned();
        let code = location.split("code=").nth(1).and_then(|rest| rest.split('&').next());
        code.expect("a code").to_owned()
    }
}

/// The agent.
const MIRA: u64 = 57;
/// Her colleague.
const OLAF: u64 = 12;

/// An office in which Mira and Olaf talk. Tokens are made anew for each call, so that time may
/// pass; there are no limits, and background jobs are done at once.
struct Talk {
    office: Office,
}

impl Talk {
    fn open() -> Talk {
        let office = Office::open();
        office.portal.without_limits();
        office.portal.world().messenger.switches.background = Duration::ZERO;
        for (id, name, last_name) in [(MIRA, "Mira", "Holt"), (OLAF, "Olaf", "Brandt")] {
            let user = User::employee(name, last_name).in_departments(&[1]);
            office.portal.add_user(User { id, ..user });
        }
        Talk { office }
    }

    fn portal(&self) -> &Portal {
        &self.office.portal
    }

    fn switch(&self, switch: impl FnOnce(&mut MessengerSwitches)) {
        switch(&mut self.portal().world().messenger.switches);
    }

    fn advance(&self, seconds: u64) {
        self.office.network.clock().advance(Duration::from_secs(seconds));
    }

    fn call(&self, user: u64, method: &str, params: Value) -> Answer {
        self.office.call_with(&self.office.token_of(user), method, params)
    }

    fn subscribe(&self, user: u64) {
        assert_eq!(self.call(user, "im.v2.Event.subscribe", json!({})).result(), json!(true));
    }

    /// `result` of Mira's `im.v2.Event.get`.
    fn events(&self, params: Value) -> Value {
        self.call(MIRA, "im.v2.Event.get", params).result()
    }

    /// Olaf writes to Mira.
    fn write(&self, text: &str) -> u64 {
        self.portal().write_to(OLAF, MIRA, text).expect("writes")
    }

    /// A group of both, after the talk about who joined.
    fn group(&self) -> u64 {
        self.portal().add_chat("Invoices", OLAF, &[MIRA])
    }
}

/// Names of an object's keys, in order.
fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}
