//! REST methods about the caller, the application and the company's structure: `profile`, `scope`,
//! `app.info`, `server.time`, `method.get`, `department.get`, `im.user.*` (b24: transport §1.11,
//! §4.1, §4.3). `user.get` and `user.current` are in `users`. `methods` calls it.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::auth;
use super::batch::has_scope;
use super::call::Client;
use super::call::Context;
use super::call::Reply;
use super::call::RestError;
use super::call::Scopes;
use super::methods;
use super::params::Params;
use super::people::Department;
use super::people::User;
use super::people::UserKind;
use super::php;
use super::users;
use super::world::World;

/// Every scope the model knows of.
const ALL_SCOPES: [&str; 7] =
    ["department", "disk", "im", "imbot", "user", "user_basic", "user_brief"];

/// Any of these opens `user.*` (b24: transport §1.13).
const USER_SCOPES: Scopes = &["user", "user_basic", "user_brief"];

/// What a method of this file needs; `None` = not of this file.
pub fn scopes(method: &str) -> Option<Scopes> {
    match method {
        "profile" | "scope" | "app.info" | "server.time" | "method.get" => Some(&[]),
        "user.current" | "user.get" => Some(USER_SCOPES),
        "department.get" => Some(&["department"]),
        "im.user.get" | "im.user.list.get" => Some(&["im"]),
        _ => None,
    }
}

/// Runs a method for which [`scopes`] is not `None`.
///
/// # Errors
/// The portal's refusals.
pub fn call(context: &mut Context<'_>, method: &str, params: &Params) -> Result<Reply, RestError> {
    match method {
        "profile" => Ok(profile(context).into()),
        "scope" => Ok(scope(context, params).into()),
        "app.info" => Ok(app_info(context).into()),
        "server.time" => Ok(json!(context.world.time_text(context.now)).into()),
        "method.get" => Ok(method_get(context, params).into()),
        "user.current" => Ok(users::current(context).into()),
        "user.get" => Ok(users::get(context, params)),
        "department.get" => Ok(department_get(context, params)),
        "im.user.get" => im_user_get(context, params).map(Reply::from),
        "im.user.list.get" => im_user_list(context, params).map(Reply::from),
        _ => Err(RestError::method_not_found()),
    }
}

/// `[]` for an inactive user, as the source has it (b24: transport §1.11).
fn profile(context: &Context<'_>) -> Value {
    let Some(user) = context.world.users.get(&context.user).filter(|user| user.active) else {
        return json!([]);
    };
    let mut answer = json!({
        "ID": user.id.to_string(),
        "ADMIN": user.admin,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": user.gender,
        "TIME_ZONE": "",
        "TIME_ZONE_OFFSET": context.world.utc_offset_minutes * 60,
    });
    if let Some(photo) = &user.photo {
        answer["PERSONAL_PHOTO"] = json!(photo);
    }
    answer
}

fn scope(context: &Context<'_>, params: &Params) -> Value {
    if params.get_ci("full").is_some_and(php::truth) {
        return json!(ALL_SCOPES);
    }
    json!(granted_scopes(context.world, &context.client))
}

fn granted_scopes<'a>(world: &'a World, client: &Client) -> Vec<&'a String> {
    let scopes: Option<&BTreeSet<String>> = match client {
        Client::App(client_id) => world.apps.get(client_id).map(|app| &app.scopes),
        Client::Webhook(id) => world.webhooks.get(id).map(|hook| &hook.scopes),
    };
    scopes.map(|scopes| scopes.iter().collect()).unwrap_or_default()
}

fn app_info(context: &Context<'_>) -> Value {
    let world = &context.world;
    let licence = &world.switches.licence;
    let Client::App(client_id) = &context.client else {
        // A webhook has no application: only these two (b24: transport §1.11).
        let scopes = granted_scopes(world, &context.client);
        return json!({ "SCOPE": scopes, "LICENSE": licence });
    };
    let mut answer = json!({
        "ID": world.apps.get(client_id).map(|app| app.id),
        "CODE": client_id,
        "VERSION": 1,
        "STATUS": "L",
        "INSTALLED": world.apps.get(client_id).is_some_and(|app| app.installed),
        "PAYMENT_EXPIRED": "N",
        "DAYS": null,
        "LANGUAGE_ID": "en",
        "LICENSE": licence,
    });
    if world.cloud {
        let kind = licence.split_once('_').map_or(licence.as_str(), |(_, kind)| kind);
        answer["LICENSE_TYPE"] = json!(kind);
        answer["LICENSE_FAMILY"] = json!(kind.trim_end_matches(|c: char| c.is_ascii_digit()));
    }
    answer
}

