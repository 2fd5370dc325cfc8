//! Portals that lack what newer ones have: each operation on each generation, the documented way
//! first, and a warning where less is shown than was asked for.

use std::time::Duration;

use aihummer_bitrix24::sim::Fault;
use aihummer_bitrix24::sim::Switches;
use aihummer_bitrix24::sim::When;
use aihummer_bitrix24::sim::switches::StatusTable;
use aihummer_bitrix24::sim::world::World;
use serde_json::json;

use crate::outbound::promise::assert_all_shown;
use crate::outbound::promise::one_of_each;
use crate::support::calls::Team;
use crate::support::calls::assert_refused;
use crate::support::calls::ids;
use crate::support::calls::inline;
use crate::support::calls::long;
use crate::support::calls::look_up;
use crate::support::scene::Scene;

/// A team on a portal without these methods.
fn without(methods: &[&str]) -> Team {
    let mut scene = Scene::new();
    // Who may is not the matter here, and asking takes one of the methods.
    scene.set("BITRIX24_DEPARTMENTS", "all");
    let team = Team::in_scene(scene);
    let lacking = methods.iter().map(|method| (*method).to_owned()).collect();
    team.scene.portal.world().switches.missing_methods = lacking;
    team
}

/// What a kind of portal is named, and what it is like.
type Kind = (&'static str, fn(&mut World));

/// Portals that differ in ways that should make no difference here.
const KINDS: [Kind; 8] = [
    ("self-hosted", |world| world.switches = Switches::self_hosted()),
    ("as documented", |world| {
        world.switches.docs_texts = true;
        world.messenger.switches.documented_shapes = true;
    }),
    ("statuses as documented", |world| world.switches.status_table = StatusTable::Docs),
    ("escaping", |world| world.switches.escape_unicode = true),
    ("out of order", |world| world.messenger.switches.shuffled = true),
    ("slow in the background", |world| {
        world.messenger.switches.background = Duration::from_secs(5);
    }),
    ("frank about commits", |world| world.messenger.switches.commit_tells_inner = true),
    ("without UUIDs", |world| world.messenger.switches.no_uuids = true),
];

#[test]
fn every_operation_is_carried_out_on_every_kind_of_portal() {
    std::thread::scope(|scope| {
        for (kind, make) in KINDS {
            scope.spawn(move || {
                let mut team = Team::new();
                make(&mut team.scene.portal.world());
                for (id, fields) in one_of_each() {
                    let receipt = team.done(id, fields);
                    assert_eq!(receipt["warnings"], json!([]), "{kind}: {receipt}");
                }
                team.restart();
                for (id, fields) in one_of_each() {
                    assert_eq!(team.call(id, fields).json()["replayed"], true, "{kind}: {id}");
                }
                assert_all_shown(&team);
            });
        }
    });
}

#[test]
fn without_the_event_log_nothing_is_heard_and_everything_is_said() {
    let scene = Scene::new();
    scene.portal.world().messenger.switches.no_event_log = true;
    let connector = scene.start();
    let done = connector.consent("helper", scene.mira).expect("a consent");
    assert_eq!(done.status, 200, "{}", done.text());
    let chat = scene.portal.add_chat("Invoices", scene.olaf, &[scene.mira]);
    let team = Team { connector, scene, chat };
    for (id, fields) in one_of_each() {
        team.done(id, fields);
    }
    assert_all_shown(&team);
}

#[test]
fn a_reaction_that_the_portal_lacks_is_a_like_or_nothing_and_is_told() {
    let lacking = ["im.v2.chat.message.reaction.add", "im.v2.chat.message.reaction.delete"];
    for no_method in [true, false] {
        let team = if no_method { without(&lacking) } else { Team::new() };
        team.scene.portal.world().messenger.switches.old_reactions = !no_method;
        let asked = team.olaf_says("Done!");
        let react = |reaction: &str, remove: bool| {
            json!({ "operation": "react", "message_id": asked, "reaction": reaction,
                "remove": remove })
        };
        team.well("r-1", react("like", false));
        team.well("r-2", react("like", true));
        team.less("r-3", react("handshake", false), "a like stands for it");
        assert_eq!(team.reactions(asked), ["like"]);
        team.less("r-4", react("poo", false), "nothing was set");
        assert_eq!(team.reactions(asked), ["like"]);
        team.done("r-5", react("handshake", true));
        assert_eq!(team.reactions(asked), [""; 0], "what stood for it goes with it");
        // What stands for it is there already, or was taken back by somebody else.
        team.well("r-6", react("like", false));
        team.less("r-7", react("eyes", false), "a like stands for it");
        assert_eq!(team.reactions(asked), ["like"]);
        team.scene.portal.unreact(team.scene.mira, asked, "like").expect("takes it back");
        team.done("r-8", react("eyes", true));
        assert_eq!(team.reactions(asked), [""; 0]);
    }
}

#[test]
fn without_the_disk_each_file_is_a_message_and_that_is_told() {
    let scene = Scene::new();
    scene.untick("disk");
    let team = Team::in_scene(scene);
    let one = team.well("d-1", json!({ "text": "caption", "media": [inline("a.txt", b"one")] }));
    let two = json!({ "text": "both", "media": [inline("b.txt", b"two"), inline("c.txt", b"3")] });
    let two = team.less("d-2", two, "each file is a message of its own");
    let shown = team.shown();
    let seen = shown.iter().map(|m| (m.id, m.files[0].name.as_str(), m.text.as_str()));
    let seen: Vec<_> = seen.collect();
    assert_eq!(
        seen,
        [(one[0], "a.txt", "caption"), (two[0], "b.txt", "both"), (two[1], "c.txt", "")]
    );
    let mut picture = inline("d.png", b"\x89PNG");
    picture["as_file"] = json!(true);
    team.less("d-3", json!({ "media": [picture] }), "as_file was left out");
    assert_eq!(team.shown()[3].files[0].kind, "image");
    // By the delivery's id all its messages are meant, here as everywhere.
    team.done("x-1", json!({ "operation": "delete", "target_delivery_id": "d-2" }));
    assert_eq!((team.shown().len(), team.on_the_shelf()), (2, 0));
}

#[test]
fn a_portal_that_takes_no_files_says_what_to_do_and_gets_nothing() {
    let scene = Scene::new();
    scene.untick("disk");
    let team = Team::in_scene(scene);
    team.scene.portal.world().switches.missing_methods = vec!["im.v2.file.upload".to_owned()];
    let answer = team.call("d-1", json!({ "text": "caption", "media": [inline("a.txt", b"one")] }));
    assert_refused("no way", &answer, 400, "failed_precondition", "scope disk");
    let receipt = look_up(&team.connector, "d-1").json();
    assert_eq!(
        (&receipt["status"], &receipt["failure"]["code"]),
        (&json!("rejected"), &json!("failed_precondition"))
    );
    assert_eq!((team.shown().len(), team.scene.portal.file_counts()), (0, (0, 0)));
    assert_eq!(team.on_the_shelf(), 0);
    team.well("d-2", json!({ "text": "texts go on" }));
}

#[test]
fn a_portal_that_lists_no_members_gets_names_as_text_and_that_is_told() {
    let team = without(&["im.dialog.users.list"]);
    team.less("d-1", json!({ "text": "@Olaf Brandt, paid." }), "@names are plain text");
    assert_eq!(team.texts(), ["@Olaf Brandt, paid."]);
    let olaf = team.scene.olaf;
    let text = format!("[Olaf](bitrix24:user/{olaf}), paid.");
    team.well("d-2", json!({ "text": text }));
    assert_eq!(team.texts()[1], format!("[USER={olaf}]Olaf[/USER], paid."));
}

/// Nothing but the look into the dialog protects here.
#[test]
fn a_portal_without_uuids_shows_once_what_it_lost_the_answers_of() {
    let team = Team::new();
    team.scene.portal.world().messenger.switches.no_uuids = true;
    let send = "/rest/im.message.add";
    for number in 0..5 {
        let (id, text) = (format!("d-{number}"), format!("message {number}"));
        team.scene.network.plan(When::first(send), Fault::ActAndDropAnswer);
        team.well(&id, json!({ "text": text }));
        team.scene.network.clear_plan();
    }
    assert_eq!(team.texts(), (0..5).map(|n| format!("message {n}")).collect::<Vec<_>>());
    // The same words twice are two messages, also when the second one's answer is lost.
    team.well("same-1", json!({ "text": "again" }));
    team.scene.network.plan(When::first(send), Fault::ActAndDropAnswer);
    team.well("same-2", json!({ "text": "again" }));
    team.scene.network.clear_plan();
    assert_eq!(team.texts()[5..], ["again", "again"]);
    // In the middle of several parts.
    team.scene.network.plan(When::matching(send, 2, 1), Fault::ActAndDropAnswer);
    let receipt = team.done("long", json!({ "text": long("part", 3) }));
    team.scene.network.clear_plan();
    let mut parts = ids(&receipt);
    parts.dedup();
    assert_eq!((parts.len(), team.shown().len()), (3, 10));
}

#[test]
fn a_portal_without_the_disk_shows_a_file_once_whose_answer_it_lost() {
    let scene = Scene::new();
    scene.untick("disk");
    let team = Team::in_scene(scene);
    for number in 0..2 {
        let fault = When::first("/rest/im.v2.file.upload");
        team.scene.network.plan(fault, Fault::ActAndDropAnswer);
        let id = format!("d-{number}");
        team.well(&id, json!({ "media": [inline("same.txt", b"the same")] }));
        team.scene.network.clear_plan();
    }
    assert_eq!((team.shown().len(), team.scene.portal.file_counts()), (2, (2, 0)));
}
