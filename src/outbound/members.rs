//! Who takes part in a dialog, as the portal lists them, remembered for a while. Called by `plan` for
//! names and by `permit` for who may.

use std::sync::Arc;

use crate::bitrix::methods;
use crate::bitrix::methods::Member;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::DialogId;
use crate::limits;
use crate::outbound::Shared;

/// Members of a dialog.
#[derive(Clone)]
pub(super) struct Members {
    /// Those that were listed.
    pub listed: Arc<Vec<Member>>,
    /// Whether that is everybody, and not only as many as are asked for.
    pub whole: bool,
}

/// The members of a dialog.
///
/// # Errors
/// The portal did not tell.
pub(super) fn of(shared: &Shared, agent: &AgentName, dialog: DialogId) -> Result<Members, Failure> {
    let key = (agent.clone(), dialog);
    if let Some(known) = shared.members.get(&key) {
        return Ok(known);
    }
    let (mut listed, mut whole, page) = (Vec::new(), false, limits::MEMBERS_PAGE);
    for number in 0..limits::MEMBERS_PAGES_MAX {
        let found =
            shared.registry.call(agent, &methods::dialog_members(dialog, number * page, page))?;
        whole = found.len() < page;
        listed.extend(found);
        if whole {
            break;
        }
    }
    let members = Members { listed: Arc::new(listed), whole };
    shared.members.keep(key, members.clone());
    Ok(members)
}
