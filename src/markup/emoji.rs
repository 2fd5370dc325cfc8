//! Emoji by their names, `:rocket:`: portals know only smileys of their own, so a name would be shown
//! as it is (b24: messenger §16). Pure; called by `parse`.

use crate::markup::line::Inline;
use crate::markup::line::Run;
use crate::markup::line::Styles;

/// What agents use, sorted; names that a portal has a picture for are left to it.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("+1", "👍"), ("-1", "👎"), ("alarm_clock", "⏰"), ("arrow_down", "⬇️"), ("arrow_left", "⬅️"),
    ("arrow_right", "➡️"), ("arrow_up", "⬆️"), ("art", "🎨"), ("bangbang", "‼️"),
    ("bar_chart", "📊"), ("bell", "🔔"), ("blue_heart", "💙"), ("blush", "😊"), ("book", "📖"),
    ("bookmark", "🔖"), ("books", "📚"), ("boom", "💥"), ("briefcase", "💼"), ("broken_heart", "💔"),
    ("bug", "🐛"), ("bulb", "💡"), ("calendar", "📆"), ("chart_with_downwards_trend", "📉"),
    ("chart_with_upwards_trend", "📈"), ("clap", "👏"), ("clipboard", "📋"), ("clock1", "🕐"),
    ("coffee", "☕"), ("computer", "💻"), ("construction", "🚧"), ("date", "📅"), ("dollar", "💵"),
    ("email", "📧"), ("envelope", "✉️"), ("euro", "💶"), ("exclamation", "❗"), ("eyes", "👀"),
    ("file_folder", "📁"), ("fire", "🔥"), ("gear", "⚙️"), ("gift", "🎁"),
    ("globe_with_meridians", "🌐"), ("green_circle", "🟢"), ("green_heart", "💚"),
    ("grey_exclamation", "❕"), ("grey_question", "❔"), ("grin", "😁"), ("grinning", "😀"),
    ("hammer", "🔨"), ("hammer_and_wrench", "🛠️"), ("handshake", "🤝"), ("heart", "❤️"),
    ("heart_eyes", "😍"), ("heavy_check_mark", "✔️"), ("heavy_exclamation_mark", "❗"),
    ("heavy_minus_sign", "➖"), ("heavy_multiplication_x", "✖️"), ("heavy_plus_sign", "➕"),
    ("hourglass", "⌛"), ("hourglass_flowing_sand", "⏳"), ("house", "🏠"),
    ("information_source", "ℹ️"), ("joy", "😂"), ("key", "🔑"), ("label", "🏷️"), ("laughing", "😆"),
    ("link", "🔗"), ("lock", "🔒"), ("loudspeaker", "📢"), ("mag", "🔍"), ("mega", "📣"),
    ("memo", "📝"), ("money_with_wings", "💸"), ("moneybag", "💰"), ("muscle", "💪"),
    ("negative_squared_cross_mark", "❎"), ("neutral_face", "😐"), ("no_entry", "⛔"),
    ("no_entry_sign", "🚫"), ("octagonal_sign", "🛑"), ("ok_hand", "👌"), ("orange_circle", "🟠"),
    ("package", "📦"), ("page_facing_up", "📄"), ("paperclip", "📎"), ("partying_face", "🥳"),
    ("pencil", "📝"), ("pencil2", "✏️"), ("person_shrugging", "🤷"), ("phone", "☎️"),
    ("point_down", "👇"), ("point_left", "👈"), ("point_right", "👉"), ("point_up", "☝️"),
    ("pray", "🙏"), ("pushpin", "📌"), ("question", "❓"), ("raised_hands", "🙌"), ("recycle", "♻️"),
    ("red_circle", "🔴"), ("relaxed", "☺️"), ("robot", "🤖"), ("rocket", "🚀"),
    ("rotating_light", "🚨"), ("round_pushpin", "📍"), ("satellite", "📡"), ("scroll", "📜"),
    ("shield", "🛡️"), ("shrug", "🤷"), ("slightly_smiling_face", "🙂"), ("smile", "😄"),
    ("smiley", "😃"), ("smiling_face_with_three_hearts", "🥰"), ("sob", "😭"), ("sparkles", "✨"),
    ("speech_balloon", "💬"), ("star", "⭐"), ("star2", "🌟"), ("stopwatch", "⏱️"),
    ("sunglasses", "😎"), ("sunny", "☀️"), ("sweat_smile", "😅"), ("tada", "🎉"),
    ("telephone", "☎️"), ("telephone_receiver", "📞"), ("thinking", "🤔"), ("thumbsdown", "👎"),
    ("thumbsup", "👍"), ("trophy", "🏆"), ("truck", "🚚"), ("unlock", "🔓"), ("warning", "⚠️"),
    ("wastebasket", "🗑️"), ("watch", "⌚"), ("wave", "👋"), ("white_check_mark", "✅"),
    ("wink", "😉"), ("wrench", "🔧"), ("writing_hand", "✍️"), ("x", "❌"), ("yellow_circle", "🟡"),
    ("zap", "⚡"),
];
/// Longest of those names.
const NAME_MAX: usize = 32;

/// Puts emoji in the place of their names, but not in the middle of a word, in code or in addresses.
pub(super) fn replace(inline: &mut Inline, styles: &Styles) {
    let names = |run: &Run| !run.code && next(inline.text_of(run), 0).is_some();
    if !inline.runs.iter().any(names) {
        return;
    }
    inline.split_runs(|text, runs, number, pieces| {
        let run = runs[number];
        if run.code || styles.is_link(run.style) {
            return pieces.push(run);
        }
        let (mut from, mut after) = (run.from, 0);
        while let Some((at, name, emoji)) = next(&text[run.from..run.to], after) {
            pieces.push(Run { from, to: run.from + at, ..run });
            let shown = text.len();
            text.push_str(emoji);
            pieces.push(Run { from: shown, to: text.len(), ..run });
            after = at + name.len() + 2;
            from = run.from + after;
        }
        pieces.push(Run { from, ..run });
    });
}

/// Where the next name stands with its colons, and whose it is.
fn next(text: &str, after: usize) -> Option<(usize, &'static str, &'static str)> {
    let mut from = after;
    while let Some(at) = text[from..].find(':').map(|at| from + at) {
        from = at + 1;
        if let Some((name, emoji)) = named(&text[from..])
            && !text[..at].ends_with(char::is_alphanumeric)
        {
            return Some((at, name, emoji));
        }
    }
    None
}

/// The emoji whose name a text begins with, up to a colon that ends no word.
fn named(text: &str) -> Option<(&'static str, &'static str)> {
    let sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-".contains(byte);
    let length = text.bytes().take(NAME_MAX + 1).take_while(sign).count();
    let behind = text[length..].strip_prefix(':').filter(|_| length > 0)?;
    let found = NAMES.binary_search_by(|(name, _)| (*name).cmp(&text[..length])).ok()?;
    (!behind.starts_with(char::is_alphanumeric)).then_some(NAMES[found])
}

#[cfg(test)]
mod tests {
    use super::NAME_MAX;
    use super::NAMES;

    #[test]
    fn names_are_sorted_and_short() {
        assert!(NAMES.is_sorted_by(|one, other| one.0 < other.0));
        assert!(NAMES.iter().all(|(name, _)| name.len() <= NAME_MAX));
    }
}
