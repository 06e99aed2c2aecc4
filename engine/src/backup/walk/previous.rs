//! The nodes that the previous snapshot has of a directory, joined with those of now.

use crate::read::directory::Nodes;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, children};

/// The nodes that the previous snapshot has of a directory, in order of names.
#[allow(clippy::large_enum_variant, reason = "one for each level of the walk")]
pub(super) enum Previous<'r> {
    Tree(Nodes<'r>),
    Merged(std::iter::Peekable<std::vec::IntoIter<ResolvedNode>>),
    Nothing,
}

impl<'r> Previous<'r> {
    /// Opens a directory of the previous snapshot.
    pub(super) fn open(reader: &'r Reader, dir: Option<&DirRef>) -> Self {
        match dir {
            // What can't be read of the previous snapshot is read from the source.
            Some(DirRef::Tree(id)) => reader.nodes(id).map_or(Previous::Nothing, Previous::Tree),
            Some(DirRef::Merged(nodes)) => {
                Previous::Merged(nodes.as_ref().clone().into_iter().peekable())
            }
            Some(DirRef::Unreadable | DirRef::Damaged(_)) | None => Previous::Nothing,
        }
    }

    /// Takes the node `name`; names come in ascending order. The nodes before it, which were deleted, go to `removed`.
    pub(super) fn take(
        &mut self,
        name: &[u8],
        removed: &mut dyn FnMut(ResolvedNode),
    ) -> Option<ResolvedNode> {
        let seen = self.next_up_to(Some(name), removed)?;
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
            let seen = match self {
                Previous::Nothing => return None,
                Previous::Tree(nodes) => match nodes.peek() {
                    Ok(Some(node)) if name.is_some_and(|name| node.name.as_slice() > name) => {
                        return None;
                    }
                    Ok(Some(_)) => ResolvedNode::of(nodes.try_next().ok().flatten()?),
                    Ok(None) => return None,
                    // A damaged leaf: its files are read again, the walk goes on behind it.
                    Err(_) => continue,
                },
                Previous::Merged(nodes) => nodes
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
