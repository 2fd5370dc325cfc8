//! `user.get` and `user.current` with their filters, visibility and odd fields (b24: transport
//! §4.2, sim quirk 24). `org` calls it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::batch::has_scope;
use super::call::Context;
use super::call::Reply;
use super::clock;
use super::org::PAGE;
use super::params::Params;
use super::people::User;
use super::people::UserKind;
use super::php;
use super::switches::NoDepartments;
use super::world::World;

/// What only `user` and `user_basic` show (b24: transport §1.13).
const CONTACTS: [&str; 2] = ["EMAIL", "WORK_PHONE"];
/// What only `user` shows.
const PRIVATE: [&str; 5] =
    ["PERSONAL_BIRTHDAY", "PERSONAL_GENDER", "LAST_LOGIN", "DATE_REGISTER", "UF_EMPLOYMENT_DATE"];

/// `user.get`: real people the caller may see, dismissed ones included.
pub fn get(context: &Context<'_>, params: &Params) -> Reply {
    let query = upper(params.values());
    // FILTER as an array replaces all filters beside it.
    let filter = match query.get("FILTER") {
        Some(Value::Object(filter)) => upper(filter),
        Some(Value::Array(_)) => Map::new(),
        _ => query.clone(),
    };
    let world = &context.world;
    let everybody = sees_everybody(context, &query, &filter);
    let mut found: Vec<&User> = world
        .users
        .values()
        .filter(|user| is_real(user.kind))
        .filter(|user| everybody || visible(world, context.user, user))
        .filter(|user| filter.iter().all(|(name, value)| passes(world, user, name, value)))
        .collect();
    sort(world, &mut found, &query);
    let total = found.len();
    let start = params.start.or_else(|| query.get("START").map(php::int)).unwrap_or(0);
    let select = selection(&query);
    // ORM style: a true offset (b24: transport §2.7).
    let from = usize::try_from(start).unwrap_or(0);
    let rows: Vec<Value> = found
        .iter()
        .skip(from)
        .take(PAGE)
        .map(|user| {
            let mut row = row(context, user);
            row.retain(|name, _| select.is_empty() || name == "ID" || select.contains(name));
            Value::Object(row)
        })
        .collect();
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    match (rows.is_empty(), start < 0) {
        // No `total` beside an empty list (sim quirks 13 and 14).
        (true, _) => Reply::page(rows, None, None),
        (false, true) => Reply::page(rows, None, Some(0)),
        (false, false) => {
            let next = (from + PAGE < total).then_some(number(from + PAGE));
            Reply::page(rows, next, Some(number(total)))
        }
    }
}

/// `user.current`: the same keys, but two dates in two other formats.
pub fn current(context: &Context<'_>) -> Value {
    let world = &context.world;
    let Some(user) = world.users.get(&context.user) else { return json!([]) };
    let mut row = row(context, user);
    let offset = world.utc_offset_minutes;
    row.insert("TIMESTAMP_X".to_owned(), json!(clock::site_time(user.registered, offset)));
    if let Some(moment) = user.last_activity {
        let text = clock::database_time(moment, offset);
        row.insert("LAST_ACTIVITY_DATE".to_owned(), json!(text));
    }
    Value::Object(row)
}

/// Bots, e-mail users, customers and replicas are never returned.
fn is_real(kind: UserKind) -> bool {
    matches!(kind, UserKind::Employee | UserKind::Extranet | UserKind::Collaber)
}

fn sees_everybody(
    context: &Context<'_>,
    query: &Map<String, Value>,
    filter: &Map<String, Value>,
) -> bool {
    let admin = context.world.users.get(&context.user).is_some_and(|user| user.admin);
    admin && (query.get("ADMIN_MODE").is_some_and(php::truth) || filter.contains_key("ID"))
}

