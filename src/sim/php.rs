//! What the portal is because it is written in PHP: loose casts, arrays that are lists and maps at
//! once, and the text form of its JSON. Pure; used by every handler of the model.
//!
//! An empty [`Value::Object`] is an empty PHP array and is written `[]`; an object whose keys are
//! exactly 0..n-1 is a list (b24: transport §2.6, messenger §1 item 3). The rare real `{}` (a PHP
//! date object) is [`empty_object`].

use std::fmt::Write;

use serde_json::Value;
use serde_json::json;

/// A value whose maps keep the order in which they were filled, where order is part of the answer
/// (token response, batch maps).
#[derive(Clone, Debug, PartialEq)]
pub enum Php {
    /// Any value; the keys of its objects are written in alphabetical order.
    Value(Value),
    /// A PHP array with string keys, in order.
    Map(Vec<(String, Php)>),
}

impl From<Value> for Php {
    fn from(value: Value) -> Php {
        Php::Value(value)
    }
}

impl Php {
    /// An ordered map from borrowed keys.
    pub fn map<const N: usize>(entries: [(&str, Php); N]) -> Php {
        Php::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }
}

/// The mark of [`empty_object`]: no PHP array key starts with a NUL.
const OBJECT_MARK: &str = "\0object";

/// `{}`: what `json_encode` makes of a PHP object without public properties, such as a date.
pub fn empty_object() -> Value {
    json!({ OBJECT_MARK: null })
}

/// `intval`: leading digits of a string, truth of a boolean, 0 for everything else. A non-empty
/// array is 1.
pub fn int(value: &Value) -> i64 {
    match value {
        Value::Null => 0,
        Value::Bool(flag) => i64::from(*flag),
        Value::Number(number) => {
            number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64)
        }
        Value::String(text) => int_of_text(text),
        Value::Array(list) => i64::from(!list.is_empty()),
        Value::Object(map) => i64::from(!map.is_empty()),
    }
}

/// `intval` of a string.
pub fn int_of_text(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = digits
        .bytes()
        .take_while(u8::is_ascii_digit)
        .fold(0_i64, |sum, digit| sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -magnitude } else { magnitude }
}

/// `(bool)`: everything but null, false, 0, `""`, `"0"` and empty arrays. The string `"false"` is
/// true (b24: transport §2.6).
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "0"),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// `(string)`: numbers in decimal, `true` as `"1"`, false and null as `""`, arrays as `"Array"`.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => "Array".to_owned(),
    }
}

/// `(array)`: the elements of a list or map, the value itself as the only element, none for null.
pub fn elements(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.iter().collect(),
        Value::Object(map) => map.values().collect(),
        single => vec![single],
    }
}

/// Writes a value the way the portal's `json_encode` does: `\/`, `< > & ' "` as `\u003C` and so on,
/// and, with `escape_unicode`, everything beyond ASCII as `\u` and four digits (b24: transport
/// §2.3).
pub fn encode(value: &Php, escape_unicode: bool) -> String {
    let mut out = String::with_capacity(256);
    write_php(&mut out, value, escape_unicode);
    out
}

/// [`encode`] for a plain value, appended to `out`.
pub fn write_value(out: &mut String, value: &Value, escape_unicode: bool) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64() {
            // PHP writes a whole float without its fraction.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                let _ = write!(out, "{float:.0}");
            }
            _ => {
                let _ = write!(out, "{number}");
            }
        },
        Value::String(text) => write_text(out, text, escape_unicode),
        Value::Array(list) => {
            write_list(out, list.iter(), |out, v| write_value(out, v, escape_unicode));
        }
        Value::Object(map) if map.contains_key(OBJECT_MARK) => out.push_str("{}"),
        Value::Object(map) if is_list(map.len(), |key| map.contains_key(key)) => {
            let in_order = (0..map.len()).filter_map(|n| map.get(n.to_string().as_str()));
            write_list(out, in_order, |out, v| write_value(out, v, escape_unicode));
        }
        Value::Object(map) => {
            write_map(out, map.iter(), escape_unicode, |out, v| {
                write_value(out, v, escape_unicode);
            });
        }
    }
}

fn write_php(out: &mut String, value: &Php, escape_unicode: bool) {
    match value {
        Php::Value(value) => write_value(out, value, escape_unicode),
        Php::Map(entries) => {
            let list = entries.iter().enumerate().all(|(n, (key, _))| *key == n.to_string());
            if list {
                write_list(out, entries.iter().map(|(_, v)| v), |out, v| {
                    write_php(out, v, escape_unicode);
                });
            } else {
                write_map(out, entries.iter().map(|(k, v)| (k, v)), escape_unicode, |out, v| {
                    write_php(out, v, escape_unicode);
                });
            }
        }
    }
}

