//! An office around a scene: an agent in sales with colleagues who may talk with it, others who may
//! not, and chats of every kind; what they say in a round, and which of it the gateway is to have.
//! Knows the rules of forwarding as the contract tells them, and nothing of how they are kept.

use std::collections::BTreeMap;

use aihummer_bitrix24::sim::User;
use aihummer_bitrix24::sim::UserKind;
use aihummer_bitrix24::sim::stage::Connector;
use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

/// Texts by the dialog they are of, in order.
pub type ByDialog = BTreeMap<String, Vec<String>>;

/// See the module.
pub struct Office {
    /// Everything around it.
    pub scene: Scene,
    /// A group of Olaf, Mira and Eva.
    pub team: u64,
    /// A colleague in sales.
    pub eva: u64,
    /// Somebody in accounting, who may not talk with the agent.
    pub ann: u64,
    /// The department that she is in.
    pub accounting: u64,
    guest: u64,
    bot: u64,
    lines: u64,
    abroad: u64,
    expected: ByDialog,
}

impl Office {
    /// Everybody is there and nothing was said.
    pub fn new() -> Office {
        let scene = Scene::new();
        let sales = scene.portal.add_department("Sales", None);
        let accounting = scene.portal.add_department("Accounting", None);
        for user in [scene.mira, scene.olaf] {
            scene.portal.world().users.get_mut(&user).expect("there").departments = vec![sales];
        }
        let eva = scene.portal.add_user(User::employee("Eva", "Lund").in_departments(&[sales]));
        let ann = User::employee("Ann", "Accountant").in_departments(&[accounting]);
        let ann = scene.portal.add_user(ann);
        let guest = scene.portal.add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
        let bot = scene.portal.add_user(User::of_kind(UserKind::Bot, "Robo", "Bot"));
        let team = scene.portal.add_chat("Team", scene.olaf, &[scene.mira, eva, ann]);
        let lines = scene.portal.add_chat_of('L', "lines", "Customer", scene.olaf, &[scene.mira]);
        let abroad = scene.portal.add_chat("Partners", scene.olaf, &[scene.mira, guest]);
        let expected = ByDialog::new();
        Office { scene, team, eva, ann, accounting, guest, bot, lines, abroad, expected }
    }

    /// Somebody writes to Mira; what he may is expected at the gateway.
    pub fn write(&mut self, author: u64, text: &str) -> u64 {
        self.expect(format!("helper/{author}"), text);
        self.scene.portal.write_to(author, self.scene.mira, text).expect("writes")
    }

    /// Somebody asks Mira something in the team.
    pub fn ask_in_team(&mut self, author: u64, name: &str, text: &str) -> u64 {
        self.expect(format!("helper/chat{}", self.team), &format!("{name}: @Mira Holt, {text}"));
        let said = format!("[USER={}]Mira Holt[/USER], {text}", self.scene.mira);
        self.scene.portal.say(author, self.team, &said).expect("says")
    }

    /// Everybody says something everywhere, to the agent and past it.
    pub fn round(&mut self, number: u32) {
        let (olaf, mira, eva) = (self.scene.olaf, self.scene.mira, self.eva);
        let say = |office: &Office, author, chat, text: &str| {
            office.scene.portal.say(author, chat, text).expect("says");
        };
        for author in [self.guest, self.bot, self.ann] {
            self.scene.portal.write_to(author, mira, "not for her").expect("writes");
        }
        self.scene.portal.write_to(mira, olaf, "her own").expect("writes");
        let mention = format!("[USER={mira}]Mira Holt[/USER], from outside");
        say(self, olaf, self.lines, &mention);
        say(self, olaf, self.abroad, &mention);
        say(self, 0, self.team, "Olaf changed the title");
        say(self, eva, self.team, "chatter");
        say(self, self.ann, self.team, &mention);
        for part in ["a", "b"] {
            self.write(olaf, &format!("Olaf {number}{part}"));
            self.write(eva, &format!("Eva {number}{part}"));
            self.ask_in_team(olaf, "Olaf Brandt", &format!("Olaf {number}{part}"));
            self.ask_in_team(eva, "Eva Lund", &format!("Eva {number}{part}"));
        }
    }

    /// What the gateway is to have of a dialog, after what is expected of it already.
    pub fn expect(&mut self, dialog: String, text: &str) {
        self.expected.entry(dialog).or_default().push(text.to_owned());
    }

    /// What the gateway has, repeats included.
    pub fn arrived(&self) -> ByDialog {
        let mut arrived = ByDialog::new();
        for one in self.scene.gateway.inbound() {
            arrived.entry(one.external_id).or_default().push(one.text);
        }
        arrived
    }

    /// Waits until as much has arrived as is expected, and compares: each once, in the order of its
    /// dialog, and nothing else.
    pub fn check(&self) {
        let count = |all: &ByDialog| all.values().map(Vec::len).sum::<usize>();
        let most = count(&self.expected);
        eventually("what is expected", || {
            let arrived = self.arrived();
            let missing: Vec<String> = self.missing(&arrived);
            (missing.is_empty() || count(&arrived) > most).then_some(())
        });
        assert_eq!(self.arrived(), self.expected);
    }

    /// Ends the connector the hard way, once it has noted what the gateway has: a message of which it
    /// has not would come again under its key, as promised.
    pub fn kill(&self, connector: &mut Connector) {
        eventually("nothing to wait for the gateway", || {
            (connector.status()?["outbox"]["pending"] == json!(0)).then_some(())
        });
        connector.kill();
    }

    fn missing(&self, arrived: &ByDialog) -> Vec<String> {
        let mut missing = Vec::new();
        for (dialog, texts) in &self.expected {
            let there = arrived.get(dialog).map(Vec::as_slice).unwrap_or_default();
            missing.extend(texts.iter().filter(|text| !there.contains(text)).cloned());
        }
        missing
    }
}
