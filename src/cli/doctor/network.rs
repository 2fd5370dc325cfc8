//! What is outside: the portal with its clock, the authorization servers, the gateway. Each is asked
//! something that needs no secret and changes nothing; what the answers mean is decided by functions
//! over them. Called by `doctor`.

use url::Url;

use crate::agents::checkup;
use crate::base::clock;
use crate::base::clock::UnixMs;
use crate::bitrix::failure;
use crate::bitrix::methods;
use crate::bitrix::transport::Reply;
use crate::bitrix::transport::Transport;
use crate::bitrix::transport::TransportOptions;
use crate::bitrix::transport::Trouble;
use crate::cli::doctor::Patience;
use crate::cli::doctor::report::Report;
use crate::domain::failure::Class;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::limits;
use crate::settings::PortalSettings;
use crate::settings::Settings;

/// Where the gateway says whether it can do its job; open to everybody.
const GATEWAY_READY_PATH: &str = "/readyz";
/// Below this every portal has its methods (b24: transport §2.1).
const REST_PATH: &str = "/rest/";
/// Longest word of a library about a certificate that is shown.
const CERTIFICATE_CHARS_MAX: usize = 200;

type Outcome = Result<Reply, Trouble>;

/// Asks all of them; `gateway_state` is what the running service knows of the gateway.
pub fn look(
    settings: &Settings,
    gateway_state: Option<&str>,
    patience: &Patience,
    report: &mut Report,
) {
    let options = TransportOptions {
        ca_file: settings.ca_file.clone(),
        proxy: settings.proxy.clone(),
        no_proxy: settings.no_proxy.clone(),
    };
    match (&settings.portal, Transport::new(&options)) {
        (Some(portal), Ok(transport)) => {
            look_at_portal(portal, &transport, patience, report);
            if portal.client.is_some() {
                look_at_servers(&settings.oauth_servers, &transport, patience, report);
            }
        }
        (_, Err(why)) => report.extend([finding::SETTING_WRONG.of("", why)]),
        (None, Ok(_)) => {}
    }
    // The gateway is always reached directly.
    let direct = TransportOptions { proxy: None, ..options };
    if let Ok(transport) = Transport::new(&direct) {
        look_at_gateway(&settings.inbound_url, &transport, gateway_state, patience, report);
    }
}

fn look_at_portal(
    portal: &PortalSettings,
    transport: &Transport,
    patience: &Patience,
    report: &mut Report,
) {
    let host = portal.url.authority();
    if !patience.allows("the portal") {
        return report.extend([finding::NOT_LOOKED_AT.of(host, "the portal")]);
    }
    let mut url = portal.url.clone();
    url.set_path(&format!("{REST_PATH}{}", methods::profile().method));
    let sent = clock::now();
    let outcome = transport.knock(&url, Some(b"{}"), limits::DOCTOR_PROBE_TIME_MAX);
    let found = of_portal(host, &outcome);
    // The clock of whatever stands before a portal says nothing.
    let is_portal = found.kind == &finding::PORTAL_OK;
    report.extend([found]);
    if let (true, Ok(reply)) = (is_portal, &outcome) {
        report.extend([of_clock(host, reply.date, sent, clock::now())]);
    }
}

/// What answers at the portal's address: a Bitrix24 says in JSON that a call has no token
/// (b24: transport §1.10, §2.5).
fn of_portal(host: &str, outcome: &Outcome) -> Finding {
    let reply = match outcome {
        Ok(reply) => reply,
        Err(Trouble::Certificate(why)) => return finding::PORTAL_CERTIFICATE.of(host, short(why)),
        Err(Trouble::NotSent(word) | Trouble::NoAnswer(word)) => {
            return finding::PORTAL_UNREACHABLE.of(host, *word);
        }
    };
    let failure = match failure::object(methods::profile().method, false, reply) {
        Ok(_) => return finding::PORTAL_ODD.of(host, "it answers a call without a token"),
        Err(failure) => failure,
    };
    let code = failure.code.to_ascii_lowercase();
    match failure.class {
        Class::TokenExpired | Class::RateLimited | Class::MethodParked => {
            finding::PORTAL_OK.of(host, "")
        }
        Class::Protocol if code == failure::MOVED => finding::PORTAL_MOVED.of(host, ""),
        Class::Protocol => finding::PORTAL_PAGE.of(host, code),
        Class::PortalClosed => finding::PORTAL_CLOSED.of(host, code),
        Class::Licence => finding::PORTAL_LICENCE.of(host, code),
        _ => finding::PORTAL_ODD.of(host, code),
    }
}

/// Whether the clock of an answer agrees with ours, at the middle of the exchange.
fn of_clock(host: &str, date: Option<UnixMs>, sent: UnixMs, received: UnixMs) -> Finding {
    let Some(date) = date else { return finding::CLOCK_UNKNOWN.of(host, "") };
    let middle = sent.plus(received.since(sent) / 2);
    let ahead_ms = date.0.saturating_sub(middle.0);
    let most = i64::try_from(limits::CLOCK_OFF_MAX.as_millis()).unwrap_or(i64::MAX);
    match ahead_ms.saturating_abs() > most {
        true => finding::CLOCK_OFF.of(host, checkup::ahead(ahead_ms)),
        false => finding::CLOCK_OK.of(host, ""),
    }
}

