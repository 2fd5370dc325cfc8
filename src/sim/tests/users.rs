//! `user.get` and `user.current` (sim quirks 13, 14, 24).

use serde_json::Value;
use serde_json::json;

use super::Office;
use crate::base::clock::UnixMs;
use crate::sim::User;
use crate::sim::UserKind;
use crate::sim::switches::NoDepartments;

fn ids(office: &Office, params: Value) -> Vec<u64> {
    ids_as(office, &office.token, params)
}

fn ids_as(office: &Office, token: &str, params: Value) -> Vec<u64> {
    let list = office.call_with(token, "user.get", params).result();
    let list = list.as_array().cloned().unwrap_or_default();
    list.iter().filter_map(|row| row["ID"].as_str()?.parse().ok()).collect()
}

#[test]
fn fields_have_the_odd_types_of_the_portal() {
    let office = Office::open();
    if let Some(user) = office.portal.world().users.get_mut(&101) {
        user.last_activity = Some(UnixMs(1_709_208_000_000));
        user.birthday = "10-12".to_owned();
    }
    let answer = office.call("user.get", json!({"ID": 101}));
    assert!(answer.body.contains("\"TIMESTAMP_X\":{}"), "{}", answer.body);
    let user = answer.result()[0].clone();
    assert_eq!(user["ID"], json!("101"));
    assert_eq!(user["ACTIVE"], json!(true));
    assert_eq!(user["IS_ONLINE"], json!("N"));
    assert_eq!(user["UF_DEPARTMENT"], json!([1]));
    assert_eq!(user["LAST_ACTIVITY_DATE"], json!({}));
    assert_eq!(user["UF_EMPLOYMENT_DATE"], json!(""));
    assert_eq!(user["PERSONAL_BIRTHDAY"], json!("1990-12-10T00:00:00+03:00"));
    assert_eq!(user["DATE_REGISTER"], json!("2024-02-10T00:00:00+03:00"));
    assert_eq!(user["USER_TYPE"], json!("employee"));
    assert_eq!(user.get("PERSONAL_PHOTO"), None, "null fields are left out");
    // user.current writes the same two dates as text, in two formats.
    let me = office.call("user.current", json!({})).result();
    assert_eq!(me["LAST_ACTIVITY_DATE"], json!("2024-02-29 15:00:00"));
    assert_eq!(me["TIMESTAMP_X"], json!("10.02.2024 03:00:00"));
}

#[test]
fn smaller_scopes_show_fewer_fields() {
    let office = Office::open();
    let keys = |scope: &str| {
        if let Some(app) = office.portal.world().apps.get_mut(&office.client_id) {
            app.scopes = [scope.to_owned()].into();
        }
        let user = office.call("user.current", json!({})).result();
        (user.get("EMAIL").is_some(), user.get("DATE_REGISTER").is_some(), user["ID"].clone())
    };
    assert_eq!(keys("user"), (true, true, json!("101")));
    assert_eq!(keys("user_basic"), (true, false, json!("101")));
    assert_eq!(keys("user_brief"), (false, false, json!("101")));
}

#[test]
fn bots_and_other_strangers_are_never_returned() {
    let office = Office::open();
    for kind in [UserKind::Bot, UserKind::Email, UserKind::Connector, UserKind::Network] {
        office.portal.add_user(User::of_kind(kind, "No", "Body").in_departments(&[1]));
    }
    assert_eq!(ids(&office, json!({})), [101]);
}

#[test]
fn who_sees_whom_depends_on_the_caller() {
    let office = Office::open();
    let add = |user| office.portal.add_user(user);
    let bob = add(User::employee("Bob", "B").in_departments(&[1]).in_groups(&[7]));
    let loose = add(User::employee("Lou", "Loose"));
    let guest = add(User::of_kind(UserKind::Extranet, "Guy", "Est").in_groups(&[7]));
    let far = add(User::of_kind(UserKind::Collaber, "Far", "Off").in_groups(&[8]));
    let admin = add(User::employee("Root", "R").in_departments(&[1]).administrator());
    assert_eq!(ids(&office, json!({})), [101, bob, admin], "whoever has a department");
    let as_user = |user, params| ids_as(&office, &office.token_of(user), params);
    assert_eq!(as_user(bob, json!({})), [101, bob, guest, admin], "and his groups' members");
    assert_eq!(as_user(guest, json!({})), [bob, guest], "an outsider his groups only");
    assert_eq!(as_user(far, json!({})), [far]);
    let everybody = [101, bob, loose, guest, far, admin];
    assert_eq!(as_user(admin, json!({"ADMIN_MODE": true})), everybody);
    assert_eq!(as_user(admin, json!({})), [101, bob, admin]);
    assert_eq!(as_user(admin, json!({"ID": loose})), [loose]);
    assert_eq!(ids(&office, json!({"ID": loose})), [0_u64; 0]);
}

