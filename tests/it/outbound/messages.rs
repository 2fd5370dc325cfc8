//! Operations on texts: send, reply, edit, delete, react, and mentions within them.

use serde_json::Value;
use serde_json::json;

use crate::support::calls::Team;
use crate::support::calls::ids;
use crate::support::calls::long;
use crate::support::scene::Scene;

const UPDATE: &str = "im.message.update";
const DELETE: &str = "im.message.delete";

#[test]
fn a_reply_answers_its_message_and_goes_without_one_that_is_absent() {
    let team = Team::new();
    let asked = team.olaf_says("Is the invoice out?");
    let sent = team.well("d-1", json!({ "text": "Yes.", "reply_to": asked }));
    let shown = team.shown();
    assert_eq!((shown[0].id, shown[0].reply_to), (sent[0], Some(asked)));
    // Of a long answer only the beginning is the reply.
    let sent = team.well("d-2", json!({ "text": long("yes", 2), "reply_to": asked.to_string() }));
    let replies: Vec<_> = team.shown()[1..].iter().map(|message| message.reply_to).collect();
    assert_eq!((sent.len(), replies), (2, vec![Some(asked), None]));

    let elsewhere =
        team.scene.portal.write_to(team.scene.olaf, team.scene.mira, "x").expect("says");
    for (number, absent) in [9_999_999, elsewhere].into_iter().enumerate() {
        let id = format!("absent-{number}");
        let left_out = "reply_to was left out: reply_";
        team.less(&id, json!({ "text": id.clone(), "reply_to": absent }), left_out);
        let last = team.shown().pop().expect("shown");
        assert_eq!((last.text, last.reply_to), (id, None));
    }
}

#[test]
fn an_edit_by_message_id_changes_that_message_alone() {
    let team = Team::new();
    let one = team.well("d-1", json!({ "text": "one" }))[0];
    team.well("d-2", json!({ "text": "two" }));
    let changed = team.well(
        "e-1",
        json!({ "operation": "edit", "message_id": one,
        "text": "**three**" }),
    );
    assert_eq!(changed, [one]);
    assert_eq!(team.texts(), ["[b]three[/b]", "two"]);
    assert_eq!(team.shown().iter().map(|one| one.edited).collect::<Vec<_>>(), [true, false]);
    // Also one that the connector did not send: the account may have an own past.
    let own = team.scene.portal.say(team.scene.mira, team.chat, "typed by hand").expect("says");
    team.well("e-2", json!({ "operation": "edit", "message_id": own, "text": "by the agent" }));
    assert_eq!(team.texts(), ["[b]three[/b]", "two", "by the agent"]);
}

#[test]
fn an_edit_by_delivery_id_makes_the_dialog_read_right_with_more_and_fewer_parts() {
    let team = Team::new();
    let receipt = team.done("d-1", json!({ "text": long("one", 2) }));
    let sent = ids(&receipt);
    assert_eq!((sent.len(), &receipt["attempts"]), (2, &json!(1)), "two parts, one attempt");
    let edit = |id: &str, on: &str, text: &str| {
        team.well(id, json!({ "operation": "edit", "target_delivery_id": on, "text": text }))
    };
    let grown = edit("e-1", "d-1", &long("two", 4));
    assert_eq!((grown.len(), &grown[..2]), (4, &sent[..]));
    let texts = team.texts();
    assert!(texts.len() == 4 && texts.iter().all(|text| text.contains("two")), "{texts:.40?}");
    assert_eq!(edit("e-2", "d-1", "three"), sent[..1]);
    assert_eq!(team.texts(), ["three"]);
    // By the id of an edit as by that of the send.
    edit("e-3", "e-1", &long("four", 2));
    assert_eq!(team.shown().len(), 2);
    team.well("x-1", json!({ "operation": "delete", "target_delivery_id": "e-2" }));
    assert_eq!(team.texts(), [""; 0]);
}

