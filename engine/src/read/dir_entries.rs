//! What is in a directory, node by node, whatever the directory is put together from.

use std::sync::Arc;

use crate::error::Result;
use crate::format::tree::InvalidNode;
use crate::read::directory::Nodes;
use crate::read::reader::Reader;
use crate::read::state_tree::{DirRef, ResolvedNode, damaged};

/// The nodes of a directory that are still to come.
pub(crate) enum Children<'r> {
    Tree(Nodes<'r>),
    Merged(Arc<Vec<ResolvedNode>>, usize),
    One(Option<Box<ResolvedNode>>),
}

impl<'r> Children<'r> {
    /// Opens a directory; one that could not be read when it was backed up has no children.
    pub(crate) fn open(reader: &'r Reader, dir: &DirRef) -> Result<Self> {
        Ok(match dir {
            DirRef::Tree(id) => Children::Tree(reader.nodes(id)?),
            DirRef::Merged(nodes) => Children::Merged(Arc::clone(nodes), 0),
            DirRef::Unreadable => Children::One(None),
            DirRef::Damaged(why) => return Err(damaged(why)),
        })
    }

    /// A single node.
    pub(crate) fn one(seen: ResolvedNode) -> Self {
        Children::One(Some(Box::new(seen)))
    }

    /// Returns the next node; after an error, the walk goes on behind what could not be read.
    pub(crate) fn next(&mut self) -> Result<Option<ResolvedNode>> {
        match self {
            Children::Tree(nodes) => Ok(nodes.try_next()?.map(ResolvedNode::of)),
            Children::Merged(nodes, next) => {
                let seen = nodes.get(*next).cloned();
                *next += 1;
                Ok(seen)
            }
            Children::One(seen) => Ok(seen.take().map(|seen| *seen)),
        }
    }

    /// Takes the names met so far that can't be presented.
    pub(crate) fn take_invalid(&mut self) -> Vec<InvalidNode> {
        match self {
            Children::Tree(nodes) => nodes.take_invalid(),
            Children::Merged(..) | Children::One(_) => Vec::new(),
        }
    }
}
