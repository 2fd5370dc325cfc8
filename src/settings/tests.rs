//! Tests of the settings: defaults, precedence, and every kind of malformed value.

use std::time::Duration;

use std::collections::HashMap;

use url::Url;

use super::SettingError;
use super::Settings;
use super::from;
use super::table::SETTINGS;

fn map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read(pairs: &[(&str, &str)]) -> Result<Settings, Vec<SettingError>> {
    from(map(pairs), HashMap::new())
}

#[test]
fn nothing_set_is_enough_to_start() {
    let settings = read(&[]).expect("defaults are valid");
    assert_eq!(settings.inbound_url.as_str(), "http://127.0.0.1:8765/v1/inbound/generic");
    assert_eq!(settings.deliver_addr.to_string(), "127.0.0.1:8080");
    assert!(settings.portal.is_none());
    assert_eq!(
        settings.portal_missing,
        ["BITRIX24_PORTAL_URL", "BITRIX24_CLIENT_ID", "BITRIX24_CLIENT_SECRET"]
    );
    assert_eq!(settings.state_dir.to_str(), Some("./state"));
    assert_eq!(settings.sources.len(), SETTINGS.len(), "every setting of the table is read");
}

#[test]
fn the_environment_wins_over_the_file_and_blank_means_unset() {
    let file = map(&[("BITRIX24_CHANNEL", "from-file"), ("BITRIX24_AGENTS", "a,b")]);
    let environment = map(&[("BITRIX24_CHANNEL", "from-env"), ("BITRIX24_AGENTS", "  ")]);
    let settings = from(environment, file).expect("valid");
    assert_eq!(settings.channel, "from-env");
    assert_eq!(settings.agents.len(), 2);
}

#[test]
fn every_example_of_the_table_is_accepted() {
    for setting in SETTINGS.iter().filter(|setting| !setting.secret) {
        if setting.name == "BITRIX24_CA_FILE" {
            continue; // an example file need not exist here
        }
        assert!(read(&[(setting.name, setting.example)]).is_ok(), "{}", setting.name);
    }
}

#[test]
fn a_malformed_value_names_setting_problem_and_example() {
    let cases = [
        ("BITRIX24_POLL_IDLE_MS", "soon"),
        ("BITRIX24_POLL_IDLE_MS", "1"),
        ("BITRIX24_DELIVERY_WORKERS", "0"),
        ("BITRIX24_PORTAL_URL", "http://acme.bitrix24.com"),
        ("BITRIX24_PORTAL_URL", "https://acme.bitrix24.com/company/"),
        ("BITRIX24_PORTAL_URL", "ftp://acme.bitrix24.com"),
        ("BITRIX24_AGENTS", "Helper"),
        ("BITRIX24_GROUP_MESSAGES", "some"),
        ("BITRIX24_DEPARTMENTS", "sales"),
        ("BITRIX24_DEPARTMENTS_DENIED", "own"),
        ("BITRIX24_READ_MARKS", "perhaps"),
        ("BITRIX24_TYPING", "always"),
        ("BITRIX24_INBOUND_EXTRA", "yes please"),
        ("BITRIX24_CONTROL_ADDR", "8810"),
        ("BITRIX24_CONSENT_URL", "agents.acme.example"),
        ("BITRIX24_CONSENT_URL", "https://agents.acme.example/?from=here"),
        ("BITRIX24_OAUTH_SERVERS", "oauth.bitrix.info,http://oauth.bitrix24.tech"),
        ("BITRIX24_OAUTH_SERVERS", "oauth.bitrix.info/path"),
        ("BITRIX24_MEDIA_HOSTS", "files.acme.example,https://user:pw@cdn.example/"),
        ("BITRIX24_MEDIA_HOSTS", "10.1.2.3/8"),
        ("BITRIX24_MEDIA_HOSTS", "*.acme.example"),
        ("BITRIX24_MEDIA_HOSTS", ","),
        ("BITRIX24_RATE", "3/60"),
        ("BITRIX24_CHANNEL", "bit rix"),
        ("BITRIX24_CA_FILE", "/no/such/file.pem"),
        ("AIHUMMER_INBOUND_URL", "http://user:pw@gateway/"),
        ("BITRIX24_LOG_FORMAT", "xml"),
    ];
    for (name, value) in cases {
        let errors = read(&[(name, value)]).expect_err(name);
        assert_eq!(errors.len(), 1, "{name}");
        let text = errors[0].to_string();
        assert!(text.starts_with(&format!("{name}: ")), "{text}");
        assert!(text.contains(&format!("example: {name}=")), "{text}");
        assert!(!text.contains("user:pw"), "{text}");
    }
}

