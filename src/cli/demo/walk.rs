//! The story of the demo, scene by scene: consent, a question and its answer, a mention, a repeated
//! Deliver, changes of what was said, and `kill -9` in the middle of both directions. Every claim is checked on the model's
//! side: what the portal shows, what the gateway got.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::Value;
use serde_json::json;

use crate::cli::demo::narrate::Narrator;
use crate::sim::Fault;
use crate::sim::HookPoint;
use crate::sim::When;
use crate::sim::client;
use crate::sim::gateway::Inbound;
use crate::sim::stage;
use crate::sim::stage::Connector;
use crate::sim::stage::Stage;

/// A picture of one point.
pub(super) const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDw\
    ADhgGAWjR9awAAAABJRU5ErkJggg==";

/// The model's agent: what it knows about invoices, and an echo for everything else.
pub(in crate::cli) fn scripted_agent(inbound: &Inbound) -> Option<String> {
    if inbound.text.contains("invoice") {
        return Some(
            "**Invoice 4711** is paid:\n\n\
             1. sent on *3 November*\n2. paid on *17 November*\n\n\
             > Thank you for your order.\n\n\
             See [the ledger](https://example.org/ledger?id=4711) or run `ledger show 4711`."
                .to_owned(),
        );
    }
    Some(format!("You said: **{}**", inbound.text.replace('*', "")))
}

/// The story, as far as it has come.
pub(super) struct Walk<'n, 's> {
    stage: Stage,
    binary: PathBuf,
    connector: Connector,
    narrator: &'n mut Narrator<'s>,
    private: u64,
    group: u64,
}

impl<'n, 's> Walk<'n, 's> {
    /// The first scene: everything starts.
    pub(super) fn new(
        mut stage: Stage,
        binary: PathBuf,
        narrator: &'n mut Narrator<'s>,
    ) -> Result<Walk<'n, 's>, String> {
        stage.set("BITRIX24_POLL_ACTIVE_MS", "100");
        stage.set("BITRIX24_POLL_IDLE_MS", "500");
        stage.gateway.script(Box::new(scripted_agent));
        narrator.scene("A portal, a gateway, and the connector");
        narrator.line("model portal", &stage.portal.url());
        narrator.line("", "Olaf Brandt works here; Mira Holt's account is for the agent");
        narrator.line("model gateway", &format!("{}  with a scripted agent", stage.gateway.url()));
        let began = Instant::now();
        let connector = stage.start(&binary)?;
        let started = began.elapsed();
        let control = connector.origin("control");
        narrator.line("connector", &format!("{control}  pid {}", connector.pid()));
        let health = get(&format!("{control}/healthz"))?;
        narrator.line("GET /healthz", &format!("{} after {started:.0?}", health.status));
        let ready = get(&format!("{control}/readyz"))?;
        narrator.line("GET /readyz", &format!("{} {}", ready.status, ready.text().trim()));
        let alive = health.status == 200 && ready.status == 503;
        narrator.claim("it is healthy, and says that it is not ready and why", alive);
        let private = stage.portal.private_chat(stage.olaf, stage.mira);
        let group = stage.portal.add_chat("Invoices", stage.olaf, &[stage.mira]);
        Ok(Walk { stage, binary, connector, narrator, private, group })
    }

    /// All other scenes.
    pub(super) fn all(&mut self) -> Result<(), String> {
        self.consent()?;
        self.question()?;
        self.mention()?;
        self.repeat()?;
        self.change()?;
        self.kill_in_delivery()?;
        self.kill_in_relay()
    }

    fn consent(&mut self) -> Result<(), String> {
        self.narrator.scene("Consent: the agent gets an account of its own");
        let link = self.connector.consent_link("helper")?;
        self.narrator.line("consent link", "single use, for whoever is signed in as Mira Holt");
        let callback = self.stage.callback_url(&link, self.stage.mira)?;
        self.narrator.line("browser", "link → portal's consent page → back with a code");
        let page = self.stage.follow(&callback)?;
        self.narrator.hops(&self.stage.network);
        let names_her = page.text().contains("Mira Holt");
        self.narrator.claim("the page names the account before anything is kept", names_her);
        let done = self.stage.confirm(&page)?;
        let stage = &self.stage;
        self.narrator.until("the agent's events", || stage.is_subscribed())?;
        let ready = get(&format!("{}/readyz", self.connector.origin("control")))?;
        let connected = done.status == 200 && ready.status == 200;
        self.narrator.claim("after the confirmation helper works as Mira Holt", connected);
        self.narrator.skip_hops(&self.stage.network);
        let again = self.stage.follow(&callback)?;
        self.narrator.claim("the same callback a second time is refused", again.status >= 400);
        Ok(())
    }

