//! Parameters of one call, from query and body, the way PHP fills its request arrays: forms with
//! `a[b][]` names, multipart and JSON are equivalent (b24: transport §2.1). Knows no method; `rest`
//! makes them from a request, `batch` from a command line, handlers read them.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;
use serde_json::Map;
use serde_json::Value;
use url::form_urlencoded;

use super::php;

/// PHP's `max_input_vars`: further form fields are dropped.
const FORM_FIELDS_MAX: usize = 1000;
/// PHP's `max_input_nesting_level`: deeper form fields are dropped.
const FORM_DEPTH_MAX: usize = 64;

/// The parameters of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    values: Map<String, Value>,
    /// The commands of a batch in the order in which they came: that is the order of execution
    /// (b24: transport §2.6), which a sorted map would lose.
    commands: Vec<(String, Value)>,
    /// `start`, taken out of the parameters and cast to int before the method sees them
    /// (b24: transport §2.1).
    pub start: Option<i64>,
}

impl From<Map<String, Value>> for Params {
    fn from(values: Map<String, Value>) -> Params {
        Params { values, ..Params::default() }
    }
}

impl Params {
    /// Parameters of an HTTP request: query and body merged, the body wins (b24: transport §2.1).
    pub fn from_request(query: &str, content_type: &str, body: &[u8]) -> Params {
        let mut fields = form_tree(query.as_bytes());
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let of_body = if body.is_empty() {
            Vec::new()
        } else if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            form_tree(body)
        } else if kind.eq_ignore_ascii_case("multipart/form-data") {
            multipart_tree(content_type, body)
        } else if kind.eq_ignore_ascii_case("application/json") {
            json_tree(body)
        } else {
            // A JSON body with another content type is no body at all (b24: transport §2.1).
            Vec::new()
        };
        for (key, tree) in of_body {
            set(&mut fields, key, tree);
        }
        Params::from_tree(fields)
    }

    /// Parameters of one batch command: the part behind `?`.
    pub fn from_query(query: &str) -> Params {
        Params::from_tree(form_tree(query.as_bytes()))
    }

    fn from_tree(fields: Vec<(String, Tree)>) -> Params {
        let mut params = Params::default();
        for (key, tree) in fields {
            if matches!(key.as_str(), "cmd" | "CMD")
                && let Tree::Branch(entries) = &tree
            {
                let entries = entries.iter();
                params.commands = entries.map(|(k, v)| (k.clone(), v.clone().value())).collect();
            }
            params.values.insert(key, tree.value());
        }
        // `state` only serves signatures, which no method of the model makes.
        params.values.remove("state");
        params.start = params.values.remove("start").map(|start| php::int(&start));
        params
    }

    /// The value under exactly this name (controller methods, b24: messenger §1 item 2).
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The value under this name in any case (classic methods upper-case their keys).
    pub fn get_ci(&self, name: &str) -> Option<&Value> {
        self.values.get(name).or_else(|| {
            self.values.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
        })
    }

    /// [`Params::get_ci`] as text, empty when absent.
    pub fn text_ci(&self, name: &str) -> String {
        self.get_ci(name).map(php::text).unwrap_or_default()
    }

    /// [`Params::get_ci`] as an integer, `None` when absent or null.
    pub fn int_ci(&self, name: &str) -> Option<i64> {
        self.get_ci(name).filter(|value| !value.is_null()).map(php::int)
    }

    /// Whether [`Params::get_ci`] is the `Y` that old methods compare with; JSON `true` is not
    /// (b24: transport §2.1).
    pub fn yes_ci(&self, name: &str) -> bool {
        self.get_ci(name).and_then(Value::as_str) == Some("Y")
    }

    /// Takes a value out, exactly by name.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.values.remove(name)
    }

    /// Replaces every text, however deep, for which `replace` has another value.
    pub fn replace_texts(&mut self, replace: &dyn Fn(&str) -> Option<Value>) {
        self.values.values_mut().for_each(|value| replace_in(value, replace));
    }

    /// All values.
    pub fn values(&self) -> &Map<String, Value> {
        &self.values
    }

    /// The commands of a batch in their order.
    pub fn commands(&self) -> &[(String, Value)] {
        &self.commands
    }
}

fn replace_in(value: &mut Value, replace: &dyn Fn(&str) -> Option<Value>) {
    match value {
        Value::String(text) => {
            if let Some(other) = replace(text) {
                *value = other;
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| replace_in(value, replace)),
        Value::Object(map) => map.values_mut().for_each(|value| replace_in(value, replace)),
        _ => {}
    }
}

/// A PHP array while it is filled: keeps the order of keys.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Value),
    Branch(Vec<(String, Tree)>),
}

impl Tree {
    fn value(self) -> Value {
        match self {
            Tree::Leaf(value) => value,
            Tree::Branch(entries) => {
                if entries.iter().enumerate().all(|(n, (key, _))| *key == n.to_string()) {
                    return Value::Array(entries.into_iter().map(|(_, v)| v.value()).collect());
                }
                Value::Object(entries.into_iter().map(|(k, v)| (k, v.value())).collect())
            }
        }
    }
}

