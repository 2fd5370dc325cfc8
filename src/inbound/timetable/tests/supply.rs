//! Many agents on a portal that serves so many calls a second, in virtual time: polling threads that
//! take agents and wait in line, agents that talk or not, nudges, backlogs. Who is asked how often.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::ACTIVE;
use super::IDLE;
use super::agents;
use super::name;
use crate::domain::ids::AgentName;
use crate::inbound::timetable::Next;
use crate::inbound::timetable::Timetable;
use crate::inbound::timetable::Turn;
use crate::limits;

/// How finely time passes.
const STEP: Duration = Duration::from_millis(50);
const MINUTE: Duration = Duration::from_secs(60);

/// One agent's part.
#[derive(Clone, Default)]
struct Agent {
    /// It finds something new in every turn.
    talks: bool,
    /// It always has more to read.
    backlog: bool,
    /// When its turns ended, from the start.
    served: Vec<Duration>,
}

/// The line of agents whose threads wait for the portal's rate.
struct Supply {
    table: Timetable,
    agents: Vec<Agent>,
    names: Vec<AgentName>,
    line: VecDeque<usize>,
    /// Between two calls.
    pause: Duration,
    next_call: Duration,
    start: Instant,
    now: Duration,
    dice: u64,
}

impl Supply {
    fn new(agents_of: Vec<Agent>, calls_per_second: f64) -> Supply {
        let names: Vec<String> = (0..agents_of.len()).map(|n| format!("a{n:03}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let start = Instant::now();
        let mut table = Timetable::new(ACTIVE, IDLE);
        table.set_agents(&agents(&names), start);
        Supply {
            table,
            agents: agents_of,
            names: names.into_iter().map(name).collect(),
            line: VecDeque::new(),
            pause: Duration::from_secs_f64(1.0 / calls_per_second),
            next_call: Duration::ZERO,
            start,
            now: Duration::ZERO,
            dice: 0x9E37_79B9_7F4A_7C15,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice % bound as u64) as usize
    }

    fn nudge(&mut self, agent: usize) {
        self.table.nudge(&self.names[agent], self.start + self.now);
    }

    /// Lets time pass; `also` happens at each step.
    fn run(&mut self, lasts: Duration, mut also: impl FnMut(&mut Supply)) {
        let end = self.now + lasts;
        while self.now < end {
            also(self);
            self.step();
        }
    }

    fn step(&mut self) {
        let now = self.start + self.now;
        while self.line.len() < limits::POLL_THREADS
            && let Next::Due(due) = self.table.take(now)
        {
            let agent = self.names.iter().position(|name| *name == due.agent);
            self.line.push_back(agent.expect("one of them"));
        }
        if self.next_call <= self.now
            && let Some(agent) = self.line.pop_front()
        {
            let Agent { talks, backlog, .. } = self.agents[agent];
            let turn = Turn { talk: talks, more: backlog };
            self.table.done(&self.names[agent], turn, now);
            self.agents[agent].served.push(self.now);
            // Whatever was not used in time is lost, as it is with a full bucket.
            self.next_call = self.next_call.max(self.now.saturating_sub(STEP)) + self.pause;
        }
        self.now += STEP;
    }

    /// Turns of an agent since a moment.
    fn served(&self, agent: usize, from: Duration) -> usize {
        self.agents[agent].served.iter().filter(|at| **at >= from).count()
    }

    /// The longest time between two turns of an agent, before the first and after the last included.
    fn longest_wait(&self, agent: usize) -> Duration {
        let mut moments = vec![Duration::ZERO];
        moments.extend(&self.agents[agent].served);
        moments.push(self.now);
        moments.windows(2).map(|two| two[1] - two[0]).max().expect("two moments")
    }
}

fn crowd(idle: usize, talking: usize) -> Vec<Agent> {
    let talk = Agent { talks: true, ..Agent::default() };
    let mut agents = vec![Agent::default(); idle];
    agents.extend(vec![talk; talking]);
    agents
}

/// How often an agent wants to be asked, a second.
fn wish(agent: &Agent) -> f64 {
    1.0 / if agent.talks { ACTIVE } else { IDLE }.as_secs_f64()
}

#[test]
fn with_room_for_all_everybody_is_asked_at_the_own_interval() {
    let mut supply = Supply::new(crowd(45, 5), 20.0);
    supply.run(20 * MINUTE, |_| {});
    for agent in 0..50 {
        let turns = supply.served(agent, 10 * MINUTE) as f64;
        let wanted = wish(&supply.agents[agent]) * 600.0;
        // A turn in the line takes some of the interval.
        assert!((wanted * 0.75..=wanted * 1.01).contains(&turns), "{agent}: {turns} of {wanted}");
    }
}

#[test]
fn without_room_for_all_every_interval_grows_by_the_same_factor() {
    for (idle, talking, calls) in [(45, 5, 2.0), (45, 5, 1.0), (100, 40, 2.0), (200, 3, 5.0)] {
        let mut supply = Supply::new(crowd(idle, talking), calls);
        let wanted: f64 = supply.agents.iter().map(wish).sum();
        let factor = wanted / calls;
        assert!(factor > 1.5, "short of calls");
        supply.run(90 * MINUTE, |_| {});
        let (from, window) = (15 * MINUTE, 75.0 * 60.0);
        let mut all = 0;
        for agent in 0..idle + talking {
            let turns = supply.served(agent, from);
            let share = wish(&supply.agents[agent]) / factor * window;
            let off = (turns as f64 - share).abs();
            assert!(off <= share * 0.1 + 2.0, "{idle} {talking} {calls}: {turns} of {share:.0}");
            let longest = supply.longest_wait(agent).as_secs_f64();
            // The first round goes to all of them alike, which takes some rounds to even out.
            let round = (idle + talking) as f64 / calls;
            let bound = (factor / wish(&supply.agents[agent]) * 1.4).max(round) + 10.0 / calls;
            assert!(longest <= bound, "{agent} waited {longest:.1} s, not {bound:.1}");
            all += turns;
        }
        assert!(all as f64 >= calls * window * 0.99, "{all}: no call is wasted");
    }
}

/// Everything at once, for long: agents begin and stop to talk, some never come to an end of their
/// backlog, and anybody is nudged again and again.
#[test]
fn nobody_is_starved_whatever_the_others_do() {
    for (seed, (count, calls)) in
        [(10, 2.0), (50, 2.0), (120, 2.0), (50, 5.0)].into_iter().enumerate()
    {
        let mut supply = Supply::new(vec![Agent::default(); count], calls);
        supply.dice += seed as u64;
        for agent in 0..count / 10 {
            supply.agents[agent].backlog = true;
        }
        supply.run(30 * MINUTE, |supply| {
            // Half of them are nudged all the time, in no order.
            let nudged = supply.below(count.div_ceil(2));
            supply.nudge(nudged);
            let moody = supply.below(count);
            supply.agents[moody].talks = supply.below(4) == 0;
        });
        // At worst all want to be asked as in conversation, and half of the calls are for nudges.
        let factor = (count as f64 / ACTIVE.as_secs_f64()) / (calls / 2.0);
        let bound = IDLE.as_secs_f64() * factor;
        for agent in 0..count {
            let longest = supply.longest_wait(agent).as_secs_f64();
            assert!(longest <= bound, "{agent} of {count} waited {longest:.0} s, not {bound:.0}");
        }
    }
}

#[test]
fn a_nudge_goes_before_all_but_what_waits_at_the_portal() {
    let mut supply = Supply::new(crowd(45, 5), 2.0);
    supply.run(10 * MINUTE, |_| {});
    for _ in 0..30 {
        // Those in the line have their turn anyway.
        let nudged = (0..45).find(|agent| !supply.line.contains(agent)).expect("somebody");
        supply.run(ACTIVE, |_| {});
        let calls = |supply: &Supply| supply.agents.iter().map(|a| a.served.len()).sum::<usize>();
        let before = (calls(&supply), supply.agents[nudged].served.len());
        supply.nudge(nudged);
        while supply.agents[nudged].served.len() == before.1 {
            supply.step();
        }
        let took = calls(&supply) - before.0;
        assert!(took <= limits::POLL_THREADS + 2, "{took} calls until the nudged one");
        supply.run(3 * MINUTE, |_| {});
    }
}

#[test]
fn many_nudged_at_once_have_every_second_place_in_their_order() {
    let mut supply = Supply::new(crowd(45, 5), 2.0);
    supply.run(10 * MINUTE, |_| {});
    let nudged: Vec<usize> = (10..20).filter(|agent| !supply.line.contains(agent)).collect();
    supply.run(ACTIVE, |_| {});
    let from = supply.now;
    for agent in &nudged {
        supply.run(STEP, |_| {});
        supply.nudge(*agent);
    }
    let calls = limits::POLL_THREADS + 2 * nudged.len() + 4;
    supply.run(supply.pause * calls as u32, |_| {});
    let first = |agent: &usize| {
        let served = &supply.agents[*agent].served;
        served.iter().find(|at| **at >= from).copied()
    };
    let firsts: Vec<Option<Duration>> = nudged.iter().map(first).collect();
    assert!(firsts.iter().all(Option::is_some), "{firsts:?}");
    assert!(firsts.is_sorted(), "{firsts:?}");
    let others = (0..50).filter(|agent| !nudged.contains(agent));
    let others: usize = others.map(|agent| supply.served(agent, from)).sum();
    assert!(others >= nudged.len(), "the others had their places: {others}");
}
