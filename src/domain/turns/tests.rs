//! Turns in virtual time against the model portal's own limiter: callers that want, calls that
//! arrive late and out of order, a process that is killed, another program that takes its part.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::Lane;
use super::Permit;
use super::Ticket;
use super::Turns;
use super::Verdict;
use crate::base::clock::UnixMs;
use crate::domain::budget::Figures;
use crate::domain::budget::Meter;
use crate::domain::limiter::Rate;
use crate::limits;
use crate::sim::call::Client;
use crate::sim::limiter::Limiter;
use crate::sim::switches::RateLimit;

/// How finely time passes, in milliseconds.
const STEP: u64 = 20;
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The portal's limit of a method's time, as its source has it.
const TIME: Duration = Duration::from_secs(420);

const M: Meter = Meter { method: "m", webhook: None };

fn meter(method: &'static str) -> Meter {
    Meter { method, webhook: None }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What one caller asks for, again and again.
#[derive(Clone, Copy)]
struct Wish {
    lane: Lane,
    method: &'static str,
    /// Between an answer and the next call, in milliseconds.
    rest: u64,
    /// What a call costs the method, in milliseconds.
    cost: u64,
}

const REPLY: Wish = Wish { lane: Lane::Reply, method: "m.add", rest: 0, cost: 0 };
const POLL: Wish = Wish { lane: Lane::Poll, method: "e.get", rest: 0, cost: 0 };
const UPKEEP: Wish = Wish { lane: Lane::Upkeep, method: "u.get", rest: 0, cost: 0 };

enum Caller {
    Rests(u64),
    /// Since when, and until when it sleeps unless it is woken.
    Waits(Ticket, u64, u64),
    Away,
}

/// A call on its way. The process that sent it may be gone.
struct Flight {
    caller: usize,
    life: u64,
    permit: Permit,
    answered: u64,
}

/// What comes back of a call.
struct Answer {
    flight: Flight,
    figures: Option<Figures>,
    admitted: bool,
    out_of_time: bool,
}

/// One call that the portal saw.
struct Seen {
    at: u64,
    wish: Wish,
    admitted: bool,
    /// How long it had waited for its turn.
    waited: u64,
}

struct Scene {
    portal: Limiter,
    limit: RateLimit,
    rate: Rate,
    turns: Turns,
    life: u64,
    wishes: Vec<Wish>,
    callers: Vec<Caller>,
    flying: BTreeMap<(u64, u64), Flight>,
    answers: BTreeMap<(u64, u64), Answer>,
    /// The longest way to the portal, in milliseconds.
    late: u64,
    /// Whether calls are held up and arrive together, `late` at most.
    bunched: bool,
    /// Nobody begins a call before.
    quiet_until: u64,
    now: u64,
    dice: u64,
    seen: Vec<Seen>,
    /// Calls that the limiter refused without asking the portal.
    held: u64,
    /// Calls refused because their method had no time left.
    out_of_time: u64,
}

impl Scene {
    /// A portal that drains a hundredth slower than it should.
    fn new(rate: Rate, wishes: Vec<Wish>, seed: u64) -> Scene {
        let limit = RateLimit::Bucket {
            drain: f64::from(rate.per_second) * 0.99,
            threshold: f64::from(rate.burst),
            html: false,
            refused_fill: false,
        };
        let callers = wishes.iter().map(|_| Caller::Rests(0)).collect();
        Scene {
            portal: Limiter::default(),
            limit,
            rate,
            turns: Turns::new(Some(rate), Duration::ZERO),
            life: 0,
            wishes,
            callers,
            flying: BTreeMap::new(),
            answers: BTreeMap::new(),
            late: 2000,
            bunched: false,
            quiet_until: 0,
            now: 0,
            dice: 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed + 1),
            seen: Vec::new(),
            held: 0,
            out_of_time: 0,
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        random(&mut self.dice) % bound
    }

    fn run_until(&mut self, end: u64) {
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.arrivals();
        self.answers();
        for caller in 0..self.callers.len() {
            self.serve(caller);
        }
        self.now += STEP;
    }

    fn serve(&mut self, caller: usize) {
        let (wish, now) = (self.wishes[caller], Duration::from_millis(self.now));
        if let Caller::Rests(until) = self.callers[caller]
            && until.max(self.quiet_until) <= self.now
        {
            let ticket = self.turns.join(wish.lane, meter(wish.method), now);
            self.callers[caller] = Caller::Waits(ticket, self.now, self.now);
        }
        let Caller::Waits(ticket, since, until) = &mut self.callers[caller] else { return };
        if *until > self.now {
            return;
        }
        let waited = self.now - *since;
        let verdict = self.turns.ask(ticket, now);
        match verdict {
            Verdict::Wait(wait) => {
                assert!(!wait.is_zero(), "nobody spins");
                *until = self.now + wait.as_millis() as u64;
            }
            Verdict::Go(permit) => {
                let arrives = match self.bunched {
                    true => self.now.next_multiple_of(self.late),
                    false => self.now + self.below(self.late + 1),
                };
                let answered = arrives + wish.cost.max(self.below(100));
                let flight = Flight { caller, life: self.life, permit, answered };
                // Until it arrives nobody knows more.
                self.seen.push(Seen { at: arrives, wish, admitted: true, waited });
                self.flying.insert((arrives, self.seen.len() as u64 - 1), flight);
                self.callers[caller] = Caller::Away;
            }
            Verdict::NoPlace => {
                self.held += 1;
                self.callers[caller] = Caller::Rests(self.now + STEP);
            }
            Verdict::NoTime(wait) => {
                self.held += 1;
                self.callers[caller] = Caller::Rests(self.now + wait.as_millis() as u64);
            }
        }
        if self.turns.has_granted() {
            self.wake();
        }
    }

    /// As the client does after a grant to another and after an end.
    fn wake(&mut self) {
        for caller in &mut self.callers {
            if let Caller::Waits(_, _, until) = caller {
                *until = self.now;
            }
        }
    }

    fn arrivals(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            let (at, index) = *entry.key();
            if at > self.now {
                return;
            }
            let flight = entry.remove();
            let moment = UnixMs(at as i64);
            let admitted = self.portal.admits(self.limit, SOURCE, moment);
            self.seen[index as usize].admitted = admitted;
            let wish = self.wishes[flight.caller];
            let client = Client::App("app".to_owned());
            let out_of_time = admitted && self.portal.exhausted(&client, wish.method, TIME, moment);
            let mut figures = None;
            if admitted && !out_of_time {
                let cost = Duration::from_millis(wish.cost);
                self.portal.book(&client, wish.method, cost, moment);
                let (spent, reset) = self.portal.figures(&client, wish.method, moment);
                let finish = UnixMs(flight.answered as i64);
                figures = reset.map(|reset| Figures {
                    spent: spent.as_secs_f64(),
                    cost: cost.as_secs_f64(),
                    reset: reset.since(finish) + Duration::from_secs(1),
                });
            }
            let back = (flight.answered + flight.answered % 50, index);
            self.answers.insert(back, Answer { flight, figures, admitted, out_of_time });
        }
    }

    fn answers(&mut self) {
        while let Some(entry) = self.answers.first_entry() {
            if entry.key().0 > self.now {
                return;
            }
            let Answer { flight, figures, admitted, out_of_time } = entry.remove();
            if flight.life != self.life {
                continue;
            }
            let now = Duration::from_millis(self.now);
            if out_of_time {
                self.out_of_time += 1;
                self.turns.park(&flight.permit, now);
            } else if admitted {
                self.turns.admitted(&flight.permit, figures, now);
            } else {
                let dice = random(&mut self.dice);
                self.turns.refused(&flight.permit, now, dice);
            }
            self.turns.end(&flight.permit);
            self.wake();
            let rest = self.wishes[flight.caller].rest;
            let rest = rest + if rest > 0 { self.below(rest) } else { 0 };
            self.callers[flight.caller] = Caller::Rests(self.now + rest);
        }
    }

    /// `kill -9` and a start; what is on its way arrives.
    fn restart(&mut self, took: u64) {
        self.life += 1;
        self.now += took;
        self.turns = Turns::new(Some(self.rate), Duration::from_millis(self.now));
        self.callers = self.wishes.iter().map(|_| Caller::Rests(self.now)).collect();
    }

    /// Another program asks at a moment; whether it was let in.
    fn other(&mut self) -> bool {
        self.portal.admits(self.limit, SOURCE, UnixMs(self.now as i64))
    }

    fn count(&self, from: u64, to: u64, which: impl Fn(&Seen) -> bool) -> u64 {
        self.seen.iter().filter(|s| (from..to).contains(&s.at) && which(s)).count() as u64
    }

    fn refusals(&self) -> u64 {
        self.count(0, u64::MAX, |seen| !seen.admitted)
    }
}

