//! Who may talk with an agent: a rule over departments, and the decision about one person with what
//! made it. Pure; the structure arrives as a value. The same rule bounds whom an agent writes to.
//! Called by `directory`, which knows how fresh the structure is.

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::ids::DepartmentId;
use crate::domain::ids::UserId;
use crate::domain::org::Org;

/// Most departments of one list: more than any list that a person keeps by hand.
const LISTED_MAX: usize = 1000;

/// Who may, before denials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The agent's own departments, all below them, and the heads of these and of those above.
    Own,
    /// Every colleague.
    All,
    /// These departments, each with all below.
    Listed(BTreeSet<DepartmentId>),
}

/// Who may talk with an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Who may.
    pub allowed: Allowed,
    /// Departments, each with all below, that never may; wins over everything.
    pub denied: BTreeSet<DepartmentId>,
}

/// The contract's default.
impl Default for Rule {
    fn default() -> Rule {
        Rule { allowed: Allowed::Own, denied: BTreeSet::new() }
    }
}

impl Allowed {
    /// Reads `own`, `all`, or department ids separated by commas.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Allowed, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "own" => Ok(Allowed::Own),
            "all" => Ok(Allowed::All),
            _ => match parse_departments(text) {
                Ok(listed) if listed.is_empty() => Err("it lists no department".to_owned()),
                Ok(listed) => Ok(Allowed::Listed(listed)),
                Err(why) => Err(format!("{why}; or write own or all")),
            },
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Own => f.write_str("own"),
            Allowed::All => f.write_str("all"),
            Allowed::Listed(listed) => f.write_str(&departments_text(listed)),
        }
    }
}

/// Reads department ids separated by commas; empty entries are passed over.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_departments(text: &str) -> Result<BTreeSet<DepartmentId>, String> {
    let mut listed = BTreeSet::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let id = entry.parse::<i64>().ok().filter(|id| *id > 0);
        let id = id.ok_or_else(|| format!("{entry:?} is not the number of a department"))?;
        listed.insert(DepartmentId(id));
    }
    if listed.len() > LISTED_MAX {
        return Err(format!("it lists more than {LISTED_MAX} departments"));
    }
    Ok(listed)
}

/// The text form that [`parse_departments`] reads.
pub fn departments_text(listed: &BTreeSet<DepartmentId>) -> String {
    let texts: Vec<String> = listed.iter().map(ToString::to_string).collect();
    texts.join(",")
}

impl Rule {
    /// Whether deciding takes the structure. Without that every colleague may, and the portal says
    /// of each author whether they are one.
    pub fn needs_structure(&self) -> bool {
        self.allowed != Allowed::All || !self.denied.is_empty()
    }
}

/// What made a decision. Text forms are the same in logs and JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Every colleague may.
    All,
    /// The person is in this department, which is the agent's or lies below it.
    OwnDepartment(DepartmentId),
    /// The person heads this department, which is the agent's or lies above it.
    HeadAbove(DepartmentId),
    /// The person is in this department, which is listed or lies below a listed one.
    Listed(DepartmentId),
    /// The person is in this department, which is denied or lies below a denied one.
    Denied(DepartmentId),
    /// The person is in no department that may.
    Outside,
    /// The structure does not have the person: dismissed, external, or in no department.
    UnknownPerson,
    /// The rule is about the agent's departments, and its account is in none that is listed.
    AgentWithoutDepartment,
    /// The structure is not known, or was read too long ago.
    NoStructure,
}

impl Because {
    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Because::All => "all",
            Because::OwnDepartment(_) => "own_department",
            Because::HeadAbove(_) => "head_above",
            Because::Listed(_) => "listed",
            Because::Denied(_) => "denied",
            Because::Outside => "outside",
            Because::UnknownPerson => "unknown_person",
            Because::AgentWithoutDepartment => "agent_without_department",
            Because::NoStructure => "no_structure",
        }
    }

    /// The department that decided.
    pub fn department(self) -> Option<DepartmentId> {
        match self {
            Because::OwnDepartment(id)
            | Because::HeadAbove(id)
            | Because::Listed(id)
            | Because::Denied(id) => Some(id),
            _ => None,
        }
    }
}

/// Whether somebody may talk with an agent, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether they may.
    pub allowed: bool,
    /// What made it so.
    pub because: Because,
}

impl Decision {
    const fn yes(because: Because) -> Decision {
        Decision { allowed: true, because }
    }

    /// Refused.
    pub const fn no(because: Because) -> Decision {
        Decision { allowed: false, because }
    }
}

/// Decides about one person. Denials win; of several departments of a person any may allow and any
/// may deny.
pub fn decide(org: &Org, rule: &Rule, agent: UserId, person: UserId) -> Decision {
    if !rule.needs_structure() {
        return Decision::yes(Because::All);
    }
    let Some(known) = org.person(person) else { return Decision::no(Because::UnknownPerson) };
    let within = |roots: &BTreeSet<DepartmentId>| {
        known.departments.iter().copied().find(|id| org.root_among(*id, roots).is_some())
    };
    if let Some(department) = within(&rule.denied) {
        return Decision::no(Because::Denied(department));
    }
    let listed = match &rule.allowed {
        Allowed::All => return Decision::yes(Because::All),
        Allowed::Listed(listed) => {
            return match within(listed) {
                Some(department) => Decision::yes(Because::Listed(department)),
                None => Decision::no(Because::Outside),
            };
        }
        Allowed::Own => own_departments(org, agent),
    };
    if listed.is_empty() {
        return Decision::no(Because::AgentWithoutDepartment);
    }
    if let Some(department) = within(&listed) {
        return Decision::yes(Because::OwnDepartment(department));
    }
    let heads = |id: &DepartmentId| org.department(*id).and_then(|one| one.head) == Some(person);
    match listed.iter().flat_map(|own| org.upwards(*own)).find(heads) {
        Some(department) => Decision::yes(Because::HeadAbove(department)),
        None => Decision::no(Because::Outside),
    }
}

/// The agent's departments that exist: one that vanished gives nobody any right.
fn own_departments(org: &Org, agent: UserId) -> BTreeSet<DepartmentId> {
    let departments = org.person(agent).map(|own| own.departments.as_slice()).unwrap_or_default();
    departments.iter().copied().filter(|id| org.department(*id).is_some()).collect()
}

#[cfg(test)]
mod tests;
