//! The methods that tell who works at the company, and where (b24: transport §4). Part of the list
//! in `methods`; called by `directory`.
//!
//! `SELECT` is left out on purpose: old portals ignore it, and of a new one nobody has shown that it
//! keeps the two fields that decide, which are computed.

use serde_json::Value;
use serde_json::json;

use crate::bitrix::client::Call;
use crate::bitrix::client::Lane;
use crate::bitrix::wire::people;
pub use crate::bitrix::wire::people::Account;
pub use crate::bitrix::wire::people::Page;
use crate::domain::ids::UserId;
use crate::domain::org::Department;

/// Lists the departments.
pub const DEPARTMENTS: &str = "department.get";
/// Lists accounts of people.
pub const ACCOUNTS: &str = "user.get";

/// A page of the departments, from a place on (b24: transport §4.1).
pub fn departments(start: i64) -> Call<Page<Department>> {
    list(DEPARTMENTS, Lane::Upkeep, json!({ "start": start }), people::departments)
}

/// A page of the accounts that may log in, from a place on (b24: transport §4.2).
pub fn active_accounts(start: i64) -> Call<Page<Account>> {
    let fields = json!({ "FILTER": { "ACTIVE": true }, "start": start });
    list(ACCOUNTS, Lane::Upkeep, fields, people::accounts)
}

/// These accounts, at most a page of them; who does not exist or may not be seen is left out. Events
/// wait for it, hence their lane.
pub fn accounts(ids: &[UserId]) -> Call<Page<Account>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let fields = json!({ "FILTER": { "ID": ids }, "start": 0 });
    list(ACCOUNTS, Lane::Poll, fields, people::accounts)
}

fn list<T>(
    method: &'static str,
    lane: Lane,
    fields: Value,
    read: fn(&Value) -> Option<T>,
) -> Call<T> {
    Call { method, params: super::params(fields), writes: false, lane, read, file: None }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use crate::domain::ids::UserId;

    #[test]
    fn filters_have_their_documented_names() {
        let departments = super::departments(50);
        assert_eq!(Value::Object(departments.params.clone()), json!({ "start": 50 }));
        assert!(departments.pages() && !departments.writes);
        let active = super::active_accounts(0);
        let expected = json!({ "FILTER": { "ACTIVE": true }, "start": 0 });
        assert_eq!(Value::Object(active.params), expected);
        let some = super::accounts(&[UserId(12), UserId(57)]);
        let expected = json!({ "FILTER": { "ID": [12, 57] }, "start": 0 });
        assert_eq!(Value::Object(some.params), expected);
    }
}
