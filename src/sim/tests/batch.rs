//! `batch` and the PHP arrays in its answer (sim quirk 16).

use serde_json::Value;
use serde_json::json;

use super::Office;
use super::http;

fn batch(office: &Office, body: &str) -> Value {
    let body = body.replace("TOKEN", &office.token);
    let url = format!("{}/rest/batch", office.portal.url());
    let answer = http("POST", &url, &["Content-Type: application/json"], body.as_bytes());
    answer.result()
}

#[test]
fn commands_run_in_order_and_failed_ones_are_missing() {
    let office = Office::open();
    let result = batch(
        &office,
        r#"{"auth":"TOKEN","halt":0,"cmd":{"me":"User.Current","bad":"no.such","deps":"department.get"}}"#,
    );
    assert_eq!(result["result"]["me"]["ID"], json!("101"));
    assert_eq!(result["result"].get("bad"), None);
    let refused =
        json!({"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"});
    assert_eq!(result["result_error"], json!({"bad": refused}));
    assert_eq!(result["result_total"], json!({"deps": 1}));
    assert_eq!(result["result_next"], json!([]));
    assert!(result["result_time"]["me"]["operating"].is_number());
    assert_eq!(result["result_time"].get("bad"), None);
}

#[test]
fn numeric_keys_make_lists_until_one_fails() {
    let office = Office::open();
    let all = batch(&office, r#"{"auth":"TOKEN","cmd":{"0":"profile","1":"profile"}}"#);
    assert!(all["result"].is_array());
    assert_eq!(all["result_error"], json!([]));
    let gap = batch(&office, r#"{"auth":"TOKEN","cmd":["no.such","profile"]}"#);
    assert!(gap["result"].is_object() && gap["result"]["1"].is_object(), "{gap}");
    assert!(gap["result_error"].is_array(), "a list that lost its positions: {gap}");
    let swapped = batch(&office, r#"{"auth":"TOKEN","cmd":{"1":"profile","0":"profile"}}"#);
    assert!(swapped["result"].is_object(), "keys not in order: {swapped}");
}

#[test]
fn no_commands_give_five_empty_lists() {
    let office = Office::open();
    let result = batch(&office, r#"{"auth":"TOKEN"}"#);
    for map in ["result", "result_error", "result_total", "result_next", "result_time"] {
        assert_eq!(result[map], json!([]), "{map}");
    }
}

#[test]
fn halt_is_cast_by_php_and_stops_at_the_first_error() {
    let office = Office::open();
    let with = |halt: &str| {
        let body = r#"{"auth":"TOKEN","halt":HALT,"cmd":{"a":"no.such","b":"profile"}}"#;
        batch(&office, &body.replace("HALT", halt))
    };
    for goes_on in ["0", "false", "\"0\"", "\"\"", "null"] {
        assert!(with(goes_on)["result"]["b"].is_object(), "halt={goes_on}");
    }
    for stops in ["1", "true", "\"false\"", "\"N\""] {
        let result = with(stops);
        assert_eq!(result["result"], json!([]), "halt={stops}");
        assert!(result["result_error"].get("b").is_none());
    }
}

#[test]
fn only_fifty_commands_run() {
    let office = Office::open();
    let commands: Vec<String> = (0..53).map(|n| format!("\"c{n:02}\":\"server.time\"")).collect();
    let body = format!("{{\"auth\":\"TOKEN\",\"cmd\":{{{}}}}}", commands.join(","));
    let result = batch(&office, &body);
    assert_eq!(result["result"].as_object().map(serde_json::Map::len), Some(50));
    let errors = result["result_error"].as_object().cloned().unwrap_or_default();
    assert_eq!(errors.keys().collect::<Vec<_>>(), ["c50", "c51", "c52"]);
    assert_eq!(errors["c50"]["error"], json!("ERROR_BATCH_LENGTH_EXCEEDED"));
}

#[test]
fn batch_inside_a_batch_is_refused_and_other_types_skipped() {
    let office = Office::open();
    let result = batch(
        &office,
        r#"{"auth":"TOKEN","cmd":{"a":"batch?cmd[x]=profile","b":7,"c":["profile"],"d":"profile"}}"#,
    );
    assert_eq!(result["result_error"]["a"]["error"], json!("ERROR_BATCH_METHOD_NOT_ALLOWED"));
    assert_eq!(result["result"].as_object().map(serde_json::Map::len), Some(1));
    assert_eq!(result["result_error"].as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn missing_scope_inside_a_batch_has_no_text() {
    let office = Office::open();
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.scopes.clear();
    }
    let result = batch(&office, r#"{"auth":"TOKEN","cmd":{"d":"department.get"}}"#);
    let refused = json!({"error": "insufficient_scope", "error_description": ""});
    assert_eq!(result["result_error"]["d"], refused);
}

#[test]
fn references_are_filled_in_and_dead_ones_passed_as_text() {
    let office = Office::open();
    let other = office.portal.add_department("R&D", None);
    if let Some(user) = office.portal.world().users.get_mut(&101) {
        user.departments = vec![other];
    }
    let result = batch(
        &office,
        r#"{"auth":"TOKEN","cmd":{
            "me":"user.current",
            "mine":"department.get?ID=$result[me][UF_DEPARTMENT][0]",
            "list":"department.get?ID=$result[me][UF_DEPARTMENT]",
            "name":"department.get?NAME=$result[me][NAME]!",
            "dead":"method.get?name=$result[gone][X]",
            "odd":"method.get?name=$result[me"}}"#,
    );
    let rnd = json!(other.to_string());
    assert_eq!(result["result"]["mine"][0]["ID"], rnd);
    assert_eq!(result["result"]["list"][0]["ID"], rnd);
    assert_eq!(result["result_total"]["mine"], json!(1));
    assert_eq!(result["result_total"]["name"], json!(0), "no department is called Ada!");
    assert_eq!(result["result"]["dead"]["isExisting"], json!(false), "the literal text went in");
    assert!(result["result"]["odd"].is_object());
}

#[test]
fn forms_carry_commands_too() {
    let office = Office::open();
    let body = format!("auth={}&CMD[b]=profile&CMD[a]=no.such&HALT=0", office.token);
    let url = format!("{}/rest/batch.json", office.portal.url());
    let header = ["Content-Type: application/x-www-form-urlencoded"];
    let result = http("POST", &url, &header, body.as_bytes()).result();
    assert!(result["result"]["b"].is_object() && result["result_error"]["a"].is_object());
}