    fn question(&mut self) -> Result<(), String> {
        self.narrator.scene("Olaf writes to Mira");
        let text = "Is the invoice 4711 paid?";
        self.narrator.line("Olaf", text);
        self.write(text)?;
        self.answered(1)?;
        self.narrator.hops(&self.stage.network);
        let answers = self.stage.said_by_agent(self.private);
        let answer = answers.first().cloned().unwrap_or_default();
        self.narrator.line("on the portal", &answer.replace('\n', " ⏎ "));
        self.narrator.shown("Olaf's client shows", &answer);
        let inbound = self.stage.gateway.inbound();
        let once = inbound.len() == 1 && inbound.iter().all(|one| one.text == text);
        self.narrator.claim("the gateway got the question once, word for word", once);
        let bold = answers.len() == 1 && answer.starts_with("[b]Invoice 4711[/b]");
        self.narrator.claim("Olaf sees the answer once, Markdown turned into BB-code", bold);
        Ok(())
    }

    fn mention(&mut self) -> Result<(), String> {
        self.narrator.scene("A group: only what is addressed to the agent reaches it");
        let portal = &self.stage.portal;
        let told = |why| format!("{why:?}");
        portal.say(self.stage.olaf, self.group, "Good morning, all").map_err(told)?;
        self.narrator.line("Olaf in Invoices", "Good morning, all");
        let mention = format!("[USER={}]Mira Holt[/USER], which invoice is late?", self.stage.mira);
        portal.say(self.stage.olaf, self.group, &mention).map_err(told)?;
        self.narrator.line("Olaf in Invoices", "@Mira Holt, which invoice is late?");
        self.answered(2)?;
        self.narrator.hops(&self.stage.network);
        let inbound = self.stage.gateway.inbound();
        let texts: Vec<&str> = inbound.iter().map(|one| one.text.as_str()).collect();
        self.narrator.line("gateway got", texts.last().copied().unwrap_or_default());
        let ignored = !texts.iter().any(|text| text.contains("Good morning"));
        self.narrator.claim("the greeting stayed in the group", ignored);
        let answered = self.stage.said_by_agent(self.group).len() == 1;
        self.narrator.claim("the mention was answered there, once", answered);
        Ok(())
    }

    fn repeat(&mut self) -> Result<(), String> {
        self.narrator.scene("The gateway repeats a Deliver call");
        let before = self.stage.said_by_agent(self.private).len();
        let send = |text| self.stage.send(&self.connector, "demo-1", text);
        let (first, again) = (send("The *same* words")?, send("The *same* words")?);
        let other = send("Other words")?;
        for (call, answer) in [("first", &first), ("repeated", &again), ("other text", &other)] {
            let body = answer.text();
            self.narrator.line(&format!("Deliver, {call}"), &format!("{} {body}", answer.status));
        }
        let replayed = first.status == 200 && again.json()["replayed"] == true;
        let after = self.stage.said_by_agent(self.private).len();
        self.narrator.claim("the repeat is answered from the ledger", replayed);
        self.narrator.claim("one delivery_id with other content is refused", other.status == 409);
        self.narrator.claim("Olaf sees one message", after == before + 1);
        self.narrator.skip_hops(&self.stage.network);
        Ok(())
    }

    fn change(&mut self) -> Result<(), String> {
        self.narrator.scene("The agent edits, reacts, sends a picture and takes words back");
        let question = self.write("Two or three?")?;
        self.answered(3)?;
        let first = self.call(json!({ "delivery_id": "c-1", "text": "It is *two*." }))?;
        let edit = json!({ "delivery_id": "c-2", "operation": "edit",
            "target_delivery_id": "c-1", "text": "It is **three**." });
        let edited = self.call(edit)?;
        let reaction = json!({ "delivery_id": "c-3", "operation": "react",
            "message_id": question, "reaction": "👍" });
        let reacted = self.call(reaction)?;
        let media = json!([{ "name": "three.png", "data": PICTURE }]);
        let picture = self.call(json!({ "delivery_id": "c-4", "text": "See:", "media": media }))?;
        let gone = self.call(json!({ "delivery_id": "c-5", "text": "Never mind" }))?;
        let delete = json!({ "delivery_id": "c-6", "operation": "delete",
            "target_delivery_id": "c-5" });
        let deleted = self.call(delete)?;
        self.narrator.hops(&self.stage.network);
        let shown = self.stage.portal.shown(self.private);
        let of = |answer: &client::Response| {
            let id = answer.json()["message_ids"][0].as_str().and_then(|id| id.parse().ok());
            shown.iter().find(|message| Some(message.id) == id).cloned()
        };
        let same = first.json()["message_ids"] == edited.json()["message_ids"];
        let three = of(&first).is_some_and(|shown| shown.edited && shown.text.contains("three"));
        self.narrator.claim("the edit is shown in the same message", same && three);
        let liked = shown.iter().any(|shown| shown.id == question && !shown.reactions.is_empty());
        self.narrator.claim("Olaf's question has the thumb", reacted.status == 200 && liked);
        let one = of(&picture).is_some_and(|shown| shown.files.len() == 1 && shown.text == "See:");
        self.narrator.claim("picture and caption are one message", one);
        let placeholder = of(&gone).is_some_and(|shown| shown.deleted);
        self.narrator.claim("of what was deleted a placeholder stays", placeholder);
        if deleted.status == 200 { Ok(()) } else { Err(deleted.text().to_owned()) }
    }

