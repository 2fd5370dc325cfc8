//! Percent-encoding of one segment of a path, and back. For ids that may be any printable text; forms
//! and queries have an encoding of their own, in which a plus is a blank. Called by `api` and by the
//! verbs that ask it.

/// A text as one segment: everything but letters, digits and `-._~` becomes `%XX`.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The text of a segment; `None` when a percent sign has no two digits or what comes out is not UTF-8.
pub fn decode(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::decode;
    use super::encode;

    #[test]
    fn any_text_comes_back() {
        for text in ["d-1", "a b/c?d#e%f+g", "доставка é", "~._-", "", "%2F"] {
            let encoded = encode(text);
            assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"%-._~".contains(&b)));
            assert_eq!(decode(&encoded).as_deref(), Some(text));
        }
        assert_eq!(encode("a/b +"), "a%2Fb%20%2B");
        assert_eq!(decode("a+b%2f").as_deref(), Some("a+b/"));
    }

    #[test]
    fn what_is_no_encoding_is_refused() {
        for wrong in ["%", "%1", "%zz", "a%+1", "%ff", "%C3", "%é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