fn set(entries: &mut Vec<(String, Tree)>, key: String, tree: Tree) {
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some((_, old)) => *old = tree,
        None => entries.push((key, tree)),
    }
}

/// The branch under `key`, made (or made of a leaf) when it is not there.
fn branch<'a>(entries: &'a mut Vec<(String, Tree)>, key: &str) -> &'a mut Vec<(String, Tree)> {
    let at = match entries.iter().position(|(known, _)| known == key) {
        Some(at) => at,
        None => {
            entries.push((key.to_owned(), Tree::Leaf(Value::Null)));
            entries.len() - 1
        }
    };
    let slot = &mut entries[at].1;
    if matches!(slot, Tree::Leaf(_)) {
        *slot = Tree::Branch(Vec::new());
    }
    match slot {
        Tree::Branch(inner) => inner,
        Tree::Leaf(_) => unreachable!("a leaf was just made a branch"),
    }
}

fn form_tree(text: &[u8]) -> Vec<(String, Tree)> {
    let mut fields = Vec::new();
    for (name, value) in form_urlencoded::parse(text).take(FORM_FIELDS_MAX) {
        insert_field(&mut fields, &name, value.into_owned());
    }
    fields
}

/// Puts one form field where PHP would: `a[b][]` goes under the next free number of `a.b`.
fn insert_field(fields: &mut Vec<(String, Tree)>, name: &str, value: String) {
    let (first, mut rest) = match name.find('[') {
        None => (name, ""),
        // A name that begins with a bracket is empty, and an empty one is dropped.
        Some(0) => return,
        // A bracket that is never closed is part of the name.
        Some(at) if !name[at..].contains(']') => (name, ""),
        Some(at) => name.split_at(at),
    };
    if first.is_empty() {
        return;
    }
    // What cannot stand in the name of a variable becomes an underscore.
    let first = first.replace([' ', '.', '['], "_");
    let mut path = vec![first.as_str()];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = inner.find(']') else { break };
        path.push(&inner[..end]);
        rest = &inner[end + 1..];
    }
    if path.len() > FORM_DEPTH_MAX {
        return;
    }
    let last = path.pop().unwrap_or_default();
    let mut entries = fields;
    for key in path {
        let key = numbered(entries, key);
        entries = branch(entries, &key);
    }
    let key = numbered(entries, last);
    set(entries, key, Tree::Leaf(Value::String(value)));
}

/// The key itself, or for `[]` one more than the largest number so far.
fn numbered(entries: &[(String, Tree)], key: &str) -> String {
    if !key.is_empty() {
        return key.to_owned();
    }
    let largest = entries.iter().filter_map(|(key, _)| key.parse::<u32>().ok()).max();
    largest.map_or(0, |n| n.saturating_add(1)).to_string()
}

fn multipart_tree(content_type: &str, body: &[u8]) -> Vec<(String, Tree)> {
    let mut fields = Vec::new();
    let boundary = content_type
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("boundary="))
        .map(|text| text.trim_matches('"'))
        .next()
        .unwrap_or_default();
    if boundary.is_empty() {
        return fields;
    }
    let delimiter = format!("--{boundary}");
    let mut rest = body;
    for _ in 0..FORM_FIELDS_MAX {
        let Some(start) = find(rest, delimiter.as_bytes()) else { break };
        rest = &rest[start + delimiter.len()..];
        let Some(part) = rest.strip_prefix(b"\r\n") else { break };
        let Some(end) = find(part, format!("\r\n{delimiter}").as_bytes()) else { break };
        insert_part(&mut fields, &part[..end]);
        rest = &part[end + 2..];
    }
    fields
}

fn insert_part(fields: &mut Vec<(String, Tree)>, part: &[u8]) {
    let Some(head_end) = find(part, b"\r\n\r\n") else { return };
    let head = String::from_utf8_lossy(&part[..head_end]);
    let disposition = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))
        .unwrap_or_default();
    let attribute = |name: &str| {
        let from = disposition.find(&format!("; {name}=\""))? + name.len() + 4;
        disposition[from..].split('"').next()
    };
    // A part with a file name goes to PHP's list of files, not to the parameters.
    if attribute("filename").is_some() {
        return;
    }
    if let Some(name) = attribute("name") {
        let value = String::from_utf8_lossy(&part[head_end + 4..]).into_owned();
        insert_field(fields, name, value);
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

/// Invalid JSON, or JSON that is no object or list, is no parameters at all, not an error
/// (b24: transport §2.1).
fn json_tree(body: &[u8]) -> Vec<(String, Tree)> {
    match serde_json::from_slice(body) {
        Ok(Tree::Branch(entries)) => entries,
        Ok(Tree::Leaf(_)) | Err(_) => Vec::new(),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(value) = list.next_element()? {
            entries.push((entries.len().to_string(), value));
        }
        Ok(Tree::Branch(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Tree>()? {
            set(&mut entries, key, value);
        }
        Ok(Tree::Branch(entries))
    }
}
