//! Marking the blobs that snapshots need: every tree is read once, by several threads.

use super::bits::Bits;
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::tree::{Content, Holes, ListRef, Node, Tree};
use crate::index::BlobTable;
use crate::operation::observer::Observer;
use crate::operation::spread::visit_all;
use crate::read::reader::Reader;

/// What becomes of a blob that the destination does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// The mark fails: which blobs are live is not known.
    Fails,
    /// It is passed over, with all that only it leads to.
    IsSkipped,
}

/// Marks blobs by their positions.
pub(super) struct Marker<'a> {
    pub(super) reader: &'a Reader,
    pub(super) table: &'a BlobTable,
    pub(super) live: &'a Bits,
    pub(super) observer: &'a dyn Observer,
}

impl Marker<'_> {
    /// Marks all that is reachable from these trees and was not marked before.
    pub(super) fn run(&self, roots: &[BlobId], absent: Absent) -> Result<()> {
        let mut trees = Vec::new();
        for root in roots {
            self.found(root, absent, &mut trees)?;
        }
        visit_all(trees, |tree, found| match self.observer.interrupted() {
            true => Err(Error::Interrupted),
            false => self.tree(&tree, absent, found),
        })
    }

    /// Marks a blob; returns true if it is new and the destination has it.
    fn mark(&self, id: &BlobId, absent: Absent) -> Result<bool> {
        let (mut is_there, mut is_new) = (false, false);
        for position in self.table.firsts(id) {
            is_there = true;
            is_new |= self.live.insert(position);
        }
        match (is_there, absent) {
            (false, Absent::Fails) => Err(Error::Missing { object: format!("blob {id}") }),
            _ => Ok(is_new),
        }
    }

    fn found(&self, tree: &BlobId, absent: Absent, trees: &mut Vec<BlobId>) -> Result<()> {
        if self.mark(tree, absent)? {
            trees.push(*tree);
        }
        Ok(())
    }

    fn tree(&self, id: &BlobId, absent: Absent, trees: &mut Vec<BlobId>) -> Result<()> {
        match self.reader.tree(id)? {
            Tree::Leaves(leaves) => {
                leaves.iter().try_for_each(|leaf| self.found(&leaf.id, absent, trees))
            }
            Tree::Nodes { invalid, .. } if !invalid.is_empty() => {
                // It may name blobs in a way that this version does not know.
                let reason = "it has nodes that this version does not know";
                Err(Error::Damaged { object: format!("tree {id}"), reason })
            }
            Tree::Nodes { nodes, .. } => {
                nodes.iter().try_for_each(|node| self.node(node, absent, trees))
            }
        }
    }

    fn node(&self, node: &Node, absent: Absent, trees: &mut Vec<BlobId>) -> Result<()> {
        if let Some(tree) = &node.subtree {
            self.found(tree, absent, trees)?;
        }
        match &node.content {
            Content::Empty | Content::Inline(_) => {}
            Content::Chunks(chunks) => {
                for chunk in chunks {
                    self.mark(&chunk.id, absent)?;
                }
            }
            Content::Lists { depth, lists } => self.lists(*depth, lists, absent)?,
        }
        if let Holes::Lists(lists) = &node.holes {
            for id in lists {
                self.mark(id, absent)?;
            }
        }
        Ok(())
    }

    /// Marks lists of chunks, and what they name.
    fn lists(&self, depth: u8, lists: &[ListRef], absent: Absent) -> Result<()> {
        let mut left: Vec<(u8, BlobId)> = lists.iter().map(|list| (depth, list.id)).collect();
        while let Some((depth, id)) = left.pop() {
            if !self.mark(&id, absent)? {
                continue;
            }
            let items = self.reader.list(&id, depth)?;
            match depth.checked_sub(1) {
                Some(below) => left.extend(items.into_iter().map(|item| (below, item.id))),
                None => {
                    for item in items {
                        self.mark(&item.id, absent)?;
                    }
                }
            }
        }
        Ok(())
    }
}