fn look_at_servers(
    servers: &[Url],
    transport: &Transport,
    patience: &Patience,
    report: &mut Report,
) {
    let mut outcomes = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let host = server.authority();
        if number >= limits::DOCTOR_SERVERS_MAX || !patience.allows(host) {
            report.extend([finding::NOT_LOOKED_AT.of(host, "an authorization server")]);
            continue;
        }
        let outcome = transport.knock(server, None, limits::DOCTOR_PROBE_TIME_MAX);
        outcomes.push((host.to_owned(), outcome));
    }
    report.extend(of_servers(&outcomes));
}

/// Any answer shows that a server is there. The vendor has one for each part of the world, and agents
/// need the one that they were connected through.
fn of_servers(outcomes: &[(String, Outcome)]) -> Vec<Finding> {
    let one_works = outcomes.iter().any(|(_, outcome)| outcome.is_ok());
    let unreachable =
        if one_works { &finding::OAUTH_ONE_UNREACHABLE } else { &finding::OAUTH_UNREACHABLE };
    let of_one = |(host, outcome): &(String, Outcome)| match outcome {
        Ok(_) => finding::OAUTH_OK.of(host.as_str(), ""),
        Err(Trouble::Certificate(why)) => finding::OAUTH_CERTIFICATE.of(host.as_str(), short(why)),
        Err(Trouble::NotSent(word) | Trouble::NoAnswer(word)) => {
            unreachable.of(host.as_str(), *word)
        }
    };
    outcomes.iter().map(of_one).collect()
}

fn look_at_gateway(
    inbound: &Url,
    transport: &Transport,
    state: Option<&str>,
    patience: &Patience,
    report: &mut Report,
) {
    let host = inbound.authority();
    if !patience.allows("the gateway") {
        return report.extend([finding::NOT_LOOKED_AT.of(host, "the gateway")]);
    }
    let mut url = inbound.clone();
    url.set_path(GATEWAY_READY_PATH);
    url.set_query(None);
    let outcome = transport.knock(&url, None, limits::DOCTOR_PROBE_TIME_MAX);
    report.extend(of_gateway(host, &outcome, state));
}

/// What an answer of the gateway means, together with what the running service knows of it: only a
/// message, or telling of an agent, shows whether it takes the secret.
fn of_gateway(host: &str, outcome: &Outcome, state: Option<&str>) -> Vec<Finding> {
    let mut findings = vec![match outcome {
        Err(Trouble::Certificate(why)) => finding::GATEWAY_CERTIFICATE.of(host, short(why)),
        Err(Trouble::NotSent(word) | Trouble::NoAnswer(word)) => {
            finding::GATEWAY_UNREACHABLE.of(host, *word)
        }
        Ok(Reply { status: status @ 502..=504, .. }) => {
            finding::GATEWAY_TROUBLE.of(host, format!("status {status}"))
        }
        Ok(_) if state == Some("away") => {
            finding::GATEWAY_TROUBLE.of(host, "it does not take messages of the service")
        }
        Ok(Reply { status: 200..=299, .. }) => finding::GATEWAY_OK.of(host, ""),
        // Behind a proxy there may be no way but that of messages.
        Ok(_) if state == Some("ok") => finding::GATEWAY_OK.of(host, ""),
        Ok(Reply { status, .. }) => finding::GATEWAY_ODD.of(host, format!("status {status}")),
    }];
    match state {
        Some("refuses_secret") => findings.push(finding::GATEWAY_SECRET_REFUSED.of(host, "")),
        None | Some("untried") if outcome.is_ok() => {
            findings.push(finding::GATEWAY_SECRET_UNKNOWN.of(host, ""))
        }
        _ => {}
    }
    findings
}