/// An employee sees whoever has a department and members of his extranet groups; an outsider only
/// his groups and himself.
fn visible(world: &World, caller: u64, user: &User) -> bool {
    let external = world.users.get(&caller).is_some_and(User::external);
    let shared = world.share_group(caller, user.id);
    if external {
        return shared || caller == user.id;
    }
    shared || !user.departments.is_empty()
}

fn upper(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(key, value)| (key.to_uppercase(), value.clone())).collect()
}

fn selection(query: &Map<String, Value>) -> BTreeSet<String> {
    let list = query.get("SELECT").map(php::elements).unwrap_or_default();
    list.into_iter().map(|name| php::text(name).to_uppercase()).filter(|name| name != "*").collect()
}

/// `SORT` and `ORDER` are needed both, else by id.
fn sort(world: &World, found: &mut [&User], query: &Map<String, Value>) {
    let text = |name: &str| query.get(name).map(php::text).unwrap_or_default().to_uppercase();
    let (field, order) = (text("SORT"), text("ORDER"));
    if order.is_empty() || field_values(world, &User::employee("", ""), &field).is_none() {
        return;
    }
    let key = |user: &User| field_values(world, user, &field).unwrap_or_default().join(",");
    found.sort_by(|one, other| compare(&key(one), &key(other)));
    if order == "DESC" {
        found.reverse();
    }
}

/// One filter, `>=ID` and the like. An unknown field is ignored without a word.
fn passes(world: &World, user: &User, name: &str, wanted: &Value) -> bool {
    let field = name.trim_start_matches(['>', '<', '=', '!', '%', '@', '?']);
    let operator = &name[..name.len() - field.len()];
    if field == "NAME_SEARCH" {
        let full = user.full_name().to_lowercase();
        return php::text(wanted).to_lowercase().split_whitespace().all(|w| full.contains(w));
    }
    let Some(own) = field_values(world, user, field) else { return true };
    let wanted: Vec<String> =
        php::elements(wanted).into_iter().map(|value| wanted_text(field, value)).collect();
    let any = |test: &dyn Fn(&str, &str) -> bool| {
        own.iter().any(|own| wanted.iter().any(|wanted| test(own, wanted)))
    };
    let equal = |own: &str, wanted: &str| compare(own, wanted) == Ordering::Equal;
    let like = |own: &str, wanted: &str| own.to_lowercase().contains(&wanted.to_lowercase());
    match operator {
        ">" => any(&|own, wanted| compare(own, wanted) == Ordering::Greater),
        ">=" => any(&|own, wanted| compare(own, wanted) != Ordering::Less),
        "<" => any(&|own, wanted| compare(own, wanted) == Ordering::Less),
        "<=" => any(&|own, wanted| compare(own, wanted) != Ordering::Greater),
        "%" | "?" => any(&like),
        "!%" => !any(&like),
        "!" | "!=" | "!@" => !any(&equal),
        _ => any(&equal),
    }
}

/// Numbers by value, text without regard to case, as the database's collation has it.
fn compare(one: &str, other: &str) -> Ordering {
    match (one.parse::<i64>(), other.parse::<i64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        _ => one.to_lowercase().cmp(&other.to_lowercase()),
    }
}

/// `ACTIVE` and `IS_ONLINE` take `Y`, `1`, `true` and their opposites.
fn wanted_text(field: &str, value: &Value) -> String {
    let text = php::text(value);
    match field {
        "ACTIVE" | "IS_ONLINE" => {
            let yes = matches!(text.to_lowercase().as_str(), "y" | "1" | "true");
            if yes { "Y".to_owned() } else { "N".to_owned() }
        }
        _ => text,
    }
}

