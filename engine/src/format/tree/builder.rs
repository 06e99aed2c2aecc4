//! Building the tree of a directory from its nodes in order, however many there are.
//!
//! A large directory is cut into leaves where the names say so, as content-defined chunking does
//! with bytes: a change of one name alters one leaf, or two.
//!
//! Example: 10,000 names of some 100 bytes. A leaf ends behind a name whose keyed hash ends in nine
//! zero bits, one in 512, but not before 256 nodes; so leaves have some 770 nodes, and there are
//! about 13. A new name lies inside of one leaf: that is written anew, and the others, which begin
//! and end at the same names as before, are found in the repository.

use crate::error::Result;
use crate::format::id::BlobId;
use crate::format::keys::Keys;
use crate::format::tree::encode::{encode_leaves, encode_nodes};
use crate::format::tree::{Content, Holes, LeafRef, Naming, Node};

/// A directory of more nodes than this has leaves, and no leaf has more.
const MAX_NODES: usize = 4096;
/// A directory of more bytes than this has leaves, and no leaf grows beyond it by a second node.
const MAX_BYTES: usize = 1 << 20;
/// The fewest nodes, or bytes, of a leaf that ends by its names.
const MIN_NODES: usize = 256;
const MIN_BYTES: usize = 128 << 10;
/// Low bits of a name's keyed hash that are zero where a leaf ends: one name in 512.
const END_BITS: u16 = (1 << 9) - 1;

/// Saves a tree blob; returns its id.
pub(crate) type SaveTree<'a> = dyn FnMut(Vec<u8>) -> Result<BlobId> + 'a;

/// Collects the nodes of one directory.
#[derive(Default)]
pub(crate) struct TreeBuilder {
    /// Nodes that are in no leaf yet, and their bytes.
    pending: Vec<Node>,
    bytes: usize,
    /// Nodes at the front of `pending` that end no leaf, and their bytes.
    scanned: usize,
    scanned_bytes: usize,
    leaves: Vec<LeafRef>,
}

impl TreeBuilder {
    /// Adds the node that follows the last one by name.
    pub(crate) fn push(
        &mut self,
        node: Node,
        keys: &Keys,
        names: &Naming,
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

    /// Completes the directory; returns the id of its tree.
    pub(crate) fn finish(mut self, names: &Naming, save: &mut SaveTree<'_>) -> Result<BlobId> {
        if self.leaves.is_empty() {
            return save(encode_nodes(&self.pending, names));
        }
        let rest = self.pending.len();
        self.end_leaf(rest, names, save)?;
        save(encode_leaves(&self.leaves))
    }

    /// Cuts leaves off the pending nodes while the end of the next one is known.
    fn cut(&mut self, keys: &Keys, names: &Naming, save: &mut SaveTree<'_>) -> Result<()> {
        while self.scanned < self.pending.len() {
            let node = &self.pending[self.scanned];
            self.scanned += 1;
            self.scanned_bytes += weight(node);
            let long_enough = self.scanned >= MIN_NODES || self.scanned_bytes >= MIN_BYTES;
            if self.scanned >= MAX_NODES
                || self.scanned_bytes >= MAX_BYTES
                || (long_enough && keys.leaf_number(&node.name) & END_BITS == 0)
            {
                self.end_leaf(self.scanned, names, save)?;
            }
        }
        Ok(())
    }

    fn end_leaf(&mut self, nodes: usize, names: &Naming, save: &mut SaveTree<'_>) -> Result<()> {
        let leaf: Vec<Node> = self.pending.drain(..nodes).collect();
        self.bytes -= leaf.iter().map(weight).sum::<usize>();
        (self.scanned, self.scanned_bytes) = (0, 0);
        if let Some(first) = leaf.first() {
            let id = save(encode_nodes(&leaf, names))?;
            self.leaves.push(LeafRef { first: first.name.clone(), id, nodes: leaf.len() as u64 });
        }
        Ok(())
    }
}

/// Estimates the bytes of a node in its tree.
fn weight(node: &Node) -> usize {
    let content = match &node.content {
        Content::Empty => 0,
        Content::Inline(bytes) => bytes.len(),
        Content::Chunks(chunks) => chunks.len() * 36,
        Content::Lists { lists, .. } => lists.len() * 40,
    };
    let holes = match &node.holes {
        Holes::Inline(holes) => holes.len() * 10,
        Holes::Lists(lists) => lists.len() * 34,
    };
    let xattrs: usize = node.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let extra: usize = node.extra.iter().map(|(_, value)| value.len() + 4).sum();
    64 + node.name.len() + content + holes + xattrs + node.target.len() + extra
}