fn short(why: &str) -> String {
    why.chars().take(CERTIFICATE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Instant;

    use super::Outcome;
    use super::look;
    use super::of_clock;
    use super::of_gateway;
    use super::of_portal;
    use super::of_servers;
    use crate::base::clock::UnixMs;
    use crate::bitrix::transport::Reply;
    use crate::bitrix::transport::Trouble;
    use crate::cli::doctor::Patience;
    use crate::cli::doctor::report::Report;
    use crate::settings;

    fn answer(status: u16, body: &str) -> Outcome {
        Ok(Reply { status, body: body.as_bytes().to_vec(), ..Reply::default() })
    }

    fn untrusted() -> Outcome {
        Err(Trouble::Certificate("UnknownIssuer".to_owned()))
    }

    #[test]
    fn when_the_time_is_over_nobody_is_asked() {
        let environment = [
            ("BITRIX24_PORTAL_URL", "https://acme.invalid"),
            ("BITRIX24_CLIENT_ID", "local.1"),
            ("BITRIX24_CLIENT_SECRET", "s"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = settings::from(environment.into(), HashMap::new()).expect("settings");
        let mut report = Report::default();
        let over = Patience { until: Instant::now(), told: false };
        look(&settings, None, &over, &mut report);
        let json = report.json();
        let found = json["findings"].as_array().expect("findings");
        // The portal, the vendor's two servers, the gateway.
        assert_eq!(found.len(), 4, "{json}");
        assert!(found.iter().all(|one| one["id"] == "not_looked_at"), "{json}");
    }

    #[test]
    fn what_answers_at_the_portals_address_is_told_apart() {
        let error = |status, code: &str| answer(status, &format!("{{\"error\":\"{code}\"}}"));
        let moved = Ok(Reply { status: 302, elsewhere: true, ..Reply::default() });
        for (outcome, id) in [
            (error(401, "NO_AUTH_FOUND"), "portal_ok"),
            (error(503, "QUERY_LIMIT_EXCEEDED"), "portal_ok"),
            (answer(200, "<html>Sign in</html>"), "portal_page"),
            (answer(401, "<html>"), "portal_page"),
            (answer(302, ""), "portal_page"),
            (answer(200, ""), "portal_page"),
            (moved, "portal_moved"),
            (error(403, "PORTAL_DELETED"), "portal_closed"),
            (error(401, "OVERLOAD_LIMIT"), "portal_closed"),
            (error(401, "PAYMENT_REQUIRED"), "portal_licence"),
            (error(404, "nothing here"), "portal_odd"),
            (answer(200, "{\"result\":true}"), "portal_odd"),
            (untrusted(), "portal_certificate"),
            (Err(Trouble::NotSent("connection_refused")), "portal_unreachable"),
            (Err(Trouble::NoAnswer("timeout")), "portal_unreachable"),
        ] {
            assert_eq!(of_portal("acme.example", &outcome).kind.id, id, "{outcome:?}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        let (sent, received) = (UnixMs(1_000_000), UnixMs(1_004_000));
        let id = |date: Option<i64>| of_clock("h", date.map(UnixMs), sent, received).kind.id;
        assert_eq!(id(None), "clock_unknown");
        for at in [942_000, 1_000_000, 1_002_000, 1_062_000] {
            assert_eq!(id(Some(at)), "clock_ok", "{at}");
        }
        for at in [i64::MIN, 0, 941_000, 1_063_000, i64::MAX] {
            assert_eq!(id(Some(at)), "clock_off", "{at}");
        }
        let detail = of_clock("h", Some(UnixMs(1_102_000)), sent, received).detail;
        assert_eq!(detail, "the portal's is 100 s ahead of this machine's");
    }

    #[test]
    fn one_authorization_server_that_is_not_reached_is_less_than_all() {
        let ids = |outcomes: [Outcome; 2]| -> Vec<&'static str> {
            let named = outcomes.map(|outcome| ("h".to_owned(), outcome));
            of_servers(&named).into_iter().map(|found| found.kind.id).collect()
        };
        let gone = || Err(Trouble::NotSent("host_not_found"));
        assert_eq!(ids([answer(404, ""), gone()]), ["oauth_ok", "oauth_one_unreachable"]);
        assert_eq!(ids([gone(), gone()]), ["oauth_unreachable", "oauth_unreachable"]);
        assert_eq!(ids([untrusted(), answer(200, "")]), ["oauth_certificate", "oauth_ok"]);
    }

    #[test]
    fn the_gateway_is_judged_by_its_answer_and_by_what_the_service_knows() {
        let refused = || Err(Trouble::NotSent("connection_refused"));
        for (outcome, state, expected) in [
            (answer(200, ""), Some("ok"), &["gateway_ok"][..]),
            (answer(404, ""), Some("ok"), &["gateway_ok"]),
            (answer(404, ""), None, &["gateway_odd", "gateway_secret_unknown"]),
            (answer(302, ""), Some("refuses_secret"), &["gateway_odd", "gateway_secret_refused"]),
            (answer(200, ""), None, &["gateway_ok", "gateway_secret_unknown"]),
            (answer(200, ""), Some("untried"), &["gateway_ok", "gateway_secret_unknown"]),
            (answer(200, ""), Some("refuses_secret"), &["gateway_ok", "gateway_secret_refused"]),
            (answer(200, ""), Some("away"), &["gateway_trouble"]),
            (answer(503, ""), Some("ok"), &["gateway_trouble"]),
            (refused(), Some("away"), &["gateway_unreachable"]),
            (refused(), None, &["gateway_unreachable"]),
            (untrusted(), Some("away"), &["gateway_certificate"]),
        ] {
            let found = of_gateway("h", &outcome, state);
            let ids: Vec<&str> = found.into_iter().map(|found| found.kind.id).collect();
            assert_eq!(ids, expected, "{outcome:?} {state:?}");
        }
    }
}
