//! Trees without what patterns match, or without what is lost.

use std::collections::{BTreeSet, HashMap};

use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::format::record::Totals;
use crate::format::tree::{Content, Flags, Holes, Naming, Node, TreeBuilder};
use crate::globs::Globs;
use crate::index::BlobIndex;
use crate::operation::observer::Observer;
use crate::path::{TreePath, TreePathBuf};
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

/// The nodes that a filter removes.
#[derive(Clone, Copy)]
pub(super) enum Unwanted<'a> {
    /// Those that patterns match.
    Matching(&'a Globs),
    /// Those of which a part is lost: it is in no pack that this index finds.
    Lost(&'a BlobIndex),
}

/// A directory without what is removed.
#[derive(Clone, Copy)]
pub(super) struct Filtered {
    /// Its new tree, if it differs.
    pub(super) tree: Option<BlobId>,
    /// Everything that it lacks.
    pub(super) removed: Removed,
    /// Something directly in it is lost.
    pub(super) is_incomplete: bool,
}

/// The most paths that a filter lists.
const MOST_LISTED: usize = 10_000;

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
    is_incomplete: bool,
}

impl<'r> Level<'r> {
    fn new(id: BlobId, nodes: Nodes<'r>, path: usize, node: Option<Node>) -> Self {
        let (builder, removed) = (TreeBuilder::default(), Removed::default());
        Self { id, nodes, builder, path, node, removed, is_incomplete: false }
    }
}

/// Removes nodes from trees; equal directories at one path are read once.
pub(super) struct TreeFilter<'a> {
    reader: &'a Reader,
    keys: &'a Keys,
    unwanted: Unwanted<'a>,
    known: HashMap<(BlobId, Vec<u8>), Filtered>,
    /// The paths of what is lost, each once.
    lost: BTreeSet<Vec<u8>>,
}

impl<'a> TreeFilter<'a> {
    /// Makes a filter.
    pub(super) fn new(reader: &'a Reader, keys: &'a Keys, unwanted: Unwanted<'a>) -> Self {
        Self { reader, keys, unwanted, known: HashMap::new(), lost: BTreeSet::new() }
    }

    /// Returns the tree without what is not wanted.
    pub(super) fn rewrite(
        &mut self,
        root: &BlobId,
        store: &mut BlobStore<'_, '_>,
        observer: &dyn Observer,
    ) -> Result<Filtered> {
        let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
        self.walk(root, &mut save, observer)
    }

    /// Returns the paths of what was lost in the trees that were rewritten; of very many, the first.
    pub(super) fn into_lost(self) -> Vec<Vec<u8>> {
        self.lost.into_iter().collect()
    }

    /// Counts what would be removed.
    pub(super) fn count(&mut self, root: &BlobId, observer: &dyn Observer) -> Result<Removed> {
        Ok(self.find(root, observer)?.removed)
    }

    /// Returns the tree without what is not wanted, and stores nothing.
    pub(super) fn find(&mut self, root: &BlobId, observer: &dyn Observer) -> Result<Filtered> {
        let keys = self.keys;
        let mut save = |bytes: Vec<u8>| Ok(keys.blob_id(BlobKind::Tree, &bytes));
        self.walk(root, &mut save, observer)
    }

    fn walk(
        &mut self,
        root: &BlobId,
        save: &mut dyn FnMut(Vec<u8>) -> Result<BlobId>,
        observer: &dyn Observer,
    ) -> Result<Filtered> {
        let mut path = TreePathBuf::default();
        let mut levels = vec![Level::new(*root, self.reader.nodes(root)?, 0, None)];
        loop {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            let level = levels.last_mut().expect("the root is the last to leave");
            path.truncate(level.path);
            let next = match level.nodes.try_next() {
                Err(error) if self.is_loss(&error) => {
                    level.is_incomplete = true;
                    self.lose(path.as_path());
                    continue;
                }
                next => next?,
            };
            let Some(node) = next else {
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
            if let Some(removed) = self.unwanted_part(&node, path.as_path())? {
                level.removed.add(removed);
                level.is_incomplete |= self.marks_losses();
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
                None => match self.reader.nodes(&tree) {
                    Ok(nodes) => levels.push(Level::new(tree, nodes, path.len(), Some(node))),
                    Err(error) if self.is_loss(&error) => {
                        level.removed.count(&node);
                        level.is_incomplete = true;
                        self.lose(path.as_path());
                    }
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Returns true if directories that lack something are marked.
    fn marks_losses(&self) -> bool {
        matches!(self.unwanted, Unwanted::Lost(_))
    }

    /// Returns true if an error is a loss that is left out, and not the end of the run.
    fn is_loss(&self, error: &Error) -> bool {
        self.marks_losses() && error.is_of_copy()
    }

    /// Returns what is removed with a node that is not wanted itself; `None` if it stays.
    fn unwanted_part(&mut self, node: &Node, path: TreePath<'_>) -> Result<Option<Removed>> {
        match self.unwanted {
            Unwanted::Matching(globs) => {
                let is_matched = globs.matches(path.as_bytes(), node.subtree.is_some());
                is_matched.then(|| self.all_of(node)).transpose()
            }
            Unwanted::Lost(index) => {
                if !self.has_losses(node, index)? {
                    return Ok(None);
                }
                self.lose(path);
                let mut removed = Removed::default();
                removed.count(node);
                Ok(Some(removed))
            }
        }
    }

    fn lose(&mut self, path: TreePath<'_>) {
        if self.lost.len() < MOST_LISTED {
            self.lost.insert(path.as_bytes().to_vec());
        }
    }

    /// Returns true if a part of a node's content is lost; directories are read for themselves.
    fn has_losses(&self, node: &Node, index: &BlobIndex) -> Result<bool> {
        let loss = |error: Error| if self.is_loss(&error) { Ok(true) } else { Err(error) };
        if let Holes::Lists(lists) = &node.holes {
            for id in lists {
                if let Err(error) = self.reader.blob(BlobKind::List, id) {
                    return loss(error);
                }
            }
        }
        let Content::Lists { depth, lists } = &node.content else {
            let Content::Chunks(chunks) = &node.content else { return Ok(false) };
            return Ok(chunks.iter().any(|chunk| index.find(&chunk.id).is_none()));
        };
        let mut left: Vec<(u8, BlobId)> = lists.iter().map(|list| (*depth, list.id)).collect();
        while let Some((depth, id)) = left.pop() {
            let items = match self.reader.list(&id, depth) {
                Ok(items) => items,
                Err(error) => return loss(error),
            };
            match depth.checked_sub(1) {
                Some(below) => left.extend(items.iter().map(|item| (below, item.id))),
                None if items.iter().any(|item| index.find(&item.id).is_none()) => return Ok(true),
                None => {}
            }
        }
        Ok(false)
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
        if filtered.is_incomplete {
            node.flags = node.flags.with(Flags::INCOMPLETE);
        }
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
        let Level { removed, is_incomplete, .. } = level;
        let tree = match removed.is_some() || is_incomplete {
            true => Some(level.builder.finish(&Naming::AsRead, save)?),
            false => None,
        };
        let filtered = Filtered { tree, removed, is_incomplete };
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
