//! Finding and listing the children of a directory of a state.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use yore_engine::format::{Node, content_id};
use yore_engine::read::ResolvedNode;
use yore_platform::{Entry, Kind, ListControl, Listed, VolumeError};

use crate::error::Answer;
use crate::inode::number::{NodeNo, PlaceNo, SnapshotNo, StateNo, TreeNo};
use crate::inode::place::{NodeSpot, StateDir, TopTree, Version};
use crate::inode::state::State;
use crate::inode::tables::{LinkKey, TreeSource};
use crate::path::{MAX_NAME, join};
use crate::tree::base_tree::shared_numbers;
use crate::tree::core::Core;
use crate::tree::directories::{Directory, Leaf, Nodes};
use crate::tree::state_tree::number_tree;

/// A directory of a state, entered.
pub(crate) struct OpenDir<'c> {
    pub(crate) core: &'c Core,
    pub(crate) place: PlaceNo,
    pub(crate) version: Version,
    pub(crate) state: Arc<State>,
    pub(crate) origin: Option<SnapshotNo>,
    pub(crate) tree: TreeNo,
    /// The time for which a host may keep answers about its children.
    pub(crate) ttl: Duration,
}

/// Takes the names of a listing, one by one, until it wants no more.
pub(crate) type Each<'a> = dyn FnMut(Listed<'_>) -> ListControl + 'a;

/// A tree blob of a directory: all of it, or a leaf of a large one.
#[derive(Clone, Copy)]
struct Part<'n> {
    tree: TreeNo,
    /// The snapshot in which the directory's tree was first seen.
    origin: SnapshotNo,
    /// The index of its first node in the directory.
    start: usize,
    nodes: &'n Nodes,
}

/// A node of a directory, and where it is.
enum Child<'n> {
    /// In a tree blob.
    Blob(BlobChild<'n>),
    /// In a directory merged from several snapshots.
    Merged(MergedChild<'n>),
}

struct BlobChild<'n> {
    node: &'n Node,
    part: Part<'n>,
    position: usize,
    /// The number that the node takes over from the base tree.
    shared: Option<NodeNo>,
}

struct MergedChild<'n> {
    seen: &'n ResolvedNode,
    index: usize,
    /// The path of the directory within its state.
    path: &'n [u8],
}

