//! `im.dialog.users.list` (b24: messenger §4.3): who takes part in a dialog, by offset or from an id
//! on. Called by the messenger's method table; the user objects are those of `org`.

use serde_json::Value;

use super::super::call::Context;
use super::super::call::Reply;
use super::super::call::RestError;
use super::super::org;
use super::super::params::Params;
use super::super::people::User;
use super::history::dialog;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;

/// Reads a page of a dialog's members, in order of ids.
///
/// # Errors
/// `DIALOG_ID_EMPTY`, `ACCESS_ERROR`.
pub fn list(context: &mut Context<'_>, params: &Params) -> Result<Reply, RestError> {
    let chat = dialog(context, params)?;
    let limit = params.int_ci("LIMIT").filter(|limit| *limit > 0).unwrap_or(LIMIT_DEFAULT);
    let limit = usize::try_from(limit.min(LIMIT_MAX)).unwrap_or(1);
    let world = &*context.world;
    let chat = world.messenger.chats.get(&chat);
    let members: Vec<&User> = chat
        .into_iter()
        .flat_map(|chat| &chat.members)
        .filter_map(|user| world.users.get(user))
        .collect();
    let objects = |page: &[&User]| -> Vec<Value> {
        page.iter().take(limit).map(|user| org::im_user(world, user)).collect()
    };
    if let Some(last) = params.int_ci("LAST_ID") {
        let last = u64::try_from(last).unwrap_or(0);
        let from = members.partition_point(|user| user.id <= last);
        // Nothing is counted in this mode.
        return Ok(Reply::page(objects(&members[from..]), None, None));
    }
    let offset = params.int_ci("OFFSET").or(params.start).unwrap_or(0);
    let from = usize::try_from(offset).unwrap_or(0).min(members.len());
    let page = objects(&members[from..]);
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let end = from + page.len();
    let next = (end < members.len()).then_some(number(end));
    Ok(Reply::page(page, next, Some(number(members.len()))))
}
