//! Nodes where they are kept, and what an engine's error means to who reads the drive.

use std::sync::Arc;

use yore_engine::{Content, Error, Holes, Node, SeenNode};
use yore_platform::VolumeError;

use crate::directories::Directory;

/// The nodes of a tree, kept in memory as long as this lives.
pub(crate) enum Holder {
    /// Of a tree blob.
    Blob(Arc<Directory>),
    /// Of a merged directory.
    Merged(Arc<Vec<SeenNode>>),
}

impl Holder {
    /// The node at a position.
    pub(crate) fn node(&self, at: usize) -> Result<&Node, VolumeError> {
        let node = match self {
            Holder::Blob(directory) => directory.nodes()?.nodes.get(at),
            Holder::Merged(nodes) => nodes.get(at).map(|seen| &seen.node),
        };
        node.ok_or(VolumeError::Stale)
    }
}

/// Whatever keeps the engine from answering, the drive can't show it.
pub(crate) fn damaged(error: Error) -> VolumeError {
    match error {
        Error::NoRepository { .. }
        | Error::Occupied { .. }
        | Error::WrongSecret { .. }
        | Error::MalformedSecret { .. }
        | Error::Unsupported { .. }
        | Error::OtherRepository { .. }
        | Error::Damaged { .. }
        | Error::Missing { .. }
        | Error::Backend { .. }
        | Error::Local { .. }
        | Error::NotFound { .. }
        | Error::Unreadable { .. }
        | Error::Refused(_)
        | Error::Deviation(_)
        | Error::Overtaken
        | Error::Interrupted => VolumeError::Damaged,
    }
}

/// The memory that a node takes, near enough, in bytes.
pub(crate) fn weigh_node(node: &Node) -> usize {
    let content = match &node.content {
        Content::Empty => 0,
        Content::Inline(bytes) => bytes.len(),
        Content::Chunks(chunks) => chunks.len() * 36,
        Content::Lists { lists, .. } => lists.len() * 40,
    };
    let holes = match &node.holes {
        Holes::Inline(holes) => holes.len() * 16,
        Holes::Lists(lists) => lists.len() * 32,
    };
    let xattrs: usize = node.xattrs.iter().map(|(name, value)| 64 + name.len() + value.len()).sum();
    size_of::<Node>() + 48 + node.name.len() + node.target.len() + content + holes + xattrs
}
