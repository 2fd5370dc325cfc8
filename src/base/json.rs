//! Lenient reads of JSON values: the portal sends numbers as strings, booleans as `"Y"`, and empty
//! objects as arrays (b24: transport §6 rule 23). Knows no field names.

use serde_json::Value;

/// An integer, or a string of one.
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A string, or the text of a number.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `true`, `"Y"`, `1`, `"1"`, `"true"`; everything else is false.
pub fn flag(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_i64() == Some(1),
        Value::String(text) => matches!(text.as_str(), "Y" | "y" | "1" | "true"),
        _ => false,
    }
}

/// The entries of a list, also of one that PHP writes as an object because it lost an entry in its
/// middle. An empty object is none: PHP writes an empty list as one.
pub fn list(value: &Value) -> Option<Vec<&Value>> {
    let is_index = |key: &String| key.bytes().all(|byte| byte.is_ascii_digit());
    match value {
        Value::Array(listed) => Some(listed.iter().collect()),
        Value::Object(listed) if !listed.is_empty() && listed.keys().all(is_index) => {
            Some(listed.values().collect())
        }
        _ => None,
    }
}

/// The non-empty string at `key`, if it is one.
pub fn nonempty<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_list_is_one_in_whatever_way_php_writes_it() {
        let length = |value: serde_json::Value| super::list(&value).map(|listed| listed.len());
        assert_eq!(length(json!([])), Some(0));
        assert_eq!(length(json!([1, 2])), Some(2));
        assert_eq!(length(json!({"0": 1, "2": 3})), Some(2));
        for none in [json!({}), json!({"a": 1}), json!(null), json!("x")] {
            assert_eq!(length(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn reads_what_the_portal_sends() {
        assert_eq!(super::int(&json!("70398")), Some(70_398));
        assert_eq!(super::int(&json!(70398)), Some(70_398));
        assert_eq!(super::int(&json!(false)), None);
        assert_eq!(super::text(&json!(5)).as_deref(), Some("5"));
        assert!(super::flag(&json!("Y")) && super::flag(&json!(1)) && super::flag(&json!(true)));
        assert!(
            !super::flag(&json!("N")) && !super::flag(&json!([])) && !super::flag(&json!(null))
        );
        assert_eq!(super::nonempty(&json!({"a": ""}), "a"), None);
        assert_eq!(super::nonempty(&json!([]), "a"), None);
    }
}
