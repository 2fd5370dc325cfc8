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

/// The non-empty string at `key`, if it is one.
pub fn nonempty<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
