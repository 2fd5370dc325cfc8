//! The stage of `sim::stage` as tests use it: in a directory of its own, with the real executable,
//! polling fast and logging much. A step that does not work is a panic; the end of the connector's
//! log is then shown.

use std::collections::HashSet;
use std::ops::Deref;
use std::ops::DerefMut;
use std::path::Path;

use aihummer_bitrix24::sim::PortalOptions;
use aihummer_bitrix24::sim::stage::Connector;
use aihummer_bitrix24::sim::stage::Stage;

use crate::support::Run;
use crate::support::TempDir;
use crate::support::eventually;
use crate::support::run_fed;

/// The executable under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_aihummer-bitrix24");

/// A stage in a directory that lives as long.
pub struct Scene {
    stage: Stage,
    dir: TempDir,
}

impl Scene {
    /// A portal without limits, a gateway, Olaf and Mira, an application, no connector yet.
    pub fn new() -> Scene {
        Scene::with(PortalOptions::default())
    }

    /// The same on a portal with these options.
    pub fn with(options: PortalOptions) -> Scene {
        let dir = TempDir::new();
        let mut stage = Stage::new(dir.path(), options).expect("a stage");
        stage.set("BITRIX24_POLL_ACTIVE_MS", "20");
        stage.set("BITRIX24_POLL_IDLE_MS", "20");
        stage.set("BITRIX24_LOG", "debug");
        Scene { stage, dir }
    }

    /// A directory that lives as long as the scene.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts the connector and tells the gateway where it is.
    pub fn start(&self) -> Connector {
        self.start_as(Path::new(BINARY))
    }

    /// The same through another executable, such as a script around it.
    pub fn start_as(&self, binary: &Path) -> Connector {
        self.stage.start(binary).expect("the connector starts")
    }

    /// Runs the connector with settings that it refuses, to its end.
    pub fn refused(&self) -> Run {
        self.run_alone(&["run"])
    }

    /// Runs a verb while no connector runs.
    pub fn run_alone(&self, arguments: &[&str]) -> Run {
        self.run_alone_with(arguments, "")
    }

    /// The same with something on stdin.
    pub fn run_alone_with(&self, arguments: &[&str], input: &str) -> Run {
        self.run_with(arguments, &self.settings(), input)
    }

    /// Runs a verb beside a connector that runs.
    pub fn verb(&self, connector: &Connector, arguments: &[&str]) -> Run {
        let mut settings = self.settings();
        let address = connector.origin("control").replace("http://", "");
        settings.retain(|(name, _)| name != "BITRIX24_CONTROL_ADDR");
        settings.push(("BITRIX24_CONTROL_ADDR".to_owned(), address));
        self.run_with(arguments, &settings, "")
    }

    fn run_with(&self, arguments: &[&str], settings: &[(String, String)], input: &str) -> Run {
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        run_fed(self.dir(), arguments, &settings, input)
    }

    /// Starts the connector, connects `helper` as Mira, and waits until the portal writes events
    /// for her, so that nothing said from now on is missed.
    pub fn start_connected(&self) -> Connector {
        let connector = self.start();
        let done = connector.consent("helper", self.mira).expect("a consent");
        assert_eq!(done.status, 200, "{}", done.text());
        eventually("the agent's events to be subscribed", || self.is_subscribed().then_some(()));
        connector
    }

    /// Texts the gateway got, repeats of one key counted once, in order of first arrival.
    pub fn received(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let inbound = self.gateway.inbound().into_iter();
        inbound.filter(|inbound| seen.insert(inbound.key.clone())).map(|i| i.text).collect()
    }
}

impl Deref for Scene {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

impl Drop for Scene {
    #[allow(clippy::print_stdout, reason = "the harness shows it with the test that failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
            println!("---- the connector's log, last lines ----\n{}", last_lines(&log, 80));
        }
    }
}

/// The last lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
