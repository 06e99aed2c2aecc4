//! Finding a name in a tree, with its place there.

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::tree::{Node, Tree};
use crate::read::reader::Reader;

/// A node with its place in a tree, which gives it a number on the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocatedNode {
    /// The tree, or the leaf of a large one, that holds it.
    pub tree: BlobId,
    /// Its position there.
    pub position: usize,
    /// The node.
    pub node: Node,
}

/// Finds a name in a tree.
pub fn locate_node(reader: &Reader, tree: &BlobId, name: &[u8]) -> Result<Option<LocatedNode>> {
    let (tree, nodes) = match reader.tree(tree)? {
        Tree::Nodes { nodes, .. } => (*tree, nodes),
        Tree::Leaves(leaves) => {
            let after = leaves.partition_point(|leaf| leaf.first.as_slice() <= name);
            let Some(leaf) = after.checked_sub(1).and_then(|n| leaves.get(n)) else {
                return Ok(None);
            };
            (leaf.id, reader.leaf(leaf)?.0)
        }
    };
    let found = nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
    Ok(found.and_then(|position| {
        let node = nodes.into_iter().nth(position)?;
        Some(LocatedNode { tree, position, node })
    }))
}