#[test]
fn media_comes_from_the_gateway_unless_hosts_are_listed() {
    let allowed = |pairs: &[(&str, &str)], text: &str| {
        let hosts = read(pairs).expect("valid").media_hosts;
        hosts.check(&Url::parse(text).expect("a URL")).is_ok()
    };
    let own = ("AIHUMMER_INBOUND_URL", "https://gw.example/in");
    let list = ("BITRIX24_MEDIA_HOSTS", "files.example, 10.0.0.0/8");
    for (pairs, text, expected) in [
        (&[][..], "http://127.0.0.1:8765/a.png", true),
        (&[], "http://127.0.0.1:8766/a.png", false),
        (&[own], "https://gw.example/a.png", true),
        (&[own], "http://127.0.0.1:8765/a.png", false),
        (&[own, ("BITRIX24_MEDIA_HOSTS", " ")], "https://gw.example/a.png", true),
        (&[own, list], "https://gw.example/a.png", false),
        (&[own, list], "https://files.example/a.png", true),
        (&[own, list], "http://10.1.2.3/a.png", true),
    ] {
        assert_eq!(allowed(pairs, text), expected, "{pairs:?} {text}");
    }
}

#[test]
fn all_malformed_settings_are_reported_at_once() {
    let errors = read(&[("BITRIX24_RATE", "x"), ("BITRIX24_LOG_FORMAT", "y")]).expect_err("two");
    assert_eq!(errors.len(), 2);
}

#[test]
fn a_public_deliver_listener_needs_a_secret() {
    let public = ("BITRIX24_DELIVER_ADDR", "0.0.0.0:8080");
    let errors = read(&[public]).expect_err("refused");
    assert_eq!(errors[0].name, "BITRIX24_DELIVER_SECRET");
    assert!(read(&[public, ("AIHUMMER_INBOUND_SECRET", "s")]).is_ok());
}

#[test]
fn unknown_names_are_told() {
    let settings = read(&[("BITRIX24_PORTAL_URI", "x"), ("OTHER_THING", "x")]).expect("valid");
    assert_eq!(settings.warnings.len(), 1);
    assert!(settings.warnings[0].contains("did you mean BITRIX24_PORTAL_URL?"));
}

#[test]
fn finished_rows_stay_for_a_month_at_least() {
    let kept = |days| read(&[("BITRIX24_RETENTION_DAYS", days)]).map(|settings| settings.retention);
    assert_eq!(kept("31").expect("valid"), Duration::from_secs(31 * 24 * 3600));
    for wrong in ["30", "0", "3654", "x"] {
        assert_eq!(kept(wrong).expect_err("refused")[0].name, "BITRIX24_RETENTION_DAYS");
    }
}

#[test]
fn secrets_are_never_printed() {
    let settings = read(&[
        ("AIHUMMER_INBOUND_SECRET", "planted-1"),
        ("BITRIX24_CLIENT_SECRET", "planted-2"),
        ("BITRIX24_MASTER_KEY", "cGxhbnRlZC0zcGxhbnRlZC0zcGxhbnRlZC0zcGxhbnQ="),
        ("BITRIX24_CONTROL_SECRET", "planted-4"),
    ])
    .expect("valid");
    let shown = format!("{settings:?} {}", settings.describe());
    assert!(!shown.contains("planted") && !shown.contains("cGxhbnRlZC"), "{shown}");
    let errors = read(&[("BITRIX24_MASTER_KEY", "planted-3")]).expect_err("no key");
    let told = errors[0].to_string();
    assert!(told.contains("openssl rand -base64 32") && !told.contains("planted"), "{told}");
}

#[test]
fn values_in_force_are_told_with_their_source() {
    let pairs = [("BITRIX24_CHANNEL", "b24"), ("BITRIX24_CLIENT_SECRET", "planted")];
    let settings = read(&pairs).expect("valid");
    let told = settings.describe();
    let rows = told["settings"].as_array().expect("rows");
    assert_eq!(rows.len(), SETTINGS.len());
    let of = |name: &str| {
        let row = rows.iter().find(|row| row["name"] == name).expect("a row");
        (row["value"].as_str().expect("text"), row["source"].as_str().expect("text"))
    };
    assert_eq!(of("BITRIX24_CHANNEL"), ("b24", "environment"));
    assert_eq!(of("BITRIX24_RATE"), ("auto", "default"));
    assert_eq!(of("BITRIX24_CLIENT_SECRET"), ("set", "environment"));
    assert_eq!(of("BITRIX24_MASTER_KEY"), ("not set", "default"));
}

#[test]
fn the_first_state_directory_of_systemd_is_used() {
    let settings = read(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")]).expect("valid");
    assert_eq!(settings.state_dir.to_str(), Some("/var/lib/a"));
}
