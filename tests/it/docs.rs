//! The documents say what the code does: every link leads somewhere, every `b24:` reference, setting,
//! route, reason, log word and counter has its place, and none is described that does not exist.
//! `contract` compares the JSON examples with a run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::scene::BINARY;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

struct Text {
    /// Path below the repository, with forward slashes.
    path: String,
    text: String,
}

fn read(path: &str) -> String {
    let full = Path::new(ROOT).join(path);
    fs::read_to_string(&full).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Every file below `dir` whose name ends so.
fn below(dir: &str, end: &str) -> Vec<Text> {
    let mut found = Vec::new();
    let mut stack = vec![Path::new(ROOT).join(dir)];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(dir).expect("directory is readable") {
            let path: PathBuf = entry.expect("entry is readable").path();
            let name = path.strip_prefix(ROOT).expect("below").to_string_lossy().into_owned();
            if path.is_dir() {
                stack.push(path);
            } else if name.ends_with(end) {
                found.push(Text { text: read(&name), path: name });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn documents() -> Vec<Text> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    let top = top.into_iter().map(|path| Text { path: path.to_owned(), text: read(path) });
    top.chain(below("docs", ".md")).collect()
}

/// Sources of the product: no model, no tests.
fn product() -> Vec<Text> {
    let product = |source: &Text| {
        !source.path.starts_with("src/sim/")
            && !source.path.contains("/tests")
            && !source.path.ends_with("tests.rs")
    };
    // The one crate of vendor/ that is ours to answer for.
    let own = below("vendor/tiny_http/src", ".rs");
    below("src", ".rs").into_iter().filter(product).chain(own).collect()
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// What stands between back-ticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// The part of a document below a heading.
fn section<'a>(document: &'a str, heading: &str) -> &'a str {
    let start = document.find(&format!("\n{heading}\n"));
    let rest = &document[start.unwrap_or_else(|| panic!("no {heading}")) + heading.len() + 2..];
    let level = heading.split(' ').next().unwrap_or_default();
    rest.find(&format!("\n{level} ")).map_or(rest, |end| &rest[..end])
}

/// Cells of the first column of the tables in a text.
fn first_column(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.split(" |").next()).collect()
}

/// String literals of a function, continued lines joined, `{…}` as `…`.
fn literals(source: &str, function: &str) -> Vec<String> {
    let start = source.find(function).unwrap_or_else(|| panic!("no {function}"));
    let rest = &source[start..];
    let ends = [rest.find("\n}\n"), rest.find("\n    }\n")];
    let body = &rest[..ends.into_iter().flatten().min().expect("the function ends")];
    let mut found = Vec::new();
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '"' {
            continue;
        }
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' if chars.peek() == Some(&'\n') => {
                    while chars.peek().is_some_and(|c| c.is_whitespace()) {
                        chars.next();
                    }
                }
                '{' => {
                    text.push('…');
                    let _ = chars.by_ref().take_while(|c| *c != '}').count();
                }
                c => text.push(c),
            }
        }
        found.push(text);
    }
    found
}

/// As GitHub makes an anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn every_link_and_every_named_file_exists() {
    let mut problems = Vec::new();
    for document in documents() {
        let dir = Path::new(ROOT).join(&document.path);
        let dir = dir.parent().expect("a directory").to_owned();
        for link in document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            // An address elsewhere, or a mention.
            if link.contains(':') {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { Path::new(ROOT).join(&document.path) } else { dir.join(file) };
            let Ok(text) = fs::read_to_string(&target) else {
                problems.push(format!("{}: {link} does not exist", document.path));
                continue;
            };
            let mut headings = text.lines().filter(|line| line.starts_with('#'));
            let leads = headings.any(|line| slug(line.trim_start_matches('#').trim()) == anchor);
            if !anchor.is_empty() && !leads {
                problems.push(format!("{}: {link} has no such heading", document.path));
            }
        }
        for named in quoted(&document.text) {
            let rooms = ["src/", "tests/", "docs/", "packaging/", "vendor/PATCHES.md"];
            let is_path = rooms.iter().any(|room| named.starts_with(room));
            if is_path && !named.contains(' ') && !Path::new(ROOT).join(named).exists() {
                problems.push(format!("{}: {named} does not exist", document.path));
            }
        }
    }
    for source in below("src", ".rs") {
        for named in source.text.split("docs/").skip(1) {
            let end = named.find(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c));
            let named = named[..end.unwrap_or(named.len())].trim_end_matches('.');
            if named.ends_with(".md") && !Path::new(ROOT).join("docs").join(named).exists() {
                problems.push(format!("{}: docs/{named} does not exist", source.path));
            }
        }
    }
    report(&problems);
}

