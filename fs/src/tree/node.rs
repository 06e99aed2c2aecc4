//! The node behind an inode number.

use std::sync::Arc;

use yore_engine::format::Node;
use yore_engine::read::ResolvedNode;
use yore_platform::{Ino, VolumeError};

use crate::error::Answer;
use crate::inode::number::{Inode, NodeNo, TreeNo};
use crate::inode::place::Body;
use crate::inode::tables::TreeSource;
use crate::tree::core::Core;
use crate::tree::directories::Directory;
use crate::tree::follow::current;
use crate::tree::listing::leaf_at;

/// A node, and the tree that holds it, kept in memory as long as this lives.
pub(crate) struct NodeHandle {
    tree: HeldTree,
    position: usize,
}

enum HeldTree {
    Blob(Arc<Directory>),
    Merged(Arc<Vec<ResolvedNode>>),
}

impl NodeHandle {
    pub(crate) fn node(&self) -> Answer<&Node> {
        let node = match &self.tree {
            HeldTree::Blob(directory) => directory.nodes()?.nodes.get(self.position),
            HeldTree::Merged(nodes) => nodes.get(self.position).map(|seen| &seen.node),
        };
        node.ok_or(VolumeError::Stale)
    }
}

/// Finds the node at an index of a tree; that of a large directory counts through its leaves.
pub(crate) fn node_at(core: &Core, tree: TreeNo, index: usize) -> Answer<NodeHandle> {
    let id = match core.tables.tree(tree)? {
        TreeSource::Merged { nodes, .. } => {
            return Ok(NodeHandle { tree: HeldTree::Merged(nodes), position: index });
        }
        TreeSource::Blob(id, _) => id,
    };
    let directory = core.directories.get(&core.reader, &id)?;
    let Directory::Leaves(leaves) = &*directory else {
        return Ok(NodeHandle { tree: HeldTree::Blob(directory), position: index });
    };
    let n = leaf_at(leaves, index);
    let start = leaves.get(n).map_or(0, |leaf| leaf.start as usize);
    let leaf = core.directories.leaf(&core.reader, leaves, n)?;
    Ok(NodeHandle { tree: HeldTree::Blob(leaf), position: index - start })
}

/// Hands the node behind a number to `each`; `None` for directories and links that no backup has.
pub(crate) fn with_node<T>(
    core: &Core,
    ino: Ino,
    each: &mut dyn FnMut(&Node) -> T,
) -> Answer<Option<T>> {
    let handle = match Inode::of(ino).ok_or(VolumeError::Stale)? {
        Inode::Node(node) => node_at(core, node.tree(), node.position())?,
        Inode::Link(..) => return Ok(None),
        Inode::Place(place) => match current(core, place)?.body {
            Body::File(seen) => return Ok(Some(each(&seen.node))),
            Body::Virtual(_) | Body::StateTop(..) => return Ok(None),
            Body::StateDir(dir) => node_at(core, dir.node.tree, dir.node.index as usize)?,
        },
    };
    Ok(Some(each(handle.node()?)))
}

/// Returns the inode number by which snapshots show a node that is no directory.
pub(crate) fn ino_of(core: &Core, tree: TreeNo, position: usize) -> Answer<Ino> {
    let shared = core.tables.known_number(tree, position);
    let number = shared.or_else(|| NodeNo::new(tree, position)).ok_or(VolumeError::Damaged)?;
    Ok(number.ino())
}
