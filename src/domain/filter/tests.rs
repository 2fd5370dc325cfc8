//! The filter as a table: every rule, every pair of rules in their precedence, every group policy.

use std::collections::HashSet;

use crate::base::clock::UnixMs;
use crate::domain::filter::Context;
use crate::domain::filter::GroupPolicy;
use crate::domain::filter::Rule;
use crate::domain::filter::Verdict;
use crate::domain::filter::verdict;
use crate::domain::ids::ChatId;
use crate::domain::ids::DialogId;
use crate::domain::ids::MessageId;
use crate::domain::ids::UserId;
use crate::domain::message::ChatKind;
use crate::domain::message::Message;
use crate::domain::message::Sender;

const OWN: UserId = UserId(57);
const OTHER_AGENT: UserId = UserId(58);
const COLLEAGUE: UserId = UserId(12);

fn message(kind: ChatKind) -> Message {
    let private = kind == ChatKind::Private;
    Message {
        id: MessageId(70_412),
        chat: ChatId(904),
        dialog: if private { DialogId::User(COLLEAGUE) } else { DialogId::Chat(ChatId(904)) },
        kind,
        has_external: false,
        sender: Sender {
            id: COLLEAGUE,
            name: "Olaf Brandt".to_owned(),
            bot: false,
            external: false,
        },
        system: false,
        text: "is the invoice out?".to_owned(),
        uuid: None,
        reply_to: None,
        has_files: false,
        sent_at: Some(UnixMs(0)),
    }
}

struct Facts {
    groups: GroupPolicy,
    mentioned: bool,
    replies_to_agent: bool,
}

const ADDRESSED: Facts =
    Facts { groups: GroupPolicy::Addressed, mentioned: true, replies_to_agent: false };

fn decide(message: &Message, facts: &Facts) -> Verdict {
    let agents = HashSet::from([OWN, OTHER_AGENT]);
    let context = Context {
        own: OWN,
        agents: &agents,
        groups: facts.groups,
        mentioned: facts.mentioned,
        replies_to_agent: facts.replies_to_agent,
    };
    verdict(message, &context)
}

/// Changes a forwarded group message so that exactly this rule applies to it.
fn provoke(rule: Rule, message: &mut Message, facts: &mut Facts) {
    match rule {
        Rule::System => message.system = true,
        Rule::Own => message.sender.id = OWN,
        Rule::OtherAgent => message.sender.id = OTHER_AGENT,
        Rule::Bot => message.sender.bot = true,
        Rule::ExternalSender => message.sender.external = true,
        Rule::OpenLine => message.kind = ChatKind::OpenLine,
        Rule::Channel => message.kind = ChatKind::Channel,
        Rule::Comment => message.kind = ChatKind::Comment,
        Rule::Notification => message.kind = ChatKind::Notification,
        Rule::UnknownChat => message.kind = ChatKind::Unknown,
        Rule::ExternalChat => message.has_external = true,
        Rule::GroupsOff => facts.groups = GroupPolicy::Off,
        Rule::NotAddressed => facts.mentioned = false,
        Rule::Department => unreachable!("decided elsewhere"),
        Rule::NoText => {
            message.text = " \n\t".to_owned();
            message.has_files = true;
        }
    }
}

/// Rules that are values of one field exclude one another; only one of them can be provoked.
fn same_field(one: Rule, other: Rule) -> bool {
    let fields: [&[Rule]; 3] = [
        &[Rule::Own, Rule::OtherAgent],
        &[Rule::OpenLine, Rule::Channel, Rule::Comment, Rule::Notification, Rule::UnknownChat],
        // Whether the agent is addressed is not asked when groups are off.
        &[Rule::GroupsOff, Rule::NotAddressed],
    ];
    fields.iter().any(|field| field.contains(&one) && field.contains(&other))
}

/// The rules that this function decides by: the last is the department rule's.
fn own_rules() -> &'static [Rule] {
    let [own @ .., Rule::Department] = &Rule::ALL else { panic!("it is the last") };
    own
}

#[test]
fn each_rule_alone_names_itself() {
    assert_eq!(decide(&message(ChatKind::Group), &ADDRESSED), Verdict::Forward);
    for rule in own_rules().iter().copied() {
        let (mut message, mut facts) = (message(ChatKind::Group), ADDRESSED);
        provoke(rule, &mut message, &mut facts);
        assert_eq!(decide(&message, &facts), Verdict::Ignore(rule));
    }
}

#[test]
fn of_two_rules_the_earlier_in_the_list_is_named() {
    let mut pairs = 0;
    for (at, first) in own_rules().iter().copied().enumerate() {
        for second in &own_rules()[at + 1..] {
            if same_field(first, *second) {
                continue;
            }
            let (mut message, mut facts) = (message(ChatKind::Group), ADDRESSED);
            provoke(*second, &mut message, &mut facts);
            provoke(first, &mut message, &mut facts);
            assert_eq!(decide(&message, &facts), Verdict::Ignore(first), "{first:?} {second:?}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 14 * 13 / 2 - 1 - 10 - 1);
}

#[test]
fn private_messages_are_forwarded_under_every_group_policy() {
    for groups in [GroupPolicy::Addressed, GroupPolicy::All, GroupPolicy::Off] {
        let facts = Facts { groups, mentioned: false, replies_to_agent: false };
        assert_eq!(decide(&message(ChatKind::Private), &facts), Verdict::Forward);
    }
}

#[test]
fn groups_follow_their_policy() {
    let not_addressed = Verdict::Ignore(Rule::NotAddressed);
    let off = Verdict::Ignore(Rule::GroupsOff);
    let table = [
        (GroupPolicy::Addressed, false, false, not_addressed),
        (GroupPolicy::Addressed, true, false, Verdict::Forward),
        (GroupPolicy::Addressed, false, true, Verdict::Forward),
        (GroupPolicy::Addressed, true, true, Verdict::Forward),
        (GroupPolicy::All, false, false, Verdict::Forward),
        (GroupPolicy::All, true, true, Verdict::Forward),
        (GroupPolicy::Off, false, false, off),
        (GroupPolicy::Off, true, true, off),
    ];
    for (groups, mentioned, replies_to_agent, expected) in table {
        let facts = Facts { groups, mentioned, replies_to_agent };
        let got = decide(&message(ChatKind::Group), &facts);
        assert_eq!(got, expected, "{groups:?} {mentioned} {replies_to_agent}");
    }
}

#[test]
fn text_beside_files_is_forwarded() {
    let mut with_files = message(ChatKind::Private);
    with_files.has_files = true;
    assert_eq!(decide(&with_files, &ADDRESSED), Verdict::Forward);
}

#[test]
fn an_author_without_an_id_is_the_system() {
    for id in [0, -1] {
        let mut authorless = message(ChatKind::Private);
        authorless.sender.id = UserId(id);
        assert_eq!(decide(&authorless, &ADDRESSED), Verdict::Ignore(Rule::System));
    }
}

#[test]
fn text_forms_are_distinct() {
    let forms: HashSet<&str> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    assert_eq!(forms.len(), Rule::ALL.len());
}
