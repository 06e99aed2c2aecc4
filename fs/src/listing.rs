//! Finding and listing what a directory of a state holds.

use std::sync::Arc;

use yore_engine::{Node, SeenNode};
use yore_platform::{Entry, Ino, Kind, Listed, More, VolumeError};

use crate::attributes::{join, link_key, node_entry};
use crate::directories::{Directory, Leaf, Nodes};
use crate::node::Holder;
use crate::number::{PlaceNo, TreeNo, node_ino};
use crate::sharing::{Shared, shared};
use crate::states::{StateNo, enter, place_of, tree_of};
use crate::tables::{NodeOf, OriginNo, PlaceKind, TreeSource};
use crate::volume::SnapshotVolume;

/// The longest name that hosts can show; longer ones count as unpresentable.
const MAX_NAME: usize = 255;

/// A directory of a state.
#[derive(Clone, Copy)]
pub(crate) struct Inside {
    place: PlaceNo,
    state: StateNo,
    tree: TreeNo,
}

/// Where a node stands: its position in the directory, and in the tree that holds it.
#[derive(Clone, Copy)]
struct Spot {
    index: usize,
    tree: TreeNo,
    position: usize,
    /// The number that a file there has from another snapshot.
    shared: Option<Ino>,
}

/// Takes what listings give; tells whether it wants more.
pub(crate) type Each<'a> = dyn FnMut(Listed<'_>) -> More + 'a;

/// Goes into a directory of a state.
///
/// # Errors
/// Damaged when its tree can't be put together, or was unreadable at its backup.
pub(crate) fn inside(
    volume: &SnapshotVolume,
    place: PlaceNo,
    kind: PlaceKind,
) -> Result<Inside, VolumeError> {
    let kind = match kind {
        PlaceKind::State(state) => enter(&volume.tables, &volume.reader, state)?,
        other => other,
    };
    match kind {
        PlaceKind::Inside { state, tree, .. } => {
            let tree = tree_of(tree)?;
            let path = volume.tables.place(place)?.path;
            volume.tables.bases(|bases| bases.enter(path, tree));
            Ok(Inside { place, state, tree })
        }
        PlaceKind::Made(_) | PlaceKind::State(_) => Err(VolumeError::Stale),
    }
}

/// Finds a name in a directory of a state.
pub(crate) fn find(
    volume: &SnapshotVolume,
    inside: Inside,
    name: &[u8],
) -> Result<Entry, VolumeError> {
    if name.len() > MAX_NAME {
        return Err(VolumeError::NameTooLong);
    }
    match volume.tables.tree(inside.tree)? {
        TreeSource::Merged { path, nodes, .. } => {
            let found = nodes.binary_search_by(|seen| seen.node.name.as_slice().cmp(name));
            let index = found.map_err(|_| VolumeError::NotFound)?;
            let seen = nodes.get(index).ok_or(VolumeError::NotFound)?;
            merged_entry(volume, inside, index, &path, seen)
        }
        TreeSource::Blob(id, origin) => match &*volume.directories.get(&volume.reader, &id)? {
            Directory::Nodes(nodes) => {
                find_node(volume, inside, origin, (inside.tree, 0), nodes, name)
            }
            Directory::Leaves(leaves) => {
                let after = leaves.partition_point(|leaf| leaf.leaf.first.as_slice() <= name);
                let n = after.checked_sub(1).ok_or(VolumeError::NotFound)?;
                let (tree, start, directory) = leaf(volume, origin, leaves, n)?;
                find_node(volume, inside, origin, (tree, start), directory.nodes()?, name)
            }
        },
    }
}

fn find_node(
    volume: &SnapshotVolume,
    inside: Inside,
    origin: OriginNo,
    (tree, start): (TreeNo, usize),
    nodes: &Nodes,
    name: &[u8],
) -> Result<Entry, VolumeError> {
    let found = nodes.nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
    match found.and_then(|at| Some((at, nodes.nodes.get(at)?))) {
        Some((position, node)) => {
            let shared = shared(volume, inside.tree, tree, nodes);
            let shared = shared.as_ref().and_then(|slot| slot.get()?.number(position));
            let spot = Spot { index: start + position, tree, position, shared };
            entry(volume, inside, origin, spot, node)
        }
        None if nodes.strange.iter().any(|strange| strange == name) => Err(VolumeError::Damaged),
        None => Err(VolumeError::NotFound),
    }
}

/// Lists a directory of a state.
///
/// # Errors
/// Damaged at the first leaf that can't be read, and at the end of a directory with names that
/// can't be presented.
pub(crate) fn list(
    volume: &SnapshotVolume,
    inside: Inside,
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
    inside: Inside,
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
    inside: Inside,
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
    inside: Inside,
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
    inside: Inside,
    origin: OriginNo,
    spot: Spot,
    node: &Node,
) -> Result<Entry, VolumeError> {
    let Inside { place, state, .. } = inside;
    if node.kind != Kind::Directory {
        return file_entry(volume, state, spot, node);
    }
    let child = volume.tables.place_inside(place, (short(spot.index)?, &node.name), || {
        // The place knows better than the tree, which may have been seen elsewhere first.
        let origin = match volume.tables.place(place)?.kind {
            PlaceKind::Inside { origin: Some(origin), .. } => origin,
            PlaceKind::State(state) => volume.tables.state(state)?.origin(b"").unwrap_or(origin),
            _ => origin,
        };
        let tree = node.subtree.map(|id| volume.tables.tree_of_blob(id, origin)).transpose()?;
        Ok(PlaceKind::Inside { state, origin: Some(origin), tree })
    })?;
    Ok(node_entry(&volume.presentation, child.ino(), node))
}

fn merged_entry(
    volume: &SnapshotVolume,
    inside: Inside,
    index: usize,
    path: &[u8],
    seen: &SeenNode,
) -> Result<Entry, VolumeError> {
    let Inside { place, state, tree } = inside;
    let Some(dir) = &seen.dir else {
        let spot = Spot { index, tree, position: index, shared: None };
        return file_entry(volume, state, spot, &seen.node);
    };
    let child = volume.tables.place_inside(place, (short(index)?, &seen.node.name), || {
        let path = Arc::from(join(path, &seen.node.name));
        place_of(&volume.tables, state, &*volume.tables.state(state)?, &path, dir)
    })?;
    Ok(node_entry(&volume.presentation, child.ino(), &seen.node))
}

fn file_entry(
    volume: &SnapshotVolume,
    state: StateNo,
    spot: Spot,
    node: &Node,
) -> Result<Entry, VolumeError> {
    let own = spot.shared.or_else(|| node_ino(spot.tree, spot.position));
    let own = own.ok_or(VolumeError::Damaged)?;
    let ino = link_key(state, node).map_or(own, |key| volume.tables.link(key, own));
    Ok(node_entry(&volume.presentation, ino, node))
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

/// Finds the node of a directory of a state; its top has none.
pub(crate) fn node_of_place(
    volume: &SnapshotVolume,
    place: PlaceNo,
) -> Result<(Holder, usize), VolumeError> {
    match volume.tables.place(place)?.node {
        NodeOf::None => Err(VolumeError::Stale),
        NodeOf::Tree(tree, position) => node_at(volume, tree, position as usize),
        NodeOf::Parent(parent, index) => {
            let parent = inside(volume, parent, volume.tables.place(parent)?.kind)?;
            node_at(volume, parent.tree, index as usize)
        }
    }
}

#[cfg(test)]
mod tests;
