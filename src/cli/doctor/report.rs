//! The findings of a run of `doctor`, in the order in which they were made, and how they are shown to
//! people and to programs. Those of the running service come as JSON, with its own texts, because it
//! may be of another version.

use serde_json::Value;
use serde_json::json;

use crate::domain::finding::Finding;
use crate::domain::finding::Severity;

/// A finding as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    id: String,
    severity: Severity,
    about: String,
    detail: String,
    means: String,
    remedy: String,
}

impl Told {
    fn of(finding: Finding) -> Told {
        Told {
            id: finding.kind.id.to_owned(),
            severity: finding.kind.severity,
            about: plain(&finding.about),
            detail: plain(&finding.detail),
            means: finding.kind.means.to_owned(),
            remedy: finding.kind.remedy.to_owned(),
        }
    }

    /// As the control API writes it; `None` for what is no finding.
    fn read(value: &Value) -> Option<Told> {
        let text = |key: &str| value[key].as_str().map(plain);
        Some(Told {
            id: text("id")?,
            severity: Severity::parse(value["severity"].as_str()?)?,
            about: text("about")?,
            detail: text("detail")?,
            means: text("means")?,
            remedy: text("remedy")?,
        })
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "severity": self.severity.as_str(),
            "about": self.about,
            "detail": self.detail,
            "means": self.means,
            "remedy": self.remedy,
        })
    }

    fn text(&self) -> String {
        let Told { id, severity, about, detail, means, remedy } = self;
        let severity = severity.as_str();
        let about = if about.is_empty() { String::new() } else { format!(" [{about}]") };
        let seen = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        if remedy.is_empty() {
            return format!("{severity:<8} {id}{about}: {means}{seen}\n");
        }
        let mut text = format!("{severity:<8} {id}{about}\n{:<8} {means}.\n", "");
        if !detail.is_empty() {
            text.push_str(&format!("{:<8} Seen: {detail}\n", ""));
        }
        text.push_str(&format!("{:<8} To do: {remedy}.\n", ""));
        text
    }
}

/// A text in one line: what was seen may be anything, and goes to a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    found: Vec<Told>,
}

impl Report {
    /// Takes findings; what is known of the same thing already is left out.
    pub fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            self.take(Told::of(finding));
        }
    }

    /// Takes the findings of an answer of the control API; `false` when there are none in it.
    pub fn read(&mut self, body: &Value) -> bool {
        let listed = body["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        let told: Vec<Told> = listed.iter().filter_map(Told::read).collect();
        let any = !told.is_empty();
        for told in told {
            self.take(told);
        }
        any
    }

    fn take(&mut self, told: Told) {
        let same = |known: &Told| {
            known.id == told.id
                && known.about == told.about
                // Two looks at one clock never see quite the same.
                && (known.detail == told.detail || known.id.starts_with("clock_"))
        };
        if !self.found.iter().any(same) {
            self.found.push(told);
        }
    }

    /// The worst of it.
    pub fn worst(&self) -> Severity {
        self.found.iter().map(|told| told.severity).max().unwrap_or(Severity::Ok)
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text: String = self.found.iter().map(Told::text).collect();
        let count = |severity| self.found.iter().filter(|told| told.severity == severity).count();
        let (problems, warnings) = (count(Severity::Problem), count(Severity::Warning));
        text.push_str(&match (problems, warnings) {
            (0, 0) => "\nNothing is wrong.\n".to_owned(),
            _ => format!("\nProblems: {problems}. Warnings: {warnings}.\n"),
        });
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let findings: Vec<Value> = self.found.iter().map(Told::json).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "worst": self.worst().as_str(),
            "findings": findings,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Report;
    use crate::domain::finding;
    use crate::domain::finding::Severity;

    #[test]
    fn a_report_says_what_it_means_and_what_to_do() {
        let mut report = Report::default();
        assert_eq!((report.worst(), report.text()), (Severity::Ok, "\nNothing is wrong.\n".into()));
        report.extend([finding::PORTAL_OK.of("acme.example", "")]);
        report.extend([
            finding::DISK_LOW.of("/var", "900 MiB"),
            finding::DISK_LOW.of("/var", "900 MiB"),
        ]);
        assert_eq!(report.worst(), Severity::Warning);
        let expected = format!(
            "ok       portal_ok [acme.example]: {}\n\
             warning  disk_low [/var]\n         {}.\n         Seen: 900 MiB\n         To do: {}.\n\
             \nProblems: 0. Warnings: 1.\n",
            finding::PORTAL_OK.means,
            finding::DISK_LOW.means,
            finding::DISK_LOW.remedy
        );
        assert_eq!(report.text(), expected);
    }

    #[test]
    fn findings_of_the_service_are_read_as_it_wrote_them() {
        let mut written = Report::default();
        written.extend([finding::AGENT_REVOKED.of("helper", "a\u{1b}[31m reason\nof two lines")]);
        let body = written.json();
        let mut report = Report::default();
        assert!(report.read(&body));
        assert_eq!(report.json(), body);
        assert!(!report.text().contains('\u{1b}'));
        let odd = json!({"findings": [7, {"id": "x"}, {"id": "x", "severity": "awful"}]});
        for odd in [json!({}), json!(null), odd] {
            assert!(!report.read(&odd), "{odd}");
        }
        assert_eq!(report.json(), body);
    }
}
