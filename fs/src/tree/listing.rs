//! Finding and listing what a directory of a state holds.

use std::sync::Arc;
use std::time::Duration;

use yore_engine::{DirRef, Node, SeenNode};
use yore_platform::{Entry, Kind, Listed, More, VolumeError};

use crate::inode::number::{NodeNo, PlaceNo, TreeNo};
use crate::inode::place::{Dir, Entered, Version};
use crate::inode::sharing::{Shared, shared};
use crate::inode::tables::{OriginNo, TreeSource};
use crate::tree::attributes::{join, link_key, node_entry};
use crate::tree::directories::{Directory, Leaf, Nodes};
use crate::tree::node::Holder;
use crate::tree::state_tree::{State, numbered};
use crate::volume::SnapshotVolume;

/// The longest name that hosts can show; longer ones count as unpresentable.
const MAX_NAME: usize = 255;

/// A directory of a state, entered.
pub(crate) struct Inside {
    pub(crate) place: PlaceNo,
    pub(crate) version: Version,
    pub(crate) state: Arc<State>,
    pub(crate) origin: Option<OriginNo>,
    pub(crate) tree: TreeNo,
    /// How long a host may keep answers about what is in it.
    pub(crate) ttl: Duration,
}

/// Where a node stands: its position in the directory, and in the tree that holds it.
#[derive(Clone, Copy)]
struct Spot {
    index: usize,
    tree: TreeNo,
    position: usize,
    /// The number that a file there has from another snapshot.
    shared: Option<NodeNo>,
}

/// Takes what listings give; tells whether it wants more.
pub(crate) type Each<'a> = dyn FnMut(Listed<'_>) -> More + 'a;

type Answer<T> = Result<T, VolumeError>;

/// A name that was found in a directory of a state.
enum Located<'n> {
    /// In a tree blob, first seen in that snapshot.
    Node(OriginNo, Spot, &'n Node),
    /// In a directory at that path, put together from several snapshots.
    Merged(usize, &'n [u8], &'n SeenNode),
}

/// Finds a name in a directory of a state, and hands it to `each`.
fn locate<T>(
    volume: &SnapshotVolume,
    inside: &Inside,
    name: &[u8],
    each: impl FnOnce(Located<'_>) -> Answer<T>,
) -> Answer<T> {
    if name.len() > MAX_NAME {
        return Err(VolumeError::NameTooLong);
    }
    match volume.tables.tree(inside.tree)? {
        TreeSource::Merged { path, nodes, .. } => {
            let found = nodes.binary_search_by(|seen| seen.node.name.as_slice().cmp(name));
            let index = found.map_err(|_| VolumeError::NotFound)?;
            let seen = nodes.get(index).ok_or(VolumeError::NotFound)?;
            each(Located::Merged(index, &path, seen))
        }
        TreeSource::Blob(id, origin) => match &*volume.directories.get(&volume.reader, &id)? {
            Directory::Nodes(nodes) => {
                let (spot, node) = locate_node(volume, inside, (inside.tree, 0), nodes, name)?;
                each(Located::Node(origin, spot, node))
            }
            Directory::Leaves(leaves) => {
                let after = leaves.partition_point(|leaf| leaf.leaf.first.as_slice() <= name);
                let n = after.checked_sub(1).ok_or(VolumeError::NotFound)?;
                let (tree, start, directory) = leaf(volume, origin, leaves, n)?;
                let nodes = directory.nodes()?;
                let (spot, node) = locate_node(volume, inside, (tree, start), nodes, name)?;
                each(Located::Node(origin, spot, node))
            }
        },
    }
}

fn locate_node<'n>(
    volume: &SnapshotVolume,
    inside: &Inside,
    (tree, start): (TreeNo, usize),
    nodes: &'n Nodes,
    name: &[u8],
) -> Answer<(Spot, &'n Node)> {
    let found = nodes.nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
    match found.and_then(|at| Some((at, nodes.nodes.get(at)?))) {
        Some((position, node)) => {
            let shared = shared(volume, inside.tree, tree, nodes);
            let shared = shared.as_ref().and_then(|slot| slot.get()?.number(position));
            Ok((Spot { index: start + position, tree, position, shared }, node))
        }
        None if nodes.strange.iter().any(|strange| strange == name) => Err(VolumeError::Damaged),
        None => Err(VolumeError::NotFound),
    }
}

/// Finds a name in a directory of a state.
pub(crate) fn find(volume: &SnapshotVolume, inside: &Inside, name: &[u8]) -> Answer<Entry> {
    locate(volume, inside, name, |located| match located {
        Located::Node(origin, spot, node) => entry(volume, inside, origin, spot, node),
        Located::Merged(index, path, seen) => merged_entry(volume, inside, index, path, seen),
    })
}

