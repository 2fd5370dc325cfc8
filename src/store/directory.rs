//! The company's structure as the portal last told it, and the agents' own rules over departments.
//! Which of it is still believed is `directory`'s matter, which is the only one to call this.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::OptionalExtension;
use rusqlite::Row;

use crate::base::clock::UnixMs;
use crate::domain::acl;
use crate::domain::acl::Allowed;
use crate::domain::ids::AgentName;
use crate::domain::ids::DepartmentId;
use crate::domain::ids::UserId;
use crate::domain::org::Department;
use crate::domain::org::Org;
use crate::domain::org::Person;
use crate::store::Error;
use crate::store::Result;
use crate::store::Store;
use crate::store::writer::Writing;

/// The fact that tells when the structure was read.
const READ_AT: &str = "directory_read_at";

/// What an agent has instead of the settings' rule; `None` = as the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnRule {
    /// Who may.
    pub allowed: Option<Allowed>,
    /// Who never may.
    pub denied: Option<BTreeSet<DepartmentId>>,
}

/// What is to change so that one structure becomes another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrgChanges {
    /// Departments that are new or different.
    pub departments: Vec<Department>,
    /// Departments that are gone.
    pub departments_gone: Vec<DepartmentId>,
    /// People who are new or different.
    pub people: Vec<Person>,
    /// People who are gone.
    pub people_gone: Vec<UserId>,
}

impl Store {
    /// The structure, and when it was read.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn org(&self) -> Result<(Org, Option<UnixMs>)> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id, name, parent, head FROM departments")?;
            let departments = statement.query_map([], department)?;
            let departments: Vec<Department> = departments.collect::<rusqlite::Result<_>>()?;
            let mut statement = connection.prepare("SELECT id, name, departments FROM people")?;
            let people = statement.query_map([], |row| Ok(person(row)))?;
            let people: Vec<Person> = people.map(|row| row?).collect::<Result<_>>()?;
            let mut statement = connection.prepare("SELECT value FROM meta WHERE key = ?1")?;
            let read_at: Option<Vec<u8>> =
                statement.query_row([READ_AT], |row| row.get(0)).optional()?;
            let read_at = read_at.map(|bytes| moment(&bytes)).transpose()?;
            Ok((Org::new(departments, people), read_at))
        })
    }

    /// Changes the structure, all at once, and notes when it was read.
    ///
    /// # Errors
    /// See [`Error`]; then nothing changed.
    pub fn change_org(&self, changes: OrgChanges, read_at: UnixMs) -> Result<()> {
        self.write(move |connection| {
            for id in &changes.departments_gone {
                connection.execute("DELETE FROM departments WHERE id = ?1", [id.0])?;
            }
            for one in &changes.departments {
                connection.execute(
                    "INSERT INTO departments (id, name, parent, head) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
                     parent = excluded.parent, head = excluded.head",
                    (one.id.0, &one.name, one.parent.map(|id| id.0), one.head.map(|id| id.0)),
                )?;
            }
            for id in &changes.people_gone {
                connection.execute("DELETE FROM people WHERE id = ?1", [id.0])?;
            }
            put_people(connection, &changes.people)?;
            connection.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (READ_AT, read_at.0.to_string().into_bytes()),
            )?;
            Ok(())
        })
    }

    /// Puts people in, in place of what was known of them.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn put_people(&self, people: Vec<Person>) -> Result<()> {
        self.write(move |connection| put_people(connection, &people))
    }

    /// Agents that have a rule of their own, or a part of one.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn own_rules(&self) -> Result<BTreeMap<AgentName, OwnRule>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT name, departments, departments_denied FROM agents \
                 WHERE departments IS NOT NULL OR departments_denied IS NOT NULL",
            )?;
            let rows = statement.query_map([], |row| Ok(own_rule(row)))?;
            rows.map(|row| row?).collect()
        })
    }

    /// Sets an agent's own rule; `false` when there is no such agent.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_own_rule(&self, agent: &AgentName, rule: &OwnRule) -> Result<bool> {
        let (agent, allowed) = (agent.clone(), rule.allowed.as_ref().map(ToString::to_string));
        let denied = rule.denied.as_ref().map(acl::departments_text);
        self.write(move |connection| {
            let changed = connection.execute(
                "UPDATE agents SET departments = ?2, departments_denied = ?3 WHERE name = ?1",
                (agent.as_str(), &allowed, &denied),
            )?;
            Ok(changed == 1)
        })
    }
}

fn put_people(connection: &Writing<'_>, people: &[Person]) -> Result<()> {
    for one in people {
        let departments: Vec<String> = one.departments.iter().map(ToString::to_string).collect();
        connection.execute(
            "INSERT INTO people (id, name, departments) VALUES (?1, ?2, ?3) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
             departments = excluded.departments",
            (one.id.0, &one.name, departments.join(",")),
        )?;
    }
    Ok(())
}

fn department(row: &Row<'_>) -> rusqlite::Result<Department> {
    Ok(Department {
        id: DepartmentId(row.get("id")?),
        name: row.get("name")?,
        parent: row.get::<_, Option<i64>>("parent")?.map(DepartmentId),
        head: row.get::<_, Option<i64>>("head")?.map(UserId),
    })
}

fn person(row: &Row<'_>) -> Result<Person> {
    let id: i64 = row.get("id")?;
    let listed: String = row.get("departments")?;
    // In the portal's order, which a set would lose.
    let departments = listed.split(',').filter(|text| !text.is_empty()).map(str::parse);
    let departments: std::result::Result<Vec<i64>, _> = departments.collect();
    let departments =
        departments.map_err(|_| Error::Other(format!("people: row {id} is unreadable")))?;
    Ok(Person {
        id: UserId(id),
        name: row.get("name")?,
        departments: departments.into_iter().map(DepartmentId).collect(),
    })
}

fn own_rule(row: &Row<'_>) -> Result<(AgentName, OwnRule)> {
    let name: String = row.get("name")?;
    let damaged = |what: &str| Error::Other(format!("agents: {what} of {name:?} is unreadable"));
    let allowed: Option<String> = row.get("departments")?;
    let denied: Option<String> = row.get("departments_denied")?;
    let allowed = allowed.map(|text| Allowed::parse(&text)).transpose();
    let denied = denied.map(|text| acl::parse_departments(&text)).transpose();
    let rule = OwnRule {
        allowed: allowed.map_err(|_| damaged("departments"))?,
        denied: denied.map_err(|_| damaged("departments_denied"))?,
    };
    Ok((AgentName::parse(&name).ok_or_else(|| damaged("name"))?, rule))
}

fn moment(bytes: &[u8]) -> Result<UnixMs> {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
    text.map(UnixMs).ok_or_else(|| Error::Other(format!("meta: {READ_AT} is unreadable")))
}
