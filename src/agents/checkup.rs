//! A look at one agent for whoever asks what is wrong with it: a few reading calls as that agent, and
//! the findings that come of them (b24: transport §6 rule 26). Asking and judging are apart. Changes
//! nothing but what any call of the agent may: a token that is over is renewed, the state follows
//! what the portal says. Called by `api`, for `doctor`.

use std::time::Duration;
use std::time::Instant;

use crate::agents::agent::AgentView;
use crate::agents::consent::SCOPES;
use crate::agents::registry::Registry;
use crate::base::clock;
use crate::bitrix::methods;
use crate::bitrix::methods::Profile;
use crate::bitrix::methods::survey;
use crate::bitrix::methods::survey::Need;
use crate::bitrix::methods::survey::SURVEYED;
use crate::bitrix::methods::survey::Standing;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::domain::ids::AgentName;
use crate::limits;

/// The scope without which files go another way.
const FILES: &str = "disk";

/// What the portal answered, as far as it did.
#[derive(Debug, Default)]
struct Asked {
    /// Whom the agent acts as; `None` inside for an inactive account.
    profile: Option<Option<Profile>>,
    scopes: Option<Vec<String>>,
    methods: Option<Vec<(usize, Standing)>>,
    /// By how much the portal's clock is ahead of ours.
    ahead_ms: Option<i64>,
    /// Code of the failure that ended the asking.
    ended: Option<String>,
}

/// Looks at an agent; `None` when there is none of this name. One that works is asked as: that takes
/// as long as the portal takes for a few calls.
pub fn look(registry: &Registry, name: &AgentName) -> Option<Vec<Finding>> {
    let works = registry.agent(name)?.state.works();
    let asked = if works { ask(registry, name) } else { Asked::default() };
    // Asked for after the calls, which may have changed its state.
    let view = registry.agent(name)?;
    Some(judge(&view, &asked))
}

fn ask(registry: &Registry, name: &AgentName) -> Asked {
    let began = Instant::now();
    let mut asked = Asked::default();
    let mut ended = None;
    asked.profile = note(&mut ended, began, || registry.call(name, &methods::profile()));
    if asked.profile.is_some() {
        let now = clock::now();
        asked.ahead_ms = Some(registry.time_there(now).0.saturating_sub(now.0));
    }
    asked.scopes = note(&mut ended, began, || registry.call(name, &methods::scope()));
    asked.methods = note(&mut ended, began, || registry.call(name, &survey::survey()));
    Asked { ended, ..asked }
}

/// Makes a call unless one has failed or there is no time left.
fn note<T>(
    ended: &mut Option<String>,
    began: Instant,
    call: impl FnOnce() -> Result<T, crate::domain::failure::Failure>,
) -> Option<T> {
    if ended.is_some() {
        return None;
    }
    if began.elapsed() > limits::CHECKUP_TIME_MAX {
        *ended = Some("no_time".to_owned());
        return None;
    }
    call().map_err(|failure| *ended = Some(failure.code)).ok()
}

/// What the answers mean. An agent that is not well is told of by its state; what was still answered
/// is told as well.
fn judge(view: &AgentView, asked: &Asked) -> Vec<Finding> {
    let name = view.name.as_str();
    let mut findings = vec![finding::of_agent_state(view.state).of(name, view.reason.clone())];
    if let Some(profile) = &asked.profile {
        findings.push(account(view, profile.as_ref()));
    }
    let lacking = asked.scopes.as_ref().map(|granted| lacking(granted));
    if let Some(lacking) = &lacking {
        findings.extend(scopes(name, lacking));
    }
    if let Some(found) = &asked.methods {
        findings.extend(available(name, found, lacking.is_some_and(|lacking| !lacking.is_empty())));
    }
    let ahead_ms = asked.ahead_ms.unwrap_or_default();
    if Duration::from_millis(ahead_ms.unsigned_abs()) > limits::CLOCK_OFF_MAX {
        let host = view.host.clone().unwrap_or_default();
        findings.push(finding::CLOCK_OFF.of(host, ahead(ahead_ms)));
    }
    if let Some(code) = asked.ended.as_ref().filter(|_| view.state.works()) {
        findings.push(finding::AGENT_NOT_ASKED.of(name, code.to_ascii_lowercase()));
    }
    findings
}

