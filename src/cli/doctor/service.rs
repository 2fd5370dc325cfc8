//! Whether the service runs, what it says of itself, and who has its ports. Looking and judging are
//! apart; the judging is tested row by row. Called by `doctor`.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;

use serde_json::Value;

use crate::cli::control_client;
use crate::cli::control_client::Answered;
use crate::cli::control_client::Holder;
use crate::cli::control_client::Unasked;
use crate::cli::doctor::report::Report;
use crate::domain::finding;
use crate::domain::finding::Finding;
use crate::limits;
use crate::settings::Settings;

/// Looks at the three ports and at the service behind the first; its status, when it told it.
pub fn look(settings: &Settings, report: &mut Report) -> Option<Value> {
    let ports = [
        ("BITRIX24_CONTROL_ADDR", settings.control_addr),
        ("BITRIX24_DELIVER_ADDR", settings.deliver_addr),
        ("BITRIX24_CONSENT_ADDR", settings.consent_addr),
    ];
    let holders = ports.map(|(_, address)| held(address));
    let status = match holders[0] {
        Holder::Connector => {
            let patience = limits::DOCTOR_PROBE_TIME_MAX;
            let asked = control_client::ask(settings, "GET", "/v1/status", None, patience);
            let (findings, status) = of_answer(asked, settings.control_addr);
            report.extend(findings);
            status
        }
        Holder::Silent => {
            report.extend([finding::SERVICE_SILENT.of(settings.control_addr.to_string(), "")]);
            None
        }
        Holder::Nobody | Holder::Stranger => {
            report.extend([stopped(settings.control_addr)]);
            None
        }
    };
    let runs = holders[0] == Holder::Connector;
    for ((setting, address), holder) in ports.into_iter().zip(holders) {
        let free = || TcpListener::bind(address).map(drop);
        report.extend(port(setting, address, holder, runs, free));
    }
    status
}

fn held(address: SocketAddr) -> Holder {
    match address.port() {
        0 => Holder::Nobody,
        _ => control_client::holder(address, limits::DOCTOR_PROBE_TIME_MAX),
    }
}

fn stopped(control: SocketAddr) -> Finding {
    let detail = match control.port() {
        0 => "with port 0 a running service cannot be found",
        _ => "",
    };
    finding::SERVICE_STOPPED.of(control.to_string(), detail)
}

/// What a connector's answer to the question for its status means, and the status.
fn of_answer(
    asked: Result<Answered, Unasked>,
    control: SocketAddr,
) -> (Vec<Finding>, Option<Value>) {
    let about = control.to_string();
    match asked {
        Ok(Answered { status: 200, body }) if body.is_object() => {
            (of_status(&body, env!("CARGO_PKG_VERSION")), Some(body))
        }
        Ok(Answered { status: 401, .. }) => {
            (vec![finding::SERVICE_SECRET_REFUSED.of(about, "")], None)
        }
        Ok(Answered { status, .. }) => {
            (vec![finding::SERVICE_SILENT.of(about, format!("status {status}"))], None)
        }
        Err(Unasked::NoSecret(why)) => {
            (vec![finding::SERVICE_SECRET_UNREADABLE.of(about, why)], None)
        }
        Err(Unasked::Unheard(why)) => (vec![finding::SERVICE_SILENT.of(about, why)], None),
    }
}

