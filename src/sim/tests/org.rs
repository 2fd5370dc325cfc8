//! `profile`, `scope`, `app.info`, `department.get`, `im.user.*` (sim quirks 14, 23, 25, 27).

use serde_json::Value;
use serde_json::json;

use super::Office;
use crate::sim::PortalOptions;
use crate::sim::Switches;
use crate::sim::User;
use crate::sim::UserKind;

fn ids(answer: &Value) -> Vec<String> {
    let list = answer.as_array().cloned().unwrap_or_default();
    list.iter().map(|row| row["ID"].as_str().unwrap_or("?").to_owned()).collect()
}

#[test]
fn profile_has_a_photo_only_when_set() {
    let office = Office::open();
    let expected = json!({"ID": "101", "ADMIN": false, "NAME": "Ada", "LAST_NAME": "Byron",
        "PERSONAL_GENDER": "", "TIME_ZONE": "", "TIME_ZONE_OFFSET": 10800});
    assert_eq!(office.call("profile", json!({})).result(), expected);
    if let Some(user) = office.portal.world().users.get_mut(&101) {
        user.photo = Some("https://x.example/a.png".to_owned());
    }
    assert!(office.call("profile", json!({})).result()["PERSONAL_PHOTO"].is_string());
}

#[test]
fn scope_lists_what_is_granted_or_all_there_is() {
    let office = Office::open();
    let granted = office.call("scope", json!({})).result();
    assert_eq!(granted, json!(["department", "disk", "im", "user"]));
    let full = office.call("scope", json!({"full": true})).result();
    assert!(full.as_array().is_some_and(|all| all.len() > 4));
}

#[test]
fn application_info_tells_the_plan() {
    let office = Office::open();
    office.portal.world().switches.licence = "ru_ent250".to_owned();
    let info = office.call("app.info", json!({})).result();
    assert_eq!(info["CODE"], json!(office.client_id));
    assert_eq!(info["LICENSE_FAMILY"], json!("ent"));
    assert_eq!(info["LICENSE_TYPE"], json!("ent250"));
    assert_eq!(info["DAYS"], json!(null));
    let switches = Switches::self_hosted();
    let office =
        Office::started_with(PortalOptions { cloud: false, switches, ..PortalOptions::default() });
    let info = office.call("app.info", json!({})).result();
    assert_eq!(info["LICENSE"], json!("en_selfhosted"));
    assert_eq!(info.get("LICENSE_FAMILY"), None);
}

#[test]
fn method_get_tells_existence_and_scope_apart() {
    let office = Office::open();
    if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
        app.scopes.remove("department");
    }
    let answer = office.call("method.get", json!({"name": "Department.Get"})).result();
    assert_eq!(answer, json!({"isExisting": true, "isAvailable": false}));
}

#[test]
fn departments_have_string_ids_and_a_root_without_parent() {
    let options = PortalOptions { root_department: 67, ..PortalOptions::default() };
    let office = Office::started_with(options);
    let child = office.portal.add_department("R&D", None);
    if let Some(department) = office.portal.world().departments.get_mut(&child) {
        department.head = Some(101);
    }
    let list = office.call("department.get", json!({})).result();
    assert_eq!(list[0], json!({"ID": "67", "NAME": "Acme Ltd", "SORT": 500}));
    let row = json!({"ID": "68", "NAME": "R&D", "SORT": 500, "PARENT": "67", "UF_HEAD": "101"});
    assert_eq!(list[1], row);
    office.portal.world().switches.zero_head = true;
    let list = office.call("department.get", json!({})).result();
    assert_eq!(list[0]["UF_HEAD"], json!("0"));
}

#[test]
fn departments_come_in_tree_order_without_inactive_branches() {
    let office = Office::open();
    let a = office.portal.add_department("A", None);
    let b = office.portal.add_department("B", None);
    let below_a = office.portal.add_department("A1", Some(a));
    let below_b = office.portal.add_department("B1", Some(b));
    let list = |params| ids(&office.call("department.get", params).result());
    let text = |ids: &[u64]| ids.iter().map(u64::to_string).collect::<Vec<_>>();
    assert_eq!(list(json!({})), text(&[1, a, below_a, b, below_b]));
    assert_eq!(list(json!({"sort": "id", "order": "desc"})), text(&[below_b, below_a, b, a, 1]));
    if let Some(department) = office.portal.world().departments.get_mut(&a) {
        department.active = false;
    }
    assert_eq!(list(json!({})), text(&[1, b, below_b]), "children of a hidden one are hidden");
}

