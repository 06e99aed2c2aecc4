//! The tree of a snapshot, read from one repository and stored in another.
//!
//! Beside the tree go those of an earlier snapshot and of its copy, which have the same names. Where the earlier one has
//! the same subtree or content, that of its copy is taken, unread:
//!
//! ```text
//! source       earlier      its copy      result
//! docs t7      docs t7      docs u3       docs u3, without a look into it
//! src  t9      src  t8      src  u4       src, walked: below it, likewise
//! ```

use std::collections::HashSet;

use yore_platform::Kind;

use super::census::{Census, Counts};
use super::content::Recutter;
use crate::backup::ReusableBlobs;
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::keys::BlobKind;
use crate::format::tree::{Content, Holes, Naming, Node, TreeBuilder};
use crate::index::BlobIndex;
use crate::operation::observer::Observer;
use crate::path::TreePathBuf;
use crate::read::directory::Nodes;
use crate::read::reader::Reader;
use crate::read::state_tree::check_length;
use crate::store::BlobStore;

/// The repository that failed.
pub(super) enum Failed {
    /// The one from which is copied.
    Source(Error),
    /// The one to which is copied; or the operation is to stop.
    Target(Error),
}

/// The root trees of an earlier snapshot and of its copy.
#[derive(Clone, Copy)]
pub(super) struct EarlierTrees {
    pub(super) source: BlobId,
    pub(super) copy: BlobId,
}

/// Copies the tree of a snapshot.
pub(super) struct TreeCopier<'a> {
    /// Reads the source.
    pub(super) source: &'a Reader,
    /// Reads earlier copies.
    pub(super) copies: &'a Reader,
    pub(super) recutter: &'a Recutter<'a>,
    pub(super) observer: &'a dyn Observer,
    /// Counts files, and walks a tree that is in many places once: the source is not trusted.
    pub(super) census: Option<&'a Census>,
}

/// A directory of an earlier snapshot, and of its copy.
struct Earlier<'r> {
    source: Nodes<'r>,
    copy: Nodes<'r>,
}

/// A directory that is being copied.
struct Level<'r> {
    nodes: Nodes<'r>,
    earlier: Option<Earlier<'r>>,
    builder: TreeBuilder,
    /// The length of its path.
    path: usize,
    /// Its node; the root has none.
    node: Option<Node>,
    /// Its tree in the source.
    tree: BlobId,
    counts: Counts,
}

impl<'a> TreeCopier<'a> {
    /// Copies a tree; returns its root, or the path at which it failed and the error.
    pub(super) fn copy(
        &self,
        root: &BlobId,
        earlier: Option<EarlierTrees>,
        store: &mut BlobStore<'_, '_>,
    ) -> std::result::Result<(BlobId, Counts), (Vec<u8>, Failed)> {
        let mut path = TreePathBuf::default();
        let copied = self.walk(root, earlier, store, &mut path);
        copied.map_err(|failed| (path.into_bytes(), failed))
    }

    fn walk(
        &self,
        root: &BlobId,
        earlier: Option<EarlierTrees>,
        store: &mut BlobStore<'_, '_>,
        path: &mut TreePathBuf,
    ) -> std::result::Result<(BlobId, Counts), Failed> {
        if let Some(earlier) = earlier.filter(|earlier| earlier.source == *root) {
            return Ok((earlier.copy, self.unchanged_files(&earlier.copy)?));
        }
        let keys = self.recutter.keys;
        let mut levels = vec![self.level(root, earlier, 0, None)?];
        loop {
            if self.observer.interrupted() {
                return Err(Failed::Target(Error::Interrupted));
            }
            let level = levels.last_mut().expect("the root is the last to leave");
            path.truncate(level.path);
            let Some(mut node) = level.nodes.try_next().map_err(Failed::Source)? else {
                let level = levels.pop().expect("it is there");
                let (source, counts) = (level.tree, level.counts);
                let (node, tree) = finish(level, store)?;
                if let Some(census) = self.census {
                    census.walked.borrow_mut().put(source, (tree, counts));
                }
                let (Some(node), Some(above)) = (node, levels.last_mut()) else {
                    return Ok((tree, counts));
                };
                above.counts.add(counts);
                let node = Node { subtree: Some(tree), ..node };
                let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
                let pushed = above.builder.push(node, keys, &Naming::AsRead, &mut save);
                pushed.map_err(Failed::Target)?;
                continue;
            };
            path.push(&node.name);
            check_length(path.as_path()).map_err(Failed::Source)?;
            let before = level.earlier.as_mut().and_then(|earlier| earlier.take(&node.name));
            let known = before.as_ref().and_then(|(source, copy)| unchanged(&node, source, copy));
            if let Some(Unchanged { subtree, content, holes }) = known {
                (node.subtree, node.content, node.holes) = (subtree, content, holes);
                match node.subtree {
                    Some(tree) => level.counts.add(self.unchanged_files(&tree)?),
                    None => level.counts.files += 1,
                }
            } else if let Some((tree, counts)) = node.subtree.and_then(|tree| self.walked(&tree)) {
                node.subtree = Some(tree);
                level.counts.add(counts);
            } else if let Some(tree) = node.subtree {
                let below = before.and_then(|(source, copy)| {
                    Some(EarlierTrees { source: source.subtree?, copy: copy.subtree? })
                });
                let below = self.level(&tree, below, path.len(), Some(node))?;
                levels.push(below);
                continue;
            } else {
                if node.kind == Kind::File {
                    let is_new = before.is_none_or(|(source, _)| source.kind != Kind::File);
                    level.counts.add_file(is_new);
                }
                self.recutter.store(&mut node, store)?;
            }
            let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
            let pushed = level.builder.push(node, keys, &Naming::AsRead, &mut save);
            pushed.map_err(Failed::Target)?;
        }
    }