    /// A Deliver call for Olaf's dialog with the agent.
    fn call(&self, mut body: Value) -> Result<client::Response, String> {
        body["external_id"] = json!(format!("helper/{}", self.stage.olaf));
        self.connector.deliver(&body, &[("X-AIHummer-Inbound-Secret", stage::SECRET)])
    }

    fn kill_in_delivery(&mut self) -> Result<(), String> {
        self.narrator.scene("kill -9 while the portal stores the agent's message");
        let text = "Please repeat after me";
        let killed = self.kill_at(stage::SAY_METHOD);
        self.narrator.line("Olaf", text);
        self.write(text)?;
        self.narrator.until("the kill", || killed.load(Ordering::SeqCst))?;
        self.narrator.hops(&self.stage.network);
        let while_down = "Are you still there?";
        self.narrator.line("Olaf, meanwhile", while_down);
        self.write(while_down)?;
        self.restart()?;
        self.answered(5)?;
        self.narrator.hops(&self.stage.network);
        let answers = self.stage.said_by_agent(self.private);
        let shown = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
        self.narrator.claim("the answer that was under way is shown once", shown(text) == 1);
        let there = shown(while_down) == 1;
        self.narrator.claim("what Olaf wrote meanwhile was found and answered once", there);
        Ok(())
    }

    fn kill_in_relay(&mut self) -> Result<(), String> {
        self.narrator.scene("kill -9 while the gateway takes a message");
        let text = "And now the other direction";
        let killed = self.kill_at("/v1/inbound/generic");
        self.narrator.line("Olaf", text);
        self.write(text)?;
        self.narrator.until("the kill", || killed.load(Ordering::SeqCst))?;
        self.restart()?;
        self.answered(6)?;
        self.narrator.hops(&self.stage.network);
        let inbound = self.stage.gateway.inbound();
        let keys: Vec<&str> = inbound
            .iter()
            .filter(|one| one.text.contains(text))
            .map(|one| one.key.as_str())
            .collect();
        self.narrator.line("gateway got it", &format!("{} times: {}", keys.len(), keys.join(", ")));
        let same = !keys.is_empty() && keys.iter().all(|key| *key == keys[0]);
        self.narrator.claim("a repeat carries the same Idempotency-Key", same);
        let answers = self.stage.said_by_agent(self.private);
        let once = answers.iter().filter(|answer| answer.contains(text)).count() == 1;
        self.narrator.claim("Olaf sees one answer", once);
        Ok(())
    }

    /// Kills the connector at the next exchange of this kind: acted upon, and not answered.
    fn kill_at(&self, exchange: &str) -> Arc<AtomicBool> {
        let killed = Arc::new(AtomicBool::new(false));
        let (flag, pid) = (Arc::clone(&killed), self.connector.pid());
        let hook = move |point: HookPoint| {
            if point == HookPoint::AfterAct {
                stage::signal("KILL", pid);
                flag.store(true, Ordering::SeqCst);
            }
        };
        self.stage.network.plan(When::first(exchange), Fault::Hook(Arc::new(hook)));
        killed
    }

    fn restart(&mut self) -> Result<(), String> {
        self.stage.network.clear_plan();
        self.connector.kill();
        self.connector = self.stage.start(&self.binary)?;
        self.narrator.line("connector", &format!("started again, pid {}", self.connector.pid()));
        Ok(())
    }

    fn write(&self, text: &str) -> Result<u64, String> {
        let written = self.stage.portal.write_to(self.stage.olaf, self.stage.mira, text);
        written.map_err(|why| format!("{why:?}"))
    }

    /// Waits until the agent has answered so many messages, and the gateway knows it.
    fn answered(&mut self, count: usize) -> Result<(), String> {
        let gateway = &self.stage.gateway;
        self.narrator.until("the answer", || {
            gateway.receipts().len() >= count && gateway.undelivered() == 0
        })?;
        let delivered = gateway.receipts().iter().all(|receipt| receipt.status == "delivered");
        if delivered { Ok(()) } else { Err(format!("{:?}", gateway.receipts().last())) }
    }

    /// Notes that the story broke off.
    pub(super) fn fail(&mut self, why: &str) {
        self.narrator.claim(&format!("the story goes on ({why})"), false);
        self.narrator.close();
    }

    /// Stops the connector and closes; whether everything held.
    pub(super) fn end(&mut self) -> Result<bool, String> {
        self.narrator.scene("The end");
        let status = self.connector.terminate()?;
        self.narrator.claim("SIGTERM stops the connector with exit code 0", status.success());
        Ok(self.narrator.close())
    }

    pub(super) fn interrupted(&self) -> bool {
        self.narrator.interrupted
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Last lines of the connector's log.
    pub(super) fn connector_log(&self) -> String {
        let log = self.connector.log();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Titles and ids of the chats of the story.
    pub(super) fn chats(&self) -> Vec<(&'static str, u64)> {
        vec![("Olaf and Mira", self.private), ("Invoices", self.group)]
    }
}

fn get(url: &str) -> Result<client::Response, String> {
    client::request("GET", url, &[], &[], std::time::Duration::from_secs(10))
        .map_err(|why| format!("GET: {why}"))
}
