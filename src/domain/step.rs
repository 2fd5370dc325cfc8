//! The steps of a delivery: one call each that changes what the portal has, in the order in which
//! they are made. Which steps a delivery needs is decided here from values; what the values are
//! (members, shown messages, the portal's ways) is `outbound::plan`'s matter. Pure.

use crate::domain::ids::MessageId;

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Adds a message with a text.
    Add,
    /// Puts another text into a message.
    Update,
    /// Removes a message.
    Remove,
    /// Adds a reaction to a message, or takes it back.
    React,
    /// Stores a file where the dialog keeps its files; nobody sees it yet.
    Upload,
    /// Adds a message that shows every uploaded file, with a text.
    Publish,
    /// Stores one file and shows it in a message of its own, in one call.
    SendFile,
}

impl StepKind {
    /// Every kind.
    pub const ALL: [StepKind; 7] = [
        StepKind::Add,
        StepKind::Update,
        StepKind::Remove,
        StepKind::React,
        StepKind::Upload,
        StepKind::Publish,
        StepKind::SendFile,
    ];

    /// The text form in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            StepKind::Add => "add",
            StepKind::Update => "update",
            StepKind::Remove => "remove",
            StepKind::React => "react",
            StepKind::Upload => "upload",
            StepKind::Publish => "publish",
            StepKind::SendFile => "send_file",
        }
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<StepKind> {
        StepKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the dialog shows the same after making it twice: an attempt with an unknown effect
    /// is then simply repeated. Of the others each success is a further message.
    pub fn is_repeatable(self) -> bool {
        matches!(self, StepKind::Update | StepKind::Remove | StepKind::React | StepKind::Upload)
    }
}

/// A step as it is planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What it does.
    pub kind: StepKind,
    /// BB-code; of a reaction its code; else empty.
    pub text: String,
    /// The UUID by which the portal recognises a repeat; empty where it takes none.
    pub uuid: String,
    /// The message it acts on; `None` for those that add one.
    pub message: Option<MessageId>,
}

impl Draft {
    fn on(kind: StepKind, text: String, message: MessageId) -> Draft {
        Draft { kind, text, uuid: String::new(), message: Some(message) }
    }
}

/// How a portal takes files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileWay {
    /// Upload each, then publish all in one message.
    Folder,
    /// A message for each.
    Single,
}

/// The steps of a send: its files and the texts that go with them. `uuid` gives the UUID of a step
/// by its number when files go by [`FileWay::Folder`], so that it does not depend on the way.
pub fn send(
    texts: Vec<String>,
    files: u32,
    way: FileWay,
    uuid: &dyn Fn(u32) -> String,
) -> Vec<Draft> {
    let mut steps = Vec::new();
    let mut texts = texts.into_iter().peekable();
    let mut next = files;
    if files > 0 {
        let caption = texts.next().unwrap_or_default();
        for number in 0..files {
            let (kind, text) = match way {
                FileWay::Folder => (StepKind::Upload, String::new()),
                FileWay::Single if number == 0 => (StepKind::SendFile, caption.clone()),
                FileWay::Single => (StepKind::SendFile, String::new()),
            };
            steps.push(Draft { kind, text, uuid: String::new(), message: None });
        }
        if way == FileWay::Folder {
            let kind = StepKind::Publish;
            steps.push(Draft { kind, text: caption, uuid: uuid(next), message: None });
        }
        next += 1;
    }
    for text in texts {
        steps.push(Draft { kind: StepKind::Add, text, uuid: uuid(next), message: None });
        next += 1;
    }
    steps
}

/// The steps of an edit: `texts` take the place of the messages in `shown`, oldest first. Messages
/// that are missing are added at the end of the dialog, those too many are removed.
pub fn edit(texts: Vec<String>, shown: &[MessageId], uuid: &dyn Fn(u32) -> String) -> Vec<Draft> {
    let spare = shown.iter().skip(texts.len()).rev();
    let spare: Vec<Draft> =
        spare.map(|message| Draft::on(StepKind::Remove, String::new(), *message)).collect();
    let mut steps = Vec::new();
    for (number, text) in (0_u32..).zip(texts) {
        steps.push(match shown.get(number as usize) {
            Some(message) => Draft::on(StepKind::Update, text, *message),
            None => Draft { kind: StepKind::Add, text, uuid: uuid(number), message: None },
        });
    }
    steps.extend(spare);
    steps
}

/// The steps of a delete: the newest first, so that what is left at any moment is a beginning.
pub fn delete(shown: &[MessageId]) -> Vec<Draft> {
    let newest_first = shown.iter().rev();
    newest_first.map(|message| Draft::on(StepKind::Remove, String::new(), *message)).collect()
}

/// The steps of a reaction.
pub fn react(reaction: &str, shown: &[MessageId]) -> Vec<Draft> {
    shown.iter().map(|message| Draft::on(StepKind::React, reaction.to_owned(), *message)).collect()
}

#[cfg(test)]
mod tests {
    use super::FileWay;
    use super::StepKind;
    use crate::domain::ids::MessageId;

    fn uuid(number: u32) -> String {
        format!("u{number}")
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// Kind, text, UUID and message of each step.
    fn told(steps: &[super::Draft]) -> Vec<String> {
        let told = |step: &super::Draft| {
            let message = step.message.map_or(0, |message| message.0);
            format!("{} {} {} {message}", step.kind.as_str(), step.text, step.uuid)
        };
        steps.iter().map(told).collect()
    }

    #[test]
    fn text_forms_invert() {
        for kind in StepKind::ALL {
            assert_eq!(StepKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_text_is_added_part_by_part() {
        let steps = super::send(texts(&["a", "b"]), 0, FileWay::Folder, &uuid);
        assert_eq!(told(&steps), ["add a u0 0", "add b u1 0"]);
    }

    #[test]
    fn files_go_before_their_text_whatever_the_way() {
        let both = ["a", "b"];
        let steps = super::send(texts(&both), 2, FileWay::Folder, &uuid);
        assert_eq!(told(&steps), ["upload   0", "upload   0", "publish a u2 0", "add b u3 0"]);
        let steps = super::send(texts(&both), 2, FileWay::Single, &uuid);
        assert_eq!(told(&steps), ["send_file a  0", "send_file   0", "add b u3 0"]);
        let steps = super::send(Vec::new(), 1, FileWay::Folder, &uuid);
        assert_eq!(told(&steps), ["upload   0", "publish  u1 0"]);
    }

    #[test]
    fn an_edit_updates_adds_and_removes() {
        let shown = [MessageId(7), MessageId(8), MessageId(9)];
        let same = super::edit(texts(&["a", "b", "c"]), &shown, &uuid);
        assert_eq!(told(&same), ["update a  7", "update b  8", "update c  9"]);
        let fewer = super::edit(texts(&["a"]), &shown, &uuid);
        assert_eq!(told(&fewer), ["update a  7", "remove   9", "remove   8"]);
        let more = super::edit(texts(&["a", "b"]), &shown[..1], &uuid);
        assert_eq!(told(&more), ["update a  7", "add b u1 0"]);
    }

    #[test]
    fn a_delete_leaves_a_beginning() {
        assert_eq!(
            told(&super::delete(&[MessageId(7), MessageId(8)])),
            ["remove   8", "remove   7"]
        );
        assert_eq!(told(&super::react("like", &[MessageId(7)])), ["react like  7"]);
    }
}
