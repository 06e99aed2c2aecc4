//! The trees of the tables, and the numbers of files in them.

use std::sync::{Arc, OnceLock};

use yore_engine::format::BlobId;
use yore_engine::read::ResolvedNode;
use yore_platform::VolumeError;

use super::{Inner, LinkKey, Tables, Tree, TreeSource};
use crate::error::Answer;
use crate::inode::number::{NodeNo, SnapshotNo, TreeNo};
use crate::inode::sharing::{PathHash, SharedNumbers};
use crate::inode::state::State;

/// The shared numbers of a tree, and the tree that they come from.
pub(crate) struct Slot {
    pub(crate) base: TreeNo,
    pub(crate) numbers: Arc<OnceLock<SharedNumbers>>,
}

impl Inner {
    fn add_tree(&mut self, source: TreeSource) -> TreeNo {
        self.counts.trees += 1;
        let (number, used) = (TreeNo(self.counts.trees), self.counts.tick());
        let tree = Tree { source, held: 0, used, entered: false, base: None, shared: None };
        self.trees.insert(number, tree);
        self.sweep_if_due();
        number
    }
}

impl Tables {
    /// Numbers a tree blob.
    pub(crate) fn tree_of_blob(&self, id: BlobId, origin: SnapshotNo) -> Answer<TreeNo> {
        let inner = &mut *self.lock();
        if let Some(number) = inner.by_blob.get(&id) {
            let used = inner.counts.tick();
            if let Some(tree) = inner.trees.get_mut(number) {
                tree.used = used;
            }
            return Ok(*number);
        }
        let number = inner.add_tree(TreeSource::Blob(id, origin));
        inner.by_blob.insert(id, number);
        Ok(number)
    }

    /// Numbers a merged directory.
    pub(crate) fn add_merged(
        &self,
        state: Arc<State>,
        path: Arc<[u8]>,
        nodes: Arc<Vec<ResolvedNode>>,
    ) -> Answer<TreeNo> {
        Ok(self.lock().add_tree(TreeSource::Merged { state, path, nodes }))
    }

    pub(crate) fn tree(&self, tree: TreeNo) -> Answer<TreeSource> {
        let inner = &mut *self.lock();
        let used = inner.counts.tick();
        let tree = inner.trees.get_mut(&tree).ok_or(VolumeError::Stale)?;
        tree.used = used;
        Ok(tree.source.clone())
    }

    /// Returns the number of a file of several names: that of the name seen first.
    pub(crate) fn link(&self, key: LinkKey, node: NodeNo) -> NodeNo {
        let inner = &mut *self.lock();
        let known = inner.links.get(&key).filter(|node| inner.trees.contains_key(&node.tree()));
        if let Some(known) = known {
            return *known;
        }
        inner.links.insert(key, node);
        inner.sweep_if_due();
        node
    }

    /// Notes that the tree of a directory is entered at a path; the tree that was entered there before becomes
    /// its base the first time.
    pub(crate) fn enter(&self, path: PathHash, tree: TreeNo) {
        let inner = &mut *self.lock();
        let before = inner.last.put(path, tree);
        let Some(entry) = inner.trees.get_mut(&tree) else { return };
        if before == Some(tree) || std::mem::replace(&mut entry.entered, true) {
            return;
        }
        entry.base = before;
    }

    /// Returns the number that a node of a tree that was entered takes over from another tree.
    pub(crate) fn known_number(&self, tree: TreeNo, position: usize) -> Option<NodeNo> {
        self.lock().trees.get(&tree)?.shared.as_ref()?.get()?.number(position)
    }

    /// Returns the numbers that a tree takes over from others.
    pub(crate) fn shared_of(&self, tree: TreeNo) -> Option<Arc<OnceLock<SharedNumbers>>> {
        self.lock().trees.get(&tree)?.shared.clone()
    }

    /// Returns the slot for the shared numbers of a tree; `part` is the tree itself or one of its leaves.
    ///
    /// `None` for a tree without a base, and for a leaf that already has numbers of its own.
    pub(crate) fn slot(&self, tree: TreeNo, part: TreeNo) -> Option<Slot> {
        let inner = &mut *self.lock();
        let base = inner.trees.get(&tree)?.base;
        let entry = inner.trees.get_mut(&part)?;
        if let Some(slot) = &entry.shared {
            return Some(Slot { base: base.unwrap_or(part), numbers: Arc::clone(slot) });
        }
        if part != tree && std::mem::replace(&mut entry.entered, true) {
            return None;
        }
        let base = base?;
        Some(Slot { base, numbers: Arc::clone(entry.shared.get_or_insert_default()) })
    }
}
