//! Reading directories of snapshots: whole, by name, or node by node.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::tree::{InvalidNode, LeafRef, ListRef, Node, Tree, decode_list, decode_tree};
use crate::read::reader::Reader;

impl Reader {
    /// Loads and decodes one tree blob.
    pub fn tree(&self, id: &BlobId) -> Result<Tree> {
        let blob = self.blob(BlobKind::Tree, id)?;
        decode_tree(&blob).map_err(|_| Error::damaged(format!("tree {id}"), "it does not decode"))
    }

    /// Finds the node `name` of the directory `id`, reading one leaf of a large one.
    pub fn find_node(&self, id: &BlobId, name: &[u8]) -> Result<Option<Node>> {
        let nodes = match self.tree(id)? {
            Tree::Nodes { nodes, .. } => nodes,
            Tree::Leaves(leaves) => {
                let after = leaves.partition_point(|leaf| leaf.first.as_slice() <= name);
                let Some(leaf) = after.checked_sub(1).and_then(|n| leaves.get(n)) else {
                    return Ok(None);
                };
                self.leaf(leaf)?.0
            }
        };
        Ok(nodes.into_iter().find(|node| node.name == name))
    }

    /// Loads a list blob that is expected at `depth`.
    pub(crate) fn list(&self, id: &BlobId, depth: u8) -> Result<Vec<ListRef>> {
        let blob = self.blob(BlobKind::List, id)?;
        decode_list(&blob, depth)
            .map_err(|_| Error::damaged(format!("blob {id}"), "it is no list of chunks"))
    }

    /// Loads a leaf of a large directory: its nodes, and its invalid nodes.
    pub fn leaf(&self, leaf: &LeafRef) -> Result<(Vec<Node>, Vec<InvalidNode>)> {
        match self.tree(&leaf.id)? {
            Tree::Nodes { nodes, invalid }
                if (nodes.len() + invalid.len()) as u64 == leaf.nodes
                    && first_name(&nodes, &invalid) == Some(&leaf.first) =>
            {
                Ok((nodes, invalid))
            }
            Tree::Nodes { .. } | Tree::Leaves(_) => Err(Error::damaged(
                format!("tree {}", leaf.id),
                "it is not the leaf that it should be",
            )),
        }
    }

    /// Walks the directory `id` node by node; of a large one, a leaf at a time is in memory.
    pub fn nodes<'r>(&'r self, id: &BlobId) -> Result<Nodes<'r>> {
        let mut walk = Nodes {
            reader: self,
            leaves: VecDeque::new(),
            nodes: VecDeque::new(),
            invalid: Vec::new(),
        };
        match self.tree(id)? {
            Tree::Nodes { nodes, invalid } => (walk.nodes, walk.invalid) = (nodes.into(), invalid),
            Tree::Leaves(leaves) => walk.leaves = leaves.into(),
        }
        Ok(walk)
    }
}

/// Returns the first name of a leaf, of a valid or an invalid node.
pub(crate) fn first_name<'a>(nodes: &'a [Node], invalid: &'a [InvalidNode]) -> Option<&'a Vec<u8>> {
    let nodes = nodes.first().map(|node| &node.name);
    nodes.into_iter().chain(invalid.first().map(|invalid| &invalid.name)).min()
}

/// The nodes of one directory, in order of their names.
pub struct Nodes<'r> {
    reader: &'r Reader,
    leaves: VecDeque<LeafRef>,
    nodes: VecDeque<Node>,
    invalid: Vec<InvalidNode>,
}

impl Nodes<'_> {
    /// Returns the next node; `None` at the end.
    ///
    /// # Errors
    /// A leaf that can't be read; the next call goes on behind it.
    pub fn try_next(&mut self) -> Result<Option<Node>> {
        while self.nodes.is_empty() {
            let Some(leaf) = self.leaves.pop_front() else { return Ok(None) };
            let (nodes, invalid) = self.reader.leaf(&leaf)?;
            let next = self.leaves.front().map(|next| &next.first);
            if next.is_some_and(|next| nodes.last().is_some_and(|last| last.name >= *next)) {
                let object = format!("tree {}", leaf.id);
                return Err(Error::damaged(object, "it reaches into the leaf after it"));
            }
            self.nodes = nodes.into();
            self.invalid.extend(invalid);
        }
        Ok(self.nodes.pop_front())
    }

    /// Returns the next node without taking it.
    pub fn peek(&mut self) -> Result<Option<&Node>> {
        if self.nodes.is_empty()
            && let Some(node) = self.try_next()?
        {
            self.nodes.push_front(node);
        }
        Ok(self.nodes.front())
    }

    /// Takes the invalid nodes met so far.
    pub fn take_invalid(&mut self) -> Vec<InvalidNode> {
        std::mem::take(&mut self.invalid)
    }
}
