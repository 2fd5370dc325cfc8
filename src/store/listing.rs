//! What the lists that people see are narrowed by, and how that stands in a query. Knows no table:
//! `review` and `inbox` say which index leads. A list is read newest first, a page at a time.

use crate::domain::ids::AgentName;
use crate::domain::ids::RowId;

/// Which rows to list, of a table whose rows are in states of the type `S`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter<S> {
    /// In this state only.
    pub state: Option<S>,
    /// Of this agent only.
    pub agent: Option<AgentName>,
    /// Older than this one.
    pub before: Option<RowId>,
    /// At most so many.
    pub limit: u32,
}

impl<S: Copy> Filter<S> {
    /// The last conditions of a query and its order; `row` is the column with the row's number. Their
    /// values are those of [`Filter::values`].
    pub(super) fn narrowed(&self, row: &str) -> String {
        let state = self.state.map_or("?1 IS NULL", |_| "state = ?1");
        let agent = self.agent.as_ref().map_or("?2 IS NULL", |_| "agent = ?2");
        format!("{state} AND {agent} AND {row} < ?3 ORDER BY {row} DESC LIMIT ?4")
    }

    /// State, agent, the row before which to begin, and the limit; `word` is a state's text form.
    pub(super) fn values(&self, word: fn(S) -> &'static str) -> impl rusqlite::Params + use<S> {
        let before = self.before.map_or(i64::MAX, |row| row.0);
        let agent = self.agent.as_ref().map(|agent| agent.as_str().to_owned());
        (self.state.map(word), agent, before, self.limit)
    }
}

/// How SQLite goes through a list with each filter there is, which must be one search: the filters
/// and the end of that line.
#[cfg(test)]
pub(super) fn searches<S: Copy>(
    states: &[S],
    word: fn(S) -> &'static str,
    query: fn(&Filter<S>) -> String,
    store: &crate::store::Store,
) -> Vec<(Filter<S>, String)> {
    let states = states.iter().copied().map(Some).chain([None]);
    let agents = [None, AgentName::parse("mira")];
    let mut searches = Vec::new();
    for (state, agent) in states.flat_map(|state| agents.clone().map(|agent| (state, agent))) {
        for before in [None, Some(RowId(9))] {
            let filter = Filter { state, agent: agent.clone(), before, limit: 50 };
            let plan = store.read(|connection| {
                let sql = format!("EXPLAIN QUERY PLAN {}", query(&filter));
                let mut statement = connection.prepare(&sql)?;
                let lines = statement.query_map(filter.values(word), |row| row.get(3))?;
                Ok(lines.collect::<rusqlite::Result<Vec<String>>>()?)
            });
            let mut plan = plan.expect("plans");
            assert!(plan.len() == 1 && plan[0].starts_with("SEARCH"), "{plan:?}");
            searches.push((filter, plan.remove(0)));
        }
    }
    searches
}