const MINUTE: u64 = 60_000;

/// Nobody begins anything for long enough that any bucket drains, ours as well as the portal's;
/// then all begin at once.
fn rest(scene: &mut Scene) {
    scene.quiet_until = scene.now + 3 * MINUTE + scene.below(100) * STEP;
    scene.run_until(scene.quiet_until);
}

#[test]
fn a_backlog_uses_the_rate_and_is_never_refused() {
    for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
        for seed in 0..4 {
            let mut wishes = vec![REPLY; 14];
            wishes.extend([POLL; 4]);
            let mut scene = Scene::new(rate, wishes, seed);
            scene.bunched = seed % 2 == 1;
            rest(&mut scene);
            scene.run_until(14 * MINUTE);
            assert_eq!(scene.refusals(), 0, "{rate:?} {seed}");
            let admitted = scene.count(4 * MINUTE, 14 * MINUTE, |_| true);
            let allowed = u64::from(rate.per_second) * 600;
            assert!(admitted * 100 >= allowed * 95, "{admitted} of {allowed}");
        }
    }
}

#[test]
fn bursts_after_rest_that_arrive_bunched_are_never_refused() {
    for rate in [Rate::STANDARD, Rate::ENTERPRISE] {
        for seed in 0..4 {
            // More callers than the burst holds.
            let wishes = vec![REPLY; rate.burst as usize + 20];
            let mut scene = Scene::new(rate, wishes, seed);
            scene.bunched = seed > 0;
            for _ in 0..4 {
                rest(&mut scene);
                let before = scene.seen.len();
                scene.run_until(scene.now + 15_000);
                assert!(scene.seen.len() - before >= rate.burst as usize, "there was a burst");
            }
            assert_eq!(scene.refusals(), 0, "{rate:?} {seed}");
        }
    }
}