impl OpenDir<'_> {
    /// Finds a name.
    pub(crate) fn find(&self, name: &[u8]) -> Answer<Entry> {
        self.locate(name, |child| match child {
            Child::Blob(child) => self.blob_entry(&child),
            Child::Merged(child) => self.merged_entry(&child),
        })
    }

    /// Finds a directory by its name; `None` where there is none.
    pub(crate) fn find_dir(&self, name: &[u8]) -> Answer<Option<StateDir>> {
        let found = self.locate(name, |child| match child {
            Child::Blob(child) if child.node.kind == Kind::Directory => {
                self.blob_dir(&child).map(Some)
            }
            Child::Merged(child) if child.seen.dir.is_some() => self.merged_dir(&child).map(Some),
            Child::Blob(_) | Child::Merged(_) => Ok(None),
        });
        match found {
            Err(VolumeError::NotFound | VolumeError::NameTooLong) => Ok(None),
            found => found,
        }
    }

    /// Lists the directory.
    ///
    /// # Errors
    /// Damaged at the first leaf that can't be read, and at the end of a directory with names that
    /// can't be presented.
    pub(crate) fn list(&self, from: u64, each: &mut Each<'_>) -> Answer<()> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let more = match self.core.tables.tree(self.tree)? {
            TreeSource::Merged { path, nodes, .. } => {
                self.list_merged(&path, &nodes, from, each)?
            }
            TreeSource::Blob(id, origin) => {
                match &*self.core.directories.get(&self.core.reader, &id)? {
                    Directory::Nodes(nodes) => self.list_part(
                        Part { tree: self.tree, origin, start: 0, nodes },
                        from,
                        each,
                    )?,
                    Directory::Leaves(leaves) => self.list_leaves(origin, leaves, from, each)?,
                }
            }
        };
        match more {
            ListControl::Continue if self.core.tables.is_incomplete(self.place) => {
                Err(VolumeError::Damaged)
            }
            ListControl::Continue | ListControl::Stop => Ok(()),
        }
    }

    /// Finds a name and hands its node to `each`.
    fn locate<T>(&self, name: &[u8], each: impl FnOnce(Child<'_>) -> Answer<T>) -> Answer<T> {
        if name.len() > MAX_NAME {
            return Err(VolumeError::NameTooLong);
        }
        match self.core.tables.tree(self.tree)? {
            TreeSource::Merged { path, nodes, .. } => {
                let found = nodes.binary_search_by(|seen| seen.node.name.as_slice().cmp(name));
                let index = found.map_err(|_| VolumeError::NotFound)?;
                let seen = nodes.get(index).ok_or(VolumeError::NotFound)?;
                each(Child::Merged(MergedChild { seen, index, path: &path }))
            }
            TreeSource::Blob(id, origin) => {
                match &*self.core.directories.get(&self.core.reader, &id)? {
                    Directory::Nodes(nodes) => {
                        let part = Part { tree: self.tree, origin, start: 0, nodes };
                        each(Child::Blob(self.locate_node(part, name)?))
                    }
                    Directory::Leaves(leaves) => {
                        let after =
                            leaves.partition_point(|leaf| leaf.leaf.first.as_slice() <= name);
                        let n = after.checked_sub(1).ok_or(VolumeError::NotFound)?;
                        let leaf = self.leaf(origin, leaves, n)?;
                        each(Child::Blob(self.locate_node(leaf.part()?, name)?))
                    }
                }
            }
        }
    }

    fn locate_node<'n>(&self, part: Part<'n>, name: &[u8]) -> Answer<BlobChild<'n>> {
        let nodes = &part.nodes.nodes;
        let found = nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
        match found.and_then(|position| Some((position, nodes.get(position)?))) {
            Some((position, node)) => {
                let shared = shared_numbers(self.core, self.tree, part.tree, part.nodes);
                let shared = shared.as_ref().and_then(|shared| shared.get()?.number(position));
                Ok(BlobChild { node, part, position, shared })
            }
            None if part.nodes.invalid.iter().any(|invalid| invalid == name) => {
                Err(VolumeError::Damaged)
            }
            None => Err(VolumeError::NotFound),
        }
    }

    fn list_merged(
        &self,
        path: &[u8],
        nodes: &[ResolvedNode],
        from: usize,
        each: &mut Each<'_>,
    ) -> Answer<ListControl> {
        for (index, seen) in nodes.iter().enumerate().skip(from) {
            if seen.node.name.len() > MAX_NAME {
                self.core.tables.mark_incomplete(self.place);
                continue;
            }
            let entry = self.merged_entry(&MergedChild { seen, index, path })?;
            if each(Listed { name: &seen.node.name, next: index as u64 + 1, entry })
                == ListControl::Stop
            {
                return Ok(ListControl::Stop);
            }
        }
        Ok(ListControl::Continue)
    }

    fn list_leaves(
        &self,
        origin: SnapshotNo,
        leaves: &[Leaf],
        from: usize,
        each: &mut Each<'_>,
    ) -> Answer<ListControl> {
        for n in leaf_at(leaves, from)..leaves.len() {
            let leaf = self.leaf(origin, leaves, n)?;
            if self.list_part(leaf.part()?, from, each)? == ListControl::Stop {
                return Ok(ListControl::Stop);
            }
        }
        Ok(ListControl::Continue)
    }

    fn list_part(&self, part: Part<'_>, from: usize, each: &mut Each<'_>) -> Answer<ListControl> {
        if !part.nodes.invalid.is_empty() {
            self.core.tables.mark_incomplete(self.place);
        }
        let numbers = shared_numbers(self.core, self.tree, part.tree, part.nodes);
        let numbers = numbers.as_ref().and_then(|numbers| numbers.get());
        let skipped = from.saturating_sub(part.start);
        for (position, node) in part.nodes.nodes.iter().enumerate().skip(skipped) {
            if node.name.len() > MAX_NAME {
                self.core.tables.mark_incomplete(self.place);
                continue;
            }
            let shared = numbers.and_then(|numbers| numbers.number(position));
            let child = BlobChild { node, part, position, shared };
            let (next, entry) = (child.index() as u64 + 1, self.blob_entry(&child)?);
            if each(Listed { name: &node.name, next, entry }) == ListControl::Stop {
                return Ok(ListControl::Stop);
            }
        }
        Ok(ListControl::Continue)
    }

    fn leaf(&self, origin: SnapshotNo, leaves: &[Leaf], n: usize) -> Answer<OpenLeaf> {
        let directory = self.core.directories.leaf(&self.core.reader, leaves, n)?;
        let Leaf { start, leaf } = leaves.get(n).ok_or(VolumeError::Damaged)?;
        let tree = self.core.tables.tree_of_blob(leaf.id, origin)?;
        Ok(OpenLeaf { directory, tree, origin, start: *start as usize })
    }

    fn blob_entry(&self, child: &BlobChild<'_>) -> Answer<Entry> {
        let node = child.node;
        if node.kind != Kind::Directory {
            let own = child.shared.or_else(|| NodeNo::new(child.part.tree, child.position));
            return self.file_entry(own, node);
        }
        self.dir_entry(node, || self.blob_dir(child))
    }

    fn merged_entry(&self, child: &MergedChild<'_>) -> Answer<Entry> {
        let node = &child.seen.node;
        match child.seen.dir {
            Some(_) => self.dir_entry(node, || self.merged_dir(child)),
            None => self.file_entry(NodeNo::new(self.tree, child.index), node),
        }
    }

    fn file_entry(&self, own: Option<NodeNo>, node: &Node) -> Answer<Entry> {
        let own = own.ok_or(VolumeError::Damaged)?;
        let key: Option<LinkKey> = link_key(self.state.number, node);
        let number = key.map_or(own, |key| self.core.tables.link(key, own));
        Ok(self.core.presentation.node(number.ino(), node, self.ttl))
    }

    fn dir_entry(&self, node: &Node, dir: impl FnOnce() -> Answer<StateDir>) -> Answer<Entry> {
        let place = self.core.tables.place_below(self.place, self.version, &node.name, dir)?;
        Ok(self.core.presentation.node(place.ino(), node, self.ttl))
    }

    /// Returns the directory that a node of a tree blob is.
    fn blob_dir(&self, child: &BlobChild<'_>) -> Answer<StateDir> {
        // The place knows better than the tree, which may have been seen elsewhere first.
        let origin = self.origin.unwrap_or(child.part.origin);
        let tree = child.node.subtree.map(|id| self.core.tables.tree_of_blob(id, origin));
        let tree = tree.transpose()?;
        let node = NodeSpot { tree: self.tree, index: short(child.index())? };
        Ok(StateDir { state: Arc::clone(&self.state), origin: Some(origin), tree, node })
    }

    /// Returns the directory that a node of a merged one is.
    fn merged_dir(&self, child: &MergedChild<'_>) -> Answer<StateDir> {
        let path = join(child.path, &child.seen.node.name).into();
        let dir = child.seen.dir.as_ref().ok_or(VolumeError::NotDirectory)?;
        let TopTree { origin, tree } = number_tree(&self.core.tables, &self.state, &path, dir)?;
        let node = NodeSpot { tree: self.tree, index: short(child.index)? };
        Ok(StateDir { state: Arc::clone(&self.state), origin, tree, node })
    }
}

