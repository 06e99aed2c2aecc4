//! The names that are not the same in two trees of one directory.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::tree::{LeafRef, Node, Tree};
use crate::read::reader::Reader;

/// A tree's leaves, and the nodes of those that were read.
pub(super) struct Listed {
    pub(super) tree: BlobId,
    leaves: Vec<LeafRef>,
    nodes: HashMap<BlobId, Vec<Node>>,
}

impl Listed {
    pub(super) fn read(reader: &Reader, tree: BlobId) -> Result<Self> {
        Ok(match reader.tree(&tree)? {
            Tree::Nodes { nodes, .. } => {
                let only = LeafRef { first: Vec::new(), id: tree, nodes: nodes.len() as u64 };
                Self { tree, leaves: vec![only], nodes: HashMap::from([(tree, nodes)]) }
            }
            Tree::Leaves(leaves) => Self { tree, leaves, nodes: HashMap::new() },
        })
    }

    /// Yields the leaves that another tree does not have.
    fn without<'a>(&'a self, other: &'a HashSet<LeafRef>) -> impl Iterator<Item = &'a LeafRef> {
        self.leaves.iter().filter(|leaf| !other.contains(leaf))
    }

    fn read_without(&mut self, reader: &Reader, other: &HashSet<LeafRef>) -> Result<()> {
        let mut read = Vec::new();
        for leaf in self.without(other).filter(|leaf| !self.nodes.contains_key(&leaf.id)) {
            read.push((leaf.id, reader.leaf(leaf)?.0));
        }
        self.nodes.extend(read);
        Ok(())
    }

    fn nodes_without<'a>(&'a self, other: &'a HashSet<LeafRef>) -> impl Iterator<Item = &'a Node> {
        self.without(other).filter_map(|leaf| self.nodes.get(&leaf.id)).flatten()
    }
}

/// Hands every name that differs between the trees to `each`. Leaves that both have are not read.
///
/// Example: a directory of 20,000 names in 40 leaves. One file was changed, so one leaf of each
/// tree is not in the other: two leaves are read and their nodes compared, not 80.
pub(super) fn differences(
    reader: &Reader,
    mut old: Listed,
    new: &mut Listed,
    mut each: impl FnMut(&[u8]),
) -> Result<()> {
    let (in_old, in_new): (HashSet<LeafRef>, HashSet<LeafRef>) =
        (old.leaves.iter().cloned().collect(), new.leaves.iter().cloned().collect());
    old.read_without(reader, &in_new)?;
    new.read_without(reader, &in_old)?;
    let mut before: HashMap<&[u8], &Node> = HashMap::new();
    before.extend(old.nodes_without(&in_new).map(|node| (node.name.as_slice(), node)));
    for node in new.nodes_without(&in_old) {
        if before.remove(node.name.as_slice()) != Some(node) {
            each(&node.name);
        }
    }
    before.into_keys().for_each(each);
    Ok(())
}
