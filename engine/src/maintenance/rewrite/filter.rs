//! Trees without what patterns match.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::format::record::Totals;
use crate::format::tree::{Naming, Node, TreeBuilder};
use crate::globs::Globs;
use crate::operation::observer::Observer;
use crate::path::TreePathBuf;
use crate::read::directory::Nodes;
use crate::read::reader::Reader;
use crate::read::state_tree::check_length;
use crate::store::BlobStore;

/// The nodes that were removed, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Others.
    pub others: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Removed {
    /// Returns true if something was removed.
    pub(super) fn is_some(&self) -> bool {
        *self != Self::default()
    }

    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.directories += other.directories;
        self.others += other.others;
        self.bytes += other.bytes;
    }

    fn count(&mut self, node: &Node) {
        match node.kind {
            yore_platform::Kind::File => {
                self.files += 1;
                self.bytes = self.bytes.saturating_add(node.size);
            }
            yore_platform::Kind::Directory => self.directories += 1,
            _ => self.others += 1,
        }
    }

    /// Returns the totals of a snapshot without these nodes.
    pub(super) fn taken_from(self, totals: Totals) -> Totals {
        Totals {
            files: totals.files.saturating_sub(self.files),
            directories: totals.directories.saturating_sub(self.directories),
            others: totals.others.saturating_sub(self.others),
            bytes: totals.bytes.saturating_sub(self.bytes),
            ..totals
        }
    }
}

/// A directory without what is removed: its new tree if it differs, and what it lacks.
#[derive(Clone, Copy)]
struct Filtered {
    tree: Option<BlobId>,
    removed: Removed,
}

/// A directory that is being read.
struct Level<'r> {
    id: BlobId,
    nodes: Nodes<'r>,
    builder: TreeBuilder,
    /// The length of its path.
    path: usize,
    /// Its node; the root has none.
    node: Option<Node>,
    removed: Removed,
}

/// Removes from trees what patterns match; equal directories at one path are read once.
pub(super) struct TreeFilter<'a> {
    reader: &'a Reader,
    keys: &'a Keys,
    globs: &'a Globs,
    known: HashMap<(BlobId, Vec<u8>), Filtered>,
}

impl<'a> TreeFilter<'a> {
    /// Makes a filter.
    pub(super) fn new(reader: &'a Reader, keys: &'a Keys, globs: &'a Globs) -> Self {
        Self { reader, keys, globs, known: HashMap::new() }
    }

    /// Returns the tree without what the patterns match, and what it lacks; `None` if that is nothing.
    pub(super) fn rewrite(
        &mut self,
        root: &BlobId,
        store: &mut BlobStore<'_, '_>,
        observer: &dyn Observer,
    ) -> Result<Option<(BlobId, Removed)>> {
        let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
        let Filtered { tree, removed } = self.walk(root, &mut save, observer)?;
        Ok(tree.map(|tree| (tree, removed)))
    }

    /// Counts what would be removed.
    pub(super) fn count(&mut self, root: &BlobId, observer: &dyn Observer) -> Result<Removed> {
        let keys = self.keys;
        let mut save = |bytes: Vec<u8>| Ok(keys.blob_id(BlobKind::Tree, &bytes));
        Ok(self.walk(root, &mut save, observer)?.removed)
    }

    fn walk(
        &mut self,
        root: &BlobId,
        save: &mut dyn FnMut(Vec<u8>) -> Result<BlobId>,
        observer: &dyn Observer,
    ) -> Result<Filtered> {
        let mut path = TreePathBuf::default();
        let mut levels = vec![self.level(root, 0, None)?];
        loop {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let level = levels.last_mut().expect("the root is the last to leave");
            path.truncate(level.path);
            let Some(node) = level.nodes.try_next()? else {
                let level = levels.pop().expect("it is there");
                let (node, filtered) = self.finish(level, path.as_path().as_bytes(), save)?;
                match (node, levels.last_mut()) {
                    (Some(node), Some(above)) => self.keep(above, node, filtered, save)?,
                    _ => return Ok(filtered),
                }
                continue;
            };
            path.push(&node.name);
            check_length(path.as_path())?;
            if self.globs.matches(path.as_path().as_bytes(), node.subtree.is_some()) {
                level.removed.add(self.all_of(&node)?);
                continue;
            }
            let Some(tree) = node.subtree else {
                level.builder.push(node, self.keys, &Naming::AsRead, save)?;
                continue;
            };
            match self.known.get(&(tree, path.as_path().as_bytes().to_vec())) {
                Some(known) => {
                    let known = *known;
                    self.keep(level, node, known, save)?;
                }
                None => {
                    let below = self.level(&tree, path.len(), Some(node))?;
                    levels.push(below);
                }
            }
        }
    }

    fn level(&self, id: &BlobId, path: usize, node: Option<Node>) -> Result<Level<'a>> {
        let (nodes, builder) = (self.reader.nodes(id)?, TreeBuilder::default());
        Ok(Level { id: *id, nodes, builder, path, node, removed: Removed::default() })
    }

    /// Adds a directory to the one above it.
    fn keep(
        &self,
        above: &mut Level<'_>,
        mut node: Node,
        filtered: Filtered,
        save: &mut dyn FnMut(Vec<u8>) -> Result<BlobId>,
    ) -> Result<()> {
        node.subtree = filtered.tree.or(node.subtree);
        above.removed.add(filtered.removed);
        above.builder.push(node, self.keys, &Naming::AsRead, save)
    }

    /// Ends a directory.
    fn finish(
        &mut self,
        mut level: Level<'_>,
        path: &[u8],
        save: &mut dyn FnMut(Vec<u8>) -> Result<BlobId>,
    ) -> Result<(Option<Node>, Filtered)> {
        if !level.nodes.take_invalid().is_empty() {
            let reason = "it has nodes that this version does not know";
            return Err(Error::Damaged { object: format!("tree {}", level.id), reason });
        }
        let removed = level.removed;
        let tree = match removed.is_some() {
            true => Some(level.builder.finish(&Naming::AsRead, save)?),
            false => None,
        };
        let filtered = Filtered { tree, removed };
        self.known.insert((level.id, path.to_vec()), filtered);
        Ok((level.node, filtered))
    }

    /// Counts a node with everything below it.
    fn all_of(&self, node: &Node) -> Result<Removed> {
        let mut all = Removed::default();
        all.count(node);
        let mut left: Vec<BlobId> = node.subtree.into_iter().collect();
        while let Some(tree) = left.pop() {
            let mut nodes = self.reader.nodes(&tree)?;
            while let Some(node) = nodes.try_next()? {
                all.count(&node);
                left.extend(node.subtree);
            }
        }
        Ok(all)
    }
}
