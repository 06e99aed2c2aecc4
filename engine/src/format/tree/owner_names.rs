//! The names of owners, which outlive their numbers when files move to another machine.

use std::sync::Arc;

/// The names of the users and groups that own the nodes of a tree, by their ids on the machine that
/// wrote it.
///
/// A name belongs to the machine and not to the file: any two values are equal, so that a node is
/// the same whatever its owner is called.
#[derive(Debug, Clone, Default)]
pub struct OwnerNames(Option<Arc<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    users: Table,
    groups: Table,
}

/// Names by number, ascending.
pub(super) type Table = Vec<(u64, Box<[u8]>)>;

impl OwnerNames {
    pub(super) fn new(users: Table, groups: Table) -> Self {
        let is_empty = users.is_empty() && groups.is_empty();
        Self((!is_empty).then(|| Arc::new(Tables { users, groups })))
    }

    /// Finds the name of a user.
    pub fn user(&self, uid: u32) -> Option<&[u8]> {
        find(&self.0.as_ref()?.users, uid)
    }

    /// Finds the name of a group.
    pub fn group(&self, gid: u32) -> Option<&[u8]> {
        find(&self.0.as_ref()?.groups, gid)
    }
}

fn find(table: &Table, number: u32) -> Option<&[u8]> {
    let at = table.binary_search_by_key(&u64::from(number), |(number, _)| *number).ok()?;
    table.get(at).map(|(_, name)| &**name)
}

impl PartialEq for OwnerNames {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for OwnerNames {}