#[test]
fn an_edit_of_one_message_and_what_it_added_go_together() {
    let team = Team::new();
    let edit = |id: &str, what: &str, on: Value, text: &str| {
        team.well(id, json!({ "operation": "edit", what: on, "text": text })).len()
    };
    // One part of two becomes two itself: the delivery then has three.
    let sent = team.well("d-1", json!({ "text": long("one", 2) }));
    assert_eq!(edit("e-1", "message_id", json!(sent[0]), &long("two", 2)), 2);
    let has = |word: &str| team.texts().iter().filter(|text| text.contains(word)).count();
    assert_eq!((has("one"), has("two")), (1, 2));
    team.done("x-1", json!({ "operation": "delete", "target_delivery_id": "d-1" }));
    assert_eq!(team.texts(), [""; 0]);
    // The same with a message that the connector did not send: the edit is all it knows of it.
    let own = team.scene.portal.say(team.scene.mira, team.chat, "by hand").expect("says");
    assert_eq!(edit("e-2", "message_id", json!(own), &long("three", 3)), 3);
    assert_eq!(edit("e-3", "target_delivery_id", json!("e-2"), &long("four", 2)), 2);
    assert_eq!((has("three"), has("four"), team.shown().len()), (0, 2, 2));
    team.done("x-2", json!({ "operation": "delete", "target_delivery_id": "e-3" }));
    assert_eq!(team.texts(), [""; 0]);
}

#[test]
fn an_operation_on_a_reaction_is_about_the_message_that_it_is_on() {
    let team = Team::new();
    let parts = team.well("d-1", json!({ "text": long("one", 2) }));
    let react = |id: &str, what: &str, on: Value, reaction: &str| {
        let fields = json!({ "operation": "react", what: on, "reaction": reaction });
        team.well(id, fields)
    };
    react("r-1", "message_id", json!(parts[1]), "like");
    assert_eq!(react("r-2", "target_delivery_id", json!("r-1"), "fire"), parts[1..]);
    assert_eq!((team.reactions(parts[0]).len(), team.reactions(parts[1]).len()), (0, 2));
    react("r-3", "target_delivery_id", json!("d-1"), "eyes");
    assert_eq!(react("r-4", "target_delivery_id", json!("r-3"), "wonder"), parts);
}

#[test]
fn a_delete_takes_one_message_or_all_of_a_delivery_and_no_more() {
    let team = Team::new();
    let one = team.well("d-1", json!({ "text": "one" }));
    let long = team.well("d-2", json!({ "text": long("two", 3) }));
    team.well("d-3", json!({ "text": "three" }));
    let delete = |id: &str, what: &str, on: String| {
        let receipt = team.done(id, json!({ "operation": "delete", what: on }));
        assert_eq!(receipt["warnings"], json!([]));
    };
    delete("x-1", "message_id", one[0].to_string());
    delete("x-2", "target_delivery_id", "d-2".to_owned());
    assert_eq!(team.texts(), ["three"]);
    assert_eq!(team.calls(DELETE), 1 + long.len());
    // What is gone needs no deleting, and is no failure.
    delete("x-3", "target_delivery_id", "d-2".to_owned());
    delete("x-4", "message_id", one[0].to_string());
    assert_eq!((team.texts(), team.calls(UPDATE)), (vec!["three".to_owned()], 0));
}

#[test]
fn reactions_are_set_once_and_taken_back() {
    let team = Team::new();
    let asked = team.olaf_says("Done!");
    let react = |id: &str, reaction: &str, remove: bool| {
        team.well(
            id,
            json!({ "operation": "react", "message_id": asked, "reaction": reaction,
            "remove": remove }),
        );
        team.reactions(asked)
    };
    assert_eq!(react("r-1", "like", false), ["like"]);
    assert_eq!(react("r-2", "like", false), ["like"], "a repeat under another id");
    assert_eq!(react("r-3", "fire", false), ["like", "fire"]);
    assert_eq!(react("r-4", "❤️", false), ["like", "fire", "redHeart"]);
    assert_eq!(react("r-5", "👍", true), ["fire", "redHeart"]);
    assert_eq!(react("r-6", "like", true), ["fire", "redHeart"], "it is gone already");
    assert_eq!(react("r-7", "fire", true), ["redHeart"]);

    // A code that no portal has.
    let fields = json!({ "operation": "react", "message_id": asked, "reaction": "applause" });
    team.less("r-9", fields, "nothing was set");
    assert_eq!(team.reactions(asked), ["redHeart"]);

    // A delivery means all its parts.
    let parts = team.well("d-1", json!({ "text": long("two", 2) }));
    team.well(
        "r-8",
        json!({ "operation": "react", "target_delivery_id": "d-1",
        "reaction": "eyes" }),
    );
    for part in parts {
        assert_eq!(team.reactions(part), ["eyes"]);
    }
}

