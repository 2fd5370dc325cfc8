//! Calls of the Deliver listener as a gateway makes them, in any form, and what is asserted of their
//! answers. Knows HTTP and the form of the contract's errors; nothing of any one operation.

use aihummer_bitrix24::sim::Shown;
use aihummer_bitrix24::sim::client;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::SECRET;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

use crate::support::PATIENCE;
use crate::support::scene::Scene;

/// Methods that change the portal.
pub const WRITES: [&str; 8] = [
    "im.message.add",
    "im.message.update",
    "im.message.delete",
    "im.message.like",
    "im.v2.chat.message.reaction.add",
    "disk.folder.uploadfile",
    "im.disk.file.commit",
    "im.v2.file.upload",
];

/// The path of Deliver.
pub const DELIVER: &str = "/aihummer.connector.v1.ConnectorService/Deliver";
/// The path of GetDelivery.
pub const GET: &str = "/aihummer.connector.v1.ConnectorService/GetDelivery";
/// The one content type that is taken.
pub const JSON: (&str, &str) = ("Content-Type", "application/json");
/// The secret.
pub const PROOF: (&str, &str) = ("X-AIHummer-Inbound-Secret", SECRET);
/// To be answered as soon as the delivery is kept.
pub const LATER: (&str, &str) = ("Prefer", "respond-async");

/// A request to the Deliver listener, as it stands.
pub fn ask(
    connector: &Connector,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let url = format!("{}{path}", connector.origin("deliver"));
    client::request(method, &url, headers, body, PATIENCE).expect("an answer")
}

/// A Deliver call with the secret.
pub fn deliver(connector: &Connector, body: &Value) -> Response {
    ask(connector, ("POST", DELIVER), &[JSON, PROOF], body.to_string().as_bytes())
}

/// A GetDelivery call with the secret.
pub fn look_up(connector: &Connector, id: &str) -> Response {
    let body = json!({ "delivery_id": id }).to_string();
    ask(connector, ("POST", GET), &[JSON, PROOF], body.as_bytes())
}

/// Asserts that an answer is this refusal, in the form of the contract.
pub fn assert_refused(what: &str, answer: &Response, status: u16, code: &str, told: &str) {
    let body = answer.json();
    let text = answer.text();
    assert_eq!((answer.status, body["code"].as_str()), (status, Some(code)), "{what}: {text}");
    let message = body["message"].as_str().unwrap_or_default();
    assert!(message.contains(told), "{what}: {told:?} is not in {message:?}");
    assert!(body["details"].is_array(), "{what}: {text}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
    assert!(!text.contains(SECRET) && !text.contains("src/"), "{what}: {text}");
}

/// The ids of a receipt's messages.
pub fn ids(receipt: &Value) -> Vec<u64> {
    let ids = receipt["message_ids"].as_array().into_iter().flatten();
    ids.map(|id| id.as_str().and_then(|id| id.parse().ok()).expect("a number as text")).collect()
}

/// A file that comes with the call.
pub fn inline(name: &str, bytes: &[u8]) -> Value {
    json!({ "name": name, "data": STANDARD.encode(bytes) })
}

/// A text of so many parts, each of which has this word in it.
pub fn long(word: &str, parts: usize) -> String {
    let paragraph = format!("{word} and a few more words. ").repeat(25) + "\n\n";
    paragraph.repeat((parts * 15_000 - 5_000) / paragraph.len())
}

/// Mira's agent in a team with Olaf, and what one asks of it and sees of it there.
pub struct Team {
    /// The connector; before the scene, whose directory it writes into.
    pub connector: Connector,
    /// Everything around it.
    pub scene: Scene,
    /// The team's chat.
    pub chat: u64,
}

impl Team {
    /// With the settings of every scene.
    pub fn new() -> Team {
        Team::in_scene(Scene::new())
    }

    /// In a scene that was prepared.
    pub fn in_scene(scene: Scene) -> Team {
        let connector = scene.start_connected();
        let chat = scene.portal.add_chat("Invoices", scene.olaf, &[scene.mira]);
        Team { connector, scene, chat }
    }

    /// A call for the team with these fields.
    pub fn body(&self, id: &str, fields: Value) -> Value {
        let mut body =
            json!({ "delivery_id": id, "external_id": format!("helper/chat{}", self.chat) });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        body
    }

    /// Makes a call for the team.
    pub fn call(&self, id: &str, fields: Value) -> Response {
        deliver(&self.connector, &self.body(id, fields))
    }

    /// Makes a call that is carried out; its receipt, which GetDelivery repeats.
    pub fn done(&self, id: &str, fields: Value) -> Value {
        let answer = self.call(id, fields);
        let receipt = answer.json();
        let seen = (answer.status, receipt["status"].as_str(), receipt["replayed"].as_bool());
        assert_eq!(seen, (200, Some("delivered"), Some(false)), "{id}: {receipt}");
        assert_eq!(look_up(&self.connector, id).json(), receipt, "{id}");
        receipt
    }

    /// The same, with nothing left out.
    pub fn well(&self, id: &str, fields: Value) -> Vec<u64> {
        let receipt = self.done(id, fields);
        assert_eq!(receipt["warnings"], json!([]), "{id}: {receipt}");
        ids(&receipt)
    }

    /// The same, with one thing left out, of which the receipt says so.
    pub fn less(&self, id: &str, fields: Value, told: &str) -> Vec<u64> {
        let receipt = self.done(id, fields);
        let warnings = receipt["warnings"].as_array().expect("warnings");
        let told_of =
            warnings.len() == 1 && warnings[0].as_str().unwrap_or_default().contains(told);
        assert!(told_of, "{id}: {told:?} is not what {receipt} warns of");
        ids(&receipt)
    }

    /// What the agent shows in the team, in order; what it deleted is not among it.
    pub fn shown(&self) -> Vec<Shown> {
        let mira = self.scene.mira;
        let all = self.scene.portal.shown(self.chat).into_iter();
        all.filter(|message| message.author == mira && !message.deleted).collect()
    }

    /// The texts of that.
    pub fn texts(&self) -> Vec<String> {
        self.shown().into_iter().map(|message| message.text).collect()
    }

    /// What Mira set on a message, whoever wrote it.
    pub fn reactions(&self, message: u64) -> Vec<&'static str> {
        let all = self.scene.portal.shown(self.chat).into_iter().filter(|one| one.id == message);
        let set = all.flat_map(|one| one.reactions);
        set.filter(|(user, _)| *user == self.scene.mira).map(|(_, code)| code).collect()
    }

    /// A message of Olaf in the team.
    pub fn olaf_says(&self, text: &str) -> u64 {
        self.scene.portal.say(self.scene.olaf, self.chat, text).expect("says")
    }

    /// Calls of a REST method so far.
    pub fn calls(&self, method: &str) -> usize {
        self.scene.network.calls_of(method)
    }

    /// Files that wait beside the database for the portal to have them.
    pub fn on_the_shelf(&self) -> usize {
        std::fs::read_dir(self.scene.state_dir().join("files")).expect("the shelf").count()
    }

    /// Ends the connector the hard way and starts it again.
    pub fn restart(&mut self) {
        self.connector.kill();
        self.connector = self.scene.start();
    }
}

/// What the control API has at a path.
pub fn get(connector: &Connector, path: &str) -> Value {
    let answer = connector.control("GET", path, None).expect("an answer");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// What it answers to a POST without a body.
pub fn post(connector: &Connector, path: &str) -> Response {
    connector.control("POST", path, None).expect("an answer")
}