#[test]
fn filters_take_any_case_operators_and_ignore_unknown_fields() {
    let office = Office::open();
    let bob = office.portal.add_user(User::employee("Bob", "Bauer").in_departments(&[1, 15]));
    let eve = office.portal.add_user(User::employee("Eve", "Adams").in_departments(&[15]));
    office.portal.dismiss(eve);
    let rows = [
        (json!({}), vec![101, bob, eve]),
        (json!({"active": true}), vec![101, bob]),
        (json!({"FILTER": {"ACTIVE": "N"}}), vec![eve]),
        (json!({"name": "bob"}), vec![bob]),
        (json!({"ID": [101, "103"]}), vec![101, eve]),
        (json!({">ID": 101}), vec![bob, eve]),
        (json!({"filter": {"!ID": 101, "<ID": eve}}), vec![bob]),
        (json!({"%LAST_NAME": "a"}), vec![bob, eve]),
        (json!({"UF_DEPARTMENT": 15}), vec![bob, eve]),
        (json!({"NAME_SEARCH": "bau bo"}), vec![bob]),
        (json!({"NICKNAME": "x"}), vec![101, bob, eve]),
        // FILTER as an array replaces the filters beside it.
        (json!({"ID": 101, "FILTER": {"NAME": "Bob"}}), vec![bob]),
        (json!({"SORT": "LAST_NAME", "ORDER": "ASC"}), vec![eve, bob, 101]),
        (json!({"SORT": "LAST_NAME"}), vec![101, bob, eve]),
    ];
    for (params, expected) in rows {
        assert_eq!(ids(&office, params.clone()), expected, "{params}");
    }
    let selected = office.call("user.get", json!({"ID": bob, "SELECT": ["NAME"]})).result();
    assert_eq!(selected[0], json!({"ID": bob.to_string(), "NAME": "Bob"}));
}

#[test]
fn pages_use_a_true_offset_and_lose_total_beyond_the_end() {
    let office = Office::open();
    for n in 0..59 {
        office.portal.add_user(User::employee(&format!("N{n}"), "X").in_departments(&[1]));
    }
    let page = |start: i64| {
        let body = office.call("user.get", json!({"start": start})).json();
        let count = body["result"].as_array().map(Vec::len).unwrap_or_default();
        (count, body.get("next").cloned(), body.get("total").cloned())
    };
    assert_eq!(page(0), (50, Some(json!(50)), Some(json!(60))));
    assert_eq!(page(7), (50, Some(json!(57)), Some(json!(60))));
    assert_eq!(page(50), (10, None, Some(json!(60))));
    assert_eq!(page(60), (0, None, None));
    assert_eq!(page(-1), (50, None, Some(json!(0))));
    let none = office.call("user.get", json!({"NAME": "Nobody"})).json();
    assert_eq!((&none["result"], none.get("total")), (&json!([]), None));
}

#[test]
fn user_without_departments_shows_it_in_three_ways() {
    let office = Office::open();
    let guest = office.portal.add_user(User::of_kind(UserKind::Extranet, "Guy", "Est"));
    let token = office.token_of(guest);
    let shown = |switch| {
        office.portal.world().switches.no_departments = switch;
        let user = office.call_with(&token, "user.current", json!({})).result();
        user.get("UF_DEPARTMENT").cloned()
    };
    assert_eq!(shown(NoDepartments::EmptyList), Some(json!([])));
    assert_eq!(shown(NoDepartments::False), Some(json!(false)));
    assert_eq!(shown(NoDepartments::Absent), None);
}

#[test]
fn changes_of_people_show_at_the_next_look() {
    let office = Office::open();
    let sales = office.portal.add_department("Sales", None);
    let team = office.portal.add_department("Team", Some(sales));
    let bob = office.portal.add_user(User::employee("Bob", "Bauer").in_departments(&[sales]));
    let row = |id: u64| office.call("user.get", json!({"ID": id})).result()[0].clone();
    let classic = |id: u64| office.call("im.user.get", json!({"ID": id})).result();
    let change = |id: u64, change: fn(&mut User, u64)| {
        change(office.portal.world().users.get_mut(&id).expect("there"), team);
    };
    change(bob, |user, team| {
        user.departments = vec![team, 1];
        user.last_name = "Maurer".to_owned();
    });
    assert_eq!(row(bob)["UF_DEPARTMENT"], json!([team, 1]), "moved");
    assert_eq!(classic(bob)["departments"], json!([team, 1]));
    assert_eq!(
        (&row(bob)["LAST_NAME"], &classic(bob)["name"]),
        (&json!("Maurer"), &json!("Bob Maurer"))
    );
    office.portal.dismiss(bob);
    assert_eq!((&row(bob)["ACTIVE"], &classic(bob)["active"]), (&json!(false), &json!(false)));
    for active in [json!(true), json!("Y"), json!(1), json!("true")] {
        assert_eq!(ids(&office, json!({"FILTER": {"ACTIVE": active}})), [101], "{active}");
    }
    assert_eq!(ids(&office, json!({"FILTER": {"ID": [bob, 101], "ACTIVE": false}})), [bob]);
    change(bob, |user, _| user.active = true);
    // A department that vanished goes on standing with its people; those without any are not seen.
    office.portal.world().departments.remove(&team);
    assert_eq!(row(bob)["UF_DEPARTMENT"], json!([team, 1]));
    change(bob, |user, _| user.departments.clear());
    assert_eq!(ids(&office, json!({})), [101]);
    change(bob, |user, _| user.kind = UserKind::Bot);
    assert_eq!((ids(&office, json!({"ID": bob})), &classic(bob)["bot"]), (vec![], &json!(true)));
}

#[test]
fn outsiders_say_so_in_their_type() {
    let office = Office::open();
    for kind in [UserKind::Extranet, UserKind::Collaber] {
        let guest = office.portal.add_user(User::of_kind(kind, "Guy", "Est").in_groups(&[7]));
        let token = office.token_of(guest);
        let rows = office.call_with(&token, "user.get", json!({"ID": guest})).result();
        let word = if kind == UserKind::Extranet { "extranet" } else { "collaber" };
        assert_eq!(rows[0]["USER_TYPE"], json!(word));
        assert_eq!(ids_as(&office, &token, json!({"USER_TYPE": "employee"})), [0_u64; 0]);
    }
    assert_eq!(ids(&office, json!({"USER_TYPE": "employee"})), [101]);
}
