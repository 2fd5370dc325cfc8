//! The list of settings: name, default, example, meaning. Whoever asks "what can be configured"
//! finds the answer here and nowhere else; `read` turns the texts into typed values, the docs and
//! `settings --json` print this table.
//!
//! Names of settings that are no secrets avoid the words auth, key, token and secret, because the
//! Marketplace scan fails such names unless they are marked secret.

/// One setting.
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What an unset or blank value means, for people.
    pub default: &'static str,
    /// A value that is accepted, for error messages; for a secret, how to make one.
    pub example: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
}

const fn setting(
    name: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { name, secret: false, default, example, meaning }
}

const fn secret(
    name: &'static str,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Setting {
    Setting { name, secret: true, default, example, meaning }
}

/// Every setting this version reads.
pub const SETTINGS: &[Setting] = &[
    setting(
        "AIHUMMER_INBOUND_URL",
        "http://127.0.0.1:8765",
        "http://127.0.0.1:8765",
        "The gateway. A bare origin gets /v1/inbound/generic; a URL with a path is used as given.",
    ),
    secret(
        "AIHUMMER_INBOUND_SECRET",
        "none",
        "the value of the same setting of the gateway",
        "The inbound secret shared with the gateway.",
    ),
    setting(
        "BITRIX24_PORTAL_URL",
        "none",
        "https://acme.bitrix24.com",
        "The portal: scheme and host, as in the browser.",
    ),
    setting(
        "BITRIX24_CLIENT_ID",
        "none",
        "local.66aa11bb22cc33.44556677",
        "The portal's local application (Server, Uses API only): its client_id.",
    ),
    secret(
        "BITRIX24_CLIENT_SECRET",
        "none",
        "the application's client_secret, as its card in the portal shows it",
        "The same application's client_secret.",
    ),
    setting(
        "BITRIX24_OAUTH_SERVERS",
        "oauth.bitrix.info,oauth.bitrix24.tech",
        "oauth.bitrix.info,oauth.bitrix24.tech",
        "Authorization servers that may see the client secret; a loopback http:// origin for trials.",
    ),
    setting(
        "BITRIX24_CONSENT_URL",
        "http://localhost:8791",
        "https://agents.acme.example/bitrix24",
        "Base URL under which a browser reaches the consent listener; the application's card has <it>/oauth/callback as its handler.",
    ),
    setting(
        "BITRIX24_AGENTS",
        "none",
        "helper,accounting",
        "Names of the agents to create at start, comma separated.",
    ),
    setting("BITRIX24_CHANNEL", "bitrix24", "bitrix24", "The channel field of inbound messages."),
    setting(
        "BITRIX24_INBOUND_SIGNING",
        "raw",
        "hmac-sha256",
        "raw: the secret itself in the header; hmac-sha256: lower-case hex HMAC of the exact body.",
    ),
    setting(
        "BITRIX24_INBOUND_EXTRA",
        "off",
        "on",
        "on: send the optional inbound fields (agent, message_id, sender and so on) as well.",
    ),
    setting(
        "BITRIX24_GROUP_MESSAGES",
        "addressed",
        "addressed",
        "What is forwarded from group dialogs: addressed (mentions of the agent and replies to it), all, off.",
    ),
    setting(
        "BITRIX24_SENDER_PREFIX",
        "group",
        "group",
        "Where \"Name: \" is put before the text: group, always, never.",
    ),
    setting(
        "BITRIX24_DEPARTMENTS",
        "own",
        "15,17",
        "Who may talk with an agent: own (its departments, all below, and the heads above), all, or numbers of departments, each with all below.",
    ),
    setting(
        "BITRIX24_DEPARTMENTS_DENIED",
        "none",
        "23",
        "Numbers of departments, each with all below, that never may; wins over everything.",
    ),
    setting(
        "BITRIX24_DENIED_REPLY",
        "none",
        "I may only talk with the sales department.",
        "Text sent once a day to somebody who writes to an agent in private and may not; unset means silence.",
    ),
    setting(
        "BITRIX24_READ_MARKS",
        "on",
        "off",
        "Whether a message is marked as read once the gateway has it.",
    ),
    setting(
        "BITRIX24_MENTION_ALL",
        "off",
        "off",
        "Whether an agent may address everyone in a dialog.",
    ),
    setting(
        "BITRIX24_MEDIA_HOSTS",
        "the gateway's own origin",
        "gateway.acme.example:8765,files.acme.example,10.20.0.0/16",
        "Where files that deliveries name by URL may be fetched from: hosts, each with its port unless that is the usual one of http or https, and addresses. Set, it replaces the default, so list the gateway too if it has files; what is at a private address needs that address, or its network, in the list as well.",
    ),
    setting(
        "BITRIX24_CONTROL_ADDR",
        "127.0.0.1:8810",
        "127.0.0.1:8810",
        "Address of the health and control listener.",
    ),
    setting(
        "BITRIX24_DELIVER_ADDR",
        "127.0.0.1:8080",
        "127.0.0.1:8080",
        "Address of the Deliver listener.",
    ),
    setting(
        "BITRIX24_CONSENT_ADDR",
        "127.0.0.1:8791",
        "127.0.0.1:8791",
        "Address of the OAuth consent listener.",
    ),
    secret(
        "BITRIX24_DELIVER_SECRET",
        "AIHUMMER_INBOUND_SECRET",
        "32 random characters: openssl rand -hex 16",
        "What a Deliver caller must present.",
    ),
    secret(
        "BITRIX24_CONTROL_SECRET",
        "generated into control.secret in the state directory",
        "32 random characters: openssl rand -hex 16",
        "What a control caller must present.",
    ),
    setting(
        "BITRIX24_STATE_DIR",
        "$STATE_DIRECTORY, else ./state",
        "/var/lib/aihummer-bitrix24",
        "Directory of the database and generated keys; created with mode 0700.",
    ),
    secret(
        "BITRIX24_MASTER_KEY",
        "$CREDENTIALS_DIRECTORY/master.key, else generated into the state directory",
        "base64 of 32 random bytes: openssl rand -base64 32",
        "Seals tokens at rest.",
    ),
    setting(
        "BITRIX24_CA_FILE",
        "none",
        "/etc/ssl/certs/acme-ca.pem",
        "More PEM roots, for a portal with a private CA. Verification is never switched off.",
    ),
    setting(
        "BITRIX24_PROXY_URL",
        "none",
        "http://proxy.acme.example:3128",
        "HTTP proxy for portal and OAuth traffic.",
    ),
    setting(
        "NO_PROXY",
        "none",
        "portal.acme.example,.internal",
        "Hosts reached without the proxy, comma separated.",
    ),
    setting(
        "BITRIX24_RATE",
        "auto",
        "2/50",
        "Request rate: auto (from the portal's licence), 2/50, 5/250, off (self-hosted portals).",
    ),
    setting(
        "BITRIX24_POLL_ACTIVE_MS",
        "1000",
        "1000",
        "Poll interval of an agent in conversation, milliseconds.",
    ),
    setting(
        "BITRIX24_POLL_IDLE_MS",
        "10000",
        "10000",
        "Poll interval of an idle agent, milliseconds.",
    ),
    setting(
        "BITRIX24_TYPING",
        "auto",
        "explicit",
        "When an agent is shown as typing: auto (from a message it was sent until its answer), \
         explicit (on typing calls only), off.",
    ),
    setting("BITRIX24_DELIVERY_WORKERS", "8", "8", "Size of the delivery pool, 1 to 64."),
    setting(
        "BITRIX24_RETENTION_DAYS",
        "45",
        "90",
        "How long finished deliveries and messages are kept, in days, 31 to 3653.",
    ),
    setting(
        "BITRIX24_LOG",
        "info",
        "info,aihummer_bitrix24::inbound=debug",
        "Log filter: error, warn, info, debug, or per module of this program.",
    ),
    setting("BITRIX24_LOG_FORMAT", "text", "json", "Log lines on stderr as text or json."),
];

