//! What the random-kill run has delivered in one dialog, and what the dialog must show in the end:
//! a row of mixed calls from a seed, and beside it the messages as a person would then read them.
//! Knows the contract's fields; nothing of processes and nothing of the portal.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use serde_json::json;

/// What every message without a number says: deliveries that look alike must not be taken for one
/// another.
const ALIKE: &str = "ok";
/// Reactions that every portal has.
const REACTIONS: [&str; 3] = ["like", "fire", "laugh"];
/// Lines of a long text and the length of one: three of them fill the first part, two the second.
const LONG_LINES: usize = 5;
const LONG_LINE_CHARS: usize = 3800;
const PARTS_BEGIN: [usize; 2] = [1, 4];
/// How far back an edit, a reaction or a delete reaches.
const REACH: usize = 6;

/// A small generator of numbers (splitmix64), so that a seed gives the same run anywhere.
pub struct Dice(u64);

impl Dice {
    /// Numbers of this seed; `stream` tells users of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Dice {
        Dice(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A Deliver call.
pub struct Call {
    /// Its body.
    pub body: Value,
    /// Whether its caller waits for the outcome, and not only until it is durable.
    pub waits: bool,
}

/// A message that the dialog is to show.
#[derive(Clone, Debug)]
pub struct Expected {
    /// How its text begins, see [`key`].
    pub key: String,
    /// Whether it was deleted.
    pub deleted: bool,
    /// What the agent reacted with, sorted.
    pub reactions: Vec<&'static str>,
    /// What its file holds.
    pub file: Option<Vec<u8>>,
}

/// The four words that tell a message and its version: `d7 edit12 line 1`, or all of it.
pub fn key(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(4).collect();
    words.join(" ")
}

/// The words of a key that stay the same when the message is edited.
pub fn label(key: &str) -> String {
    let words: Vec<&str> = key.split(' ').collect();
    match words[..] {
        [delivery, _, _, line] => format!("{delivery} {line}"),
        _ => key.to_owned(),
    }
}

/// One dialog's share of a run.
pub struct Script {
    /// In the order in which they are made.
    pub calls: Vec<Call>,
    /// In the order in which they are shown.
    pub expected: Vec<Expected>,
    dice: Dice,
    external: String,
    prefix: String,
    /// Sends of text that are not deleted: their number and their places in `expected`.
    sends: Vec<(usize, Vec<usize>)>,
}

impl Script {
    /// So many calls to the dialog `external`, of which so many in a thousand bring a file.
    pub fn new(seed: u64, dialog: usize, external: &str, calls: usize, files: u64) -> Script {
        let mut script = Script {
            calls: Vec::new(),
            expected: Vec::new(),
            dice: Dice::new(seed, dialog as u64 + 1),
            external: external.to_owned(),
            prefix: format!("k{dialog}"),
            sends: Vec::new(),
        };
        for number in 0..calls {
            if script.dice.below(1000) < files {
                script.file(number);
                continue;
            }
            let target = script.target();
            match (script.dice.below(100), target) {
                (0..12, Some(target)) => script.edit(number, target),
                (12..24, Some(target)) => script.react(number, target),
                (24..32, Some(target)) => script.delete(number, target),
                (32..40, _) => script.send(number, ALIKE.to_owned(), &[ALIKE.to_owned()]),
                (40..42, _) => script.send_long(number),
                _ => script.send_short(number),
            }
        }
        script
    }

    /// One of the last sends.
    fn target(&mut self) -> Option<usize> {
        let reach = self.sends.len().min(REACH);
        let back = self.dice.below(reach.max(1) as u64) as usize;
        (reach > 0).then(|| self.sends.len() - 1 - back)
    }

    fn call(&mut self, number: usize, fields: Value) {
        let mut body = json!({
            "delivery_id": format!("{}-{number}", self.prefix),
            "external_id": self.external,
        });
        let fields = fields.as_object().into_iter().flatten();
        for (name, value) in fields {
            body[name] = value.clone();
        }
        let waits = self.dice.below(2) == 0;
        self.calls.push(Call { body, waits });
    }

    fn send(&mut self, number: usize, text: String, keys: &[String]) {
        let places = keys.iter().map(|key| self.expect(key, None)).collect();
        if text != ALIKE {
            self.sends.push((number, places));
        }
        self.call(number, json!({ "text": text }));
    }

    fn expect(&mut self, key: &str, file: Option<Vec<u8>>) -> usize {
        let reactions = Vec::new();
        self.expected.push(Expected { key: key.to_owned(), deleted: false, reactions, file });
        self.expected.len() - 1
    }

    fn send_short(&mut self, number: usize) {
        let (text, keys) = short(number, "sent");
        self.send(number, text, &keys);
    }

    fn send_long(&mut self, number: usize) {
        let (text, keys) = long(number, "sent");
        self.send(number, text, &keys);
    }

    fn file(&mut self, number: usize) {
        let bytes = format!("file {number} ").repeat(200).into_bytes();
        let (text, keys) = short(number, "file");
        self.expect(&keys[0], Some(bytes.clone()));
        let media = json!([{ "name": format!("f{number}.txt"), "data": STANDARD.encode(bytes) }]);
        self.call(number, json!({ "text": text, "media": media }));
    }

    /// The first messages get the new texts, missing ones come at the end, spare ones go.
    fn edit(&mut self, number: usize, target: usize) {
        let (sent, mut places) = self.sends[target].clone();
        let by = format!("edit{number}");
        let long_one = self.dice.below(20) == 0;
        let (text, keys) = if long_one { long(sent, &by) } else { short(sent, &by) };
        for (at, key) in keys.iter().enumerate() {
            match places.get(at) {
                Some(place) => self.expected[*place].key.clone_from(key),
                None => places.push(self.expect(key, None)),
            }
        }
        for spare in places.drain(keys.len()..) {
            self.expected[spare].deleted = true;
        }
        self.sends[target].1 = places;
        self.call(
            number,
            json!({ "operation": "edit", "text": text, "target_delivery_id": self.id(sent) }),
        );
    }

    /// Sets a reaction, or takes it back where it is set.
    fn react(&mut self, number: usize, target: usize) {
        let (sent, places) = self.sends[target].clone();
        let reaction = REACTIONS[self.dice.below(REACTIONS.len() as u64) as usize];
        let set = &self.expected[places[0]].reactions;
        let remove = set.contains(&reaction);
        // What an edit added later may lack what its first part has; setting it is then no change
        // of the first and one of the second.
        for place in places {
            let reactions = &mut self.expected[place].reactions;
            reactions.retain(|known| *known != reaction);
            if !remove {
                reactions.push(reaction);
                reactions.sort_unstable();
            }
        }
        let mut fields = json!({
            "operation": "react", "reaction": reaction, "target_delivery_id": self.id(sent),
        });
        if remove {
            fields["remove"] = json!(true);
        }
        self.call(number, fields);
    }

    fn delete(&mut self, number: usize, target: usize) {
        let (sent, places) = self.sends.remove(target);
        for place in places {
            self.expected[place].deleted = true;
        }
        self.call(number, json!({ "operation": "delete", "target_delivery_id": self.id(sent) }));
    }

    fn id(&self, number: usize) -> String {
        format!("{}-{number}", self.prefix)
    }
}

/// A text of one part, and its key.
fn short(number: usize, by: &str) -> (String, Vec<String>) {
    let text = format!("d{number} {by} line 1 and nothing more");
    let keys = vec![key(&text)];
    (text, keys)
}

/// A text of two parts, and their keys.
fn long(number: usize, by: &str) -> (String, Vec<String>) {
    let line = |line: usize| format!("d{number} {by} line {line} ");
    let whole = |at: usize| {
        let begins = line(at);
        let filler = "and so on ".repeat((LONG_LINE_CHARS - begins.len()) / 10);
        begins + filler.trim_end()
    };
    let text: Vec<String> = (1..=LONG_LINES).map(whole).collect();
    (text.join("\n\n"), PARTS_BEGIN.map(|at| key(&line(at))).to_vec())
}