    fn level(
        &self,
        tree: &BlobId,
        earlier: Option<EarlierTrees>,
        path: usize,
        node: Option<Node>,
    ) -> std::result::Result<Level<'a>, Failed> {
        let nodes = self.source.nodes(tree).map_err(Failed::Source)?;
        // What can't be read of them is copied anew.
        let earlier = earlier.and_then(|EarlierTrees { source, copy }| {
            let (source, copy) = (self.source.nodes(&source).ok()?, self.copies.nodes(&copy).ok()?);
            Some(Earlier { source, copy })
        });
        let (builder, counts) = (TreeBuilder::default(), Counts::default());
        Ok(Level { nodes, earlier, builder, path, node, tree: *tree, counts })
    }

    /// Returns the copy of a tree that was walked before.
    fn walked(&self, tree: &BlobId) -> Option<(BlobId, Counts)> {
        self.census?.walked.borrow_mut().get(tree).copied()
    }

    /// Returns the files below a directory of an earlier copy, which are all unchanged.
    fn unchanged_files(&self, tree: &BlobId) -> std::result::Result<Counts, Failed> {
        let Some(census) = self.census else { return Ok(Counts::default()) };
        let files = census.files_under(self.copies, tree).map_err(Failed::Target)?;
        Ok(Counts { files, ..Counts::default() })
    }
}

/// Ends a directory; returns its node and its tree.
fn finish(
    mut level: Level<'_>,
    store: &mut BlobStore<'_, '_>,
) -> std::result::Result<(Option<Node>, BlobId), Failed> {
    if let Some(invalid) = level.nodes.take_invalid().first() {
        let object = format!("the node {:?}", crate::path::TreePath::new(&invalid.name));
        return Err(Failed::Source(Error::damaged(object, invalid.reason)));
    }
    let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
    let tree = level.builder.finish(&Naming::AsRead, &mut save).map_err(Failed::Target)?;
    Ok((level.node, tree))
}

/// The blobs of a node that is unchanged, as the copy has them.
struct Unchanged {
    subtree: Option<BlobId>,
    content: Content,
    holes: Holes,
}

/// Returns the blobs of the copy of a node if the earlier snapshot has the same.
fn unchanged(node: &Node, source: &Node, copy: &Node) -> Option<Unchanged> {
    let is_same = node.kind == source.kind
        && node.kind == copy.kind
        && (node.size, node.subtree) == (source.size, source.subtree)
        && node.subtree.is_some() == copy.subtree.is_some()
        && node.size == copy.size
        && node.content == source.content
        && node.holes == source.holes;
    let is_of_blobs = matches!(node.kind, Kind::File | Kind::Directory);
    (is_same && is_of_blobs).then(|| Unchanged {
        subtree: copy.subtree,
        content: copy.content.clone(),
        holes: copy.holes.clone(),
    })
}

impl Earlier<'_> {
    /// Takes the nodes of a name; names come in ascending order.
    fn take(&mut self, name: &[u8]) -> Option<(Node, Node)> {
        let source = take(&mut self.source, name)?;
        Some((source, take(&mut self.copy, name)?))
    }
}

/// Takes the node of a name, and passes over those before it.
fn take(nodes: &mut Nodes<'_>, name: &[u8]) -> Option<Node> {
    loop {
        match nodes.peek() {
            Ok(Some(node)) if node.name.as_slice() <= name => {
                let node = nodes.try_next().ok().flatten()?;
                if node.name == name {
                    return Some(node);
                }
            }
            Ok(Some(_) | None) => return None,
            // The next call goes on behind the damaged leaf.
            Err(_) => {}
        }
    }
}

/// Returns whether all blobs of a tree are in the index, and all of its directories can be read.
pub(super) fn is_whole(reader: &Reader, index: &BlobIndex, root: &BlobId) -> Result<bool> {
    let stored = ReusableBlobs::new(index.clone(), reader);
    // A tree may be in many places.
    let mut seen = HashSet::new();
    let mut left = vec![*root];
    while let Some(tree) = left.pop() {
        if !seen.insert(tree) {
            continue;
        }
        let mut nodes = match reader.nodes(&tree) {
            Ok(nodes) => nodes,
            Err(error) if error.is_of_copy() => return Ok(false),
            Err(error) => return Err(error),
        };
        loop {
            match nodes.try_next() {
                Ok(None) => break,
                Ok(Some(node)) if stored.have_all_of(&node) => left.extend(node.subtree),
                Ok(Some(_)) => return Ok(false),
                Err(error) if error.is_of_copy() => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if !nodes.take_invalid().is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
