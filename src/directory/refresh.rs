//! Reading the company's structure: every page of departments and of people, compared with what is
//! known, changes stored in one piece. The `directory` thread does that from time to time; it is woken
//! by its timetable and by a change of agents, and ends on stop. Nothing is taken over from a reading
//! that failed in its middle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::base::clock;
use crate::base::crypto;
use crate::base::threads::Exits;
use crate::base::threads::Stop;
use crate::base::threads::StopTrigger;
use crate::base::threads::Thread;
use crate::base::threads::ThreadName;
use crate::bitrix::client::Call;
use crate::bitrix::failure;
use crate::bitrix::methods::people;
use crate::bitrix::methods::people::Page;
use crate::directory::Directory;
use crate::directory::interval;
use crate::domain::failure::Class;
use crate::domain::failure::Effect;
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::org::Org;
use crate::domain::retry::Backoff;
use crate::limits;
use crate::store::directory::OrgChanges;

const BACKOFF: Backoff =
    Backoff { first: limits::DIRECTORY_RETRY_FIRST, most: limits::DIRECTORY_RETRY_MOST };

/// The thread. Trigger before thread: dropping asks it to end, then joins.
pub struct Refresh {
    trigger: Option<StopTrigger>,
    _thread: Thread,
}

impl Refresh {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system refused a thread.
    pub fn start(directory: Arc<Directory>, exits: &Exits) -> std::io::Result<Refresh> {
        let (trigger, stop) = Stop::new();
        let changes = directory.registry.changes();
        let body = move || watch(&directory, &changes, &stop);
        let thread = Thread::spawn(ThreadName::Directory, exits, body)?;
        Ok(Refresh { trigger: Some(trigger), _thread: thread })
    }
}

impl Drop for Refresh {
    fn drop(&mut self) {
        self.trigger.take();
    }
}

fn watch(directory: &Directory, changes: &Receiver<()>, stop: &Stop) {
    let mut failures = 0;
    while !stop.is_set() {
        let wait = match due_in(directory) {
            Duration::ZERO => match read_as_anybody(directory) {
                Some(Ok(())) => {
                    failures = 0;
                    continue;
                }
                Some(Err(_)) => {
                    failures += 1;
                    // Not woken by a change: the failure itself may have changed the agent's state.
                    stop.wait(BACKOFF.delay(failures, u64::from_le_bytes(crypto::random())));
                    continue;
                }
                // A change of some agent wakes it.
                None => limits::DIRECTORY_EVERY,
            },
            wait => wait,
        };
        crossbeam_channel::select! {
            recv(stop.signal()) -> _ => {}
            recv(changes) -> _ => {}
            default(wait) => {}
        }
    }
}

/// How long until the structure is to be read anew.
fn due_in(directory: &Directory) -> Duration {
    let known = directory.known();
    let Some(at) = known.read_at else { return Duration::ZERO };
    // A clock that was set back must not stop the reading.
    interval(known.calls).saturating_sub(clock::now().since(at))
}

/// Reads as the first agent that can; `None` when none works.
fn read_as_anybody(directory: &Directory) -> Option<Result<(), Failure>> {
    let mut last = None;
    for agent in directory.registry.agents() {
        if !agent.state.works() {
            continue;
        }
        last = Some(directory.read(&agent.name, true));
        if matches!(last, Some(Ok(()))) {
            break;
        }
    }
    last
}

impl Directory {
    /// Reads the structure as an agent. Whoever waited for another's reading takes that, unless it
    /// is to be read `anew` in any case.
    pub(super) fn read(&self, agent: &AgentName, anew: bool) -> Result<(), Failure> {
        let before = self.known().read_at;
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !anew && self.known().read_at != before {
            return Ok(());
        }
        let mut calls = 0;
        let org = self.read_org(agent, &mut calls);
        let stored = org.and_then(|org| self.take_over(org, calls));
        if let Err(failure) = &stored {
            let problem = told(failure);
            let mut known = self.known();
            if known.problem.as_ref() != Some(&problem) {
                log::warn!("directory_not_read agent={agent} {failure}");
            }
            known.problem = Some(problem);
        }
        stored
    }

