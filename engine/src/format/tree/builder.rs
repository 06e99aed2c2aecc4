//! Building the tree of a directory from its nodes in order, however many there are.

use yore_platform::AccountNames;

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::keys::Keys;
use crate::format::tree::encode::{encode_leaves, encode_nodes};
use crate::format::tree::{Content, LeafRef, Node};

/// A directory of more nodes than this has leaves, and no leaf has more.
const MAX_NODES: usize = 4096;
/// A directory of more bytes than this has leaves, and no leaf grows beyond it by a second node.
const MAX_BYTES: usize = 1 << 20;
/// A leaf does not end by its names before it has so many nodes or bytes.
const MIN_NODES: usize = 256;
const MIN_BYTES: usize = 128 << 10;
/// Low bits of a name's number that are zero where a leaf ends: one name in 512.
const END_BITS: u16 = (1 << 9) - 1;

/// Takes a tree blob's bytes and names it.
pub(crate) type SaveTree<'a> = dyn FnMut(Vec<u8>) -> Result<BlobId> + 'a;

/// Collects the nodes of one directory.
#[derive(Default)]
pub(crate) struct TreeBuilder {
    /// Nodes that are in no leaf yet, and their bytes.
    pending: Vec<Node>,
    bytes: usize,
    /// Nodes at the front of `pending` that have been looked at, and their bytes.
    seen: usize,
    seen_bytes: usize,
    leaves: Vec<LeafRef>,
}

impl TreeBuilder {
    /// Adds the node that follows the last one by name.
    pub(crate) fn push(
        &mut self,
        node: Node,
        keys: &Keys,
        names: &AccountNames,
        save: &mut SaveTree<'_>,
    ) -> Result<()> {
        self.bytes += weight(&node);
        self.pending.push(node);
        let many = self.pending.len() > MAX_NODES || self.bytes > MAX_BYTES;
        if many || !self.leaves.is_empty() {
            self.cut(keys, names, save)?;
        }
        Ok(())
    }

    /// Completes the directory and names its tree.
    pub(crate) fn finish(
        mut self,
        names: &AccountNames,
        save: &mut SaveTree<'_>,
    ) -> Result<BlobId> {
        if self.leaves.is_empty() {
            return save(encode_nodes(&self.pending, names));
        }
        let rest = self.pending.len();
        self.end_leaf(rest, names, save)?;
        save(encode_leaves(&self.leaves))
    }

    /// Makes leaves of the pending nodes as far as their ends are in sight.
    fn cut(&mut self, keys: &Keys, names: &AccountNames, save: &mut SaveTree<'_>) -> Result<()> {
        while self.seen < self.pending.len() {
            let node = &self.pending[self.seen];
            self.seen += 1;
            self.seen_bytes += weight(node);
            let long_enough = self.seen >= MIN_NODES || self.seen_bytes >= MIN_BYTES;
            if self.seen >= MAX_NODES
                || self.seen_bytes >= MAX_BYTES
                || (long_enough && keys.leaf_number(&node.name) & END_BITS == 0)
            {
                self.end_leaf(self.seen, names, save)?;
            }
        }
        Ok(())
    }

    fn end_leaf(
        &mut self,
        nodes: usize,
        names: &AccountNames,
        save: &mut SaveTree<'_>,
    ) -> Result<()> {
        let leaf: Vec<Node> = self.pending.drain(..nodes).collect();
        self.bytes -= leaf.iter().map(weight).sum::<usize>();
        (self.seen, self.seen_bytes) = (0, 0);
        if let Some(first) = leaf.first() {
            let id = save(encode_nodes(&leaf, names))?;
            self.leaves.push(LeafRef { first: first.name.clone(), id, nodes: leaf.len() as u64 });
        }
        Ok(())
    }
}

/// About how many bytes a node takes in its tree.
fn weight(node: &Node) -> usize {
    let content = match &node.content {
        Content::Empty => 0,
        Content::Inline(bytes) => bytes.len(),
        Content::Chunks(chunks) => chunks.len() * 36,
        Content::Lists { lists, .. } => lists.len() * 40,
    };
    let xattrs: usize = node.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    64 + node.name.len() + content + xattrs + node.target.len()
}
