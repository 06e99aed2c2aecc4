//! Giving a file that did not change the number that it had in another snapshot, though its
//! directory changed, so that a kernel caches it once.
//!
//! The first time a directory's tree is looked into, the tree that was looked into before at the
//! same path becomes its base. Nodes that are equal in everything to one of the base have that
//! one's number, which may itself come from a base before. What is remembered is stretches of
//! positions, of which one change makes two or three.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, OnceLock};

use yore_engine::Node;
use yore_platform::VolumeError;

use crate::inode::number::{NodeNo, TreeNo};
use crate::inode::tables::{OriginNo, TreeSource};
use crate::tree::directories::{Directory, Leaf, Nodes};
use crate::volume::SnapshotVolume;

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
pub(crate) struct Shared {
    /// In order of positions.
    stretches: Vec<Stretch>,
}

/// Consecutive positions whose numbers are consecutive.
struct Stretch {
    position: u32,
    length: u32,
    first: NodeNo,
}

impl Shared {
    /// The number of the node at a position, if it has one from elsewhere.
    pub(crate) fn number(&self, position: usize) -> Option<NodeNo> {
        let position = u32::try_from(position).ok()?;
        let after = self.stretches.partition_point(|stretch| stretch.position <= position);
        let stretch = self.stretches.get(after.checked_sub(1)?)?;
        let into = position - stretch.position;
        (into < stretch.length).then(|| stretch.first.after(into))
    }

    /// The trees in which the numbers are.
    pub(crate) fn trees(&self) -> impl Iterator<Item = TreeNo> {
        self.stretches.iter().map(|stretch| stretch.first.tree())
    }

    /// Adds a position after all that it has.
    fn push(&mut self, position: usize, node: NodeNo) {
        let Ok(position) = u32::try_from(position) else { return };
        match self.stretches.last_mut() {
            Some(last)
                if last.position + last.length == position
                    && last.first.after(last.length) == node =>
            {
                last.length += 1;
            }
            _ => self.stretches.push(Stretch { position, length: 1, first: node }),
        }
    }
}

/// Returns the numbers that the nodes of a tree, or of a leaf of it, have from elsewhere.
pub(crate) fn shared(
    volume: &SnapshotVolume,
    tree: TreeNo,
    part: TreeNo,
    nodes: &Nodes,
) -> Option<Arc<OnceLock<Shared>>> {
    let (base, slot) = volume.tables.slot(tree, part)?;
    // Numbers of their own serve as well, where the base can't be read.
    slot.get_or_init(|| compare(volume, base, part, nodes).unwrap_or_default());
    Some(slot)
}

fn compare(
    volume: &SnapshotVolume,
    base: TreeNo,
    part: TreeNo,
    nodes: &Nodes,
) -> Result<Shared, VolumeError> {
    let TreeSource::Blob(id, origin) = volume.tables.tree(base)? else {
        return Ok(Shared::default());
    };
    let directory = volume.directories.get(&volume.reader, &id)?;
    let (base, directory) = match (&*directory, nodes.nodes.first()) {
        (Directory::Nodes(_), _) => (base, directory),
        (Directory::Leaves(leaves), Some(first)) => {
            leaf_holding(volume, origin, leaves, &first.name)?
        }
        (Directory::Leaves(_), None) => return Ok(Shared::default()),
    };
    if base == part {
        return Ok(Shared::default());
    }
    let before = volume.tables.shared_of(base);
    let before = before.as_ref().and_then(|slot| slot.get());
    Ok(join(&directory.nodes()?.nodes, &nodes.nodes, |position| {
        before.and_then(|shared| shared.number(position)).or_else(|| NodeNo::new(base, position))
    }))
}

fn leaf_holding(
    volume: &SnapshotVolume,
    origin: OriginNo,
    leaves: &[Leaf],
    name: &[u8],
) -> Result<(TreeNo, Arc<Directory>), VolumeError> {
    let after = leaves.partition_point(|leaf| leaf.leaf.first.as_slice() <= name);
    let n = after.saturating_sub(1);
    let directory = volume.directories.leaf(&volume.reader, leaves, n)?;
    let leaf = leaves.get(n).ok_or(VolumeError::Damaged)?;
    Ok((volume.tables.tree_of_blob(leaf.leaf.id, origin)?, directory))
}

/// Finds the nodes that are equal in both; both are in order of names.
fn join(old: &[Node], new: &[Node], number: impl Fn(usize) -> Option<NodeNo>) -> Shared {
    let mut shared = Shared::default();
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
    fn stretches_grow_and_end() {
        let mut shared = Shared::default();
        let node = |position| NodeNo::new(TreeNo(3), position).expect("a number");
        for (position, at) in [(1, 10), (2, 11), (4, 13), (5, 14), (6, 99)] {
            shared.push(position, node(at));
        }
        assert_eq!(shared.stretches.len(), 3);
        let numbers = (0..8).map(|position| shared.number(position).map(NodeNo::position));
        let expected = [None, Some(10), Some(11), None, Some(13), Some(14), Some(99), None];
        assert_eq!(numbers.collect::<Vec<_>>(), expected);
    }
}
