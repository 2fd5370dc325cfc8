//! Leave to write: what was found good a while ago counts for ten minutes and not longer, a delivery
//! that waits is asked about again, and a structure that is too old lets nobody through. What can be
//! shown without letting time pass is in `tests/it/permit.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ADD;
use super::OLAF;
use super::Scene;
use super::mira;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::directory::Directory;
use crate::domain::acl;
use crate::domain::acl::Allowed;
use crate::domain::delivery::State;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::DialogId;
use crate::domain::ids::RowId;
use crate::domain::ids::UserId;
use crate::limits;
use crate::outbound::Desk;
use crate::sim::Fault;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::When;
use crate::store::Store;
use crate::store::directory::OrgChanges;

const DEPARTMENTS: &str = "department.get";

/// A directory in which people of the agent's own departments may.
fn own(store: &Store, registry: &Arc<Registry>) -> Arc<Directory> {
    let rule = acl::Rule { allowed: Allowed::Own, ..acl::Rule::default() };
    Directory::open(store.clone(), Arc::clone(registry), rule).expect("opens")
}

/// The same after a day in which it could not be read.
fn stale(store: &Store, registry: &Arc<Registry>) -> Arc<Directory> {
    own(store, registry).ensure(&mira(), &[UserId(12)]).expect("reads");
    let long_ago = clock::now().minus(limits::DIRECTORY_FRESH_MAX);
    store.change_org(OrgChanges::default(), long_ago).expect("stored");
    own(store, registry)
}

/// Nobody of Olaf's department may any more.
fn deny_olaf(scene: &Scene) {
    let denied = BTreeSet::from([DepartmentId(1)]);
    assert_eq!(
        scene.shared.directory.change_rule(&mira(), |own| own.denied = Some(denied)),
        Ok(true)
    );
}

/// A delivery to Olaf alone.
fn to_olaf(scene: &Scene, id: &str) -> RowId {
    let dialog = DialogId::parse(&OLAF.to_string()).expect("a dialog");
    let mut request = scene.request(id, "hello");
    request.dialog = dialog;
    scene.accepted(request)
}

/// The team has just asked the agent something.
fn meet(scene: &Scene) {
    let dialog = DialogId::parse(&format!("chat{}", scene.team)).expect("a dialog");
    Desk { shared: Arc::clone(&scene.shared) }.met(&mira(), dialog);
}

/// Asserts that a delivery ends refused for want of leave.
fn refused(scene: &Scene, row: RowId, told: &str) {
    let before = scene.network.calls_of(ADD);
    assert_eq!(scene.run(row), None);
    let delivery = scene.delivery(row);
    let (code, message) = delivery.failure.expect("told");
    assert_eq!((delivery.state, code.as_str()), (State::Rejected, "permission_denied"));
    assert!(message.contains(told), "{message}");
    assert_eq!(scene.network.calls_of(ADD), before, "nothing was sent");
}

#[test]
fn what_was_found_good_lets_answers_through_for_ten_minutes_and_no_longer() {
    let scene = Scene::with(own);
    meet(&scene);
    let guest = scene.portal.add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    scene.portal.join(scene.team, OLAF, guest);
    let row = scene.accept("d-1", "asked a moment ago");
    assert_eq!((scene.run(row), scene.delivery(row).state), (None, State::Delivered));
    let let_pass = |time| {
        scene.shared.met.let_pass(time);
        scene.shared.chats.let_pass(time);
        scene.shared.members.let_pass(time);
    };
    let_pass(limits::DIALOG_MET_KEPT / 2);
    let row = scene.accept("d-2", "asked five minutes ago");
    assert_eq!((scene.run(row), scene.delivery(row).state), (None, State::Delivered));
    let_pass(limits::DIALOG_MET_KEPT / 2);
    let row = scene.accept("d-3", "asked ten minutes ago");
    refused(&scene, row, "(external_chat)");
    assert_eq!(scene.shown().len(), 2);
}

#[test]
fn another_rule_counts_at_once_for_whoever_has_just_asked() {
    let scene = Scene::with(own);
    meet(&scene);
    let row = scene.accept("d-1", "hello");
    assert_eq!((scene.run(row), scene.delivery(row).state), (None, State::Delivered));
    deny_olaf(&scene);
    let row = scene.accept("d-2", "hello");
    refused(&scene, row, "the department rule lets nobody in the dialog talk");
}

#[test]
fn a_delivery_that_waits_is_asked_about_again_until_something_may_be_there() {
    let scene = Scene::with(own);
    let full = || Fault::error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests");
    let tried = |id: &str, fault: Fault, state: State| {
        let row = to_olaf(&scene, id);
        scene.network.plan(When::first(ADD), fault);
        assert!(scene.run(row).is_some(), "{id}");
        scene.network.clear_plan();
        assert_eq!((scene.delivery(row).state, scene.delivery(row).attempts), (state, 1), "{id}");
        row
    };
    let waits = tried("d-1", full(), State::Waiting);
    let lost = tried("d-2", Fault::ActAndDropAnswer, State::Unknown);
    deny_olaf(&scene);
    refused(&scene, waits, "the department rule does not let them talk");
    // This one is there, and is followed to its end.
    assert_eq!((scene.run(lost), scene.delivery(lost).state), (None, State::Delivered));
    assert_eq!(scene.network.calls_of(ADD), 1);
}

#[test]
fn a_question_without_an_answer_is_no_leave() {
    let scene = Scene::with(own);
    let guest = scene.portal.add_user(User::of_kind(UserKind::Extranet, "Gus", "Guest"));
    scene.portal.join(scene.team, OLAF, guest);
    let row = scene.accept("d-1", "hello");
    scene.network.plan(When::every("im.dialog.get"), Fault::ActAndDropAnswer);
    for _ in 0..3 {
        assert!(scene.run(row).is_some());
        assert_eq!(scene.delivery(row).state, State::Waiting);
    }
    scene.network.clear_plan();
    refused(&scene, row, "(external_chat)");
}

#[test]
fn a_structure_that_is_too_old_lets_nobody_through() {
    let scene = Scene::with(stale);
    let trouble = Fault::error(500, "INTERNAL_SERVER_ERROR", "no");
    scene.network.plan(When::every(DEPARTMENTS), trouble);
    let (person, group) = (to_olaf(&scene, "d-1"), scene.accept("d-2", "hello"));
    for row in [person, group] {
        assert!(scene.run(row).is_some(), "it may be readable soon");
        assert_eq!(scene.delivery(row).state, State::Waiting);
    }
    scene.network.clear_plan();
    // Refused for good, so that waiting is of no use.
    let lacking = Fault::error(403, "insufficient_scope", "higher privileges");
    scene.network.plan(When::every(DEPARTMENTS), lacking);
    refused(&scene, person, "the company's structure is not known");
    refused(&scene, group, "the department rule lets nobody in the dialog talk");
    assert_eq!(scene.network.calls_of(ADD), 0);
    scene.network.clear_plan();
    let row = to_olaf(&scene, "d-3");
    assert_eq!((scene.run(row), scene.delivery(row).state), (None, State::Delivered));
}