/// What a field holds for filters and sorting; `None` for a field that is none.
fn field_values(world: &World, user: &User, field: &str) -> Option<Vec<String>> {
    let yes = |flag: bool| if flag { "Y".to_owned() } else { "N".to_owned() };
    let one = match field {
        "ID" => user.id.to_string(),
        "ACTIVE" => yes(user.active),
        "IS_ONLINE" => yes(user.online),
        "NAME" => user.name.clone(),
        "LAST_NAME" => user.last_name.clone(),
        "SECOND_NAME" => user.second_name.clone(),
        "EMAIL" => user.email.clone(),
        "WORK_POSITION" => user.work_position.clone(),
        "PERSONAL_GENDER" => user.gender.clone(),
        "USER_TYPE" => user_type(user.kind).to_owned(),
        "XML_ID" => xml_id(user),
        "TIMESTAMP_X" | "DATE_REGISTER" => world.time_text(user.registered),
        "LAST_ACTIVITY_DATE" => user.last_activity.map(|m| world.time_text(m)).unwrap_or_default(),
        "UF_DEPARTMENT" => return Some(user.departments.iter().map(u64::to_string).collect()),
        _ => return None,
    };
    Some(vec![one])
}

fn user_type(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Employee | UserKind::Network => "employee",
        UserKind::Extranet => "extranet",
        UserKind::Collaber => "collaber",
        UserKind::Email | UserKind::Connector => "email",
        UserKind::Bot => "bot",
    }
}

fn xml_id(user: &User) -> String {
    (user.id + 5000).to_string()
}

/// A user's fields as the caller's scopes show them; null fields are left out.
fn row(context: &Context<'_>, user: &User) -> Map<String, Value> {
    let world = &context.world;
    // The time part of these dates is without meaning, their offset is the portal's.
    let day = |moment| {
        let text = world.time_text(moment);
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
        format!("{}T00:00:00{}", part(0..10), part(19..text.len()))
    };
    let object = json!({
        "ID": user.id.to_string(),
        "XML_ID": xml_id(user),
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": user.second_name,
        "EMAIL": user.email,
        "LAST_LOGIN": user.last_activity.map(|moment| world.time_text(moment)).unwrap_or_default(),
        "DATE_REGISTER": day(user.registered),
        "TIME_ZONE": "",
        "IS_ONLINE": if user.online { "Y" } else { "N" },
        // A date object of PHP without public properties.
        "TIMESTAMP_X": php::empty_object(),
        "PERSONAL_GENDER": user.gender,
        "PERSONAL_BIRTHDAY": birthday(world, user),
        "WORK_POSITION": user.work_position,
        "UF_EMPLOYMENT_DATE": "",
        "USER_TYPE": user_type(user.kind),
    });
    let Value::Object(mut row) = object else { return Map::new() };
    if user.last_activity.is_some() {
        row.insert("LAST_ACTIVITY_DATE".to_owned(), php::empty_object());
    }
    if let Some(photo) = &user.photo {
        row.insert("PERSONAL_PHOTO".to_owned(), json!(photo));
    }
    if let Some(phone) = &user.work_phone {
        row.insert("WORK_PHONE".to_owned(), json!(phone));
    }
    match world.switches.no_departments {
        NoDepartments::Absent if user.departments.is_empty() => None,
        NoDepartments::False if user.departments.is_empty() => {
            row.insert("UF_DEPARTMENT".to_owned(), json!(false))
        }
        _ => row.insert("UF_DEPARTMENT".to_owned(), json!(user.departments)),
    };
    let scoped = |scope| has_scope(world, &context.client, scope);
    if !scoped("user") {
        row.retain(|name, _| !PRIVATE.contains(&name.as_str()));
        if !scoped("user_basic") {
            row.retain(|name, _| !CONTACTS.contains(&name.as_str()));
        }
    }
    row
}

/// `""`, or ISO 8601 with a time part that means nothing.
fn birthday(world: &World, user: &User) -> String {
    let Some((day, month)) = user.birthday.split_once('-') else { return String::new() };
    let offset = world.time_text(user.registered);
    let offset = offset.get(19..).unwrap_or_default();
    format!("1990-{month}-{day}T00:00:00{offset}")
}
