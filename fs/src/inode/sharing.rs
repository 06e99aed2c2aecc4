//! Giving a file that did not change the number that it had in another snapshot, though its
//! directory changed, so that a kernel caches it once.
//!
//! The first time a directory's tree is looked into, the tree that was looked into before at the
//! same path becomes its base. Nodes that are equal in everything to one of the base have that
//! one's number, which may itself come from a base before. What is remembered is runs of
//! positions, of which one change makes two or three.

use std::hash::{DefaultHasher, Hash, Hasher};

use yore_engine::Node;

use crate::inode::number::{NodeNo, TreeNo};

/// A path within states, by its hash: two paths that agree in it by chance share only what is equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PathHash(u64);

impl PathHash {
    /// The top of every state.
    pub(crate) const TOP: PathHash = PathHash(0);

    /// The path of a name below this one.
    pub(crate) fn child(self, name: &[u8]) -> Self {
        let mut hash = DefaultHasher::new();
        (self.0, name).hash(&mut hash);
        Self(hash.finish())
    }
}

/// Numbers that nodes of a tree have from elsewhere.
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
    /// The number of the node at a position, if it has one from elsewhere.
    pub(crate) fn number(&self, position: usize) -> Option<NodeNo> {
        let position = u32::try_from(position).ok()?;
        let after = self.runs.partition_point(|run| run.position <= position);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let into = position - run.position;
        (into < run.length).then(|| run.first.after(into))
    }

    /// The trees in which the numbers are.
    pub(crate) fn trees(&self) -> impl Iterator<Item = TreeNo> {
        self.runs.iter().map(|run| run.first.tree())
    }

    /// Adds a position after all that it has.
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

/// Finds the nodes that are equal in both; both are in order of names.
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
