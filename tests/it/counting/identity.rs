//! The counting loop over identities: a consent, and renewals of a token, each with its n-th exchange
//! going wrong, where refresh tokens can be used again and where each works once. A person does what
//! the pages and the agent's reason say. In the end nothing is lost, one confirmation counted, and
//! no agent stood still without a reason.

use std::cell::RefCell;

use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::ServerKind;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::client::Response;
use aihummer_bitrix24::sim::fault::Line;
use aihummer_bitrix24::sim::switches::Rotation;

use super::EXCHANGES_MAX;
use super::Mode;
use super::OTHERS;
use super::Run;
use super::TOKEN_LIFE;
use super::Totals;
use super::Verdict;
use super::WORST;
use super::each;
use crate::support::scene::Scene;

const ROTATIONS: [Rotation; 2] = [Rotation::Stateless, Rotation::Strict];
/// Code, person, scopes, messenger: what a consent asks at least.
const CONSENT_LEAST: u64 = 4;
/// Two tokens come to their end in a run.
const RENEWALS_LEAST: u64 = 2;
/// What a chain that has ended tells its agent's person.
const ENDED: &str = "open a new consent link";

fn scene(rotation: Rotation) -> Scene {
    let switches = Switches { rotation, ..Switches::default() };
    let mut scene = Scene::with(PortalOptions { switches, ..PortalOptions::default() });
    scene.set("BITRIX24_POLL_ACTIVE_MS", "40");
    scene.set("BITRIX24_POLL_IDLE_MS", "40");
    scene
}

/// State and reason of the agent; `None` while nobody answers.
fn standing(run: &Run) -> Option<(String, String)> {
    let status = run.connector.status()?;
    let agent = &status["agents"][0];
    Some((agent["state"].as_str()?.to_owned(), agent["reason"].as_str()?.to_owned()))
}

/// Works as Mira, and nothing is wrong.
fn is_well(run: &Run) -> bool {
    standing(run).is_some_and(|(state, reason)| state == "active" && reason.is_empty())
}

/// Says something in both directions, once it may; what was lost or doubled.
fn converse(run: &mut Run, said: &[&str], verdict: &mut Verdict) {
    for text in said {
        let arrived = run.wait(|run| run.scene.received().iter().any(|one| one == text));
        match run.scene.received().iter().filter(|one| *one == text).count() {
            _ if !arrived => verdict.lost.push(format!("{text} did not reach the gateway")),
            1 => {}
            n => verdict.doubled.push(format!("{text} reached the gateway under {n} keys")),
        }
    }
    let private = run.scene.portal.private_chat(run.scene.olaf, run.scene.mira);
    for text in said {
        let answer = answer_to(text);
        let shown = |run: &Run| {
            run.scene.said_by_agent(private).iter().filter(|one| **one == answer).count()
        };
        run.wait(|run| shown(run) > 0);
        match shown(run) {
            0 => verdict.lost.push(format!("{answer} is not shown")),
            1 => {}
            n => verdict.doubled.push(format!("{answer} is shown {n} times")),
        }
    }
}

fn answer_to(text: &str) -> String {
    format!("about {text}")
}

fn write(run: &Run, text: &str) {
    run.scene.portal.write_to(run.scene.olaf, run.scene.mira, text).expect("writes");
}

/// Ends a run: nothing is due, and the connector stops.
fn close(mut run: Run, mut verdict: Verdict) -> Verdict {
    run.wait(|run| run.outage_began.is_none_or(|began| began.elapsed() >= super::OUTAGE));
    run.scene.network.clear_plan();
    if !run.settle() {
        verdict.wrong.push("the queues did not run empty".to_owned());
    }
    if !run.wait(is_well) {
        verdict.wrong.push(format!("in the end the agent is {:?}", standing(&run)));
    }
    run.stop(&mut verdict);
    run.close(verdict)
}

/// Whoever connects the agent: opens the link again when a page says no, and another when it is over.
#[derive(Default)]
struct Person {
    link: Option<String>,
    /// Pages that asked for a confirmation.
    asked: Vec<Response>,
    confirmed: Option<Response>,
    /// Pages that said no.
    refused: Vec<Response>,
}

impl Person {
    /// One walk; whether it led to the end.
    fn walk(&mut self, run: &Run) -> bool {
        let Some(link) = self.link.take().or_else(|| run.connector.consent_link("helper").ok())
        else {
            return false;
        };
        let Ok(callback) = run.scene.callback_url(&link, run.scene.mira) else { return false };
        self.link = Some(link);
        let Ok(page) = run.scene.follow(&callback) else { return false };
        if page.status != 200 {
            self.refused.push(page);
            return false;
        }
        self.asked.push(page.clone());
        match run.scene.confirm(&page) {
            Ok(done) if done.status == 200 => self.confirmed = Some(page),
            Ok(refused) => self.refused.push(refused),
            Err(_) => {}
        }
        self.confirmed.is_some()
    }
}

fn of_a_consent(line: Line<'_>) -> bool {
    let path = line.path.to_ascii_lowercase();
    let asks = ["/rest/profile", "/rest/scope", "/rest/method.get"];
    line.server == ServerKind::OAuth || asks.iter().any(|ask| path.starts_with(ask))
}