fn method_get(context: &Context<'_>, params: &Params) -> Value {
    let name = params.text_ci("name").to_ascii_lowercase();
    let scopes = methods::scopes(context.world, &name);
    let available = scopes.is_some_and(|scopes| {
        auth::granted(scopes, |scope| has_scope(context.world, &context.client, scope))
    });
    json!({ "isExisting": scopes.is_some(), "isAvailable": available })
}

// ---- departments ----------------------------------------------------------------------------

/// Page size of all classic lists (b24: transport §2.7).
pub const PAGE: usize = 50;

/// `department.get` (b24: transport §4.1, sim quirks 14 and 23).
fn department_get(context: &Context<'_>, params: &Params) -> Reply {
    let world = &context.world;
    let external = world.users.get(&context.user).is_some_and(User::external);
    let mut found: Vec<&Department> = if external { Vec::new() } else { tree_order(world) };
    let filter = match params.get("FILTER") {
        Some(Value::Object(filter)) => filter,
        _ => params.values(),
    };
    found.retain(|department| matches(department, filter));
    sort_departments(&mut found, params);
    let total = found.len();
    let start = params.start.or_else(|| params.int_ci("START")).unwrap_or(0);
    let rows = |from: usize| {
        let page = found.iter().skip(from).take(PAGE);
        page.map(|department| department_row(world, department)).collect::<Vec<_>>()
    };
    if start < 0 {
        return Reply::page(rows(0), None, Some(0));
    }
    // CDBResult: whole pages only, and a page beyond the end is page 1 again (sim quirk 14).
    let page = usize::try_from(start).unwrap_or(0) / PAGE;
    let from = if page * PAGE >= total { 0 } else { page * PAGE };
    let next = (from + PAGE < total).then_some(from + PAGE);
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Reply::page(rows(from), next.map(number), Some(number(total)))
}

/// Active departments below active ones, parents before children: the order of the left margin.
fn tree_order(world: &World) -> Vec<&Department> {
    let mut order: Vec<&Department> = Vec::new();
    let mut open: Vec<&Department> =
        world.departments.values().filter(|d| d.parent.is_none()).collect();
    let mut seen = BTreeSet::new();
    while let Some(department) = open.pop() {
        if !department.active || !seen.insert(department.id) {
            continue;
        }
        order.push(department);
        let children = world.departments.values().filter(|d| d.parent == Some(department.id));
        let mut children: Vec<&Department> = children.collect();
        children.sort_by_key(|d| std::cmp::Reverse((d.sort, d.id)));
        open.extend(children);
    }
    order
}

/// Only these names filter, and only in capitals; everything else is ignored, so that a filter in
/// small letters gives the whole list.
fn matches(department: &Department, filter: &Map<String, Value>) -> bool {
    let number = |value: &Value, own: u64| {
        php::elements(value).iter().any(|one| php::int(one) == i64::try_from(own).unwrap_or(-1))
    };
    filter.iter().all(|(name, value)| match name.as_str() {
        "ID" => number(value, department.id),
        "NAME" => php::elements(value).iter().any(|one| php::text(one) == department.name),
        // The double role: SORT="NAME" also asks for departments whose sort is int("NAME") = 0.
        "SORT" => php::int(value) == department.sort,
        "PARENT" => number(value, department.parent.unwrap_or(0)),
        "UF_HEAD" => number(value, department.head.unwrap_or(0)),
        _ => true,
    })
}

fn sort_departments(found: &mut [&Department], params: &Params) {
    let field = params.text_ci("sort").to_ascii_uppercase();
    match field.as_str() {
        "ID" => found.sort_by_key(|d| d.id),
        "NAME" => found.sort_by(|one, other| one.name.cmp(&other.name)),
        "SORT" => found.sort_by_key(|d| d.sort),
        "PARENT" => found.sort_by_key(|d| d.parent),
        "UF_HEAD" => found.sort_by_key(|d| d.head),
        _ => return,
    }
    if params.text_ci("order").eq_ignore_ascii_case("desc") {
        found.reverse();
    }
}

fn department_row(world: &World, department: &Department) -> Value {
    let mut row = json!({
        "ID": department.id.to_string(),
        "NAME": department.name,
        "SORT": department.sort,
    });
    if let Some(parent) = department.parent {
        row["PARENT"] = json!(parent.to_string());
    }
    match department.head {
        Some(head) => row["UF_HEAD"] = json!(head.to_string()),
        None if world.switches.zero_head => row["UF_HEAD"] = json!("0"),
        None => {}
    }
    row
}

// ---- im.user.* ------------------------------------------------------------------------------

