//! The inbound storm: colleagues write to an agent in private and in groups while the portal loses
//! every 20th event, writes every 20th twice and every 20th in inverted order, the gateway fails every
//! 10th post in turns of three ways, and the connector is killed (`kill -9`) at random moments. In the
//! end one checker compares what the gateway has with what it should have.
//!
//! The choice follows from a seed, which is printed. `AIHUMMER_SEED` makes a run choose the same again.

use std::collections::HashMap;
use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use aihummer_bitrix24::sim::User;

use crate::support::eventually;
use crate::support::scene::Scene;

/// How much is done.
struct Size {
    kills: u64,
    messages_per_life: u64,
}

const SHORT: Size = Size { kills: 6, messages_per_life: 40 };
const LONG: Size = Size { kills: 50, messages_per_life: 60 };

const COLLEAGUES: usize = 8;
const GROUPS: usize = 4;
/// Every so many events go wrong in each of the three ways: 5 %.
const EVENTS: u64 = 20;
/// Every so many posts fail: 10 %.
const POSTS: u64 = 10;

/// A sequence of numbers out of a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Where a message was written.
struct Place {
    chat: u64,
    author: u64,
    private: bool,
}

struct Storm {
    scene: Scene,
    places: Vec<Place>,
    dice: Dice,
    should_arrive: Vec<u64>,
    member: String,
}

impl Storm {
    fn new(seed: u64) -> Storm {
        let scene = Scene::new();
        let mut connector = scene.start_connected();
        let mut places = Vec::new();
        for number in 0..COLLEAGUES {
            let colleague = User::employee("Colleague", &number.to_string()).in_departments(&[1]);
            let author = scene.portal.add_user(colleague);
            let chat = scene.portal.private_chat(author, scene.mira);
            places.push(Place { chat, author, private: true });
        }
        for number in 0..GROUPS {
            let author = places[number].author;
            let chat = scene.portal.add_chat("Invoices", author, &[scene.mira]);
            places.push(Place { chat, author, private: false });
        }
        let member = scene.portal.world().member_id.clone();
        // The structure is read and the first look done: from here on every message counts.
        eventually("a message through", || {
            let before = scene.gateway.inbound().len();
            scene.portal.say(places[0].author, places[0].chat, "hello?").expect("writes");
            std::thread::sleep(Duration::from_millis(50));
            (scene.gateway.inbound().len() > before).then_some(())
        });
        connector.kill();
        {
            let mut world = scene.portal.world();
            let switches = &mut world.messenger.switches;
            (switches.lose_every, switches.double_every, switches.invert_every) =
                (EVENTS, EVENTS, EVENTS);
        }
        scene.gateway.fail_every(POSTS);
        Storm { scene, places, dice: Dice(seed), should_arrive: Vec::new(), member }
    }

    /// One message, or chatter that is not for the agent.
    fn write(&mut self) {
        let place = &self.places[self.dice.below(self.places.len() as u64) as usize];
        let addressed = place.private || self.dice.below(2) == 0;
        let text = match (place.private, addressed) {
            (true, _) => "is it out?".to_owned(),
            (false, true) => format!("[USER={}]Mira Holt[/USER], is it out?", self.scene.mira),
            (false, false) => "chatter".to_owned(),
        };
        let id = self.scene.portal.say(place.author, place.chat, &text).expect("writes");
        if addressed {
            self.should_arrive.push(id);
        }
    }

    /// Runs a connector while people write, and kills it at some moment.
    fn life(&mut self, messages: u64) {
        let mut connector = self.scene.start();
        let end = self.dice.below(messages);
        for number in 0..messages {
            if number == end {
                connector.kill();
            }
            self.write();
            std::thread::sleep(Duration::from_millis(self.dice.below(12)));
        }
    }

    fn key(&self, message: u64) -> String {
        format!("{}-helper-{message}", self.member)
    }

    /// Lets everything through, and counts.
    fn finish(self, seed: u64, kills: u64, began: Instant) {
        // Nothing new is written, so the look at the start finds what no event told.
        let _connector = self.scene.start();
        let keys: Vec<String> = self.should_arrive.iter().map(|id| self.key(*id)).collect();
        let deadline = Instant::now() + Duration::from_secs(60);
        let missing = loop {
            let there: HashSet<String> =
                self.scene.gateway.inbound().into_iter().map(|one| one.key).collect();
            let missing = keys.iter().filter(|key| !there.contains(*key)).count();
            if missing == 0 || Instant::now() > deadline {
                break missing;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let expected: HashSet<&String> = keys.iter().collect();
        let (mut seen, mut last) = (HashMap::new(), HashMap::new());
        let (mut strangers, mut late) = (0, 0);
        let arrived = self.scene.gateway.inbound();
        for one in &arrived {
            let count = seen.entry(one.key.clone()).or_insert(0_u32);
            *count += 1;
            if *count > 1 || one.text.contains("hello?") {
                continue;
            }
            strangers += usize::from(!expected.contains(&one.key));
            let id: u64 = one.key.rsplit('-').next().and_then(|id| id.parse().ok()).expect("an id");
            let before = last.entry(one.external_id.clone()).or_insert(0);
            late += usize::from(id < *before);
            *before = id.max(*before);
        }
        let repeats = seen.values().filter(|count| **count > 1).count();
        // A gateway drops what comes again under its key; under another it would show it twice.
        let id_of = |key: &String| key.rsplit('-').next().unwrap_or_default().to_owned();
        let ids: HashSet<String> = seen.keys().map(id_of).collect();
        let doubled = seen.len() - ids.len();
        println!(
            "inbound storm: {kills} kills, seed {seed}: {} messages should arrive, {} arrived, \
             {doubled} doubled, {strangers} that should not, {late} after younger ones because their \
             event was lost, {repeats} posted again under the same key ({} s)",
            keys.len(),
            keys.len() - missing,
            began.elapsed().as_secs()
        );
        assert_eq!((missing, doubled, strangers), (0, 0, 0));
        // Only what no event told of may come late, and that is one in twenty of all events.
        let lost = self.scene.portal.world().messenger.messages.len() as u64 / EVENTS + 1;
        assert!(late as u64 <= lost, "{late} late, {lost} events lost");
    }
}

#[test]
fn nothing_is_lost_or_doubled_in_a_storm() {
    let size = if std::env::var_os("AIHUMMER_SLOW").is_some() { LONG } else { SHORT };
    let seed = std::env::var_os("AIHUMMER_SEED").and_then(|seed| seed.to_str()?.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::from(now.subsec_nanos())
    });
    println!("inbound storm: seed {seed}");
    let began = Instant::now();
    let mut storm = Storm::new(seed);
    for _ in 0..size.kills {
        storm.life(size.messages_per_life);
    }
    storm.finish(seed, size.kills, began);
}
