//! Numbers that a file keeps when its directory changes, so that a kernel caches it once.
//!
//! The number of a file is (tree, position), and a changed directory is another tree. So the first time a
//! tree is entered, the tree that was entered before at the same path becomes its base: nodes that are equal
//! in everything to one of the base take over that one's number, which may itself come from an earlier base.
//! Runs of positions with consecutive numbers are kept, of which one change makes two or three.
//!
//! An example: `a`, `b`, `c`, `d` on Monday, when the directory is tree 5. On Tuesday, in tree 9, `b` changed;
//! on Wednesday, in tree 12, `aa` is new.
//!
//! | entered | its nodes | numbers | runs kept |
//! |---|---|---|---|
//! | 5 | `a` `b` `c` `d` | 5:0 5:1 5:2 5:3 | none: it has no base |
//! | 9 | `a` `b'` `c` `d` | 5:0 **9:1** 5:2 5:3 | 0 → 5:0; 2, 3 → 5:2 |
//! | 12 | `a` `aa` `b'` `c` `d` | 5:0 **12:1** 9:1 5:2 5:3 | 0 → 5:0; 2 → 9:1; 3, 4 → 5:2 |
//!
//! The base of 12 is 9, whose runs lead on to 5. Nothing is kept for the nodes of 5, 9 and 12 themselves; as
//! long as 12 is known, so are 5 and 9, since its numbers are in them. Entered in another order, the
//! files would have other numbers, and one number each all the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use yore_engine::format::Node;

use crate::inode::number::{NodeNo, TreeNo};

/// The hash of a path within states. Two paths of one hash may share numbers of equal nodes, which is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PathHash(u64);

impl PathHash {
    /// The top of every state.
    pub(crate) const TOP: PathHash = PathHash(0);

    /// Returns the hash of a name below this path.
    pub(crate) fn child(self, name: &[u8]) -> Self {
        let mut hash = DefaultHasher::new();
        (self.0, name).hash(&mut hash);
        Self(hash.finish())
    }
}

/// Numbers that nodes of a tree take over from other trees.
#[derive(Default)]
pub(crate) struct SharedNumbers {
    /// In order of positions.
    runs: Vec<Run>,
}

/// Consecutive positions whose numbers are consecutive.
struct Run {
    position: u32,
    length: u32,
    first: NodeNo,
}

impl SharedNumbers {
    /// Returns the number that the node at a position takes over, if any.
    pub(crate) fn number(&self, position: usize) -> Option<NodeNo> {
        let position = u32::try_from(position).ok()?;
        let after = self.runs.partition_point(|run| run.position <= position);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let into = position - run.position;
        (into < run.length).then(|| run.first.after(into))
    }

    /// Returns the trees that the numbers belong to.
    pub(crate) fn trees(&self) -> impl Iterator<Item = TreeNo> {
        self.runs.iter().map(|run| run.first.tree())
    }

    /// Adds a position, which must be after all others.
    fn push(&mut self, position: usize, node: NodeNo) {
        let Ok(position) = u32::try_from(position) else { return };
        match self.runs.last_mut() {
            Some(last)
                if last.position + last.length == position
                    && last.first.after(last.length) == node =>
            {
                last.length += 1;
            }
            _ => self.runs.push(Run { position, length: 1, first: node }),
        }
    }
}

/// Finds the new nodes that are equal to an old one, whose number they take over.
///
/// Both lists are in order of names; `number` gives the number of the old node at a position.
pub(crate) fn share(
    old: &[Node],
    new: &[Node],
    number: impl Fn(usize) -> Option<NodeNo>,
) -> SharedNumbers {
    let mut shared = SharedNumbers::default();
    let mut old = old.iter().enumerate().peekable();
    for (position, node) in new.iter().enumerate() {
        while old.next_if(|(_, candidate)| candidate.name < node.name).is_some() {}
        let same = old.next_if(|(_, candidate)| candidate.name == node.name);
        let same = same.filter(|(_, candidate)| node.subtree.is_none() && *candidate == node);
        if let Some(node) = same.and_then(|(position, _)| number(position)) {
            shared.push(position, node);
        }
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_grow_and_end() {
        let mut shared = SharedNumbers::default();
        let node = |position| NodeNo::new(TreeNo(3), position).expect("a number");
        for (position, at) in [(1, 10), (2, 11), (4, 13), (5, 14), (6, 99)] {
            shared.push(position, node(at));
        }
        assert_eq!(shared.runs.len(), 3);
        let numbers = (0..8).map(|position| shared.number(position).map(NodeNo::position));
        let expected = [None, Some(10), Some(11), None, Some(13), Some(14), Some(99), None];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
    }
}
