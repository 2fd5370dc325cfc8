//! The checker of the random-kill run: what the portal shows beside what the script expects. Each
//! difference is lost (an accepted delivery's effect is not shown), doubled (shown more often than
//! it was asked for) or out of order; differences of other kinds are named as they are.

use std::collections::BTreeMap;

use aihummer_bitrix24::sim::Network;
use aihummer_bitrix24::sim::Portal;
use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::Shown;
use aihummer_bitrix24::sim::User;

use super::script::Expected;
use super::script::key;
use super::script::label;

/// What the checker found.
#[derive(Default)]
pub struct Verdict {
    /// Effects that are missing.
    pub lost: Vec<String>,
    /// Effects that are there once too often.
    pub doubled: Vec<String>,
    /// Messages that stand before one that was accepted earlier.
    pub disordered: Vec<String>,
    /// Anything else.
    pub wrong: Vec<String>,
}

impl Verdict {
    /// Whether there is nothing to complain of.
    pub fn is_good(&self) -> bool {
        let all = [&self.lost, &self.doubled, &self.disordered, &self.wrong];
        all.iter().all(|list| list.is_empty())
    }

    /// The first complaints of each kind.
    pub fn told(&self) -> String {
        let lists = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("out of order", &self.disordered),
            ("wrong", &self.wrong),
        ];
        let mut told = String::new();
        for (name, list) in lists {
            for line in list.iter().take(20) {
                told.push_str(&format!("{name}: {line}\n"));
            }
        }
        told
    }

    /// Compares what an agent shows in a dialog with what is expected there.
    pub fn compare(&mut self, dialog: &str, agent: u64, shown: &[Shown], expected: &[Expected]) {
        let own: Vec<&Shown> = shown.iter().filter(|message| message.author == agent).collect();
        let live: Vec<&Shown> = own.iter().copied().filter(|message| !message.deleted).collect();
        let kept: Vec<&Expected> = expected.iter().filter(|one| !one.deleted).collect();
        let (was, is) =
            (count(&kept, |one| label(&one.key)), count(&live, |m| label(&key(&m.text))));
        for (label, is) in &is {
            let was = was.get(label).copied().unwrap_or(0);
            let deleted = expected.iter().any(|one| one.deleted && self::label(&one.key) == *label);
            if was == 0 && deleted {
                self.lost.push(format!("{dialog}: the deletion of {label:?}"));
            } else if *is > was {
                self.doubled.push(format!("{dialog}: {label:?} is shown {is} times, not {was}"));
            }
        }
        for (label, was) in &was {
            let is = is.get(label).copied().unwrap_or(0);
            if is < *was {
                self.lost.push(format!("{dialog}: {label:?} is shown {is} times, not {was}"));
            }
        }
        let places = own.len() - live.len();
        let places_left = expected.len() - kept.len();
        if places != places_left {
            let list = if places > places_left { &mut self.doubled } else { &mut self.lost };
            list.push(format!("{dialog}: {places} messages are deleted, not {places_left}"));
        }
        if live.len() == kept.len() {
            for (shown, one) in live.iter().zip(&kept) {
                self.compare_message(dialog, agent, shown, one);
            }
        }
    }

    fn compare_message(&mut self, dialog: &str, agent: u64, shown: &Shown, one: &Expected) {
        let found = key(&shown.text);
        if label(&found) != label(&one.key) {
            self.disordered.push(format!("{dialog}: {found:?} in the place of {:?}", one.key));
            return;
        }
        if found != one.key {
            self.lost.push(format!("{dialog}: an edit: {found:?} and not {:?}", one.key));
        }
        let reactions = shown.reactions.iter().filter(|(user, _)| *user == agent);
        let mut reactions: Vec<&str> = reactions.map(|(_, code)| *code).collect();
        reactions.sort_unstable();
        if reactions != one.reactions {
            let wanted = &one.reactions;
            self.lost.push(format!("{dialog}: {found:?} has {reactions:?} and not {wanted:?}"));
        }
        let files: Vec<Option<&[u8]>> =
            shown.files.iter().map(|file| file.bytes.as_deref()).collect();
        let wanted: Vec<Option<&[u8]>> = one.file.iter().map(|file| Some(&file[..])).collect();
        if files != wanted {
            self.wrong.push(format!("{dialog}: {found:?} has {} other files", files.len()));
        }
    }
}

fn count<T>(list: &[T], label: impl Fn(&T) -> String) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for one in list {
        *counts.entry(label(one)).or_default() += 1;
    }
    counts
}

/// What the checker is worth: each kind of damage to a dialog that is right is seen as what it is.
#[test]
fn the_checker_tells_lost_doubled_and_disordered_apart() {
    let network = Network::new();
    let portal = Portal::start(&network, PortalOptions::default()).expect("a portal");
    let person = portal.add_user(User::employee("Olaf", "Brandt"));
    let agent = portal.add_user(User::employee("Mira", "Holt"));
    let chat = portal.private_chat(person, agent);
    let texts = ["d1 sent line 1 and more", "d2 edit9 line 1 and more", "ok", "ok"];
    portal.say(person, chat, "Good morning").expect("writes");
    for text in texts {
        portal.say(agent, chat, text).expect("writes");
    }
    let (shown, first) = (portal.shown(chat), 1);
    let one = |text: &&str| Expected {
        key: key(text),
        deleted: false,
        reactions: Vec::new(),
        file: None,
    };
    let expected: Vec<Expected> = texts.iter().map(one).collect();
    let counts = |shown: &[Shown], expected: &[Expected]| {
        let mut verdict = Verdict::default();
        verdict.compare("helper/1", agent, shown, expected);
        [verdict.lost, verdict.doubled, verdict.disordered, verdict.wrong].map(|list| list.len())
    };
    assert_eq!(counts(&shown, &expected), [0, 0, 0, 0]);
    for place in first..shown.len() {
        let (mut fewer, mut more) = (shown.clone(), shown.clone());
        fewer.remove(place);
        assert_eq!(counts(&fewer, &expected), [1, 0, 0, 0]);
        more.push(shown[place].clone());
        assert_eq!(counts(&more, &expected), [0, 1, 0, 0]);
    }
    let mut swapped = shown.clone();
    swapped.swap(first, first + 1);
    assert_eq!(counts(&swapped, &expected), [0, 0, 2, 0]);
    let mut gone = shown.clone();
    gone[first].deleted = true;
    assert_eq!(counts(&gone, &expected), [1, 1, 0, 0]);
    let mut wanted = expected.clone();
    wanted[1].key = key("d2 edit10 line 1");
    assert_eq!(counts(&shown, &wanted), [1, 0, 0, 0]);
    wanted[1] = Expected { reactions: vec!["like"], ..expected[1].clone() };
    assert_eq!(counts(&shown, &wanted), [1, 0, 0, 0]);
    wanted[1] = Expected { file: Some(Vec::new()), ..expected[1].clone() };
    assert_eq!(counts(&shown, &wanted), [0, 0, 0, 1]);
    wanted[1] = Expected { deleted: true, ..expected[1].clone() };
    assert_eq!(counts(&shown, &wanted), [2, 0, 0, 0]);
}
