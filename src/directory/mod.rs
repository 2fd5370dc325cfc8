//! Rank 3: who works at the company and where, as the portal last told it, and so who may talk with
//! an agent. Keeps a working copy of what the store has, reads it anew (`refresh`), and decides by
//! `domain::acl`. Fails closed: without a structure that is fresh enough nobody may who needs one.
//! Called by `inbound` for authors, by `outbound` for targets, and by `api`.

mod refresh;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::agents::registry::Registry;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::bitrix::methods::people;
use crate::domain::acl;
use crate::domain::acl::Because;
use crate::domain::acl::Decision;
use crate::domain::failure::Class;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::ids::UserId;
use crate::domain::org::Org;
use crate::limits;
use crate::store;
use crate::store::Store;

pub use crate::store::directory::OwnRule;
pub use refresh::Refresh;

/// See the module.
pub struct Directory {
    store: Store,
    registry: Arc<Registry>,
    /// The rule of agents that have none of their own.
    rule: acl::Rule,
    known: Mutex<Known>,
    /// Held while the structure is read, so that it is read once.
    reading: Mutex<()>,
    /// Held while a rule is changed, so that two changes of one rule both count.
    changing: Mutex<()>,
}

struct Known {
    org: Arc<Org>,
    read_at: Option<UnixMs>,
    /// Calls that the last reading took.
    calls: u32,
    rules: BTreeMap<AgentName, OwnRule>,
    /// People whom the portal did not show when they were asked for.
    absent: HashMap<UserId, Instant>,
    /// Why the last reading failed.
    problem: Option<String>,
}

/// How the structure stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Departments.
    pub departments: usize,
    /// People.
    pub people: usize,
    /// When it was read; `None` before the first time.
    pub read_at: Option<UnixMs>,
    /// Whether it is fresh enough to decide by.
    pub fresh: bool,
    /// Why it could not be read the last time, and what to do.
    pub problem: Option<String>,
}

/// Where the rule of an agent comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInForce {
    /// The rule.
    pub rule: acl::Rule,
    /// Who may is the agent's own, and not the settings'.
    pub own_allowed: bool,
    /// Who never may likewise.
    pub own_denied: bool,
}

impl Directory {
    /// With the structure and the agents' own rules as the store has them, and `rule` for all others.
    ///
    /// # Errors
    /// See [`store::Error`].
    pub fn open(
        store: Store,
        registry: Arc<Registry>,
        rule: acl::Rule,
    ) -> store::Result<Arc<Directory>> {
        let (org, read_at) = store.org()?;
        // A clock that was ahead must not make it fresh for ever.
        let read_at = read_at.map(|at| at.min(clock::now()));
        let known = Known {
            org: Arc::new(org),
            read_at,
            calls: 0,
            rules: store.own_rules()?,
            absent: HashMap::new(),
            problem: None,
        };
        let (reading, changing) = (Mutex::new(()), Mutex::new(()));
        let known = Mutex::new(known);
        Ok(Arc::new(Directory { store, registry, rule, known, reading, changing }))
    }

    /// The rule of an agent.
    pub fn rule_of(&self, agent: &AgentName) -> RuleInForce {
        let own = self.known().rules.get(agent).cloned().unwrap_or_default();
        let (own_allowed, own_denied) = (own.allowed.is_some(), own.denied.is_some());
        let rule = acl::Rule {
            allowed: own.allowed.unwrap_or_else(|| self.rule.allowed.clone()),
            denied: own.denied.unwrap_or_else(|| self.rule.denied.clone()),
        };
        RuleInForce { rule, own_allowed, own_denied }
    }

    /// Changes what an agent has of its own instead of the settings' rule; `false` when there is no
    /// such agent.
    ///
    /// # Errors
    /// See [`store::Error`]; nothing changed then.
    pub fn change_rule(
        &self,
        agent: &AgentName,
        change: impl FnOnce(&mut OwnRule),
    ) -> store::Result<bool> {
        let _one = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = self.known().rules.get(agent).cloned().unwrap_or_default();
        change(&mut own);
        let there = self.store.set_own_rule(agent, &own)?;
        if there {
            self.known().rules.insert(agent.clone(), own);
            log::info!("agent_rule agent={agent}");
        }
        Ok(there)
    }