/// The entry of a setting.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The known name nearest to a mistyped one, if any is near enough to be meant.
pub fn nearest(name: &str) -> Option<&'static str> {
    let names = SETTINGS.iter().map(|setting| setting.name);
    let (distance, found) =
        names.map(|known| (edit_distance(name, known), known)).min_by_key(|(d, _)| *d)?;
    (distance <= 1 + name.len() / 6).then_some(found)
}

/// Levenshtein distance over bytes; names are ASCII and short.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let substitute = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::SETTINGS;
    use super::nearest;

    #[test]
    fn names_are_unique_and_pass_the_marketplace_scan() {
        let names: HashSet<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert_eq!(names.len(), SETTINGS.len());
        for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
            let lower = setting.name.to_lowercase();
            for word in ["token", "secret", "password", "passphrase", "credential", "bearer"] {
                assert!(!lower.contains(word), "{} must be marked secret", setting.name);
            }
            for word in lower.split('_') {
                assert!(!["pat", "key", "auth", "cred", "passwd"].contains(&word), "{lower}");
            }
        }
    }

    #[test]
    fn a_slip_of_the_finger_finds_the_name_that_was_meant() {
        assert_eq!(nearest("BITRIX24_PORTAL_URI"), Some("BITRIX24_PORTAL_URL"));
        assert_eq!(nearest("BITRIX24_POLL_IDLE"), Some("BITRIX24_POLL_IDLE_MS"));
        assert_eq!(nearest("BITRIX24_RETENTION_DAY"), Some("BITRIX24_RETENTION_DAYS"));
        assert_eq!(nearest("BITRIX24_DEPARTMENT"), Some("BITRIX24_DEPARTMENTS"));
        assert_eq!(nearest("BITRIX24_SOMETHING_ELSE_ENTIRELY"), None);
    }
}