#[test]
fn an_explicit_mention_is_one_and_everyone_only_when_that_is_allowed() {
    for (allowed, everyone) in [("off", "all"), ("on", "[USER=all]all[/USER]")] {
        let mut scene = Scene::new();
        scene.set("BITRIX24_MENTION_ALL", allowed);
        let team = Team::in_scene(scene);
        let olaf = team.scene.olaf;
        let text = format!("[Olaf Brandt](bitrix24:user/{olaf}): paid. [all](bitrix24:all): done.");
        team.well("d-1", json!({ "text": text }));
        let shown = format!("[USER={olaf}]Olaf Brandt[/USER]: paid. {everyone}: done.");
        assert_eq!(team.texts(), [shown], "BITRIX24_MENTION_ALL={allowed}");
    }
}

#[test]
fn the_name_of_one_member_is_a_mention_and_any_other_is_text() {
    let team = Team::new();
    let olaf = team.scene.olaf;
    team.well(
        "d-1",
        json!({ "text": "@Olaf Brandt, paid. mail@Olaf Brandt, @Somebody Else, @all" }),
    );
    let shown =
        format!("[USER={olaf}]Olaf Brandt[/USER], paid. mail@Olaf Brandt, @Somebody Else, @all");
    assert_eq!(team.texts(), [shown]);
    // An edit is written as a send is.
    team.well(
        "e-1",
        json!({ "operation": "edit", "target_delivery_id": "d-1",
        "text": "Paid, @Olaf Brandt" }),
    );
    assert_eq!(team.texts(), [format!("Paid, [USER={olaf}]Olaf Brandt[/USER]")]);
    assert_eq!(team.calls("im.dialog.users.list"), 1, "the members are remembered");
    // A second one of that name: nobody knows who is meant.
    let portal = &team.scene.portal;
    let other = aihummer_bitrix24::sim::User::employee("Olaf", "Brandt").in_departments(&[1]);
    let other = portal.add_user(other);
    let chat = portal.add_chat("Two Olafs", olaf, &[team.scene.mira, other]);
    team.well(
        "d-2",
        json!({ "external_id": format!("helper/chat{chat}"),
        "text": "@Olaf Brandt, paid." }),
    );
    assert_eq!(team.scene.said_by_agent(chat), ["@Olaf Brandt, paid."]);
}

#[test]
fn no_text_of_an_agent_is_an_active_tag() {
    let team = Team::new();
    let tags = [
        "[SEND=yes]a[/SEND]",
        "[PUT=/help]b[/PUT]",
        "[CALL=112]c[/CALL]",
        "[DISK=7]",
        "[USER=1]d[/USER]",
        "[CHAT=1]e[/CHAT]",
        "[b][send=x]f[/send][/b]",
    ];
    for (number, tag) in tags.into_iter().enumerate() {
        for (format, operation) in [("markdown", "send"), ("plain", "edit")] {
            let id = format!("{operation}-{number}");
            let on = format!("send-{number}");
            let mut fields = json!({ "operation": operation, "format": format, "text": tag });
            if operation == "edit" {
                fields["target_delivery_id"] = json!(on);
            }
            team.well(&id, fields);
            let text = team.texts().pop().expect("shown").to_ascii_lowercase();
            let active = ["[send=", "[put=", "[call=", "[disk=", "[user=", "[chat="];
            assert!(active.iter().all(|active| !text.contains(active)), "{format} {tag}: {text}");
        }
    }
}