#[test]
fn department_filters_work_in_capitals_only() {
    let office = Office::open();
    let legal = office.portal.add_department("Legal", None);
    let count =
        |params| office.call("department.get", params).json()["total"].as_i64().unwrap_or(-1);
    assert_eq!(count(json!({"ID": legal})), 1);
    assert_eq!(count(json!({"ID": [1, legal.to_string()]})), 2);
    assert_eq!(count(json!({"NAME": "Legal"})), 1);
    assert_eq!(count(json!({"FILTER": {"PARENT": 1}})), 1);
    assert_eq!(count(json!({"id": legal})), 2, "small letters are ignored");
    assert_eq!(count(json!({"FILTER": {"name": "Legal"}})), 2);
    assert_eq!(count(json!({"NICKNAME": "Legal"})), 2);
    // SORT in capitals is a filter at the same time: int("NAME") = 0.
    assert_eq!(count(json!({"SORT": "NAME"})), 0);
    assert_eq!(count(json!({"sort": "NAME"})), 2);
    assert_eq!(count(json!({"SORT": 500})), 2);
    let none = office.call("department.get", json!({"NAME": "None"})).json();
    assert_eq!((&none["result"], &none["total"]), (&json!([]), &json!(0)));
}

#[test]
fn department_pages_round_down_and_start_over_beyond_the_end() {
    let office = Office::open();
    for n in 0..69 {
        office.portal.add_department(&format!("D{n}"), None);
    }
    let page = |start: i64| office.call("department.get", json!({"start": start})).json();
    let shape = |start: i64| {
        let page = page(start);
        let first = ids(&page["result"]).first().cloned().unwrap_or_default();
        (first, ids(&page["result"]).len(), page.get("next").cloned(), page["total"].clone())
    };
    let first = ("1".to_owned(), 50, Some(json!(50)), json!(70));
    let second = ("51".to_owned(), 20, None, json!(70));
    assert_eq!(shape(0), first);
    assert_eq!(shape(49), first, "rounded down to a page");
    assert_eq!(shape(50), second);
    assert_eq!(shape(99), second);
    assert_eq!(shape(100), first, "a page beyond the end is page 1 again");
    assert_eq!(shape(-1), ("1".to_owned(), 50, None, json!(0)), "no counting");
}

#[test]
fn outsiders_see_no_departments() {
    let office = Office::open();
    let guest = office.portal.add_user(User::of_kind(UserKind::Extranet, "Guy", "Est"));
    let answer = office.call_with(&office.token_of(guest), "department.get", json!({}));
    assert_eq!(answer.result(), json!([]));
}

#[test]
fn im_user_has_false_where_a_date_is_missing() {
    let office = Office::open();
    let user = office.call("im.user.get", json!({})).result();
    assert_eq!(user["id"], json!(101));
    for key in ["idle", "last_activity_date", "mobile_last_date", "absent", "phones"] {
        assert_eq!(user[key], json!(false), "{key}");
    }
    assert_eq!(user["departments"], json!([1]));
    assert_eq!(user["bot_data"], json!(null));
    assert_eq!(user["avatar_hr"], json!(""));
    office.portal.world().switches.old_im_user = true;
    let user = office.call("im.user.get", json!({"ID": "101"})).result();
    for key in ["type", "website", "email", "bot_data"] {
        assert_eq!(user.get(key), None, "{key}");
    }
}