/// What the service says of itself.
fn of_status(status: &Value, own_version: &str) -> Vec<Finding> {
    let texts = |key: &str| -> Vec<&str> {
        status[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let version = status["version"].as_str().unwrap_or_default();
    let mut findings = vec![finding::SERVICE_OK.of("", format!("version {version}"))];
    if version != own_version {
        let detail = format!("the service is {version}, this program {own_version}");
        findings.push(finding::SERVICE_OTHER_VERSION.of("", detail));
    }
    let reasons = texts("reasons");
    if !reasons.is_empty() {
        findings.push(finding::SERVICE_NOT_READY.of("", reasons.join("; ")));
    }
    findings
        .extend(texts("warnings").into_iter().map(|text| finding::SERVICE_WARNING.of("", text)));
    let count = |key: &str| status["deliveries"][key].as_u64().unwrap_or_default();
    let (dead, parked) = (count("dead"), count("parked"));
    if dead > 0 || parked > 0 {
        let detail = format!("dead: {dead}, parked: {parked}");
        findings.push(finding::DELIVERIES_WAITING.of("", detail));
    }
    findings
}

/// What it means who has a port; `free` finds out whether it can be had. Of the control port that does
/// not answer is told elsewhere.
fn port(
    setting: &'static str,
    address: SocketAddr,
    holder: Holder,
    service_runs: bool,
    free: impl FnOnce() -> io::Result<()>,
) -> Option<Finding> {
    let about = format!("{setting} {address}");
    let control = setting == "BITRIX24_CONTROL_ADDR";
    Some(match holder {
        _ if address.port() == 0 => finding::PORT_OK.of(about, "port 0 takes any free one"),
        Holder::Connector if service_runs => finding::PORT_OK.of(about, ""),
        Holder::Connector => finding::PORT_TAKEN.of(about, "another connector has it"),
        Holder::Silent if control => return None,
        Holder::Stranger | Holder::Silent => finding::PORT_TAKEN.of(about, ""),
        Holder::Nobody if service_runs => finding::PORT_UNSERVED.of(about, ""),
        Holder::Nobody => match free() {
            Ok(()) => finding::PORT_OK.of(about, ""),
            Err(why) if why.kind() == io::ErrorKind::AddrInUse => {
                finding::PORT_TAKEN.of(about, why.to_string())
            }
            Err(why) => finding::PORT_UNUSABLE.of(about, why.to_string()),
        },
    })
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use serde_json::Value;
    use serde_json::json;

    use super::of_answer;
    use super::of_status;
    use super::port;
    use crate::cli::control_client::Answered;
    use crate::cli::control_client::Holder;
    use crate::cli::control_client::Unasked;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn well() -> Value {
        json!({"version": "1.2.3", "reasons": [], "warnings": [],
            "deliveries": {"dead": 0, "parked": 0}})
    }

    #[test]
    fn what_the_service_says_becomes_findings() {
        let ids = |status: &Value| -> Vec<&'static str> {
            of_status(status, "1.2.3").into_iter().map(|found| found.kind.id).collect()
        };
        assert_eq!(ids(&well()), ["service_ok"]);
        let mut bad = well();
        bad["version"] = json!("1.2.4");
        bad["reasons"] = json!(["a", "b"]);
        bad["warnings"] = json!(["w", "v", 7]);
        bad["deliveries"]["parked"] = json!(2);
        let all = [
            "service_ok",
            "service_other_version",
            "service_not_ready",
            "service_warning",
            "service_warning",
            "deliveries_waiting",
        ];
        assert_eq!(ids(&bad), all);
        assert_eq!(ids(&json!({})), ["service_ok", "service_other_version"]);
    }

    #[test]
    fn a_service_that_is_not_ours_to_ask_is_told_apart() {
        let answered = |status, body| Ok(Answered { status, body });
        for (asked, id, told) in [
            (answered(200, well()), "service_ok", true),
            (answered(200, Value::Null), "service_silent", false),
            (answered(401, json!({})), "service_secret_refused", false),
            (answered(500, json!({})), "service_silent", false),
            (Err(Unasked::NoSecret("no file".into())), "service_secret_unreadable", false),
            (Err(Unasked::Unheard("cut".into())), "service_silent", false),
        ] {
            let (findings, status) = of_answer(asked, address("127.0.0.1:8810"));
            assert_eq!((findings[0].kind.id, status.is_some()), (id, told));
        }
    }

    #[test]
    fn every_holder_of_a_port_has_its_finding() {
        let (control, deliver) = ("BITRIX24_CONTROL_ADDR", "BITRIX24_DELIVER_ADDR");
        for (setting, at, holder, runs, free, id) in [
            (deliver, "127.0.0.1:0", Holder::Nobody, true, None, Some("port_ok")),
            (deliver, "127.0.0.1:9", Holder::Connector, true, None, Some("port_ok")),
            (deliver, "127.0.0.1:9", Holder::Connector, false, None, Some("port_taken")),
            (deliver, "127.0.0.1:9", Holder::Stranger, true, None, Some("port_taken")),
            (control, "127.0.0.1:9", Holder::Stranger, false, None, Some("port_taken")),
            (deliver, "127.0.0.1:9", Holder::Silent, false, None, Some("port_taken")),
            (control, "127.0.0.1:9", Holder::Silent, false, None, None),
            (deliver, "127.0.0.1:9", Holder::Nobody, true, None, Some("port_unserved")),
            (deliver, "127.0.0.1:9", Holder::Nobody, false, None, Some("port_ok")),
            (
                deliver,
                "127.0.0.1:9",
                Holder::Nobody,
                false,
                Some(io::ErrorKind::AddrInUse),
                Some("port_taken"),
            ),
            (
                deliver,
                "127.0.0.1:9",
                Holder::Nobody,
                false,
                Some(io::ErrorKind::PermissionDenied),
                Some("port_unusable"),
            ),
        ] {
            let tried = || free.map_or(Ok(()), |kind| Err(io::Error::from(kind)));
            let found = port(setting, address(at), holder, runs, tried);
            assert_eq!(found.map(|found| found.kind.id), id, "{setting} {at} {holder:?} {runs}");
        }
    }
}