fn im_user_get(context: &Context<'_>, params: &Params) -> Result<Value, RestError> {
    let id = match params.int_ci("ID") {
        None => context.user,
        Some(id) => match u64::try_from(id) {
            Ok(id) if id > 0 => id,
            _ => return Err(RestError::bad("ID_EMPTY", "User ID can't be empty")),
        },
    };
    let world = &context.world;
    let Some(user) = world.users.get(&id) else {
        let docs = world.switches.docs_texts;
        let text = if docs { "User does not exist" } else { "User is not exists" };
        return Err(RestError::bad("USER_NOT_EXISTS", text));
    };
    if !im_visible(world, context.user, id) {
        return Err(RestError::bad("ACCESS_DENIED", "You don't have access to this user"));
    }
    Ok(im_user(world, user))
}

/// `im.user.list.get`: an object keyed by id with `null` for unknown ones, a list on demand, `[]`
/// for nothing (b24: transport §4.3, messenger §4.3, sim quirk 25).
fn im_user_list(context: &Context<'_>, params: &Params) -> Result<Value, RestError> {
    let world = &context.world;
    let ids = params.get_ci("ID").map(php::elements).unwrap_or_default();
    let ids = ids.into_iter().filter_map(|id| u64::try_from(php::int(id)).ok());
    let ids: Vec<u64> = ids.filter(|id| *id > 0).collect();
    if ids.is_empty() && !world.switches.lenient_user_list {
        let text = "A wrong format for the ID field is passed";
        return Err(RestError::bad("INVALID_FORMAT", text));
    }
    let found = ids.into_iter().map(|id| {
        let user = world.users.get(&id).filter(|_| im_visible(world, context.user, id));
        (id.to_string(), user.map_or(Value::Null, |user| im_user(world, user)))
    });
    let keyed: Map<String, Value> = found.collect();
    if params.text_ci("RESULT_TYPE").eq_ignore_ascii_case("array") {
        let users = keyed.into_iter().map(|(_, user)| user);
        return Ok(users.filter(|user| !user.is_null()).collect());
    }
    Ok(Value::Object(keyed))
}

/// Outsiders see only themselves and members of their groups.
fn im_visible(world: &World, caller: u64, user: u64) -> bool {
    let external = world.users.get(&caller).is_some_and(User::external);
    !external || caller == user || world.share_group(caller, user)
}

/// The classic user object of the messenger: small letters, ints, `false` for missing dates
/// (b24: transport §4.3, messenger §4.4).
pub fn im_user(world: &World, user: &User) -> Value {
    let date = |moment| match moment {
        Some(moment) => json!(world.time_text(moment)),
        None => json!(false),
    };
    let phones = match &user.work_phone {
        Some(phone) => json!({ "work_phone": phone }),
        None => json!(false),
    };
    let mut object = json!({
        "id": user.id,
        "active": user.active,
        "name": user.full_name(),
        "first_name": user.name,
        "last_name": user.last_name,
        "work_position": user.work_position,
        "color": color(user.id),
        "avatar": user.photo.clone().unwrap_or_default(),
        "avatar_hr": user.photo.clone().unwrap_or_default(),
        "gender": if user.gender == "F" { "F" } else { "M" },
        "birthday": user.birthday,
        "extranet": matches!(user.kind, UserKind::Extranet | UserKind::Collaber),
        "network": user.kind == UserKind::Network,
        "bot": user.kind == UserKind::Bot,
        "connector": user.kind == UserKind::Connector,
        "external_auth_id": external_auth_id(user.kind),
        "status": if user.online { "online" } else { "offline" },
        "idle": false,
        "last_activity_date": date(user.last_activity),
        "mobile_last_date": false,
        "desktop_last_date": false,
        "absent": false,
        "departments": user.departments,
        "phones": phones,
    });
    if !world.switches.old_im_user {
        object["bot_data"] = match user.kind {
            UserKind::Bot => {
                json!({"code": "bot", "type": "bot", "app_id": "", "is_hidden": false})
            }
            _ => Value::Null,
        };
        object["type"] = json!(im_type(user.kind));
        object["website"] = json!("");
        object["email"] = json!(user.email);
    }
    object
}

/// The messenger's word for a kind of account (b24: messenger §3.4).
pub fn im_type(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Employee | UserKind::Email | UserKind::Network => "user",
        UserKind::Extranet => "extranet",
        UserKind::Collaber => "collaber",
        UserKind::Connector => "guest",
        UserKind::Bot => "bot",
    }
}

/// How an account of this kind logs in, as the messenger shows it.
pub fn external_auth_id(kind: UserKind) -> &'static str {
    match kind {
        UserKind::Employee | UserKind::Extranet | UserKind::Collaber => "default",
        UserKind::Email => "email",
        UserKind::Connector => "imconnector",
        UserKind::Network => "replica",
        UserKind::Bot => "bot",
    }
}

/// The color a user has in chats.
pub fn color(user: u64) -> &'static str {
    const COLORS: [&str; 6] = ["#df532d", "#64a513", "#4ba984", "#4ba5c3", "#3e99ce", "#8474c8"];
    COLORS[usize::try_from(user % 6).unwrap_or(0)]
}
