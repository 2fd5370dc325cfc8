//! What employees see of an agent's reading: a message is marked as read once the gateway has it,
//! not before, and not when that is switched off.

use aihummer_bitrix24::sim::stage::EVENTS_METHOD;

use crate::support::eventually;
use crate::support::scene::Scene;

/// Olaf writes to Mira; the message.
fn write(scene: &Scene, text: &str) -> u64 {
    scene.portal.write_to(scene.olaf, scene.mira, text).expect("writes")
}

fn wait_seen(scene: &Scene, message: u64) {
    eventually("the mark", || (scene.portal.viewers(message) == [scene.mira]).then_some(()));
}

#[test]
fn a_message_is_read_once_the_gateway_has_it() {
    let scene = Scene::new();
    let _connector = scene.start_connected();
    let message = write(&scene, "Is the invoice out?");
    wait_seen(&scene, message);
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    assert_eq!(scene.portal.read_to(chat, scene.mira), message);
    assert_eq!(scene.gateway.inbound().len(), 1, "it has it");
}

#[test]
fn a_message_is_not_read_while_the_gateway_does_not_take_it() {
    let scene = Scene::new();
    scene.gateway.refuse_texts("invoice", 503, "unavailable");
    let connector = scene.start_connected();
    let message = write(&scene, "Is the invoice out?");
    eventually("a refusal", || connector.log().contains("gateway_away").then_some(()));
    assert_eq!(scene.portal.viewers(message), [0; 0]);
    scene.gateway.accept_all();
    wait_seen(&scene, message);
}

#[test]
fn nothing_is_read_where_that_is_switched_off() {
    let mut scene = Scene::new();
    scene.set("BITRIX24_READ_MARKS", "off");
    let _connector = scene.start_connected();
    // No answer: that alone would show that the message was read.
    let message = write(&scene, "Is the invoice out?");
    write(&scene, "Or not?");
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    // Whoever would mark it is told before the next message of the dialog goes to the gateway, and
    // has then all the time in which that one's sign of life comes and events are asked for again
    // and again.
    eventually("both to arrive", || (scene.gateway.inbound().len() == 2).then_some(()));
    eventually("typing", || (scene.portal.typing(chat) == [scene.mira]).then_some(()));
    let polls = scene.network.calls_of(EVENTS_METHOD);
    eventually("polls", || (scene.network.calls_of(EVENTS_METHOD) > polls + 20).then_some(()));
    assert_eq!(scene.network.calls_of("im.dialog.read"), 0, "nothing was asked of the portal");
    assert_eq!(scene.portal.viewers(message), [0; 0]);
}
