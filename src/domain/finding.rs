//! What `doctor` can find: **the** list, each with a stable id, how bad it is, what it means and what
//! to do about it, and a finding as a value. The texts name settings, commands and pages, because the
//! one who reads them looks at this twice a year. Whoever looks at something makes findings of it:
//! `agents::checkup` of an agent, the verb `doctor` of everything else. Knows nothing of how to look.

use crate::domain::agent::AgentState;

/// How bad a finding is, from good to bad. Text forms are the same in JSON and on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Nothing to do, but good to know.
    Note,
    /// It works, and somebody should look at it.
    Warning,
    /// Something does not work.
    Problem,
}

impl Severity {
    /// Every severity.
    pub const ALL: [Severity; 4] =
        [Severity::Ok, Severity::Note, Severity::Warning, Severity::Problem];

    /// The text form.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Problem => "problem",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.as_str() == text)
    }
}

/// One thing that can be found.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, the same in every version.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means, one sentence without its full stop.
    pub means: &'static str,
    /// What to do, likewise; empty where there is nothing to do.
    pub remedy: &'static str,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: &'static Kind,
    /// Of what it is told: an agent, a host, a file, a setting.
    pub about: String,
    /// What was seen, for people; empty when there is nothing to add. Never a secret.
    pub detail: String,
}

impl Kind {
    /// A finding of this kind.
    pub fn of(&'static self, about: impl Into<String>, detail: impl Into<String>) -> Finding {
        Finding { kind: self, about: about.into(), detail: detail.into() }
    }
}

/// The finding that an agent's state is.
pub fn of_agent_state(state: AgentState) -> &'static Kind {
    match state {
        AgentState::Active => &AGENT_ACTIVE,
        AgentState::Created => &AGENT_WITHOUT_CONSENT,
        AgentState::Degraded => &AGENT_DEGRADED,
        AgentState::Revoked => &AGENT_REVOKED,
        AgentState::Paused => &AGENT_PAUSED,
    }
}

macro_rules! kinds {
    ($($name:ident $severity:ident $id:literal $means:literal $remedy:literal;)*) => {
        $(
            #[doc = $means]
            pub static $name: Kind = Kind {
                id: $id,
                severity: Severity::$severity,
                means: $means,
                remedy: $remedy,
            };
        )*

        /// Every kind.
        #[cfg(test)]
        pub static KINDS: &[&Kind] = &[$(&$name,)*];
    };
}

