//! People and departments of the model portal, as plain records. Their REST shapes are in `org`
//! and `users`.

use crate::base::clock::UnixMs;

/// What kind of account a user is (b24: transport §4.2, messenger §3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserKind {
    /// Somebody of the company.
    Employee,
    /// An outsider in extranet groups.
    Extranet,
    /// An outsider in collabs: an extranet user of a newer kind.
    Collaber,
    /// A person who answers by e-mail.
    Email,
    /// A customer of an Open Line.
    Connector,
    /// A replica of a user of another portal.
    Network,
    /// A chat bot.
    Bot,
}

/// An account.
#[derive(Clone, Debug)]
pub struct User {
    /// Id on this portal; 0 = to be given.
    pub id: u64,
    /// See [`UserKind`].
    pub kind: UserKind,
    /// False = dismissed.
    pub active: bool,
    /// Portal administrator.
    pub admin: bool,
    /// First name.
    pub name: String,
    /// Last name.
    pub last_name: String,
    /// Patronymic.
    pub second_name: String,
    /// E-mail address.
    pub email: String,
    /// Position.
    pub work_position: String,
    /// `M`, `F` or empty.
    pub gender: String,
    /// Day and month of birth, `10-12`, or empty.
    pub birthday: String,
    /// Absolute address of a picture; null fields are omitted from `user.get`.
    pub photo: Option<String>,
    /// Departments he is in, usually one.
    pub departments: Vec<u64>,
    /// Extranet groups he is in.
    pub groups: Vec<u64>,
    /// Shown as online.
    pub online: bool,
    /// False until the first login: REST refuses such a user (b24: transport §1.10 row 9).
    pub confirmed: bool,
    /// Last activity, if any. REST calls leave it alone (b24: messenger Q24).
    pub last_activity: Option<UnixMs>,
    /// When the account was made.
    pub registered: UnixMs,
    /// Work phone, if any.
    pub work_phone: Option<String>,
}

impl User {
    /// An active employee without a department.
    pub fn employee(name: &str, last_name: &str) -> User {
        User {
            id: 0,
            kind: UserKind::Employee,
            active: true,
            admin: false,
            name: name.to_owned(),
            last_name: last_name.to_owned(),
            second_name: String::new(),
            email: format!("{}@acme.example", name.to_lowercase()),
            work_position: String::new(),
            gender: String::new(),
            birthday: String::new(),
            photo: None,
            departments: Vec::new(),
            groups: Vec::new(),
            online: false,
            confirmed: true,
            last_activity: None,
            registered: UnixMs(1_707_523_200_000),
            work_phone: None,
        }
    }

    /// An account of another kind.
    pub fn of_kind(kind: UserKind, name: &str, last_name: &str) -> User {
        User { kind, ..User::employee(name, last_name) }
    }

    /// The same user in these departments.
    pub fn in_departments(self, departments: &[u64]) -> User {
        User { departments: departments.to_vec(), ..self }
    }

    /// The same user in these extranet groups.
    pub fn in_groups(self, groups: &[u64]) -> User {
        User { groups: groups.to_vec(), ..self }
    }

    /// The same user as an administrator of the portal.
    pub fn administrator(self) -> User {
        User { admin: true, ..self }
    }

    /// First and last name, as shown in chats.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.name, self.last_name).trim().to_owned()
    }

    /// Whether the account is of somebody outside the company.
    pub fn external(&self) -> bool {
        !matches!(self.kind, UserKind::Employee | UserKind::Bot)
    }
}

/// A department.
#[derive(Clone, Debug)]
pub struct Department {
    /// Id; not the node id of the newer structure API.
    pub id: u64,
    /// Name; the root's is the company's.
    pub name: String,
    /// Sorting number among siblings.
    pub sort: i64,
    /// The department above; none for the root only.
    pub parent: Option<u64>,
    /// The head, who may sit elsewhere or be dismissed (b24: transport §4.6).
    pub head: Option<u64>,
    /// Inactive departments are hidden.
    pub active: bool,
}
