//! The typing indicator as employees see it, under each value of its setting.

use serde_json::json;

use crate::support::calls::Team;
use crate::support::calls::assert_refused;
use crate::support::calls::long;
use crate::support::calls::look_up;
use crate::support::eventually;
use crate::support::scene::Scene;

const WRITING: &str = "im.dialog.writing";

fn with(setting: &str) -> Team {
    let mut scene = Scene::new();
    scene.set("BITRIX24_TYPING", setting);
    Team::in_scene(scene)
}

/// A typing call; the warnings of its receipt.
fn types(team: &Team, id: &str) -> usize {
    let answer = team.call(id, json!({ "operation": "typing" }));
    let receipt = answer.json();
    let seen = (answer.status, receipt["status"].as_str(), receipt["message_ids"].as_array());
    assert_eq!(seen, (200, Some("accepted"), Some(&Vec::new())), "{receipt}");
    assert_refused(id, &look_up(&team.connector, id), 404, "not_found", "no delivery");
    receipt["warnings"].as_array().expect("warnings").len()
}

/// Waits until the team sees Mira typing.
fn wait_typing(team: &Team) {
    eventually("the indicator", || {
        (team.scene.portal.typing(team.chat) == [team.scene.mira]).then_some(())
    });
}

/// Something for Mira.
fn mention(team: &Team, text: &str) -> String {
    format!("[USER={}]Mira Holt[/USER], {text}", team.scene.mira)
}

/// Olaf asks Mira twice. Of the first message everybody has been told once the gateway has the
/// second, because they are of one dialog.
fn asks_twice(team: &Team) {
    for text in ["is it out?", "or not?"] {
        team.olaf_says(&mention(team, text));
    }
    eventually("both to arrive", || (team.scene.received().len() == 2).then_some(()));
}

#[test]
fn a_typing_call_shows_the_agent_typing_until_it_says_something() {
    for setting in ["auto", "explicit"] {
        let team = with(setting);
        assert_eq!(types(&team, "t-1"), 0);
        wait_typing(&team);
        team.well("d-1", json!({ "text": "done" }));
        assert_eq!(team.scene.portal.typing(team.chat), [0; 0]);
    }
}

#[test]
fn an_agent_types_by_itself_from_a_message_to_its_answer() {
    let team = with("auto");
    team.olaf_says(&mention(&team, "is it out?"));
    wait_typing(&team);
    assert_eq!(team.scene.gateway.inbound().len(), 1);
    team.well("d-1", json!({ "text": "Yes." }));
    assert_eq!(team.scene.portal.typing(team.chat), [0; 0]);
}

#[test]
fn an_agent_types_once_the_gateway_has_the_message_and_not_before() {
    let team = with("auto");
    team.scene.gateway.refuse_texts("is it out", 503, "unavailable");
    team.olaf_says(&mention(&team, "is it out?"));
    eventually("a refusal", || team.connector.log().contains("gateway_away").then_some(()));
    assert_eq!(team.calls(WRITING), 0, "nobody has taken it yet");
    team.scene.gateway.accept_all();
    wait_typing(&team);
}

#[test]
fn an_agent_types_only_when_told_if_that_is_set() {
    let team = with("explicit");
    asks_twice(&team);
    // Signs of typing are shown in the order in which they are asked for, so one that belongs to
    // what Olaf said would come before this one, which is somewhere else.
    let private = team.scene.portal.private_chat(team.scene.olaf, team.scene.mira);
    let there = format!("helper/{}", team.scene.olaf);
    let answer = team.call("t-1", json!({ "operation": "typing", "external_id": there }));
    assert_eq!(answer.status, 200, "{}", answer.text());
    eventually("the indicator", || (team.calls(WRITING) > 0).then_some(()));
    assert_eq!(team.scene.portal.typing(private), [team.scene.mira]);
    assert_eq!((team.calls(WRITING), team.scene.portal.typing(team.chat).len()), (1, 0));
}

#[test]
fn nobody_types_where_it_is_switched_off() {
    let team = with("off");
    asks_twice(&team);
    assert_eq!(types(&team, "t-1"), 1, "it says that it is switched off");
    // What comes after it in the same dialogs, and takes several calls, leaves time to show it.
    team.well("d-1", json!({ "text": long("done", 3) }));
    assert_eq!(team.calls(WRITING), 0);
}

#[test]
fn typing_that_the_portal_refuses_troubles_nobody() {
    let team = with("auto");
    let nowhere = json!({ "operation": "typing", "external_id": "helper/chat987654" });
    assert_eq!(team.call("t-1", nowhere).status, 200);
    eventually("the portal's refusal", || (team.calls(WRITING) == 1).then_some(()));
    team.well("d-1", json!({ "text": "done" }));
    let unknown = json!({ "operation": "typing", "external_id": "stranger/1" });
    assert_refused("unknown", &team.call("t-2", unknown), 404, "not_found", "no agent");
}