/// Comments as running text: line ends inside them are blanks.
fn running(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let line = line.trim_start();
        let comment = ["//! ", "/// ", "// "].iter().find_map(|mark| line.strip_prefix(mark));
        comment.map_or_else(|| format!("\n{line}"), |text| format!(" {text}"))
    });
    lines.collect()
}

/// What a reference points at: the section it must be in, and a text there.
fn anchors(reference: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut document, mut section, mut kind) = (String::new(), String::new(), "");
    for word in reference.split([' ', ',', '–']).filter(|word| !word.is_empty()) {
        let number = word.chars().all(|c| c.is_ascii_digit());
        let rule = word.trim_start_matches(['R', 'Q']);
        let rule = !rule.is_empty() && rule.chars().all(|c| c.is_ascii_digit());
        match word {
            "transport" | "messenger" => document = word.to_owned(),
            "item" | "row" | "rule" => kind = word,
            "rules" => kind = "rule",
            "quirk" | "quirks" => kind = "sim quirk",
            _ if word.starts_with('§') => {
                section = format!("{document} {word}");
                found.push((section.clone(), String::new()));
            }
            _ if rule && word.starts_with('R') => {
                found.push(("messenger §14".to_owned(), format!("| {word} |")));
            }
            _ if rule && word.starts_with('Q') => {
                found.push(("messenger §15".to_owned(), format!("| {word} |")));
            }
            _ if number && matches!(kind, "item" | "row") => {
                found.push((section.clone(), format!("{kind} {word}: ")));
            }
            _ if number && kind == "rule" => {
                found.push(("transport §6".to_owned(), format!("| rule {word} |")));
            }
            _ if number && kind == "sim quirk" => {
                found.push(("transport §7".to_owned(), format!("| sim quirk {word} |")));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_portal_reference_of_the_code_is_resolved() {
    let document = read("docs/bitrix24.md");
    // Name of each section and its text.
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in document.lines() {
        let heading = line.trim_start_matches('#').trim();
        let mut words = heading.split(' ');
        match (line.starts_with('#'), words.next(), words.next()) {
            (true, Some(document @ ("transport" | "messenger")), Some(number)) => {
                sections.push((format!("{document} {number}"), String::new()));
            }
            _ => {
                if let Some((_, text)) = sections.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    let mut problems = Vec::new();
    let mut references = 0;
    for source in below("src", ".rs") {
        for reference in running(&source.text).split("b24: ").skip(1) {
            let end = reference.find([')', ':', ';', '\n']).unwrap_or(reference.len());
            let reference = reference[..end].split(". ").next().unwrap_or_default();
            let anchors = anchors(reference);
            if anchors.is_empty() {
                problems.push(format!("{}: b24: {reference} names no section", source.path));
            }
            references += anchors.len();
            for (section, text) in anchors {
                let found = sections.iter().filter(|(name, _)| *name == section);
                if !found.clone().any(|(_, body)| body.contains(&text)) {
                    let what = if text.is_empty() { &section } else { &text };
                    problems.push(format!("{}: docs/bitrix24.md has no {what}", source.path));
                }
            }
        }
    }
    assert!(references > 100, "only {references} references were found");
    report(&problems);
}

#[test]
fn every_contract_reference_of_the_code_is_resolved() {
    let contract = read("docs/contract.md");
    let mut problems = Vec::new();
    for source in below("src", ".rs") {
        let text = running(&source.text);
        for (mark, heading) in [("aihummer: ", "### aihummer §"), ("connector §", "## ")] {
            for reference in text.split(mark).skip(1) {
                let end = reference.find(|c: char| !c.is_ascii_digit() && !"§., ".contains(c));
                let numbers = reference[..end.unwrap_or(reference.len())].split([',', ' ']);
                let numbers = numbers.map(|number| number.trim_matches(['§', '.']));
                for number in numbers.filter(|number| !number.is_empty()) {
                    let (plain, dotted) =
                        (format!("{heading}{number} "), format!("{heading}{number}. "));
                    let mut lines = contract.lines();
                    if !lines.any(|line| line.starts_with(&plain) || line.starts_with(&dotted)) {
                        problems.push(format!(
                            "{}: docs/contract.md has no {mark}{number}",
                            source.path
                        ));
                    }
                }
            }
        }
    }
    report(&problems);
}

#[test]
fn every_setting_is_explained_with_its_default() {
    let told = Command::new(BINARY).args(["settings", "--json"]).env_clear().output();
    let told: Value = serde_json::from_slice(&told.expect("runs").stdout).expect("JSON");
    let settings = told["settings"].as_array().expect("a list");
    let operate = read("docs/operate.md");
    let mut names = BTreeSet::new();
    let mut problems = Vec::new();
    for setting in settings {
        let text = |key: &str| setting[key].as_str().expect("a text");
        let row = operate.lines().find(|l| l.starts_with(&format!("| `{}` |", text("name"))));
        let default = row.and_then(|row| row.split(" | ").nth(1)).map(|cell| cell.replace('`', ""));
        if default.as_deref() != Some(text("default")) {
            problems.push(format!(
                "{}: {default:?} is told, not {}",
                text("name"),
                setting["default"]
            ));
        }
        names.insert(text("name").to_owned());
    }
    // For tests, and of the gateway.
    let others = ["AIHUMMER_SLOW", "AIHUMMER_DEFAULT_WORKSPACE_ID"];
    for document in documents() {
        for (at, _) in
            document.text.match_indices("BITRIX24_").chain(document.text.match_indices("AIHUMMER_"))
        {
            let rest = &document.text[at..];
            let end =
                rest.find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
            let name = &rest[..end.unwrap_or(rest.len())];
            if !name.ends_with('_') && !names.contains(name) && !others.contains(&name) {
                problems.push(format!("{}: {name} is no setting", document.path));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_route_is_in_the_contract() {
    let contract = read("docs/contract.md");
    let mut routes = 0;
    let mut problems = Vec::new();
    for route in read("src/api/routes.rs").split("Route::new(").skip(1) {
        // The first text of each is its path.
        let Some(path) = route.split('"').nth(1) else { continue };
        let path = path.replace("{service}", "aihummer.connector.v1.{service}");
        routes += 1;
        if !quoted(&contract).any(|quoted| quoted.split(' ').next_back() == Some(path.as_str())) {
            problems.push(format!("docs/contract.md does not name {path}"));
        }
    }
    assert!(routes >= 15, "only {routes} routes were found");
    report(&problems);
}

#[test]
fn every_error_code_is_in_the_contract_and_no_other() {
    let mut codes = BTreeSet::from(["`permission_denied` 403".to_owned()]);
    for source in below("src/api", ".rs") {
        for call in source.text.split("Problem::new(").skip(1) {
            let mut words = call.split(',').map(str::trim);
            let (status, code) = (words.next(), words.next());
            if let (Some(status), Some(code)) = (status, code.and_then(|c| c.strip_prefix('"'))) {
                codes.insert(format!("`{}` {status}", code.trim_end_matches('"')));
            }
        }
    }
    let contract = read("docs/contract.md");
    let told = first_column(section(&contract, "### Errors"));
    let told: BTreeSet<String> =
        told.into_iter().filter(|cell| cell.starts_with('`')).map(str::to_owned).collect();
    assert_eq!(told, codes);
}

#[test]
fn every_counter_and_log_word_is_told_and_exists() {
    let operate = read("docs/operate.md");
    let metrics = read("src/base/metrics.rs");
    let counters = |text: &str| -> BTreeSet<String> {
        let names = text.split("aihummer_").skip(1).filter_map(|rest| rest.split("_total").next());
        let plain = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        names.filter(plain).map(|name| format!("aihummer_{name}_total")).collect()
    };
    assert_eq!(counters(section(&operate, "## Metrics")), counters(&metrics));

    let mut words = BTreeSet::new();
    for source in product() {
        for call in source.text.split("log::").skip(1) {
            let macros = ["error!(", "warn!(", "info!(", "debug!("];
            let Some(call) = macros.iter().find_map(|name| call.strip_prefix(name)) else {
                continue;
            };
            let text = call.trim_start().trim_start_matches('"');
            let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            words.insert(text[..end.unwrap_or(text.len())].to_owned());
        }
    }
    // The example in the header of base::log.
    words.remove("agent_connected");
    let log = section(&operate, "## Log");
    let told: BTreeSet<String> = first_column(log)
        .into_iter()
        .flat_map(quoted)
        .chain(quoted(log.rsplit("\n\n").find(|part| part.starts_with("Also")).expect("the rest")))
        .filter(|word| word.contains('_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(told, words);
}

#[test]
fn every_state_and_reason_is_told() {
    let (operate, contract) = (read("docs/operate.md"), read("docs/contract.md"));
    // (document, section, file, function, whether only sentences count)
    let told = [
        (&operate, "## Agent states", "src/domain/agent.rs", "fn as_str", false),
        (&operate, "## Agent states", "src/agents/registry.rs", "fn heed_failure", true),
        (&operate, "## Agent states", "src/agents/registry.rs", "fn lacking_reason", true),
        (&operate, "## Agent states", "src/agents/remedy.rs", "const ENDINGS", true),
        (&operate, "## /readyz", "src/api/control.rs", "fn reasons", true),
        (&operate, "## /readyz", "src/app/build.rs", "fn gateway_reason", true),
        (&contract, "### What is never forwarded", "src/domain/filter.rs", "fn as_str", false),
        (
            &contract,
            "### Inbound messages, for people",
            "src/domain/inbound.rs",
            "fn as_str",
            false,
        ),
        (&operate, "## Messages that need a person", "src/api/inbound.rs", "fn warnings", true),
        (
            &contract,
            "## 3. Deliver: gateway to connector",
            "src/api/deliver.rs",
            "fn status_word",
            false,
        ),
    ];
    let mut problems = Vec::new();
    for (document, heading, file, function, sentences) in told {
        let text = section(document, heading);
        let literals = literals(&read(file), function);
        assert!(!literals.is_empty(), "{file}: {function}");
        for literal in literals {
            let counts = !sentences || literal.split(' ').count() > 2;
            if counts && !quoted(text).any(|quoted| quoted == literal) {
                problems.push(format!("{heading} does not tell `{literal}` ({file})"));
            }
        }
    }
    // What the consent pages say is told in part.
    let words = read("src/api/consent/words.rs").replace("\\\n", "");
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ");
    for cell in first_column(section(&operate, "## When a consent is refused")).iter().skip(1) {
        for piece in cell.split('…').map(str::trim).filter(|piece| !piece.starts_with('-')) {
            if !words.contains(piece) {
                problems.push(format!("no consent page says {piece:?}"));
            }
        }
    }
    report(&problems);
}

#[test]
fn every_finding_is_told_as_doctor_tells_it() {
    let source = read("src/domain/finding.rs");
    let list = source.split("\nkinds! {").nth(1).expect("the list");
    let list = list.split("\n}\n").next().expect("it ends");
    // Before each first text the name and the severity, then the id, what it means, what to do.
    let parts: Vec<&str> = list.split('"').collect();
    let (mut rows, mut well) = (BTreeSet::new(), BTreeSet::new());
    for kind in parts.chunks_exact(6) {
        let severity = kind[0].split_whitespace().next_back().expect("a severity").to_lowercase();
        let (id, means, remedy) = (kind[1], kind[3], kind[5]);
        match severity.as_str() {
            "ok" => well.insert(id.to_owned()),
            _ => rows.insert(format!("| `{id}` | {severity} | {means} | {remedy} |")),
        };
    }
    assert!(rows.len() > 50 && well.len() > 10, "{} and {} were found", rows.len(), well.len());
    let operate = read("docs/operate.md");
    let told = section(&operate, "## doctor");
    let told_rows = told.lines().filter(|line| line.starts_with("| `")).map(str::to_owned);
    assert_eq!(told_rows.collect::<BTreeSet<_>>(), rows);
    let told_well = told.split("is told in a line: ").nth(1).expect("what is well");
    let told_well = quoted(told_well.lines().next().unwrap_or_default()).map(str::to_owned);
    assert_eq!(told_well.collect::<BTreeSet<_>>(), well);
}

#[test]
fn nothing_points_outside_the_repository() {
    let folder = concat!("shared", "/");
    let mut problems = Vec::new();
    let mut texts = documents();
    for (dir, end) in [("src", ""), ("tests", ""), ("packaging", ""), (".ci", ""), (".cargo", "")] {
        texts.extend(below(dir, end));
    }
    for path in ["dev", "Cargo.toml", "deny.toml", "clippy.toml", "vendor/PATCHES.md"] {
        texts.push(Text { path: path.to_owned(), text: read(path) });
    }
    for text in texts {
        for (number, line) in (1..).zip(text.text.lines()) {
            if line.contains(folder) {
                problems.push(format!("{}:{number}: {}", text.path, line.trim()));
            }
        }
    }
    report(&problems);
}