/// A consent whose n-th exchange goes wrong.
fn consent(rotation: Rotation, mode: Mode, n: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let scene = scene(rotation);
    let connector = scene.start();
    let mut run = Run::begin((scene, connector, 0), mode, n, of_a_consent);
    let person = RefCell::new(Person::default());
    if !run.wait(|run| person.borrow_mut().walk(run)) {
        verdict.wrong.push("the consent came to no end".to_owned());
        return close(run, verdict);
    }
    let person = person.into_inner();
    for page in &person.refused {
        if !page.text().contains("role=\"alert\"") {
            verdict.wrong.push(format!("a page without a reason: {}", page.text()));
        }
    }
    // Where a code works twice, one lost answer is asked for again and nobody notices.
    if matches!(mode, Mode::Once(_)) && rotation == Rotation::Stateless {
        verdict.wrong.extend(person.refused.iter().map(Response::text));
    }
    run.scene.network.clear_plan();
    run.wait(is_well);
    // Of all that was begun one confirmation has counted; the others are worth nothing.
    let confirmed = person.confirmed.map(|page| page.text());
    for page in person.asked.iter().filter(|page| Some(page.text()) != confirmed) {
        match run.scene.confirm(page) {
            Ok(late) if late.status == 410 => {}
            other => verdict.doubled.push(format!("a second confirmation: {other:?}")),
        }
    }
    run.wait(|run| run.scene.is_subscribed());
    write(&run, "a question");
    run.deliver("own-1", &answer_to("a question"));
    converse(&mut run, &["a question"], &mut verdict);
    close(run, verdict)
}

/// Two tokens that end, with the n-th renewal going wrong.
fn renewals(rotation: Rotation, mode: Mode, n: u64) -> Verdict {
    let mut verdict = Verdict::default();
    let scene = scene(rotation);
    let connector = scene.start_connected();
    let mut run =
        Run::begin((scene, connector, 0), mode, n, |line| line.server == ServerKind::OAuth);
    let consents = RefCell::new(0);
    let unexplained = RefCell::new(Vec::new());
    // Does what the reason of a lost agent asks for.
    let mend = |run: &Run| {
        let Some((state, reason)) = standing(run) else { return };
        if state != "active" && reason.is_empty() || state == "revoked" && !reason.contains(ENDED) {
            unexplained.borrow_mut().push(format!("{state} because of {reason:?}"));
        }
        if state == "revoked" {
            let done = run.connector.consent("helper", run.scene.mira);
            *consents.borrow_mut() += u32::from(done.is_ok_and(|page| page.status == 200));
        }
    };
    let said = ["first", "second"];
    for text in said {
        run.scene.network.clock().advance(TOKEN_LIFE);
        write(&run, text);
        run.wait(|run| {
            mend(run);
            run.scene.received().iter().any(|one| one == text)
        });
        run.deliver(text, &answer_to(text));
        run.wait(is_well);
    }
    converse(&mut run, &said, &mut verdict);
    verdict.wrong.append(&mut unexplained.borrow_mut());
    // Where a token works once, one lost answer costs one consent; else none.
    let most = u32::from(rotation == Rotation::Strict);
    if *consents.borrow() > most {
        verdict.wrong.push(format!("{} consents where {most} would do", consents.borrow()));
    }
    close(run, verdict)
}

/// One mode at every exchange of a kind of run.
fn every(totals: &Totals, mode: Mode, rotation: Rotation, of_consent: bool) {
    let (run, least): (fn(Rotation, Mode, u64) -> Verdict, u64) =
        if of_consent { (consent, CONSENT_LEAST) } else { (renewals, RENEWALS_LEAST) };
    let what = if of_consent { "consent" } else { "renewal" };
    let mut n = 1;
    while totals.note(
        &format!("{mode:?} at {what} {n}, {rotation:?}"),
        mode,
        run(rotation, mode, n),
    ) {
        n += 1;
        assert!(n < EXCHANGES_MAX, "the loop does not end");
        if totals.has_problems() {
            return;
        }
    }
    if n <= least {
        totals.problem(format!(
            "{mode:?}, {rotation:?}: no more than {} exchanges of a {what}",
            n - 1
        ));
    }
}

fn all(modes: &[Mode]) {
    let totals = Totals::default();
    let work = modes.iter().flat_map(|mode| {
        let kinds = ROTATIONS.iter().flat_map(|rotation| [(*rotation, true), (*rotation, false)]);
        kinds.map(move |(rotation, of_consent)| (*mode, rotation, of_consent))
    });
    each(work.collect(), |(mode, rotation, of_consent)| {
        every(&totals, mode, rotation, of_consent);
    });
    totals.close();
}

#[test]
fn every_exchange_of_a_consent_and_of_a_renewal_failed_or_killed_loses_nothing() {
    all(WORST);
}

/// The other kinds of failure under `./dev slow`; else those that differ most from the worst.
#[test]
fn every_kind_of_failure_at_a_consent_and_at_a_renewal_loses_nothing() {
    let slow = std::env::var_os("AIHUMMER_SLOW").is_some();
    all(if slow { OTHERS } else { &OTHERS[2..5] });
}
