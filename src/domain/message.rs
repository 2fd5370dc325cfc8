//! An inbound message as our own value, after the portal's JSON was read and before anything was
//! decided about it.

use crate::base::clock::UnixMs;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;

/// What kind of chat a message stands in (b24: messenger §2, type letters). Unknown ones are never
/// forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChatKind {
    /// `P`: two people.
    Private,
    /// `C`, `O`, `B`, `A`, `X`: a group of employees, open or closed, a collab, a work context.
    Group,
    /// `L`: an Open Line, with a customer outside the company.
    OpenLine,
    /// `N`, `J`: a news channel.
    Channel,
    /// `T`: comments below a channel post.
    Comment,
    /// `S`: notifications.
    Notification,
    /// Any other letter.
    Unknown,
}

/// Who wrote a message, with the flags that tell colleagues from everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Zero for the system itself.
    pub id: UserId,
    /// Full name as the portal shows it; may be empty.
    pub name: String,
    /// Program, not person.
    pub bot: bool,
    /// Not an employee: extranet, collaber, e-mail, connector, network, or a type we do not know.
    pub external: bool,
}

/// One message that the portal reported to one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// The conversation's key.
    pub chat: ChatId,
    /// The address under which this agent answers.
    pub dialog: DialogId,
    /// What kind of chat.
    pub kind: ChatKind,
    /// Whether the chat has people from outside the company in it, as far as the portal says so.
    pub has_external: bool,
    /// Who wrote it.
    pub sender: Sender,
    /// Written by the portal itself, such as a join notice.
    pub system: bool,
    /// Text as the portal's read parser returns it: BB-code.
    pub text: String,
    /// The client-made UUID, if any.
    pub uuid: Option<String>,
    /// The message it replies to.
    pub reply_to: Option<MessageId>,
    /// Whether files, a sticker or a voice note are attached.
    pub has_files: bool,
    /// When it was written, by the portal's clock.
    pub sent_at: Option<UnixMs>,
}