    fn read_org(&self, agent: &AgentName, calls: &mut u32) -> Result<Org, Failure> {
        let departments = self.all(agent, people::departments, calls)?;
        if departments.is_empty() {
            // An account that may not look gets nothing instead of a refusal, and every company has
            // a root.
            return Err(odd(people::DEPARTMENTS, "no_departments"));
        }
        let accounts = self.all(agent, people::active_accounts, calls)?;
        let colleagues = accounts.into_iter().filter(|account| account.colleague);
        Ok(Org::new(departments, colleagues.map(|account| account.person)))
    }

    /// Every page of a list. A place that does not move on ends it: beyond the end some lists begin
    /// anew (b24: transport §2.7).
    fn all<T>(
        &self,
        agent: &AgentName,
        page: fn(i64) -> Call<Page<T>>,
        calls: &mut u32,
    ) -> Result<Vec<T>, Failure> {
        let (mut rows, mut start, mut total) = (Vec::new(), 0, None);
        for _ in 0..limits::DIRECTORY_PAGES_MAX {
            let call = page(start);
            *calls += 1;
            let found = self.registry.call(agent, &call)?;
            if found.unreadable > 0 {
                log::warn!(
                    "directory_rows_unreadable method={} count={}",
                    call.method,
                    found.unreadable
                );
            }
            // A list that changes between its pages may have lost a row from between them: without a
            // department, those below a denied one would be below nothing.
            if total.is_some() && found.total.is_some() && found.total != total {
                return Err(odd(call.method, "list_changed"));
            }
            total = found.total;
            rows.extend(found.rows);
            match found.next.filter(|next| *next > start) {
                Some(next) => start = next,
                None => return Ok(rows),
            }
        }
        Err(odd(page(0).method, "list_without_end"))
    }

    /// Stores what changed, then decides by it.
    fn take_over(&self, org: Org, calls: u32) -> Result<(), Failure> {
        let before = self.org();
        let changes = changes(&before, &org);
        let now = clock::now();
        let (departments, people) = (org.departments().count(), org.people().count());
        let changed = changes.departments.len() + changes.people.len();
        let gone = changes.departments_gone.len() + changes.people_gone.len();
        self.store.change_org(changes, now).map_err(|why| {
            log::error!("directory_not_stored reason={why:?}");
            failed(Class::Transport, people::ACCOUNTS, "directory_not_stored")
        })?;
        let mut known = self.known();
        known.org = Arc::new(org);
        (known.read_at, known.calls, known.problem) = (Some(now), calls, None);
        known.absent.clear();
        drop(known);
        if changed + gone > 0 {
            log::info!(
                "directory_read departments={departments} people={people} changed={changed} \
                 gone={gone} calls={calls}"
            );
        }
        Ok(())
    }
}

/// What the portal listed cannot be right.
fn odd(method: &'static str, code: &str) -> Failure {
    failed(Class::Protocol, method, code)
}

fn failed(class: Class, method: &'static str, code: &str) -> Failure {
    failure::failure(method, false, class, Effect::None, code)
}

/// What is to change so that `before` becomes `after`.
fn changes(before: &Org, after: &Org) -> OrgChanges {
    let departments: BTreeMap<_, _> = before.departments().map(|one| (one.id, one)).collect();
    let people: BTreeMap<_, _> = before.people().map(|one| (one.id, one)).collect();
    let new_departments = after.departments().filter(|one| departments.get(&one.id) != Some(one));
    let new_people = after.people().filter(|one| people.get(&one.id) != Some(one));
    OrgChanges {
        departments: new_departments.cloned().collect(),
        departments_gone: departments
            .into_keys()
            .filter(|id| after.department(*id).is_none())
            .collect(),
        people: new_people.cloned().collect(),
        people_gone: people.into_keys().filter(|id| after.person(*id).is_none()).collect(),
    }
}

/// What is wrong and what to do, as a sentence.
fn told(failure: &Failure) -> String {
    let code = failure.code.to_ascii_lowercase();
    match failure.class {
        Class::ScopeMissing => {
            let scope =
                if failure.method == people::DEPARTMENTS { "department" } else { "user_brief" };
            format!(
                "the application lacks the scope {scope}: add it to its card in the portal ({code})"
            )
        }
        Class::Denied => format!(
            "the portal does not show the company's structure to the agent's account: give it the \
             rights of an ordinary employee ({code})"
        ),
        _ => format!("the company's structure could not be read: {code}"),
    }
}