/// How far the portal's clock is from ours, for people.
pub fn ahead(ahead_ms: i64) -> String {
    let way = if ahead_ms < 0 { "behind" } else { "ahead of" };
    format!("the portal's is {} s {way} this machine's", ahead_ms.unsigned_abs() / 1000)
}

fn account(view: &AgentView, profile: Option<&Profile>) -> Finding {
    let name = view.name.as_str();
    let Some(profile) = profile else { return finding::AGENT_ACCOUNT_INACTIVE.of(name, "") };
    let user = format!("user {}", profile.id.0);
    match view.user {
        Some(expected) if expected != profile.id => {
            let detail = format!("{user}; connected was user {}", expected.0);
            finding::AGENT_OTHER_ACCOUNT.of(name, detail)
        }
        _ if profile.admin => finding::AGENT_ADMINISTRATOR.of(name, user),
        _ => finding::AGENT_ACCOUNT_OK.of(name, user),
    }
}

/// Scopes that are used and not granted; of alternatives the first is named.
fn lacking(granted: &[String]) -> Vec<&'static str> {
    let has = |scope: &&&str| granted.iter().any(|granted| granted == **scope);
    let missing = |any: &&&[&'static str]| !any.iter().any(|scope| has(&scope));
    let files: &[&str] = &[FILES];
    SCOPES.iter().chain([&files]).filter(missing).map(|any| any[0]).collect()
}

fn scopes(name: &str, lacking: &[&str]) -> Vec<Finding> {
    let told = |scope: &&str| match *scope {
        FILES => finding::AGENT_SCOPE_DISK.of(name, ""),
        scope => finding::AGENT_SCOPE_MISSING.of(name, scope),
    };
    match lacking {
        [] => vec![finding::AGENT_SCOPES_OK.of(name, "")],
        lacking => lacking.iter().map(told).collect(),
    }
}

