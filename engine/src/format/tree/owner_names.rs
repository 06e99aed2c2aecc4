//! The names of owners, which outlive their numbers when files move to another machine.

use std::sync::Arc;

use yore_platform::AccountNames;

use super::Node;

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

/// The source of the names of owners for a tree that is written.
pub(crate) enum Naming {
    /// The accounts of this system.
    System(Box<AccountNames>),
    /// The tree from which the nodes were read.
    AsRead,
}

impl Naming {
    pub(super) fn user(&self, node: &Node, uid: u32) -> Option<Arc<[u8]>> {
        match self {
            Naming::System(names) => names.user(uid),
            Naming::AsRead => node.owner_names.user(uid).map(Arc::from),
        }
    }

    pub(super) fn group(&self, node: &Node, gid: u32) -> Option<Arc<[u8]>> {
        match self {
            Naming::System(names) => names.group(gid),
            Naming::AsRead => node.owner_names.group(gid).map(Arc::from),
        }
    }
}

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