#[test]
fn no_sequence_of_kills_is_ever_refused() {
    for seed in 0..12 {
        let rate = if seed % 2 == 0 { Rate::STANDARD } else { Rate::ENTERPRISE };
        let mut wishes = vec![REPLY; 8];
        wishes.extend([POLL; 4]);
        let mut scene = Scene::new(rate, wishes, seed);
        // The first life has had time for a burst.
        scene.bunched = seed % 4 < 2;
        rest(&mut scene);
        scene.run_until(scene.now + 40_000);
        let mut kills = 0;
        while scene.now < 12 * MINUTE {
            let long = if scene.below(2) == 0 { 1000 } else { 30_000 };
            let life = 20 + scene.below(long);
            scene.run_until(scene.now + life);
            let took = 20 + scene.below(500);
            scene.restart(took);
            kills += 1;
            // An automatic rate begins with the slower one.
            if rate == Rate::ENTERPRISE && scene.below(2) == 0 {
                let now = Duration::from_millis(scene.now);
                scene.turns = Turns::new(Some(Rate::STANDARD), now);
                scene.life += 1;
                scene.callers = scene.wishes.iter().map(|_| Caller::Rests(scene.now)).collect();
                scene.run_until(scene.now + 300);
                scene.turns.set_rate(rate, Duration::from_millis(scene.now));
            }
        }
        assert!(kills > 10, "{kills}");
        assert_eq!(scene.refusals(), 0, "{seed}");
        assert!(scene.seen.len() > 300, "{} calls", scene.seen.len());
    }
}