/// Which methods are missing. One that only a scope would give is told of as that scope where one is
/// lacking.
fn available(name: &str, found: &[(usize, Standing)], scope_lacking: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut features: Vec<(&str, Vec<&str>)> = Vec::new();
    for (at, standing) in found {
        let Some((method, need)) = SURVEYED.get(*at) else { continue };
        let gone = match standing {
            Standing::Available => false,
            Standing::NotGranted => !scope_lacking,
            Standing::Missing => true,
        };
        match need {
            _ if !gone => {}
            Need::Vital => findings.push(finding::AGENT_METHOD_MISSING.of(name, *method)),
            Need::Feature(feature) => match features.iter_mut().find(|(known, _)| known == feature)
            {
                Some((_, methods)) => methods.push(method),
                None => features.push((feature, vec![method])),
            },
        }
    }
    findings.extend(features.into_iter().map(|(feature, methods)| {
        let detail = format!("{feature} ({})", methods.join(", "));
        finding::AGENT_FEATURE_MISSING.of(name, detail)
    }));
    // What was not answered for is not said to be there.
    if findings.is_empty() && found.len() == SURVEYED.len() {
        findings.push(finding::AGENT_METHODS_OK.of(name, ""));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::Asked;
    use super::judge;
    use crate::agents::agent::AgentView;
    use crate::bitrix::methods::Profile;
    use crate::bitrix::methods::survey::SURVEYED;
    use crate::bitrix::methods::survey::Standing;
    use crate::domain::agent::AgentState;
    use crate::domain::ids::AgentName;
    use crate::domain::ids::UserId;

    fn view(state: AgentState) -> AgentView {
        AgentView {
            name: AgentName::parse("helper").expect("a name"),
            state,
            reason: "why".to_owned(),
            user: Some(UserId(12)),
            user_name: "Mira Holt".to_owned(),
            member: None,
            host: Some("acme.example".to_owned()),
            webhook: false,
        }
    }

    /// All as it should be.
    fn well() -> Asked {
        let profile = Profile { id: UserId(12), name: "Mira Holt".to_owned(), admin: false };
        let scopes = ["im", "user_brief", "department", "disk", "basic"];
        Asked {
            profile: Some(Some(profile)),
            scopes: Some(scopes.map(str::to_owned).to_vec()),
            methods: Some((0..SURVEYED.len()).map(|at| (at, Standing::Available)).collect()),
            ahead_ms: Some(-2000),
            ended: None,
        }
    }

    fn ids(asked: &Asked) -> Vec<&'static str> {
        let findings = judge(&view(AgentState::Active), asked);
        findings.iter().map(|finding| finding.kind.id).collect()
    }

    fn position(method: &str) -> usize {
        SURVEYED.iter().position(|(name, _)| *name == method).expect("is surveyed")
    }

    #[test]
    fn an_agent_that_is_well_is_told_to_be() {
        let all = ["agent_active", "agent_account_ok", "agent_scopes_ok", "agent_methods_ok"];
        assert_eq!(ids(&well()), all);
        let told = judge(&view(AgentState::Active), &well());
        assert!(told.iter().all(|finding| finding.about == "helper"));
        assert!(!format!("{told:?}").contains("Mira"), "names are not for reports");
    }

    #[test]
    fn each_thing_that_is_wrong_has_its_finding() {
        let inactive = Asked { profile: Some(None), ..well() };
        assert!(ids(&inactive).contains(&"agent_account_inactive"));
        for (id, admin, told) in
            [(13, false, "agent_other_account"), (12, true, "agent_administrator")]
        {
            let profile = Profile { id: UserId(id), name: String::new(), admin };
            let asked = Asked { profile: Some(Some(profile)), ..well() };
            assert!(ids(&asked).contains(&told), "{told}");
        }
        for (granted, told) in [
            (&["im", "user", "department"][..], &["agent_scope_disk"][..]),
            (&["im", "user_basic", "disk"], &["agent_scope_missing"]),
            (&[], &["agent_scope_missing", "agent_scope_missing", "agent_scope_missing"]),
        ] {
            let scopes = Some(granted.iter().map(|scope| (*scope).to_owned()).collect());
            let ids = ids(&Asked { scopes, ..well() });
            assert!(told.iter().all(|id| ids.contains(id)), "{granted:?}: {ids:?}");
            assert!(!ids.contains(&"agent_scopes_ok"));
        }
        for ahead_ms in [-61_000, 61_000, i64::MIN, i64::MAX] {
            let asked = Asked { ahead_ms: Some(ahead_ms), ..well() };
            assert!(ids(&asked).contains(&"clock_off"), "{ahead_ms}");
        }
        let cut = Asked { methods: None, ended: Some("TIMEOUT".to_owned()), ..well() };
        assert_eq!(ids(&cut).last(), Some(&"agent_not_asked"));
    }

    #[test]
    fn a_missing_method_is_told_with_what_is_lost_and_only_once_for_a_feature() {
        let mut asked = well();
        let methods = asked.methods.as_mut().expect("methods");
        for name in ["im.v2.Event.get", "im.v2.Event.subscribe", "im.dialog.writing"] {
            methods[position(name)].1 = Standing::Missing;
        }
        let told = judge(&view(AgentState::Active), &asked);
        let details: Vec<&str> = told
            .iter()
            .filter(|finding| finding.kind.id == "agent_feature_missing")
            .map(|finding| finding.detail.as_str())
            .collect();
        let log = "the event log; dialogs are read one by one instead \
                   (im.v2.Event.subscribe, im.v2.Event.get)";
        assert_eq!(details, [log, "typing (im.dialog.writing)"]);
        asked.methods.as_mut().expect("methods")[position("im.message.add")].1 = Standing::Missing;
        assert!(ids(&asked).contains(&"agent_method_missing"));
    }

    #[test]
    fn a_method_that_lacks_a_scope_is_told_as_the_scope() {
        let mut asked = well();
        let at = position("disk.folder.uploadfile");
        asked.methods.as_mut().expect("methods")[at].1 = Standing::NotGranted;
        assert!(ids(&asked).contains(&"agent_feature_missing"));
        asked.scopes.as_mut().expect("scopes").retain(|scope| scope != "disk");
        assert!(!ids(&asked).contains(&"agent_feature_missing"));
        assert!(ids(&asked).contains(&"agent_scope_disk"));
    }

    #[test]
    fn of_an_agent_that_cannot_be_asked_the_state_is_told_with_its_reason() {
        for state in [AgentState::Created, AgentState::Revoked, AgentState::Paused] {
            let ended = Some("agent_revoked".to_owned());
            let told = judge(&view(state), &Asked { ended, ..Asked::default() });
            assert_eq!((told.len(), told[0].detail.as_str()), (1, "why"));
        }
    }
}