    /// Forgets the rule of an agent that is no more; the store has forgotten it already.
    pub fn forget(&self, agent: &AgentName) {
        self.known().rules.remove(agent);
    }

    /// Whether a person may talk with an agent, whose account is `own`. Asks nobody.
    pub fn decide(&self, agent: &AgentName, own: UserId, person: UserId) -> Decision {
        let rule = self.rule_of(agent).rule;
        let (org, fresh) = {
            let known = self.known();
            (Arc::clone(&known.org), is_fresh(known.read_at))
        };
        if rule.needs_structure() && !fresh {
            return Decision::no(Because::NoStructure);
        }
        acl::decide(&org, &rule, own, person)
    }

    /// Asks the portal for what [`Directory::decide`] needs about these people and memory does not
    /// have. A portal that refuses for good is no error: then nobody may.
    ///
    /// # Errors
    /// What may be tried again.
    pub fn ensure(&self, agent: &AgentName, people: &[UserId]) -> Result<(), Failure> {
        match self.rule_of(agent).rule.needs_structure() {
            true => self.learn(agent, people),
            false => Ok(()),
        }
    }

    /// The structure.
    pub fn org(&self) -> Arc<Org> {
        Arc::clone(&self.known().org)
    }

    /// How the structure stands.
    pub fn standing(&self) -> Standing {
        let known = self.known();
        Standing {
            departments: known.org.departments().count(),
            people: known.org.people().count(),
            read_at: known.read_at,
            fresh: is_fresh(known.read_at),
            problem: known.problem.clone(),
        }
    }

    /// Reads the structure if it is not fresh, and asks for people who are not in it: a newcomer
    /// must not wait for the next reading.
    fn learn(&self, agent: &AgentName, people: &[UserId]) -> Result<(), Failure> {
        if !is_fresh(self.known().read_at) {
            match self.read(agent, false) {
                Err(failure) if is_final(&failure) => return Ok(()),
                other => other?,
            }
        }
        // The agent's account itself may be as new.
        let own = self.registry.agent(agent).and_then(|agent| agent.user);
        let people = people.iter().copied().chain(own);
        let unknown: Vec<UserId> = {
            let mut known = self.known();
            known.absent.retain(|_, since| since.elapsed() < limits::DIRECTORY_ABSENT_KEPT);
            let is_unknown =
                |id: &UserId| known.org.person(*id).is_none() && !known.absent.contains_key(id);
            people.filter(is_unknown).collect()
        };
        for some in unknown.chunks(limits::DIRECTORY_ASKED_MAX) {
            match self.registry.call(agent, &people::accounts(some)) {
                Ok(page) => self.meet(some, page.rows),
                Err(failure) if is_final(&failure) => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// Takes over what the portal says of people who were asked for.
    fn meet(&self, asked: &[UserId], accounts: Vec<people::Account>) {
        let found = accounts.into_iter().filter(|account| account.colleague);
        let found: Vec<_> = found.map(|account| account.person).collect();
        // Not having them in the database costs this question again.
        if let Err(why) = self.store.put_people(found.clone()) {
            log::warn!("directory_not_stored reason={why:?}");
        }
        let mut known = self.known();
        if known.absent.len() > limits::DIRECTORY_ABSENT_MAX {
            known.absent.clear();
        }
        for id in asked.iter().filter(|id| !found.iter().any(|person| person.id == **id)) {
            known.absent.insert(*id, Instant::now());
        }
        if !found.is_empty() {
            let org = Arc::make_mut(&mut known.org);
            found.into_iter().for_each(|person| org.put_person(person));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whole values only; a panic leaves nothing half done in them.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(read_at: Option<UnixMs>) -> bool {
    read_at.is_some_and(|at| clock::now().since(at) < limits::DIRECTORY_FRESH_MAX)
}

/// Whether asking again is of no use until a person mends something.
fn is_final(failure: &Failure) -> bool {
    failure.class.is_refusal() || failure.class == Class::ScopeMissing
}

/// How long after a reading that took so many calls the next is due.
fn interval(calls: u32) -> Duration {
    limits::DIRECTORY_EVERY.max(limits::DIRECTORY_EVERY_CALL * calls)
}

#[cfg(test)]
mod tests;