impl BlobChild<'_> {
    /// The index in the directory.
    fn index(&self) -> usize {
        self.part.start + self.position
    }
}

/// A leaf of a large directory, decoded.
struct OpenLeaf {
    directory: Arc<Directory>,
    tree: TreeNo,
    origin: SnapshotNo,
    start: usize,
}

impl OpenLeaf {
    fn part(&self) -> Answer<Part<'_>> {
        let nodes = self.directory.nodes()?;
        Ok(Part { tree: self.tree, origin: self.origin, start: self.start, nodes })
    }
}

/// Returns the leaf that holds the position `index` of its directory, or ends before it.
pub(crate) fn leaf_at(leaves: &[Leaf], index: usize) -> usize {
    leaves.partition_point(|leaf| leaf.start as usize <= index).saturating_sub(1)
}

fn short(index: usize) -> Answer<u32> {
    u32::try_from(index).map_err(|_| VolumeError::Damaged)
}

/// Returns what makes this node one file with others of its state; `None` for a file of one name.
fn link_key(state: StateNo, node: &Node) -> Option<LinkKey> {
    let (filesystem, inode) = node.link_group()?;
    let mut content = DefaultHasher::new();
    (node.kind, content_id(node).0, &node.target, node.device_number).hash(&mut content);
    Some(LinkKey { state, filesystem, inode, content: content.finish() })
}

#[cfg(test)]
mod tests;
