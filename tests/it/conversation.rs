//! The main job: an employee writes to the agent, the gateway gets it, its answer is shown.

use serde_json::json;

use crate::support::eventually;
use crate::support::scene::Scene;

#[test]
fn an_employee_writes_and_the_agent_answers() {
    let scene = Scene::new();
    scene.gateway.script(Box::new(|inbound| Some(format!("**Yes**: {}", inbound.text))));
    let _connector = scene.start_connected();
    scene.portal.write_to(scene.olaf, scene.mira, "Is the invoice out?").expect("writes");
    let chat = scene.portal.private_chat(scene.olaf, scene.mira);
    let said = eventually("the agent's answer", || {
        let said = scene.said_by_agent(chat);
        (!said.is_empty()).then_some(said)
    });
    assert_eq!(said, ["[b]Yes[/b]: Is the invoice out?"]);
    let inbound = scene.gateway.inbound();
    assert_eq!(inbound.len(), 1);
    assert_eq!(inbound[0].external_id, format!("helper/{}", scene.olaf));
    assert_eq!(inbound[0].body["channel"], json!("bitrix24"));
    // The answer is shown before the gateway hears that it is.
    let receipts = eventually("the receipt", || {
        let receipts = scene.gateway.receipts();
        (!receipts.is_empty()).then_some(receipts)
    });
    assert_eq!((receipts[0].http, receipts[0].status.as_str()), (200, "delivered"));
}
