//! Edits, deletes, reactions and mentions: what they show, repeated and with their answers lost.

use std::time::Duration;

use crate::domain::delivery::Operation;
use crate::domain::delivery::State;
use crate::domain::ids::DeliveryId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::markup;
use crate::markup::Format;
use crate::markup::Mentions;
use crate::outbound::Aim;
use crate::outbound::DeliverRequest;
use crate::outbound::Refused;
use crate::outbound::accept;
use crate::outbound::tests::MIRA;
use crate::outbound::tests::OLAF;
use crate::outbound::tests::Scene;
use crate::sim::Fault;
use crate::sim::Shown;
use crate::sim::When;
use crate::store::ledger::Delivery;

const UPDATE: &str = "im.message.update";
const DELETE: &str = "im.message.delete";
const LIKE: &str = "im.message.like";

impl Scene {
    fn on(&self, id: &str, operation: Operation, target: Aim, text: &str) -> DeliverRequest {
        DeliverRequest { operation, target: Some(target), ..self.request(id, text) }
    }

    fn edit(&self, id: &str, target: Aim, text: &str) -> DeliverRequest {
        self.on(id, Operation::Edit, target, text)
    }

    fn delete(&self, id: &str, target: Aim) -> DeliverRequest {
        self.on(id, Operation::Delete, target, "")
    }

    fn react(&self, id: &str, target: Aim, reaction: &str, remove: bool) -> DeliverRequest {
        let reaction = reaction.to_owned();
        DeliverRequest { reaction, remove, ..self.on(id, Operation::React, target, "") }
    }

    /// How a delivery ended that the portal or a rule refuses.
    fn refused(&self, request: DeliverRequest) -> (State, String, String) {
        let row = self.accepted(request);
        assert_eq!(self.run(row), None);
        let delivery = self.delivery(row);
        let (code, sentence) = delivery.failure.expect("told");
        (delivery.state, code, sentence)
    }

    /// Messages of Mira as employees see them.
    pub(super) fn mine(&self) -> Vec<Shown> {
        let shown = self.portal.shown(self.team).into_iter();
        shown.filter(|message| message.author == MIRA).collect()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        let shown = self.mine().into_iter().filter(|message| !message.deleted);
        shown.map(|message| message.text).collect()
    }

    /// What Mira set on a message.
    fn reactions(&self, message: MessageId) -> Vec<&'static str> {
        let shown = self.portal.shown(self.team).into_iter();
        let of = shown.filter(|shown| shown.id == id(message)).flat_map(|shown| shown.reactions);
        of.filter(|(user, _)| *user == MIRA).map(|(_, code)| code).collect()
    }
}

pub(super) fn id(message: MessageId) -> u64 {
    u64::try_from(message.0).expect("positive")
}

fn delivery(id: &str) -> Aim {
    Aim::Delivery(DeliveryId::parse(id).expect("an id"))
}

fn message(delivery: &Delivery) -> Aim {
    Aim::Message(delivery.messages()[0])
}

/// A text of several parts, and of how many.
fn long(word: &str, chars: usize) -> (String, usize) {
    let sentence = format!("{word} and more words.\n\n");
    let text = sentence.repeat(chars / sentence.len());
    let parts = markup::render(&text, Format::Markdown, &Mentions::default()).len();
    (text, parts)
}

#[test]
fn an_edit_shows_the_new_text_in_the_same_message() {
    let scene = Scene::new();
    let sent = scene.delivered(scene.request("d-1", "one"));
    let edited = scene.delivered(scene.edit("d-2", message(&sent), "**two**"));
    assert_eq!(edited.messages(), sent.messages());
    let again = scene.delivered(scene.edit("d-3", delivery("d-1"), "three"));
    assert_eq!(again.messages(), sent.messages());
    let mine = scene.mine();
    assert_eq!((mine.len(), mine[0].text.as_str(), mine[0].edited), (1, "three", true));
}

#[test]
fn an_edit_adds_and_removes_parts_and_later_ones_know_of_them() {
    let scene = Scene::new();
    let ((short, few), (text, many)) = (long("one", 20_000), long("two", 60_000));
    assert!(few > 1 && few < many, "{few} {many}");
    let sent = scene.delivered(scene.request("d-1", &short));
    assert_eq!(sent.messages().len(), few);
    let grown = scene.delivered(scene.edit("d-2", delivery("d-1"), &text));
    assert_eq!(grown.messages().len(), many);
    let texts = scene.texts();
    assert!(texts.len() == many && texts.iter().all(|text| text.contains("two")), "{texts:?}");
    let shrunk = scene.delivered(scene.edit("d-3", delivery("d-1"), "three"));
    assert_eq!(shrunk.messages(), sent.messages()[..1]);
    assert_eq!(scene.texts(), ["three"]);
    // An edit is about the same messages as the send it changed.
    let by_edit = scene.delivered(scene.edit("d-4", delivery("d-2"), &short));
    assert_eq!(by_edit.messages().len(), few);
    assert_eq!(scene.texts().len(), few);
    scene.delivered(scene.delete("d-5", delivery("d-1")));
    assert!(scene.texts().is_empty());
}