/// Finds a directory by its name in a directory of a state; `None` where there is none.
pub(crate) fn find_dir(
    volume: &SnapshotVolume,
    inside: &Inside,
    name: &[u8],
) -> Answer<Option<Dir>> {
    let found = locate(volume, inside, name, |located| match located {
        Located::Node(origin, spot, node) => match node.kind {
            Kind::Directory => dir(volume, inside, origin, spot.index, node).map(Some),
            _ => Ok(None),
        },
        Located::Merged(index, path, seen) => match &seen.dir {
            Some(below) => merged_dir(volume, inside, (index, path), seen, below).map(Some),
            None => Ok(None),
        },
    });
    match found {
        Err(VolumeError::NotFound | VolumeError::NameTooLong) => Ok(None),
        found => found,
    }
}

/// Lists a directory of a state.
///
/// # Errors
/// Damaged at the first leaf that can't be read, and at the end of a directory with names that
/// can't be presented.
pub(crate) fn list(
    volume: &SnapshotVolume,
    inside: &Inside,
    from: u64,
    each: &mut Each<'_>,
) -> Result<(), VolumeError> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let more = match volume.tables.tree(inside.tree)? {
        TreeSource::Merged { path, nodes, .. } => {
            list_merged(volume, inside, from, &path, &nodes, each)?
        }
        TreeSource::Blob(id, origin) => match &*volume.directories.get(&volume.reader, &id)? {
            Directory::Nodes(nodes) => {
                list_nodes(volume, inside, origin, (inside.tree, 0), nodes, from, each)?
            }
            Directory::Leaves(leaves) => list_leaves(volume, inside, origin, leaves, from, each)?,
        },
    };
    match more {
        More::Wanted if volume.tables.is_incomplete(inside.place) => Err(VolumeError::Damaged),
        More::Wanted | More::Stop => Ok(()),
    }
}

fn list_merged(
    volume: &SnapshotVolume,
    inside: &Inside,
    from: usize,
    path: &[u8],
    nodes: &[SeenNode],
    each: &mut Each<'_>,
) -> Result<More, VolumeError> {
    for (index, seen) in nodes.iter().enumerate().skip(from) {
        if seen.node.name.len() > MAX_NAME {
            volume.tables.mark_incomplete(inside.place);
            continue;
        }
        let entry = merged_entry(volume, inside, index, path, seen)?;
        if each(Listed { name: &seen.node.name, next: index as u64 + 1, entry }) == More::Stop {
            return Ok(More::Stop);
        }
    }
    Ok(More::Wanted)
}

fn list_leaves(
    volume: &SnapshotVolume,
    inside: &Inside,
    origin: OriginNo,
    leaves: &[Leaf],
    from: usize,
    each: &mut Each<'_>,
) -> Result<More, VolumeError> {
    for n in leaf_at(leaves, from)..leaves.len() {
        let (tree, start, directory) = leaf(volume, origin, leaves, n)?;
        let nodes = directory.nodes()?;
        if list_nodes(volume, inside, origin, (tree, start), nodes, from, each)? == More::Stop {
            return Ok(More::Stop);
        }
    }
    Ok(More::Wanted)
}

fn list_nodes(
    volume: &SnapshotVolume,
    inside: &Inside,
    origin: OriginNo,
    (tree, start): (TreeNo, usize),
    nodes: &Nodes,
    from: usize,
    each: &mut Each<'_>,
) -> Result<More, VolumeError> {
    if !nodes.strange.is_empty() {
        volume.tables.mark_incomplete(inside.place);
    }
    let slot = shared(volume, inside.tree, tree, nodes);
    let shared: Option<&Shared> = slot.as_ref().and_then(|slot| slot.get());
    for (position, node) in nodes.nodes.iter().enumerate().skip(from.saturating_sub(start)) {
        if node.name.len() > MAX_NAME {
            volume.tables.mark_incomplete(inside.place);
            continue;
        }
        let index = start + position;
        let shared = shared.and_then(|shared| shared.number(position));
        let entry = entry(volume, inside, origin, Spot { index, tree, position, shared }, node)?;
        if each(Listed { name: &node.name, next: index as u64 + 1, entry }) == More::Stop {
            return Ok(More::Stop);
        }
    }
    Ok(More::Wanted)
}

