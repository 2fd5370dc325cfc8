//! What the lists of the control listener have in common: what a query may narrow them by, and how a
//! long one is read in pages. Knows no table; `deliveries` and `inbound` read theirs with it.

use serde_json::Value;

use crate::api::problem::Problem;
use crate::base::clock::UnixMs;
use crate::domain::ids::AgentName;
use crate::domain::ids::RowId;
use crate::http::Request;
use crate::limits;

/// The part of a list that a query asks for.
pub(super) struct Page {
    /// Of this agent only.
    pub agent: Option<AgentName>,
    /// Older than this one.
    pub before: Option<RowId>,
    /// One more than is shown: it tells whether there are more.
    pub limit: u32,
}

/// A value of the query; an empty one is none.
pub(super) fn asked(request: &Request, name: &str) -> Option<String> {
    request.query_value(name).filter(|value| !value.is_empty())
}

/// Reads `agent`, `before` and `limit`. `agents` are those that exist.
pub(super) fn page(agents: &[AgentName], request: &Request) -> Result<Page, Problem> {
    let agent = asked(request, "agent").map(|name| {
        let known = agents.iter().find(|agent| agent.as_str() == name);
        known.cloned().ok_or_else(|| Problem::invalid("agent: no agent has this name"))
    });
    let before = asked(request, "before").map(|text| match text.parse() {
        Ok(row) if row > 0 => Ok(RowId(row)),
        _ => Err(Problem::invalid("before: the number that another list gave as next")),
    });
    let limit = asked(request, "limit").map(|text| match text.parse() {
        Ok(limit) if (1..=limits::LISTED_MAX).contains(&limit) => Ok(limit),
        _ => Err(Problem::invalid(format!("limit: a number from 1 to {}", limits::LISTED_MAX))),
    });
    Ok(Page {
        agent: agent.transpose()?,
        before: before.transpose()?,
        limit: limit.transpose()?.unwrap_or(limits::LISTED) + 1,
    })
}

/// Takes the one too many off, and gives the `before` of the next page if there is one.
pub(super) fn next<T>(found: &mut Vec<T>, limit: u32, row: impl Fn(&T) -> RowId) -> Option<i64> {
    let more = found.len() >= limit as usize;
    if more {
        found.pop();
    }
    found.last().filter(|_| more).map(|last| row(last).0)
}

/// A time as JSON.
pub(super) fn time(at: Option<UnixMs>) -> Value {
    at.map_or(Value::Null, |at| Value::String(at.to_string()))
}