#[test]
fn a_delete_removes_every_part_once() {
    let scene = Scene::new();
    let (text, parts) = long("one", 40_000);
    scene.delivered(scene.request("d-1", &text));
    let deleted = scene.delivered(scene.delete("d-2", delivery("d-1")));
    assert_eq!((deleted.messages().len(), scene.network.calls_of(DELETE)), (parts, parts));
    assert!(scene.texts().is_empty() && scene.mine().len() == parts, "placeholders stay");
    let again = scene.delivered(scene.delete("d-3", delivery("d-1")));
    assert_eq!((again.messages().len(), scene.network.calls_of(DELETE)), (0, parts));
}

#[test]
fn lost_answers_of_changes_change_nothing_more() {
    let scene = Scene::new();
    let sent = scene.delivered(scene.request("d-1", "one"));
    let cases = [
        (UPDATE, scene.edit("d-2", message(&sent), "two")),
        (LIKE, scene.react("d-3", message(&sent), "like", false)),
        (LIKE, scene.react("d-4", message(&sent), "like", true)),
        (DELETE, scene.delete("d-5", message(&sent))),
    ];
    for (method, request) in cases {
        let row = scene.accepted(request);
        let calls = scene.network.calls_of(method);
        scene.network.plan(When::first(method), Fault::ActAndDropAnswer);
        assert!(scene.run(row).is_some(), "{method}");
        scene.network.clear_plan();
        assert_eq!(scene.delivery(row).state, State::Unknown);
        assert_eq!(scene.run(row), None, "{method}");
        let delivery = scene.delivery(row);
        assert_eq!(delivery.state, State::Delivered, "{method}: {:?}", delivery.failure);
        assert_eq!(scene.network.calls_of(method), calls + 2, "repeated, which shows the same");
    }
    assert!(scene.mine()[0].deleted && scene.mine().len() == 1);
}

#[test]
fn what_cannot_be_changed_says_why() {
    let scene = Scene::new();
    let other = scene.portal.say(OLAF, scene.team, "mine").expect("says");
    let other = Aim::Message(MessageId(i64::try_from(other).expect("small")));
    let nobody = Aim::Message(MessageId(9_999_999));
    let old = scene.delivered(scene.request("d-0", "old"));
    let days = Duration::from_secs(4 * 24 * 3600);
    let id_of_old = id(old.messages()[0]);
    let mut world = scene.portal.world();
    let stored = world.messenger.messages.get_mut(&id_of_old).expect("there");
    stored.at.0 -= i64::try_from(days.as_millis()).expect("small");
    drop(world);
    let cases = [
        (scene.edit("d-1", other.clone(), "x"), "permission_denied", "somebody else's"),
        (scene.delete("d-2", other), "permission_denied", "somebody else's"),
        (scene.edit("d-3", nobody.clone(), "x"), "not_found", "not in the dialog"),
        (scene.delete("d-4", nobody.clone()), "not_found", "not in the dialog"),
        (scene.react("d-5", nobody, "like", false), "not_found", "not in the dialog"),
        (scene.edit("d-6", message(&old), "x"), "failed_precondition", "too old"),
    ];
    for (request, code, says) in cases {
        let id = request.id.clone();
        let (state, told, sentence) = scene.refused(request);
        assert_eq!((state, told.as_str()), (State::Rejected, code), "{id} {sentence}");
        assert!(sentence.contains(says), "{id} {sentence}");
    }
    // A message has no age at which it cannot be removed.
    scene.delivered(scene.delete("d-7", message(&old)));
}

#[test]
fn an_operation_on_an_unknown_delivery_or_dialog_is_refused_at_once() {
    let scene = Scene::new();
    scene.delivered(scene.request("d-1", "one"));
    let unknown = accept::accept(&scene.shared, scene.edit("d-2", delivery("d-0"), "x"));
    assert!(matches!(unknown, Err(Refused::WrongTarget(_))), "{unknown:?}");
    let dialog = DialogId::parse("12").expect("a dialog");
    let elsewhere = DeliverRequest { dialog, ..scene.edit("d-3", delivery("d-1"), "x") };
    let elsewhere = accept::accept(&scene.shared, elsewhere);
    assert!(matches!(elsewhere, Err(Refused::WrongTarget(_))), "{elsewhere:?}");
    let sent = scene.delivered(scene.request("d-4", "two"));
    let dialog = DialogId::parse("chat1").expect("a dialog");
    let elsewhere = DeliverRequest { dialog, ..scene.edit("d-5", message(&sent), "x") };
    let elsewhere = accept::accept(&scene.shared, elsewhere);
    assert!(matches!(elsewhere, Err(Refused::WrongTarget(_))), "{elsewhere:?}");
    assert_eq!(scene.shared.store.unfinished(), 0);
}