/// The leaf that holds the position `index` of its directory, or ends before it.
fn leaf_at(leaves: &[Leaf], index: usize) -> usize {
    leaves.partition_point(|leaf| leaf.start as usize <= index).saturating_sub(1)
}

fn leaf(
    volume: &SnapshotVolume,
    origin: OriginNo,
    leaves: &[Leaf],
    n: usize,
) -> Result<(TreeNo, usize, Arc<Directory>), VolumeError> {
    let directory = volume.directories.leaf(&volume.reader, leaves, n)?;
    let Leaf { start, leaf } = leaves.get(n).ok_or(VolumeError::Damaged)?;
    let tree = volume.tables.tree_of_blob(leaf.id, origin)?;
    Ok((tree, *start as usize, directory))
}

fn entry(
    volume: &SnapshotVolume,
    inside: &Inside,
    origin: OriginNo,
    spot: Spot,
    node: &Node,
) -> Answer<Entry> {
    if node.kind != Kind::Directory {
        return file_entry(volume, inside, spot, node);
    }
    let index = spot.index;
    let make = || dir(volume, inside, origin, index, node);
    let child = volume.tables.place_inside((inside.place, inside.version), &node.name, make)?;
    Ok(node_entry(&volume.presentation, child.ino(), node, inside.ttl))
}

/// A directory in a tree blob.
fn dir(
    volume: &SnapshotVolume,
    inside: &Inside,
    origin: OriginNo,
    index: usize,
    node: &Node,
) -> Answer<Dir> {
    // The place knows better than the tree, which may have been seen elsewhere first.
    let origin = inside.origin.unwrap_or(origin);
    let tree = node.subtree.map(|id| volume.tables.tree_of_blob(id, origin)).transpose()?;
    let (state, node) = (Arc::clone(&inside.state), (inside.tree, short(index)?));
    Ok(Dir { state, origin: Some(origin), tree, node })
}

fn merged_entry(
    volume: &SnapshotVolume,
    inside: &Inside,
    index: usize,
    path: &[u8],
    seen: &SeenNode,
) -> Answer<Entry> {
    let Some(below) = &seen.dir else {
        let spot = Spot { index, tree: inside.tree, position: index, shared: None };
        return file_entry(volume, inside, spot, &seen.node);
    };
    let make = || merged_dir(volume, inside, (index, path), seen, below);
    let name = &seen.node.name;
    let child = volume.tables.place_inside((inside.place, inside.version), name, make)?;
    Ok(node_entry(&volume.presentation, child.ino(), &seen.node, inside.ttl))
}

/// A directory in one that was put together.
fn merged_dir(
    volume: &SnapshotVolume,
    inside: &Inside,
    (index, path): (usize, &[u8]),
    seen: &SeenNode,
    below: &DirRef,
) -> Answer<Dir> {
    let path = Arc::from(join(path, &seen.node.name));
    let Entered { origin, tree } = numbered(&volume.tables, &inside.state, &path, below)?;
    let node = (inside.tree, short(index)?);
    Ok(Dir { state: Arc::clone(&inside.state), origin, tree, node })
}

fn file_entry(volume: &SnapshotVolume, inside: &Inside, spot: Spot, node: &Node) -> Answer<Entry> {
    let own = spot.shared.or_else(|| NodeNo::new(spot.tree, spot.position));
    let own = own.ok_or(VolumeError::Damaged)?;
    let key = link_key(inside.state.number, node);
    let number = key.map_or(own, |key| volume.tables.link(key, own));
    Ok(node_entry(&volume.presentation, number.ino(), node, inside.ttl))
}

fn short(index: usize) -> Result<u32, VolumeError> {
    u32::try_from(index).map_err(|_| VolumeError::Damaged)
}

/// Finds the node at a position of a tree; the directory of a large one counts through its leaves.
pub(crate) fn node_at(
    volume: &SnapshotVolume,
    tree: TreeNo,
    index: usize,
) -> Result<(Holder, usize), VolumeError> {
    let id = match volume.tables.tree(tree)? {
        TreeSource::Merged { nodes, .. } => return Ok((Holder::Merged(nodes), index)),
        TreeSource::Blob(id, _) => id,
    };
    let directory = volume.directories.get(&volume.reader, &id)?;
    let Directory::Leaves(leaves) = &*directory else {
        return Ok((Holder::Blob(directory), index));
    };
    let n = leaf_at(leaves, index);
    let start = leaves.get(n).map_or(0, |leaf| leaf.start as usize);
    let leaf = volume.directories.leaf(&volume.reader, leaves, n)?;
    Ok((Holder::Blob(leaf), index - start))
}

#[cfg(test)]
mod tests;
