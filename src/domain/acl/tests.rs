//! Tables of the department rule: every reason, and the structures that portals really have.

use std::collections::BTreeSet;

use super::Allowed;
use super::Because;
use super::Decision;
use super::Rule;
use super::decide;
use super::parse_departments;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::UserId;
use crate::domain::org::Department;
use crate::domain::org::Org;
use crate::domain::org::Person;

const AGENT: i64 = 57;

/// The company (1), its sales (2) with north (4) and south (5), and its accounting (3).
fn company() -> Org {
    let department = |id, parent: Option<i64>, head: Option<i64>| Department {
        id: DepartmentId(id),
        name: format!("d{id}"),
        parent: parent.map(DepartmentId),
        head: head.map(UserId),
    };
    let person = |id, departments: &[i64]| Person {
        id: UserId(id),
        name: format!("p{id}"),
        departments: departments.iter().copied().map(DepartmentId).collect(),
    };
    Org::new(
        [
            department(1, None, Some(10)),
            department(2, Some(1), Some(20)),
            department(3, Some(1), Some(30)),
            department(4, Some(2), Some(40)),
            department(5, Some(2), None),
            // Its parent is switched off and not listed.
            department(8, Some(77), None),
        ],
        [
            person(AGENT, &[2]),
            person(10, &[1]),
            person(12, &[2]),
            person(20, &[3]),
            person(30, &[3]),
            person(41, &[4]),
            person(45, &[4, 3]),
            person(80, &[8]),
            person(90, &[]),
            // In a department that is not listed any more.
            person(99, &[66]),
        ],
    )
}

fn rule(allowed: &str, denied: &str) -> Rule {
    Rule {
        allowed: Allowed::parse(allowed).expect("reads"),
        denied: parse_departments(denied).expect("reads"),
    }
}

fn asked(rule: &Rule, person: i64) -> Decision {
    decide(&company(), rule, UserId(AGENT), UserId(person))
}

const fn department(id: i64) -> DepartmentId {
    DepartmentId(id)
}

#[test]
fn own_is_the_own_department_all_below_and_the_heads_above() {
    let own = rule("own", "");
    let cases = [
        (12, true, Because::OwnDepartment(department(2))),
        (41, true, Because::OwnDepartment(department(4))),
        (45, true, Because::OwnDepartment(department(4))),
        (10, true, Because::HeadAbove(department(1))),
        // Heads the agent's department and sits elsewhere.
        (20, true, Because::HeadAbove(department(2))),
        // Heads a department beside it.
        (30, false, Because::Outside),
        (80, false, Because::Outside),
        (90, false, Because::Outside),
        (99, false, Because::Outside),
        (1000, false, Because::UnknownPerson),
    ];
    for (person, allowed, because) in cases {
        assert_eq!(asked(&own, person), Decision { allowed, because }, "{person}");
    }
}

#[test]
fn listed_departments_come_with_all_below_and_without_heads() {
    let listed = rule("3,4", "");
    assert_eq!(asked(&listed, 41), Decision::yes(Because::Listed(department(4))));
    assert_eq!(asked(&listed, 20), Decision::yes(Because::Listed(department(3))));
    assert_eq!(asked(&listed, 12), Decision::no(Because::Outside));
    assert_eq!(asked(&rule("1", ""), 41), Decision::yes(Because::Listed(department(4))));
    // A department that is not listed by the portal is still somebody's.
    assert_eq!(asked(&rule("66", ""), 99), Decision::yes(Because::Listed(department(66))));
    assert_eq!(asked(&rule("77", ""), 80), Decision::no(Because::Outside));
}

#[test]
fn a_denial_wins_over_everything_also_for_one_department_of_several() {
    for allowed in ["own", "all", "1", "3,4"] {
        let denied = rule(allowed, "3");
        assert_eq!(asked(&denied, 45), Decision::no(Because::Denied(department(3))), "{allowed}");
    }
    assert_eq!(asked(&rule("own", "1"), 12), Decision::no(Because::Denied(department(2))));
    assert_eq!(asked(&rule("all", "3"), 12), Decision::yes(Because::All));
}

#[test]
fn all_needs_no_structure_until_somebody_is_denied() {
    let nobody = Org::default();
    let ask = |rule: &Rule| decide(&nobody, rule, UserId(AGENT), UserId(12));
    assert!(!rule("all", "").needs_structure());
    assert_eq!(ask(&rule("all", "")), Decision::yes(Because::All));
    for needs in [rule("all", "3"), rule("own", ""), rule("3", "")] {
        assert!(needs.needs_structure());
        assert_eq!(ask(&needs), Decision::no(Because::UnknownPerson));
    }
}

#[test]
fn an_agent_without_a_department_of_its_own_has_nobody() {
    for person in [90, 99] {
        let decision = decide(&company(), &rule("own", ""), UserId(person), UserId(12));
        assert_eq!(decision, Decision::no(Because::AgentWithoutDepartment), "{person}");
    }
}

#[test]
fn circles_and_moves_decide_without_end() {
    let department = |id, parent| Department {
        id: DepartmentId(id),
        name: String::new(),
        parent: Some(DepartmentId(parent)),
        head: None,
    };
    let person = |id, at| Person {
        id: UserId(id),
        name: String::new(),
        departments: vec![DepartmentId(at)],
    };
    let mut org = Org::new([department(1, 2), department(2, 1)], [person(AGENT, 1), person(12, 2)]);
    let own = rule("own", "");
    let ask = |org: &Org| decide(org, &own, UserId(AGENT), UserId(12)).allowed;
    assert!(ask(&org), "each is below the other");
    org.put_person(person(12, 9));
    assert!(!ask(&org), "moved away");
}

#[test]
fn text_forms_invert_and_slips_are_told() {
    for text in ["own", "all", "3,15,17"] {
        assert_eq!(Allowed::parse(text).expect("reads").to_string(), text);
    }
    assert_eq!(Allowed::parse(" 17, 3,,15 ").expect("reads").to_string(), "3,15,17");
    assert_eq!(Allowed::parse("OWN"), Ok(Allowed::Own));
    for bad in ["", ",", "sales", "0", "-3", "3;4", "own,3", "99999999999999999999"] {
        assert!(Allowed::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(parse_departments(""), Ok(BTreeSet::new()));
    let many: Vec<String> = (1..=1001).map(|id: u32| id.to_string()).collect();
    assert!(parse_departments(&many.join(",")).is_err());
}
