//! The company's structure as values: departments, who is in them, and what lies above and below.
//! Tolerates what portals really have: departments that vanished, parents that are not listed, and
//! circles, which no portal should have. Asks nobody; `directory` fills it, `acl` decides by it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::domain::ids::DepartmentId;
use crate::domain::ids::UserId;

/// A department (b24: transport §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Department {
    /// Its id.
    pub id: DepartmentId,
    /// Its name; the root's is the company's.
    pub name: String,
    /// The department above; none for the root. It may not be listed, as when it is switched off.
    pub parent: Option<DepartmentId>,
    /// Its head, who may sit elsewhere or be dismissed (b24: transport §4.6).
    pub head: Option<UserId>,
}

/// Somebody of the company who may log in: neither dismissed nor external (b24: transport §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// First and last name.
    pub name: String,
    /// Where they sit; some of these may not be listed.
    pub departments: Vec<DepartmentId>,
}

/// Departments and people by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Org {
    departments: BTreeMap<DepartmentId, Department>,
    people: BTreeMap<UserId, Person>,
}

impl Org {
    /// Of these; of two with one id the later counts.
    pub fn new(
        departments: impl IntoIterator<Item = Department>,
        people: impl IntoIterator<Item = Person>,
    ) -> Org {
        Org {
            departments: departments.into_iter().map(|one| (one.id, one)).collect(),
            people: people.into_iter().map(|one| (one.id, one)).collect(),
        }
    }

    /// A department, if it is listed.
    pub fn department(&self, id: DepartmentId) -> Option<&Department> {
        self.departments.get(&id)
    }

    /// A person, if they are listed.
    pub fn person(&self, id: UserId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// Every department, by id.
    pub fn departments(&self) -> impl Iterator<Item = &Department> {
        self.departments.values()
    }

    /// Everybody, by id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Puts a person in, in place of what was known of them.
    pub fn put_person(&mut self, person: Person) {
        self.people.insert(person.id, person);
    }

    /// A department and those above it, nearest first. One that is not listed stands alone; a
    /// circle ends where it began.
    pub fn upwards(&self, from: DepartmentId) -> impl Iterator<Item = DepartmentId> {
        let mut seen = BTreeSet::new();
        let mut next = Some(from);
        std::iter::from_fn(move || {
            let current = next.filter(|id| seen.insert(*id))?;
            let parent = self.departments.get(&current).and_then(|one| one.parent);
            // An unlisted parent of a listed department is above nobody (b24: transport §4.6).
            next = parent.filter(|id| self.departments.contains_key(id));
            Some(current)
        })
    }

    /// The first of `roots` that `department` is, or lies below.
    pub fn root_among(
        &self,
        department: DepartmentId,
        roots: &BTreeSet<DepartmentId>,
    ) -> Option<DepartmentId> {
        self.upwards(department).find(|id| roots.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Department;
    use super::Org;
    use crate::domain::ids::DepartmentId;

    fn org(parents: &[(i64, Option<i64>)]) -> Org {
        let department = |(id, parent): &(i64, Option<i64>)| Department {
            id: DepartmentId(*id),
            name: format!("d{id}"),
            parent: parent.map(DepartmentId),
            head: None,
        };
        Org::new(parents.iter().map(department), [])
    }

    fn upwards(org: &Org, from: i64) -> Vec<i64> {
        org.upwards(DepartmentId(from)).map(|id| id.0).collect()
    }

    #[test]
    fn what_lies_above_ends_at_the_root_at_a_gap_and_in_a_circle() {
        let tree = org(&[(1, None), (2, Some(1)), (3, Some(2)), (7, Some(99))]);
        assert_eq!(upwards(&tree, 3), [3, 2, 1]);
        assert_eq!(upwards(&tree, 7), [7], "its parent is not listed");
        assert_eq!(upwards(&tree, 42), [42], "it is not listed itself");
        let circle = org(&[(1, Some(3)), (2, Some(1)), (3, Some(2))]);
        assert_eq!(upwards(&circle, 1), [1, 3, 2]);
        let own_parent = org(&[(1, Some(1))]);
        assert_eq!(upwards(&own_parent, 1), [1]);
    }

    #[test]
    fn the_nearest_root_is_found() {
        let tree = org(&[(1, None), (2, Some(1)), (3, Some(2))]);
        let roots = |ids: &[i64]| ids.iter().copied().map(DepartmentId).collect::<BTreeSet<_>>();
        assert_eq!(tree.root_among(DepartmentId(3), &roots(&[1, 2])), Some(DepartmentId(2)));
        assert_eq!(tree.root_among(DepartmentId(1), &roots(&[2])), None);
        assert_eq!(tree.root_among(DepartmentId(9), &roots(&[9])), Some(DepartmentId(9)));
    }
}
