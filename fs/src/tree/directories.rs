//! Decoded tree blobs, kept within a budget of bytes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use yore_engine::format::{BlobId, Content, Holes, LeafRef, Node, Tree};
use yore_engine::read::Reader;
use yore_platform::VolumeError;

use crate::error::{Answer, damaged};

/// A decoded tree blob.
pub(crate) enum Directory {
    /// A whole directory, or a leaf of a large one.
    Nodes(Nodes),
    /// The leaves of a large directory.
    Leaves(Vec<Leaf>),
}

/// Nodes in order of their names.
pub(crate) struct Nodes {
    pub(crate) nodes: Vec<Node>,
    /// Names that can't be presented.
    pub(crate) invalid: Vec<Vec<u8>>,
}

/// A leaf, and the position of its first node in the directory.
pub(crate) struct Leaf {
    pub(crate) start: u32,
    pub(crate) leaf: LeafRef,
}

/// The tree blobs that were decoded last.
pub(crate) struct Directories {
    budget: usize,
    /// Guards the decoded blobs and the bytes that they take.
    kept: Mutex<Kept>,
}

struct Kept {
    directories: LruCache<BlobId, (Arc<Directory>, usize)>,
    bytes: usize,
}

impl Directories {
    pub(crate) fn new(budget: usize) -> Self {
        let kept = Kept { directories: LruCache::unbounded(), bytes: 0 };
        Self { budget, kept: Mutex::new(kept) }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a tree blob, decoded.
    pub(crate) fn get(&self, reader: &Reader, id: &BlobId) -> Answer<Arc<Directory>> {
        if let Some((directory, _)) = self.lock().directories.get(id) {
            return Ok(Arc::clone(directory));
        }
        self.keep(*id, reader.tree(id).map_err(damaged)?)
    }

    /// Keeps a tree blob, and drops the ones used longest ago.
    pub(crate) fn keep(&self, id: BlobId, tree: Tree) -> Answer<Arc<Directory>> {
        let bytes = weigh(&tree);
        let directory = Arc::new(settle(tree)?);
        let mut evicted = Vec::new();
        let mut kept = self.lock();
        if let Some((_, replaced)) = kept.directories.put(id, (Arc::clone(&directory), bytes)) {
            kept.bytes -= replaced;
        }
        kept.bytes += bytes;
        while kept.bytes > self.budget && kept.directories.len() > 1 {
            let Some((_, (directory, bytes))) = kept.directories.pop_lru() else { break };
            kept.bytes -= bytes;
            evicted.push(directory);
        }
        // Many small pieces of memory go back without the lock.
        drop(kept);
        Ok(directory)
    }

    /// Returns the leaf number `n`, decoded, if it is the one that it should be.
    pub(crate) fn leaf(
        &self,
        reader: &Reader,
        leaves: &[Leaf],
        n: usize,
    ) -> Answer<Arc<Directory>> {
        let Leaf { leaf, .. } = leaves.get(n).ok_or(VolumeError::Damaged)?;
        let directory = self.get(reader, &leaf.id)?;
        let nodes = directory.nodes()?;
        let next = leaves.get(n + 1).map(|next| next.leaf.first.as_slice());
        let count = (nodes.nodes.len() + nodes.invalid.len()) as u64;
        let begins = nodes.nodes.first().is_none_or(|node| node.name >= leaf.first);
        let ends = nodes.nodes.last().zip(next).is_none_or(|(node, next)| &node.name[..] < next);
        (count == leaf.nodes && begins && ends).then_some(directory).ok_or(VolumeError::Damaged)
    }
}

impl Directory {
    /// Its nodes; damaged where a leaf was to be and another level is.
    pub(crate) fn nodes(&self) -> Answer<&Nodes> {
        match self {
            Directory::Nodes(nodes) => Ok(nodes),
            Directory::Leaves(_) => Err(VolumeError::Damaged),
        }
    }
}

fn settle(tree: Tree) -> Answer<Directory> {
    match tree {
        Tree::Nodes { nodes, invalid } => Ok(Directory::Nodes(Nodes {
            nodes,
            invalid: invalid.into_iter().map(|invalid| invalid.name).collect(),
        })),
        Tree::Leaves(leaves) => {
            let mut start = 0u32;
            let place = |leaf: LeafRef| {
                let nodes = u32::try_from(leaf.nodes).ok()?;
                let placed = Leaf { start, leaf };
                start = start.checked_add(nodes)?;
                Some(placed)
            };
            let leaves: Option<Vec<Leaf>> = leaves.into_iter().map(place).collect();
            leaves.map(Directory::Leaves).ok_or(VolumeError::Damaged)
        }
    }
}

/// The memory that a tree takes, near enough.
fn weigh(tree: &Tree) -> usize {
    match tree {
        Tree::Nodes { nodes, .. } => nodes.iter().map(node_size).sum::<usize>() + 512,
        Tree::Leaves(leaves) => leaves.iter().map(|leaf| 128 + leaf.first.len()).sum::<usize>(),
    }
}

/// Returns the memory that a node takes, near enough, in bytes.
pub(crate) fn node_size(node: &Node) -> usize {
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