#[test]
fn an_operation_on_what_was_never_delivered_says_so() {
    let scene = Scene::new();
    scene.portal.world().messenger.chats.get_mut(&scene.team).expect("the team").silent = true;
    let row = scene.accept("d-1", "one");
    assert_eq!(scene.run(row), None);
    for request in [
        scene.edit("d-2", delivery("d-1"), "two"),
        scene.react("d-3", delivery("d-1"), "like", false),
    ] {
        let (state, code, sentence) = scene.refused(request);
        assert_eq!((state, code.as_str()), (State::Rejected, "not_found"), "{sentence}");
    }
}

#[test]
fn a_message_that_was_deleted_is_gone_for_an_edit_and_done_for_a_delete() {
    let scene = Scene::new();
    let sent = scene.delivered(scene.request("d-1", "one"));
    // Unread, so that nothing is left of it.
    scene.portal.delete(MIRA, id(sent.messages()[0])).expect("deletes");
    let (state, code, _) = scene.refused(scene.edit("d-2", delivery("d-1"), "two"));
    assert_eq!((state, code.as_str()), (State::Rejected, "not_found"));
    scene.delivered(scene.delete("d-3", delivery("d-1")));
}

#[test]
fn a_reaction_is_set_once_and_taken_back() {
    let scene = Scene::new();
    let sent = scene.delivered(scene.request("d-1", "one"));
    let on = sent.messages()[0];
    for (id, reaction) in [("d-2", "like"), ("d-3", "like"), ("d-4", "fire"), ("d-5", "fire")] {
        let done = scene.delivered(scene.react(id, message(&sent), reaction, false));
        assert!(done.warnings.is_empty(), "{:?}", done.warnings);
    }
    assert_eq!(scene.reactions(on), ["like", "fire"]);
    scene.delivered(scene.react("d-6", message(&sent), "like", true));
    scene.delivered(scene.react("d-7", message(&sent), "like", true));
    scene.delivered(scene.react("d-8", message(&sent), "fire", true));
    scene.delivered(scene.react("d-9", message(&sent), "fire", true));
    assert!(scene.reactions(on).is_empty());
}

#[test]
fn a_reaction_that_the_portal_lacks_is_a_like_or_nothing_and_says_so() {
    for whole_method in [true, false] {
        let scene = Scene::new();
        let mut world = scene.portal.world();
        let lacking = ["im.v2.chat.message.reaction.add", "im.v2.chat.message.reaction.delete"];
        if whole_method {
            world.switches.missing_methods = lacking.iter().map(|m| (*m).to_owned()).collect();
        } else {
            world.messenger.switches.old_reactions = true;
        }
        drop(world);
        let sent = scene.delivered(scene.request("d-1", "one"));
        let on = sent.messages()[0];
        let kind = scene.delivered(scene.react("d-2", message(&sent), "clappingHands", false));
        assert!(kind.warnings[0].contains("a like stands for it"), "{:?}", kind.warnings);
        assert_eq!(scene.reactions(on), ["like"]);
        let unkind = scene.delivered(scene.react("d-3", message(&sent), "poo", false));
        assert!(unkind.warnings[0].contains("nothing was set"), "{:?}", unkind.warnings);
        scene.delivered(scene.react("d-4", message(&sent), "poo", true));
        assert_eq!(scene.reactions(on), ["like"]);
        // What was set in its place goes with it.
        scene.delivered(scene.react("d-5", message(&sent), "clappingHands", true));
        assert!(scene.reactions(on).is_empty(), "{whole_method}");
    }
}

#[test]
fn names_of_members_become_mentions() {
    let scene = Scene::new();
    scene.delivered(scene.request("d-1", "@Olaf Brandt, done. mail@Olaf Brandt"));
    let texts = scene.texts();
    assert!(texts[0].contains("[USER=12]Olaf Brandt[/USER], done."), "{texts:?}");
    assert_eq!(scene.network.calls_of("im.dialog.users.list"), 1);
    scene.delivered(scene.request("d-2", "@Nobody Known and @all"));
    assert_eq!(scene.texts()[1], "@Nobody Known and @all");
    assert_eq!(scene.network.calls_of("im.dialog.users.list"), 1, "remembered");
}

#[test]
fn a_portal_that_lists_no_members_gets_plain_names_and_says_so() {
    let scene = Scene::new();
    scene.portal.world().switches.missing_methods = vec!["im.dialog.users.list".to_owned()];
    let done = scene.delivered(scene.request("d-1", "@Olaf Brandt, done."));
    assert!(done.warnings[0].contains("plain text"), "{:?}", done.warnings);
    assert_eq!(scene.texts(), ["@Olaf Brandt, done."]);
}
