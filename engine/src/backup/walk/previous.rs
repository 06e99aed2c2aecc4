//! The nodes that the previous snapshot has of a directory, joined with those of now.

use crate::format::tree::{Flags, Node};
use crate::read::directory;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, children};

/// What the previous snapshot has of a directory.
#[derive(Clone, Copy, Default)]
pub(super) struct LastDir<'p> {
    /// Its node; `None` for the root, which has none.
    pub(super) node: Option<&'p Node>,
    /// Its content.
    pub(super) below: Option<&'p DirRef>,
}

impl<'p> LastDir<'p> {
    /// Takes the node and the content of a name that the previous snapshot may have.
    pub(super) fn of(seen: Option<&'p ResolvedNode>) -> Self {
        Self { node: seen.map(|seen| &seen.node), below: seen.and_then(|seen| seen.dir.as_ref()) }
    }

    /// Takes the content of the root.
    pub(super) fn root(below: Option<&'p DirRef>) -> Self {
        Self { node: None, below }
    }
}

/// The nodes that the previous snapshot has of a directory, in order of names.
pub(super) struct Previous<'r> {
    nodes: Nodes<'r>,
    /// The previous backup could not read the directory, and kept what an earlier one read. So the times of what is in
    /// it are compared with the beginning of a backup that did not read it: each node is flagged as such.
    is_stale: bool,
}

#[allow(clippy::large_enum_variant, reason = "one for each level of the walk")]
enum Nodes<'r> {
    Tree(directory::Nodes<'r>),
    Merged(std::iter::Peekable<std::vec::IntoIter<ResolvedNode>>),
    Nothing,
}

impl<'r> Previous<'r> {
    /// Opens a directory of the previous snapshot.
    pub(super) fn open(reader: &'r Reader, last: LastDir<'_>) -> Self {
        let nodes = match last.below {
            // What can't be read of the previous snapshot is read from the source.
            Some(DirRef::Tree(id)) => reader.nodes(id).map_or(Nodes::Nothing, Nodes::Tree),
            Some(DirRef::Merged(nodes)) => {
                Nodes::Merged(nodes.as_ref().clone().into_iter().peekable())
            }
            Some(DirRef::Unreadable | DirRef::Damaged(_)) | None => Nodes::Nothing,
        };
        let is_stale = last.node.is_some_and(|node| node.flags.contains(Flags::STALE));
        Self { nodes, is_stale }
    }

    /// Takes the node `name`; names come in ascending order. The nodes before it, which were deleted, go to `removed`.
    pub(super) fn take(
        &mut self,
        name: &[u8],
        removed: &mut dyn FnMut(ResolvedNode),
    ) -> Option<ResolvedNode> {
        let mut seen = self.next_up_to(Some(name), removed)?;
        if self.is_stale {
            seen.node.flags = seen.node.flags.with(Flags::STALE);
        }
        (seen.node.name == name).then_some(seen)
    }

    /// Passes the remaining nodes to `removed`.
    pub(super) fn finish(&mut self, removed: &mut dyn FnMut(ResolvedNode)) {
        self.next_up_to(None, removed);
    }

    /// Passes over the nodes before `name`, and takes that; without a name, passes over all.
    fn next_up_to(
        &mut self,
        name: Option<&[u8]>,
        removed: &mut dyn FnMut(ResolvedNode),
    ) -> Option<ResolvedNode> {
        loop {
            let seen = match &mut self.nodes {
                Nodes::Nothing => return None,
                Nodes::Tree(nodes) => match nodes.peek() {
                    Ok(Some(node)) if name.is_some_and(|name| node.name.as_slice() > name) => {
                        return None;
                    }
                    Ok(Some(_)) => ResolvedNode::of(nodes.try_next().ok().flatten()?),
                    Ok(None) => return None,
                    // A damaged leaf: its files are read again, the walk goes on behind it.
                    Err(_) => continue,
                },
                Nodes::Merged(nodes) => nodes
                    .next_if(|seen| name.is_none_or(|name| seen.node.name.as_slice() <= name))?,
            };
            if name == Some(seen.node.name.as_slice()) {
                return Some(seen);
            }
            removed(seen);
        }
    }
}

/// Counts the files below a directory of the previous snapshot, as far as it can be read, up to `limit`.
pub(super) fn count_files(reader: &Reader, dir: &DirRef, limit: u64) -> u64 {
    let (mut files, mut dirs) = (0, vec![dir.clone()]);
    while let Some(dir) = dirs.pop() {
        if files >= limit {
            break;
        }
        // A directory that can't be read counts as empty: the number is for a message.
        let _ = children(reader, &dir, &mut |seen| {
            match seen.dir {
                Some(below) => dirs.push(below),
                None => files += 1,
            }
            Ok(())
        });
    }
    files
}
