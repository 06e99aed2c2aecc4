//! The entries of a directory, node by node, wherever its nodes come from.

use std::sync::Arc;

use crate::error::Result;
use crate::format::tree::InvalidNode;
use crate::read::directory::Nodes;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, damaged};

/// The entries of a directory that are still to come.
pub(crate) enum DirEntries<'r> {
    Tree(Nodes<'r>),
    Merged(Arc<Vec<ResolvedNode>>, usize),
    One(Option<Box<ResolvedNode>>),
}

impl<'r> DirEntries<'r> {
    /// Opens a directory; one that could not be read when it was backed up has no entries.
    pub(crate) fn open(reader: &'r Reader, dir: &DirRef) -> Result<Self> {
        Ok(match dir {
            DirRef::Tree(id) => DirEntries::Tree(reader.nodes(id)?),
            DirRef::Merged(nodes) => DirEntries::Merged(Arc::clone(nodes), 0),
            DirRef::Unreadable => DirEntries::One(None),
            DirRef::Damaged(why) => return Err(damaged(why)),
        })
    }

    /// Takes a single node for a directory of one entry.
    pub(crate) fn one(node: ResolvedNode) -> Self {
        DirEntries::One(Some(Box::new(node)))
    }

    /// Returns the next entry; after an error, the one behind what could not be read.
    pub(crate) fn next(&mut self) -> Result<Option<ResolvedNode>> {
        match self {
            DirEntries::Tree(nodes) => Ok(nodes.try_next()?.map(ResolvedNode::of)),
            DirEntries::Merged(nodes, next) => {
                let node = nodes.get(*next).cloned();
                *next += 1;
                Ok(node)
            }
            DirEntries::One(node) => Ok(node.take().map(|node| *node)),
        }
    }

    /// Takes the invalid nodes met so far.
    pub(crate) fn take_invalid(&mut self) -> Vec<InvalidNode> {
        match self {
            DirEntries::Tree(nodes) => nodes.take_invalid(),
            DirEntries::Merged(..) | DirEntries::One(_) => Vec::new(),
        }
    }
}