/// Runs ten minutes beside a program that takes `percent` of the rate, `bunch` requests at a time,
/// then five without. Returns the scene.
fn beside_another(percent: u64, bunch: u64, seed: u64) -> Scene {
    let mut wishes = vec![REPLY; 8];
    wishes.extend([POLL; 4]);
    let mut scene = Scene::new(Rate::STANDARD, wishes, seed);
    scene.late = 200;
    // Whether refused requests fill the portal's bucket too is not documented.
    scene.limit =
        RateLimit::Bucket { drain: 2.0, threshold: 50.0, html: false, refused_fill: seed == 1 };
    // Every so often, in milliseconds, at two requests a second.
    let every = bunch * 500 * 100 / percent;
    let mut next = 0;
    while scene.now < 10 * MINUTE {
        while next <= scene.now {
            (0..bunch).for_each(|_| {
                scene.other();
            });
            next += every;
        }
        scene.step();
    }
    scene.run_until(15 * MINUTE);
    scene
}

#[test]
fn beside_another_program_there_are_few_refusals_and_what_is_left_is_used() {
    for (percent, bunch) in [(50, 1), (50, 30), (90, 1), (90, 40), (100, 1), (100, 45)] {
        for seed in 0..2 {
            let scene = beside_another(percent, bunch, seed);
            let what = format!("{percent} % by {bunch}, {seed}");
            let refused = |from, to| scene.count(from, to, |seen| !seen.admitted);
            let (mut worst, mut all) = (0, 0);
            for minute in 0..10 {
                let now = refused(minute * MINUTE, (minute + 1) * MINUTE);
                worst = worst.max(now);
                all += now;
            }
            let used = scene.count(0, 10 * MINUTE, |seen| seen.admitted);
            let left = 1200 * (100 - percent) / 100;
            assert!(worst <= 8, "{what}: {worst} refusals in a minute");
            assert!(all <= 45, "{what}: {all} refusals in ten minutes");
            assert!(used * 10 >= left * 7, "{what}: used {used} of {left}");
            // Replies first, and polling goes on.
            let of =
                |lane| scene.count(0, 10 * MINUTE, |seen| seen.admitted && seen.wish.lane == lane);
            let (replies, polls) = (of(Lane::Reply), of(Lane::Poll));
            assert!(replies >= polls * 2 && polls * 6 >= replies, "{what}: {replies}, {polls}");
            // Back to normal.
            let after = scene.count(13 * MINUTE, 15 * MINUTE, |seen| seen.admitted);
            assert!(after * 100 >= 240 * 95, "{what}: {after} after it stopped");
            let late = refused(12 * MINUTE, 15 * MINUTE);
            assert_eq!(late, 0, "{what}: refused after it stopped");
        }
    }
}

#[test]
fn no_backlog_of_replies_stops_the_polling_and_no_polling_delays_a_reply() {
    let mut wishes = vec![REPLY; 40];
    wishes.extend([POLL; 4]);
    wishes.extend([UPKEEP; 2]);
    let mut scene = Scene::new(Rate::STANDARD, wishes, 1);
    scene.late = 100;
    scene.run_until(10 * MINUTE);
    let longest = |scene: &Scene, lane, from| {
        let calls = scene.seen.iter().filter(|s| s.wish.lane == lane && s.at > from);
        calls.map(|s| s.waited).max().unwrap_or(u64::MAX)
    };
    let share = |lane| scene.count(MINUTE, 10 * MINUTE, |seen| seen.wish.lane == lane);
    // A quarter of the places, six callers in turn.
    assert!(longest(&scene, Lane::Poll, 0) <= 20_000, "{}", longest(&scene, Lane::Poll, 0));
    assert!(longest(&scene, Lane::Upkeep, 0) <= 20_000);
    assert!(longest(&scene, Lane::Reply, 0) <= 40_000, "first come first served");
    assert!(share(Lane::Reply) >= share(Lane::Poll) * 3);
    assert_eq!(scene.held, 0);

    // Fifty agents poll as fast as they may; somebody answers now and then.
    let mut wishes = vec![POLL; 50];
    wishes.extend([Wish { rest: 5000, ..REPLY }; 4]);
    let mut scene = Scene::new(Rate::STANDARD, wishes, 1);
    scene.late = 100;
    scene.run_until(10 * MINUTE);
    let waited = longest(&scene, Lane::Reply, MINUTE);
    assert!(waited <= 1100, "a reply waited {waited} ms");
    assert!(longest(&scene, Lane::Poll, 0) < 60_000);
}