/// Whether a map of `len` keys has exactly the keys 0..len; true for the empty one.
fn is_list(len: usize, has: impl Fn(&str) -> bool) -> bool {
    len == 0 || (has("0") && (1..len).all(|n| has(n.to_string().as_str())))
}

fn write_list<'a, T: 'a>(
    out: &mut String,
    values: impl Iterator<Item = &'a T>,
    mut write: impl FnMut(&mut String, &'a T),
) {
    out.push('[');
    for (n, value) in values.enumerate() {
        if n > 0 {
            out.push(',');
        }
        write(out, value);
    }
    out.push(']');
}

fn write_map<'a, T: 'a>(
    out: &mut String,
    entries: impl Iterator<Item = (&'a String, &'a T)>,
    escape_unicode: bool,
    mut write: impl FnMut(&mut String, &'a T),
) {
    out.push('{');
    for (n, (key, value)) in entries.enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_text(out, key, escape_unicode);
        out.push(':');
        write(out, value);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str, escape_unicode: bool) {
    out.push('"');
    for character in text.chars() {
        match character {
            '/' => out.push_str("\\/"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\'' | '"' => {
                let _ = write!(out, "\\u{:04X}", u32::from(character));
            }
            // PHP escapes the last two even when it leaves Unicode alone.
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ if character.is_ascii() || !escape_unicode => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::Php;
    use super::empty_object;
    use super::encode;
    use super::int;
    use super::text;
    use super::truth;
    use serde_json::Value;
    use serde_json::json;

    fn encoded(value: Value) -> String {
        encode(&Php::Value(value), false)
    }

    #[test]
    fn casts_are_those_of_php() {
        assert_eq!(int(&json!("12abc")), 12);
        assert_eq!(int(&json!(" -7")), -7);
        assert_eq!(int(&json!("chat12")), 0);
        assert_eq!(int(&json!(3.9)), 3);
        assert_eq!(int(&json!([5])), 1);
        assert_eq!(int(&json!("99999999999999999999")), i64::MAX);
        assert!(truth(&json!("false")) && truth(&json!("N")) && truth(&json!([0])));
        assert!(!truth(&json!("0")) && !truth(&json!("")) && !truth(&json!([])));
        assert_eq!(text(&json!(true)), "1");
        assert_eq!(text(&json!(false)), "");
        assert_eq!(text(&json!([1])), "Array");
    }

    #[test]
    fn json_is_escaped_as_php_does() {
        let value = json!("a/b <i> & 'q' \"d\"\nПривет 🙂");
        assert_eq!(
            encoded(value.clone()),
            "\"a\\/b \\u003Ci\\u003E \\u0026 \\u0027q\\u0027 \\u0022d\\u0022\\nПривет 🙂\""
        );
        assert_eq!(encoded(json!("\u{1f}\u{2028}")), "\"\\u001f\\u2028\"");
        let ascii = encode(&Php::Value(json!("Яx🙂")), true);
        assert_eq!(ascii, "\"\\u042fx\\ud83d\\ude42\"");
        for escape in [true, false] {
            let text = encode(&Php::Value(value.clone()), escape);
            assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value.clone()));
        }
    }

    #[test]
    fn php_arrays_become_lists_or_objects() {
        assert_eq!(encoded(json!({})), "[]");
        assert_eq!(encoded(json!({"0": "a", "1": "b"})), "[\"a\",\"b\"]");
        assert_eq!(encoded(json!({"1": "b", "2": "c"})), "{\"1\":\"b\",\"2\":\"c\"}");
        assert_eq!(encoded(empty_object()), "{}");
        assert_eq!(encoded(json!({"d": empty_object()})), "{\"d\":{}}");
        assert_eq!(encoded(json!([2.0, 0.5, 7])), "[2,0.5,7]");
        let ordered = Php::map([("z", json!(1).into()), ("a", Php::Map(Vec::new()))]);
        assert_eq!(encode(&ordered, false), "{\"z\":1,\"a\":[]}");
        let reversed = Php::map([("1", json!(1).into()), ("0", json!(0).into())]);
        assert_eq!(encode(&reversed, false), "{\"1\":1,\"0\":0}");
    }
}
