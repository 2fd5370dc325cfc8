//! The connector as a child process, and what one does with it from outside: its addresses, its
//! control API, the consent of an agent, Deliver. Everything by HTTP, with the secrets of the stage.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;

use super::CONTROL_SECRET;
use super::Result;
use super::browser;
use super::process::Process;
use crate::sim::client;
use crate::sim::client::Response;
use crate::sim::gateway::DELIVER_PATH;

/// How long one call of the connector may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running connector.
pub struct Connector {
    process: Process,
    /// Bound addresses by listener name: control, deliver, consent.
    addresses: BTreeMap<String, String>,
}

impl Connector {
    /// Starts `binary run` with these settings and waits for its addresses.
    ///
    /// # Errors
    /// It cannot be started, or ended before it listened; its log is shown.
    pub fn start(binary: &Path, settings: &[(String, String)], log: &Path) -> Result<Connector> {
        let (process, first) = Process::start(binary, &["run"], settings, log)?;
        let addresses = first.as_object().ok_or_else(|| format!("no addresses but {first}"))?;
        let address = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let addresses =
            addresses.iter().map(|(name, value)| (name.clone(), address(value))).collect();
        Ok(Connector { process, addresses })
    }

    /// `http://127.0.0.1:PORT` of a listener: control, deliver or consent.
    pub fn origin(&self, listener: &str) -> String {
        format!("http://{}", self.addresses.get(listener).map_or("", String::as_str))
    }

    /// Ends it the hard way, `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.process.terminate()
    }

    /// What it logged so far, restarts included.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A call of the control API with the secret.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn control(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Response> {
        let bearer = format!("Bearer {CONTROL_SECRET}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let body = body.map(Value::to_string).unwrap_or_default();
        let url = format!("{}{path}", self.origin("control"));
        let answer = client::request(method, &url, &headers, body.as_bytes(), TIMEOUT);
        answer.map_err(|why| format!("{method} {path}: {why}"))
    }

    /// `GET /v1/status`; `None` when nobody answers.
    pub fn status(&self) -> Option<Value> {
        self.control("GET", "/v1/status", None).ok().map(|answer| answer.json())
    }

    /// A consent link of the control API.
    ///
    /// # Errors
    /// The control API refused it.
    pub fn consent_link(&self, agent: &str) -> Result<String> {
        let opened = self.control("POST", &format!("/v1/agents/{agent}/consent"), None)?;
        let link = opened.json()["link"].as_str().map(str::to_owned);
        link.ok_or_else(|| format!("no consent link but {}: {}", opened.status, opened.text()))
    }

    /// Walks the whole consent of an agent in a browser that is signed in as `user`; the last page.
    ///
    /// # Errors
    /// A step did not lead on.
    pub fn consent(&self, agent: &str, user: u64) -> Result<Response> {
        let link = self.consent_link(agent)?;
        let connected = browser::get(&browser::callback_url(&link, user)?)?;
        if connected.status != 200 {
            return Ok(connected);
        }
        browser::confirm(&self.origin("consent"), &connected)
    }

    /// Where Deliver calls go.
    pub fn deliver_url(&self) -> String {
        format!("{}{DELIVER_PATH}", self.origin("deliver"))
    }

    /// A Deliver call with these headers.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn deliver(&self, body: &Value, headers: &[(&str, &str)]) -> Result<Response> {
        client::post_json(&self.deliver_url(), headers, body, TIMEOUT)
            .map_err(|why| format!("Deliver: {why}"))
    }
}
