//! Reactions: the portal's codes, the signs that agents write for them, and which of them a like
//! may stand for on a portal that has no other. Pure.

/// The one code that every portal has.
pub const LIKE: &str = "like";

/// Codes that say much the same as a like (b24: messenger §7).
const KIND: &[&str] = &[
    "like",
    "redHeart",
    "fire",
    "slightlySmilingFace",
    "laugh",
    "kiss",
    "smilingFaceWithSunglasses",
    "flexedBiceps",
    "clappingHands",
    "raisedHand",
    "smilingFaceWithHeartEyes",
    "smilingFaceWithHearts",
    "relievedFace",
    "foldedHands",
    "okHand",
    "signHorns",
    "loveYouGesture",
    "partyingFace",
    "lightBulb",
    "whiteHeavyCheckMark",
    "eyes",
    "handshake",
    "hundredPoints",
];

/// Signs for codes; agents write either.
const SIGNS: &[(&str, &str)] = &[
    ("👍", "like"),
    ("👎", "dislike"),
    ("😂", "faceWithTearsOfJoy"),
    ("❤", "redHeart"),
    ("😐", "neutralFace"),
    ("🔥", "fire"),
    ("😢", "cry"),
    ("🙂", "slightlySmilingFace"),
    ("😉", "winkingFace"),
    ("😄", "laugh"),
    ("😘", "kiss"),
    ("😮", "wonder"),
    ("🙁", "slightlyFrowningFace"),
    ("😭", "loudlyCryingFace"),
    ("😛", "faceWithStuckOutTongue"),
    ("😜", "faceWithStuckOutTongueAndWinkingEye"),
    ("😎", "smilingFaceWithSunglasses"),
    ("😕", "confusedFace"),
    ("😳", "flushedFace"),
    ("🤔", "thinkingFace"),
    ("😠", "angry"),
    ("😈", "smilingFaceWithHorns"),
    ("🤒", "faceWithThermometer"),
    ("🤦", "facepalm"),
    ("💩", "poo"),
    ("💪", "flexedBiceps"),
    ("👏", "clappingHands"),
    ("✋", "raisedHand"),
    ("😍", "smilingFaceWithHeartEyes"),
    ("🥰", "smilingFaceWithHearts"),
    ("🥺", "pleadingFace"),
    ("😌", "relievedFace"),
    ("🙏", "foldedHands"),
    ("👌", "okHand"),
    ("🤘", "signHorns"),
    ("🤟", "loveYouGesture"),
    ("🤡", "clownFace"),
    ("🥳", "partyingFace"),
    ("❓", "questionMark"),
    ("❗", "exclamationMark"),
    ("💡", "lightBulb"),
    ("💣", "bomb"),
    ("💤", "sleepingSymbol"),
    ("❌", "crossMark"),
    ("✅", "whiteHeavyCheckMark"),
    ("👀", "eyes"),
    ("🤝", "handshake"),
    ("💯", "hundredPoints"),
];

/// The code of a reaction as an agent writes it: a sign becomes its code, anything else stays as it
/// is, because newer portals have codes that are not known here. `None` when it cannot be a code.
pub fn code(written: &str) -> Option<String> {
    // A variation selector says how a sign is drawn, a skin tone nothing that a code knows.
    let plain: String = written
        .trim()
        .chars()
        .filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}'))
        .collect();
    if let Some((_, code)) = SIGNS.iter().find(|(sign, _)| *sign == plain) {
        return Some((*code).to_owned());
    }
    let word = plain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte));
    (word && (1..=64).contains(&plain.len())).then_some(plain)
}

/// Whether a like says nearly the same.
pub fn stands_for_like(code: &str) -> bool {
    KIND.contains(&code)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::KIND;
    use super::SIGNS;
    use super::code;
    use super::stands_for_like;

    #[test]
    fn signs_and_codes_are_understood() {
        assert_eq!(code("👍").as_deref(), Some("like"));
        assert_eq!(code("👍🏽").as_deref(), Some("like"));
        assert_eq!(code("❤️").as_deref(), Some("redHeart"));
        assert_eq!(code(" fire ").as_deref(), Some("fire"));
        assert_eq!(code("newOnTheBlock").as_deref(), Some("newOnTheBlock"));
        for odd in ["", " ", "a b", "👍👍", "[b]", &"x".repeat(65), "né"] {
            assert_eq!(code(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_like_stands_only_for_what_is_kind() {
        let known: HashSet<&str> = SIGNS.iter().map(|(_, code)| *code).collect();
        assert_eq!(known.len(), SIGNS.len());
        assert!(KIND.iter().all(|code| known.contains(code)));
        for unkind in ["dislike", "angry", "poo", "crossMark", "clownFace", "cry", "unheardOf"] {
            assert!(!stands_for_like(unkind), "{unkind}");
        }
    }
}
