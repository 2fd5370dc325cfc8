//! Departments and accounts, as `department.get` and `user.get` list them (b24: transport §4.1,
//! §4.2): one page with the place of the next. A row that cannot be read never blocks its page.
//! Whoever is not clearly a colleague is none. Called by the list of methods.

use serde_json::Value;

use crate::base::json;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::UserId;
use crate::domain::org::Department;
use crate::domain::org::Person;
use crate::limits;

/// The one `USER_TYPE` of a colleague (b24: transport §4.2, §6 rule 25).
const COLLEAGUE_TYPE: &str = "employee";

/// One page of a classic list (b24: transport §2.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What it lists.
    pub rows: Vec<T>,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Where the next page begins; `None` on the last.
    pub next: Option<i64>,
    /// Rows of all pages, if the portal counted them.
    pub total: Option<i64>,
}

/// Somebody's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// Whether they are of the company and may log in.
    pub colleague: bool,
}

/// Reads a page of departments out of the whole answer; `None` when it is no list.
pub fn departments(answer: &Value) -> Option<Page<Department>> {
    page(answer, department)
}

/// Reads a page of accounts out of the whole answer; `None` when it is no list.
pub fn accounts(answer: &Value) -> Option<Page<Account>> {
    page(answer, account)
}

fn page<T>(answer: &Value, read: fn(&Value) -> Option<T>) -> Option<Page<T>> {
    let listed = json::list(answer.get("result")?)?;
    let rows: Vec<T> = listed.iter().filter_map(|row| read(row)).collect();
    let number = |key| answer.get(key).and_then(json::int);
    Some(Page {
        unreadable: listed.len() - rows.len(),
        rows,
        next: number("next"),
        // b24: transport §2.7: 0 means not counted as well, as does -1.
        total: number("total").filter(|total| *total > 0),
    })
}

fn positive(row: &Value, key: &str) -> Option<i64> {
    row.get(key).and_then(json::int).filter(|id| *id > 0)
}

fn department(row: &Value) -> Option<Department> {
    let id = DepartmentId(positive(row, "ID")?);
    Some(Department {
        id,
        name: shown(json::nonempty(row, "NAME").unwrap_or_default(), id.0),
        parent: positive(row, "PARENT").map(DepartmentId),
        head: positive(row, "UF_HEAD").map(UserId),
    })
}

fn account(row: &Value) -> Option<Account> {
    let id = UserId(positive(row, "ID")?);
    let departments = match row.get("UF_DEPARTMENT") {
        // `false`, `[]` and nothing at all are an account in no department.
        None | Some(Value::Null | Value::Bool(_)) => Vec::new(),
        Some(Value::Number(_) | Value::String(_)) => {
            positive(row, "UF_DEPARTMENT").into_iter().collect()
        }
        Some(several) => {
            json::list(several).unwrap_or_default().into_iter().filter_map(json::int).collect()
        }
    };
    let departments: Vec<DepartmentId> =
        departments.into_iter().filter(|id| *id > 0).map(DepartmentId).collect();
    let of_company = match row.get("USER_TYPE") {
        // Old portals do not say. There an account without a department is an outsider's.
        None | Some(Value::Null) => !departments.is_empty(),
        Some(kind) => kind.as_str() == Some(COLLEAGUE_TYPE),
    };
    let active = row.get("ACTIVE").is_some_and(json::flag);
    let person = Person { id, name: person_name(id, row), departments };
    Some(Account { person, colleague: of_company && active })
}

/// First and last name; the number of somebody who has neither.
pub fn person_name(id: UserId, person: &Value) -> String {
    let part = |key| json::nonempty(person, key).unwrap_or_default();
    shown(&format!("{} {}", part("NAME"), part("LAST_NAME")), id.0)
}