#[test]
fn a_method_is_slowed_before_the_portal_parks_it_and_costs_no_other_its_places() {
    for cost in [200, 1000, 3000, 15_000, 60_000] {
        for wish in [POLL, REPLY] {
            let mut wishes = vec![Wish { cost, ..wish }; 6];
            wishes.extend([Wish { method: "m.update", ..REPLY }; 8]);
            let mut scene = Scene::new(Rate::STANDARD, wishes, cost);
            scene.late = 300;
            scene.run_until(40 * MINUTE);
            assert_eq!(scene.out_of_time, 0, "{cost} {:?}", wish.lane);
            let calls =
                scene.count(10 * MINUTE, 40 * MINUTE, |seen| seen.wish.method == wish.method);
            // Of three times 420 s, or of the places that its lane gets.
            let (by_time, by_place) = (3 * 420_000 / cost, 30 * 120 / 4);
            let least = by_time.min(by_place) * 6 / 10;
            assert!(calls >= least, "{cost} {:?}: {calls} of {least}", wish.lane);
            let all = scene.count(10 * MINUTE, 40 * MINUTE, |_| true);
            assert!(all * 100 >= 30 * 120 * 95, "{cost} {:?}: {all}", wish.lane);
        }
    }
}

#[test]
fn lanes_go_in_order_and_within_one_first_come_first_served() {
    let mut turns = Turns::new(Some(Rate::STANDARD), Duration::ZERO);
    let at = |ms| Duration::from_millis(ms);
    let lanes = [Lane::Upkeep, Lane::Poll, Lane::Reply, Lane::Poll, Lane::Reply, Lane::Upkeep];
    let tickets = lanes.map(|lane| turns.join(lane, M, at(0)));
    let mut order = Vec::new();
    for ms in (0..4500).step_by(10) {
        for (number, ticket) in tickets.iter().enumerate().rev() {
            if !order.contains(&number)
                && let Verdict::Go(permit) = turns.ask(ticket, at(ms))
            {
                turns.end(&permit);
                order.push(number);
            }
        }
    }
    assert_eq!(order, [2, 4, 1, 3, 0, 5]);
}

#[test]
fn typing_never_waits_and_goes_before_nobody() {
    let mut turns = Turns::new(Some(Rate::STANDARD), Duration::ZERO);
    let typing = turns.join(Lane::Typing, meter("t"), Duration::ZERO);
    assert_eq!(turns.ask(&typing, Duration::ZERO), Verdict::NoPlace);
    let later = Duration::from_secs(60);
    let typing = turns.join(Lane::Typing, meter("t"), later);
    assert!(matches!(turns.ask(&typing, later), Verdict::Go(_)));
    assert_eq!(turns.standing(later).waiting, 0);
}

#[test]
fn a_wait_ends_and_leaves_no_ticket_behind() {
    let mut turns = Turns::new(Some(Rate::STANDARD), Duration::ZERO);
    let first = turns.join(Lane::Poll, M, Duration::ZERO);
    let Verdict::Go(permit) = turns.ask(&first, Duration::from_secs(1)) else {
        panic!("there was a place")
    };
    for second in 1..30 {
        // Each time another program was there first.
        let now = Duration::from_secs(second * 60);
        let probe = Permit { meter: M, left: now };
        turns.refused(&probe, now, 0);
    }
    let now = Duration::from_secs(29 * 60);
    let ticket = turns.join(Lane::Reply, M, now);
    assert!(matches!(turns.ask(&ticket, now), Verdict::Wait(_)));
    let end = now + limits::LIMITER_WAIT_MAX - Duration::from_millis(1);
    assert!(matches!(turns.ask(&ticket, end), Verdict::Wait(_)));
    turns.park(&permit, end);
    assert!(matches!(turns.ask(&ticket, end), Verdict::NoTime(_)), "parked while it waited");
    assert_eq!(turns.standing(end).waiting, 0);
    let ticket = turns.join(Lane::Reply, meter("other"), now);
    let probe = Permit { meter: M, left: end };
    turns.refused(&probe, end, 0);
    assert_eq!(turns.ask(&ticket, now + limits::LIMITER_WAIT_MAX), Verdict::NoPlace);
    assert_eq!(turns.standing(end).waiting, 0);
}