#[test]
fn im_user_errors_have_their_codes() {
    let office = Office::open();
    let bot = office.portal.add_user(User::of_kind(UserKind::Bot, "Robo", ""));
    let rows = [(json!(0), "ID_EMPTY"), (json!("x"), "ID_EMPTY"), (json!(999), "USER_NOT_EXISTS")];
    for (id, code) in rows {
        let answer = office.call("im.user.get", json!({"ID": id}));
        assert_eq!((answer.status, answer.error().as_str()), (400, code));
    }
    let text = |answer: super::Answer| answer.json()["error_description"].clone();
    assert_eq!(text(office.call("im.user.get", json!({"ID": 999}))), json!("User is not exists"));
    office.portal.world().switches.docs_texts = true;
    assert_eq!(text(office.call("im.user.get", json!({"ID": 999}))), json!("User does not exist"));
    // Bots, which user.get hides, are told here.
    assert_eq!(office.call("im.user.get", json!({"id": bot})).result()["bot"], json!(true));
    let guest = office.portal.add_user(User::of_kind(UserKind::Extranet, "Guy", "Est"));
    let answer = office.call_with(&office.token_of(guest), "im.user.get", json!({"ID": 101}));
    assert_eq!((answer.status, answer.error().as_str()), (400, "ACCESS_DENIED"));
}

#[test]
fn im_user_list_is_keyed_by_id_with_null_for_unknown() {
    let office = Office::open();
    let list = |params| office.call("im.user.list.get", params).result();
    let keyed = list(json!({"ID": [101, "999"]}));
    assert_eq!(keyed["101"]["id"], json!(101));
    assert_eq!(keyed["999"], json!(null));
    let array = list(json!({"ID": [101], "RESULT_TYPE": "array"}));
    assert_eq!(array[0]["id"], json!(101));
    assert_eq!(list(json!({"ID": [999], "RESULT_TYPE": "array"})), json!([]));
    // Without one valid id the sources disagree.
    for none in [json!({}), json!({"ID": []}), json!({"ID": ["x", 0, -1]})] {
        let answer = office.call("im.user.list.get", none.clone());
        assert_eq!((answer.status, answer.error().as_str()), (400, "INVALID_FORMAT"));
        office.portal.world().switches.lenient_user_list = true;
        assert_eq!(list(none), json!([]));
        office.portal.world().switches.lenient_user_list = false;
    }
}

#[test]
fn dismissed_user_is_inactive_everywhere() {
    let office = Office::open();
    let bob = office.portal.add_user(User::employee("Bob", "Gone").in_departments(&[1]));
    office.portal.dismiss(bob);
    assert_eq!(office.call("im.user.get", json!({"ID": bob})).result()["active"], json!(false));
    let user = office.call("user.get", json!({"ID": bob})).result()[0].clone();
    assert_eq!(user["ACTIVE"], json!(false));
    let bobs = office.token_of(bob);
    assert_eq!(office.call_with(&bobs, "profile", json!({})).error(), "authorization_error");
}

#[test]
fn departments_change_vanish_and_keep_a_head_who_left() {
    let office = Office::open();
    let head = office.portal.add_user(User::employee("Hed", "Head").in_departments(&[1]));
    let sales = office.portal.add_department("Sales", None);
    let team = office.portal.add_department("Team", Some(sales));
    let other = office.portal.add_department("Other", None);
    let rows = || office.call("department.get", json!({})).result();
    let named = |id: u64| {
        let rows = rows();
        let found =
            rows.as_array().into_iter().flatten().find(|row| row["ID"] == json!(id.to_string()));
        found.cloned().unwrap_or_default()
    };
    {
        let mut world = office.portal.world();
        let department = world.departments.get_mut(&team).expect("there");
        department.head = Some(head);
        department.name = "Crew".to_owned();
        department.parent = Some(other);
    }
    office.portal.dismiss(head);
    let crew = named(team);
    assert_eq!((&crew["NAME"], &crew["PARENT"]), (&json!("Crew"), &json!(other.to_string())));
    assert_eq!(crew["UF_HEAD"], json!(head.to_string()), "nobody cleans up");
    office.portal.world().departments.get_mut(&sales).expect("there").active = false;
    assert_eq!(named(sales), Value::Null);
    office.portal.world().departments.remove(&other);
    assert_eq!(ids(&rows()), ["1"], "a branch without its parent is not shown");
}