/// A name without what a terminal or a page would act on; the number of what has none.
fn shown(name: &str, id: i64) -> String {
    let kept = name.chars().filter(|c| !c.is_control()).take(limits::PERSON_NAME_CHARS_MAX);
    let name: String = kept.collect();
    match name.trim() {
        "" => format!("#{id}"),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::accounts;
    use super::departments;

    #[test]
    fn a_department_is_read_from_every_shape_the_portal_has() {
        // (row, id, name, parent, head)
        let shapes = [
            (json!({"ID": "1", "NAME": "Acme Ltd", "SORT": 500}), 1, "Acme Ltd", None, None),
            (
                json!({"ID": "15", "NAME": "R&D", "SORT": 500, "PARENT": "1", "UF_HEAD": "103"}),
                15,
                "R&D",
                Some(1),
                Some(103),
            ),
            (json!({"ID": 15, "NAME": " R\u{1b}D ", "PARENT": 1}), 15, "RD", Some(1), None),
            (json!({"ID": "7", "NAME": "", "PARENT": "0", "UF_HEAD": "0"}), 7, "#7", None, None),
            (json!({"ID": "7", "PARENT": null, "UF_HEAD": ""}), 7, "#7", None, None),
            (json!({"ID": "7", "NAME": 5, "PARENT": false, "UF_HEAD": []}), 7, "#7", None, None),
        ];
        for (row, id, name, parent, head) in shapes {
            let page = departments(&json!({ "result": [row] })).expect("a list");
            let [read] = page.rows.as_slice() else { panic!("{row}") };
            assert_eq!((read.id.0, read.name.as_str()), (id, name), "{row}");
            assert_eq!(read.parent.map(|id| id.0), parent, "{row}");
            assert_eq!(read.head.map(|id| id.0), head, "{row}");
        }
    }

    #[test]
    fn rows_without_a_number_are_counted_and_passed_over() {
        let rows = json!([{"NAME": "x"}, {"ID": "0"}, {"ID": "-4"}, {"ID": "x"}, 7, {"ID": "7"}]);
        let answer = json!({ "result": rows });
        let page = departments(&answer).expect("a list");
        assert_eq!((page.rows.len(), page.unreadable), (1, 5));
        let page = accounts(&answer).expect("a list");
        assert_eq!((page.rows.len(), page.unreadable), (1, 5));
    }

    #[test]
    fn a_page_says_where_the_next_begins() {
        let places = |answer: Value| departments(&answer).map(|page| (page.next, page.total));
        let answer = json!({"result": [], "next": 50, "total": 81});
        assert_eq!(places(answer), Some((Some(50), Some(81))));
        let answer = json!({"result": [], "next": "50", "total": "81"});
        assert_eq!(places(answer), Some((Some(50), Some(81))));
        for total in [json!(0), json!(-1), json!(null), json!(false)] {
            assert_eq!(places(json!({"result": [], "total": total})), Some((None, None)));
        }
        assert_eq!(places(json!({"result": {"0": {"ID": 1}, "2": {"ID": 3}}})), Some((None, None)));
        for none in [json!({}), json!({"result": false}), json!({"result": {"a": 1}}), json!([])] {
            assert_eq!(places(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn departments_of_a_person_are_read_from_every_shape() {
        let shapes = [
            (json!([15, 17]), vec![15, 17]),
            (json!(["15", 17, 0, "x", null, -3]), vec![15, 17]),
            (json!({"0": 15, "2": 17}), vec![15, 17]),
            (json!({"a": 15}), vec![]),
            (json!([]), vec![]),
            (json!(false), vec![]),
            (json!(null), vec![]),
            (json!(15), vec![15]),
            (json!("15"), vec![15]),
            (json!(""), vec![]),
        ];
        for (shape, expected) in shapes {
            let row = json!({"ID": "103", "ACTIVE": true, "UF_DEPARTMENT": shape});
            let page = accounts(&json!({ "result": [row] })).expect("a list");
            let read: Vec<i64> = page.rows[0].person.departments.iter().map(|id| id.0).collect();
            assert_eq!(read, expected, "{shape}");
        }
    }

    #[test]
    fn whoever_is_not_clearly_a_colleague_is_none() {
        // (fields beside the id, whether a colleague)
        let accounts_of = [
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": "employee"}), true),
            (json!({"ACTIVE": "Y", "UF_DEPARTMENT": [15], "USER_TYPE": "employee"}), true),
            (json!({"ACTIVE": true, "USER_TYPE": "employee"}), true),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15]}), true),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": null}), true),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": []}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": false}), false),
            (json!({"ACTIVE": true}), false),
            (json!({"ACTIVE": false, "UF_DEPARTMENT": [15], "USER_TYPE": "employee"}), false),
            (json!({"ACTIVE": "N", "UF_DEPARTMENT": [15], "USER_TYPE": "employee"}), false),
            (json!({"UF_DEPARTMENT": [15], "USER_TYPE": "employee"}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": "extranet"}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": "collaber"}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": "bot"}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": "something"}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": ""}), false),
            (json!({"ACTIVE": true, "UF_DEPARTMENT": [15], "USER_TYPE": 1}), false),
        ];
        for (mut row, colleague) in accounts_of {
            row["ID"] = json!("103");
            let page = accounts(&json!({ "result": [row] })).expect("a list");
            assert_eq!(page.rows[0].colleague, colleague, "{row}");
        }
    }

    #[test]
    fn dates_that_are_objects_and_missing_names_harm_nothing() {
        let row = json!({"ID": 103, "ACTIVE": true, "NAME": null, "LAST_NAME": "Byron",
            "TIMESTAMP_X": {}, "LAST_ACTIVITY_DATE": {}, "PERSONAL_BIRTHDAY": "", "NEW": [[]]});
        let page = accounts(&json!({ "result": [row] })).expect("a list");
        assert_eq!(page.rows[0].person.name, "Byron");
    }
}
