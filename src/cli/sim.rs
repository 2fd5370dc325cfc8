//! `sim`: only the model portal, the gateway and a host of files, without a connector: for trying the
//! connector by hand beside them, and for `bench`, which wants them in a process of their own. Stays
//! up until a signal; everything the model knew ends with it.
//!
//! One JSON line on stdout says where everything is and how a connector must be set; the same
//! settings lie in an environment file. What a person may type is on stderr.

use std::path::Path;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::base::sys::StopSignals;
use crate::cli::FAILED;
use crate::cli::Invocation;
use crate::cli::OK;
use crate::cli::aside;
use crate::cli::complain;
use crate::cli::demo::LOOK_EVERY;
use crate::cli::demo::scripted_agent;
use crate::cli::demo::watch;
use crate::cli::demo::watch::Directory;
use crate::cli::demo::watch::Watch;
use crate::cli::say;
use crate::sim::FileHost;
use crate::sim::PortalOptions;
use crate::sim::User;
use crate::sim::gateway::DELIVER_PATH;
use crate::sim::stage;
use crate::sim::stage::Stage;

/// `--people=N`: employees beside Olaf, each with a dialog of their own.
const PEOPLE: &str = "--people=";
/// `--no-history`: forget each exchange, so that millions of them need no memory.
const NO_HISTORY: &str = "--no-history";
/// Most employees that can be asked for.
const PEOPLE_MAX: usize = 10_000;

/// Carries the verb out.
pub fn run(invocation: &Invocation) -> u8 {
    let flags = invocation.flags.iter().map(String::as_str);
    let known: Vec<&str> =
        flags.filter(|flag| *flag == NO_HISTORY || flag.starts_with(PEOPLE)).collect();
    if let Some(code) = invocation.refuse_beyond(&known, 0) {
        return code;
    }
    let asked = known.iter().find_map(|flag| flag.strip_prefix(PEOPLE)).unwrap_or("0");
    let Some(people) = asked.parse().ok().filter(|people| *people <= PEOPLE_MAX) else {
        return complain(&format!("{PEOPLE}{asked}: a number up to {PEOPLE_MAX}"));
    };
    // Before the model's threads exist, so that a signal finds this thread.
    let signals = StopSignals::block();
    match stand(&signals, people, !invocation.has(NO_HISTORY)) {
        Ok(()) => OK,
        Err(why) => {
            complain(&format!("sim: {why}"));
            FAILED
        }
    }
}

fn stand(signals: &StopSignals, people: usize, history: bool) -> Result<(), String> {
    let dir = Directory::new("sim")?;
    let mut stage = Stage::new(dir.path(), PortalOptions::default())?;
    stage.network.record(history);
    stage.gateway.script(Box::new(scripted_agent));
    let people: Vec<u64> = (1..=people)
        .map(|number| User::employee("Employee", &number.to_string()).in_departments(&[1]))
        .map(|user| stage.portal.add_user(user))
        .collect();
    // A browser is signed in as the account that the agent gets.
    stage.portal.sign_in(Some(stage.mira));
    // The gateway must know where a connector will listen that it does not start itself.
    let address = || stage::free_address().map_err(|why| format!("no free port: {why}"));
    let (control, deliver) = (address()?, address()?);
    stage.set("BITRIX24_CONTROL_ADDR", &control);
    stage.set("BITRIX24_DELIVER_ADDR", &deliver);
    stage.gateway.set_deliver(&format!("http://{deliver}"));
    let env_file = dir.path().join("connector.env");
    let files = FileHost::start(&stage.network);
    let files = files.map_err(|why| format!("no host of files: {why}"))?;
    stage.set("BITRIX24_MEDIA_HOSTS", files.url().trim_start_matches("http://"));
    write_env_file(&env_file, &stage)?;
    let token = watch::employee_token(&stage)?;
    say(&format!("{}\n", description(&stage, &files, &people, &env_file, &token)));
    aside(&manual(&stage, &env_file, &control, &deliver, &token)?);
    let chat = stage.portal.private_chat(stage.olaf, stage.mira);
    let mut watch = Watch::new(&stage, vec![("Olaf and Mira", chat)]);
    while !signals.wait(LOOK_EVERY) {
        aside(&watch.news());
    }
    Ok(())
}

/// The line for programs.
fn description(
    stage: &Stage,
    files: &FileHost,
    people: &[u64],
    env_file: &Path,
    token: &str,
) -> Value {
    let settings = stage.settings().into_iter();
    let settings: Map<String, Value> =
        settings.map(|(name, value)| (name, Value::String(value))).collect();
    json!({
        "portal": stage.portal.url(),
        "authorization": format!("http://{}", stage.portal.oauth_host()),
        "gateway": stage.gateway.url(),
        "files": files.url(),
        "agent": "helper",
        "agent_user": stage.mira,
        "employee": stage.olaf,
        "employee_token": token,
        "people": people,
        "env_file": env_file.display().to_string(),
        "settings": settings,
    })
}

/// The settings as `--env-file` reads them. None of the values needs a quote: they are addresses,
/// words, and paths below the temporary directory, which are refused when they would need one.
fn write_env_file(path: &Path, stage: &Stage) -> Result<(), String> {
    let mut text = String::from("# A connector for the model portal and gateway of `sim`.\n");
    for (name, value) in stage.settings() {
        if value.contains(['"', '\'', '\\', '\n']) {
            return Err(format!("{name}: {value:?} cannot be written into an environment file"));
        }
        text.push_str(&format!("{name}=\"{value}\"\n"));
    }
    std::fs::write(path, text).map_err(|why| format!("{}: {why}", path.display()))
}

/// The lines for a person.
fn manual(
    stage: &Stage,
    env_file: &Path,
    control: &str,
    deliver: &str,
    token: &str,
) -> Result<String, String> {
    let binary = std::env::current_exe().map_err(|why| format!("where this program is: {why}"))?;
    Ok(format!(
        "A model portal and gateway are up, with a scripted agent. In another terminal, a \
         connector for them:\n\n  \
         {binary} --env-file {env_file}\n\n\
         and a consent link for its agent, in a third one:\n\n  \
         {binary} --env-file {env_file} agents consent helper\n\n\
         Open it in a browser: the model's portal takes whoever comes for Mira Holt, the agent's \
         account.\nhttp://{control}/readyz then says that it works.\n\n{to_type}",
        binary = binary.display(),
        env_file = env_file.display(),
        to_type = watch::to_type(stage, token, &format!("http://{deliver}{DELIVER_PATH}")),
    ))
}