kinds! {
    // ---- settings ----
    SETTINGS_OK Ok "settings_ok"
        "Every setting can be used"
        "";
    SETTINGS_FILE_UNREADABLE Problem "settings_file_unreadable"
        "The settings file cannot be read, so the service cannot start with it"
        "Correct the file named by --env-file at that place, or read it as a user who may";
    SETTING_WRONG Problem "setting_wrong"
        "The value of a setting cannot be used, so the service does not start"
        "Correct the setting as the example shows; `aihummer-bitrix24 settings` lists all";
    SETTING_MISSING Problem "setting_missing"
        "A setting without which nothing works is not set"
        "Set it in the service's settings file and restart the service";
    APPLICATION_MISSING Note "application_missing"
        "There is no application, so agents work by webhooks only"
        "Set BITRIX24_CLIENT_ID and BITRIX24_CLIENT_SECRET if agents shall connect by consent";
    SETTING_WITHOUT_EFFECT Warning "setting_without_effect"
        "A name that is set has no effect"
        "Correct the name in the settings file, or take the line out";

    // ---- state directory ----
    STATE_OK Ok "state_ok"
        "The state directory and its files are as they should be"
        "";
    STATE_MISSING Warning "state_missing"
        "The state directory does not exist: the service never ran with these settings"
        "Start the service, or name its directory by BITRIX24_STATE_DIR in the settings given here";
    STATE_UNREADABLE Problem "state_unreadable"
        "This user may not look into the state directory"
        "Run doctor as root or as the service's user; if this is its user, give it the directory with chown";
    STATE_NOT_WRITABLE Problem "state_not_writable"
        "This user cannot write into the state directory"
        "If this is the service's user, give it the directory with chown and chmod 700, and see that the disk is mounted for writing";
    STATE_OPEN Problem "state_open"
        "Every user of this machine can change the state directory, so the service refuses it"
        "chmod 700 the directory";
    STATE_MIXED_OWNERS Warning "state_mixed_owners"
        "A file in the state directory belongs to somebody else than the directory, mostly since the service once ran as another user"
        "chown the file to the service's user";
    STATE_IN_USE Problem "state_in_use"
        "A process has the state directory locked and does not answer as the service of these settings"
        "Find it with `fuser` on the file `lock` there and stop it, or correct BITRIX24_CONTROL_ADDR here";
    FILE_OPEN Problem "file_open"
        "Every user of this machine can read a file with secrets or messages"
        "chmod 600 the file; if somebody may have read a key or a secret, make a new one (`rotate-key`)";
    FILE_OPEN_TO_GROUP Warning "file_open_to_group"
        "A group can read a file with secrets or messages"
        "chmod 600 the file, unless that is meant";
    DISK_OK Ok "disk_ok"
        "There is room on the disk of the state directory"
        "";
    DISK_LOW Warning "disk_low"
        "Little room is left on the disk of the state directory"
        "Free some, or have it watched: without room nothing is taken from the portal and nothing is sent";
    DISK_FULL Problem "disk_full"
        "Almost no room is left on the disk of the state directory"
        "Free some at once: messages that wait at the portal are kept there for a day only";
    KEY_OK Ok "key_ok"
        "The master key is the one the stored tokens are sealed with"
        "";
    KEY_UNPROVEN Note "key_unproven"
        "Nothing is sealed yet that would prove a master key"
        "Nothing: the first start with a configured portal makes a key unless one is given";
    KEY_MISSING Problem "key_missing"
        "Tokens are stored and the master key that they are sealed with is not there"
        "Bring the former key back; if it is a systemd credential, start the service and ask again, since only the service sees it";
    KEY_WRONG Problem "key_wrong"
        "The master key is another one than the stored tokens are sealed with, so the service does not start"
        "Bring the former key back (BITRIX24_MASTER_KEY or `master.key`), or move the state directory away and let every agent consent again";
    KEY_UNUSABLE Problem "key_unusable"
        "The master key cannot be read"
        "Do what the detail says";
    DATABASE_OK Ok "database_ok"
        "The database opens and this version knows its schema"
        "";
    DATABASE_NOT_MADE Note "database_not_made"
        "There is no database yet"
        "Nothing: the first start makes one";
    DATABASE_NEWER Problem "database_newer"
        "A newer version wrote the database, so this one refuses it"
        "Install the version that wrote it, or restore a backup that this version made";
    DATABASE_UNUSABLE Problem "database_unusable"
        "The database cannot be opened"
        "See that this user may read it; if it is damaged, restore a backup (docs/operate.md, Backup)";

    // ---- service ----
    SERVICE_OK Ok "service_ok"
        "The service runs and takes our control secret"
        "";
    SERVICE_STOPPED Warning "service_stopped"
        "The service does not run: nothing is read and nothing delivered"
        "Start it (`systemctl start aihummer-bitrix24`), or correct BITRIX24_CONTROL_ADDR here if it runs; its log says why it ended";
    SERVICE_SILENT Problem "service_silent"
        "Something listens on the control address and does not answer"
        "Restart the service, and send its log of that time if it happens again";
    SERVICE_SECRET_UNREADABLE Problem "service_secret_unreadable"
        "The service runs, and its control secret cannot be read here"
        "Run doctor as root or as the service's user with its settings (--env-file), so that it finds `control.secret`";
    SERVICE_SECRET_REFUSED Problem "service_secret_refused"
        "A connector runs on the control address and does not take the control secret of these settings"
        "Give doctor the settings file of that service; if it is, restart the service, since the secret changed";
    SERVICE_OTHER_VERSION Warning "service_other_version"
        "The running service is of another version than this program"
        "Restart the service so that it is the installed version";
    SERVICE_NOT_READY Problem "service_not_ready"
        "The service runs and cannot do its job yet"
        "Do what the reasons say, the first one first (docs/operate.md, /readyz)";
    SERVICE_WARNING Warning "service_warning"
        "The service tells of something that a person should look at"
        "Do what it says (docs/operate.md: Messages that need a person; What no event told)";
    DELIVERIES_WAITING Warning "deliveries_waiting"
        "Deliveries wait for a person"
        "See `aihummer-bitrix24 deliveries --state dead` and `--state parked`, then retry or drop each";
    PORT_OK Ok "port_ok"
        "The port is free, or the service has it"
        "";
    PORT_TAKEN Problem "port_taken"
        "Another program has a port of the service"
        "Stop what has the port (`ss -ltnp` shows it), or set another one";
    PORT_UNUSABLE Problem "port_unusable"
        "The service cannot listen on an address"
        "Set an address of this machine and a port above 1023";
    PORT_UNSERVED Warning "port_unserved"
        "The service runs and does not listen on an address of these settings"
        "Restart the service, since the setting was changed after its start";

    // ---- portal ----
    PORTAL_OK Ok "portal_ok"
        "A Bitrix24 answers at BITRIX24_PORTAL_URL"
        "";
    PORTAL_UNREACHABLE Problem "portal_unreachable"
        "Nobody answers at BITRIX24_PORTAL_URL"
        "Look at the name, the network, the firewall and BITRIX24_PROXY_URL; `curl` from this machine must reach the portal";
    PORTAL_CERTIFICATE Problem "portal_certificate"
        "The portal's certificate is not trusted"
        "Set BITRIX24_CA_FILE to the PEM file of the authority that signed it, or of the proxy that opens the encryption; without any system certificates, install ca-certificates";
    PORTAL_PAGE Problem "portal_page"
        "A page answers where the portal's REST should: something stands before the portal, or it is none"
        "Correct BITRIX24_PORTAL_URL, or let this machine's requests to `/rest/` pass the proxy, sign-in or firewall before the portal";
    PORTAL_MOVED Problem "portal_moved"
        "The address sends to another one: the portal was renamed, or something stands before it"
        "Set BITRIX24_PORTAL_URL to the portal's present address";
    PORTAL_CLOSED Problem "portal_closed"
        "The portal is closed or blocked"
        "Ask the portal's administrator; a self-hosted one may be in maintenance, which ends by itself";
    PORTAL_LICENCE Problem "portal_licence"
        "The portal refuses REST: its plan is over or has none"
        "Have the portal's plan renewed";
    PORTAL_ODD Warning "portal_odd"
        "What answers at BITRIX24_PORTAL_URL does not answer as a Bitrix24 does"
        "See that BITRIX24_PORTAL_URL is the portal; if it is, ask again in a few minutes";
    CLOCK_OK Ok "clock_ok"
        "The clocks of this machine and of the portal agree"
        "";
    CLOCK_OFF Warning "clock_off"
        "The clocks of this machine and of the portal differ, so tokens look expired or fresh when they are not"
        "Set the clock that is wrong, best by NTP (`timedatectl` shows this machine's)";
    CLOCK_UNKNOWN Note "clock_unknown"
        "The portal's answer has no date, so its clock is not known"
        "Nothing, as long as this machine's clock is right";
    OAUTH_OK Ok "oauth_ok"
        "The authorization server answers"
        "";
    OAUTH_CERTIFICATE Problem "oauth_certificate"
        "The certificate of an authorization server is not trusted: tokens cannot be renewed there"
        "Set BITRIX24_CA_FILE to the PEM file of the authority of the proxy that opens the encryption, or let this machine pass it unopened";
    OAUTH_UNREACHABLE Problem "oauth_unreachable"
        "No authorization server can be reached, so tokens cannot be renewed"
        "Allow https from this machine to the servers of BITRIX24_OAUTH_SERVERS, or set BITRIX24_PROXY_URL";
    OAUTH_ONE_UNREACHABLE Warning "oauth_one_unreachable"
        "One of the authorization servers cannot be reached"
        "Allow https to it if agents were connected through it, or take it out of BITRIX24_OAUTH_SERVERS";

    // ---- gateway ----
    GATEWAY_OK Ok "gateway_ok"
        "The gateway answers"
        "";
    GATEWAY_UNREACHABLE Problem "gateway_unreachable"
        "The gateway does not answer; messages to it are kept meanwhile"
        "Start the gateway, or correct AIHUMMER_INBOUND_URL";
    GATEWAY_CERTIFICATE Problem "gateway_certificate"
        "The gateway's certificate is not trusted"
        "Set BITRIX24_CA_FILE to the PEM file of the authority that signed it";
    GATEWAY_TROUBLE Problem "gateway_trouble"
        "Something answers for the gateway that it is not there, or it cannot do its job"
        "See the gateway's own log and its database; behind a proxy, see that the gateway runs";
    GATEWAY_ODD Warning "gateway_odd"
        "What answers at AIHUMMER_INBOUND_URL does not answer as a gateway does"
        "See that AIHUMMER_INBOUND_URL is the gateway, by default http://127.0.0.1:8765";
    GATEWAY_SECRET_REFUSED Problem "gateway_secret_refused"
        "The gateway refuses our secret; messages to it are kept meanwhile"
        "Set AIHUMMER_INBOUND_SECRET to the gateway's, look at BITRIX24_INBOUND_SIGNING, and restart the service";
    GATEWAY_SECRET_UNKNOWN Note "gateway_secret_unknown"
        "Whether the gateway takes our secret is known only when the service has asked it"
        "Start the service and ask again";

    // ---- agents ----
    AGENT_ACTIVE Ok "agent_active"
        "The agent reads and writes"
        "";
    AGENT_WITHOUT_CONSENT Warning "agent_without_consent"
        "Nobody has connected an account to the agent yet"
        "`aihummer-bitrix24 agents consent NAME`, or `agents webhook NAME`";
    AGENT_DEGRADED Problem "agent_degraded"
        "The agent has trouble with the portal and goes on trying"
        "Do what its reason says (docs/operate.md, Agent states)";
    AGENT_REVOKED Problem "agent_revoked"
        "The agent has lost its account: it reads and writes nothing"
        "Do what its reason says (docs/operate.md, Agent states)";
    AGENT_PAUSED Note "agent_paused"
        "An operator switched the agent off"
        "`aihummer-bitrix24 agents resume NAME` when it shall work again";
    AGENT_NOT_ASKED Warning "agent_not_asked"
        "The agent's account could not be looked at just now"
        "Ask again in a few minutes; if that lasts, the code says what is wrong (docs/operate.md, Agent states)";
    AGENT_ACCOUNT_OK Ok "agent_account_ok"
        "The agent acts as the account that was connected, an ordinary one"
        "";
    AGENT_ACCOUNT_INACTIVE Problem "agent_account_inactive"
        "The agent's account is dismissed or inactive in the portal"
        "Reactivate it there, or connect another account (`agents consent NAME`)";
    AGENT_OTHER_ACCOUNT Problem "agent_other_account"
        "The agent's identity acts as another account than was connected, mostly since its webhook was given to somebody else"
        "Connect the agent anew (`agents consent NAME` or `agents webhook NAME`)";
    AGENT_ADMINISTRATOR Warning "agent_administrator"
        "The agent's account may administrate the portal: whoever steals its token may too"
        "Take the administrator's rights from the account in the portal";
    AGENT_SCOPES_OK Ok "agent_scopes_ok"
        "The agent has every right that it uses"
        "";
    AGENT_SCOPE_MISSING Problem "agent_scope_missing"
        "A right is missing without which an agent does not work"
        "Tick it on the application's card (Developer resources), or on the webhook's, and consent again if it stays missing";
    AGENT_SCOPE_DISK Note "agent_scope_disk"
        "Without the right `disk` each file becomes a message of its own, and on old portals none is sent"
        "Tick `disk` on the application's card if agents shall send files";
    AGENT_METHODS_OK Ok "agent_methods_ok"
        "The portal has every method that the connector uses"
        "";
    AGENT_METHOD_MISSING Problem "agent_method_missing"
        "The portal does not have, or does not give, a method without which an agent cannot hear or speak"
        "Update the portal's messenger; in the cloud, see that its plan has REST";
    AGENT_FEATURE_MISSING Note "agent_feature_missing"
        "The portal does not have, or does not give, methods of one feature, which is left out or done in a slower way"
        "Update the portal's messenger if the feature is wanted";

    // ---- doctor itself ----
    NOT_LOOKED_AT Note "not_looked_at"
        "There was no time left to look at something"
        "Ask again when the rest is mended";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::KINDS;
    use super::Severity;
    use super::of_agent_state;
    use crate::domain::agent::AgentState;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_says_what_to_do() {
        let mut seen = HashSet::new();
        for kind in KINDS {
            let word = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(kind.id.chars().all(word) && seen.insert(kind.id), "{}", kind.id);
            assert_eq!(kind.severity == Severity::Ok, kind.remedy.is_empty(), "{}", kind.id);
            for text in [kind.means, kind.remedy] {
                assert!(!text.ends_with('.') && !text.contains("  "), "{text}");
            }
        }
    }

    #[test]
    fn severities_come_back_and_are_in_order() {
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
        assert_eq!(Severity::parse("bad"), None);
        assert!(Severity::Ok < Severity::Note && Severity::Warning < Severity::Problem);
    }

    #[test]
    fn only_a_working_agent_is_well() {
        for state in AgentState::ALL {
            let well = of_agent_state(state).severity == Severity::Ok;
            assert_eq!(well, state == AgentState::Active, "{}", state.as_str());
        }
    }
}
