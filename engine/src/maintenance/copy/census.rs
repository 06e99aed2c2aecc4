//! The files of what is collected from a write-only machine, counted here, since the machine's own numbers are claims.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroUsize;

use lru::LruCache;
use yore_platform::Kind;

use crate::error::Result;
use crate::format::id::BlobId;
use crate::read::reader::Reader;

/// The number of walked trees that are remembered. A tree that doubles itself at each level has one a level.
const MOST_WALKED: NonZeroUsize = NonZeroUsize::new(1 << 16).expect("more than none");

/// Files, as an earlier snapshot has them or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// All files.
    pub(super) files: u64,
    /// Files that the earlier snapshot does not have.
    pub(super) new: u64,
    /// Files that differ from those of the earlier snapshot.
    pub(super) changed: u64,
}

/// What is known of trees of one repository.
pub(super) struct Census {
    /// The copies of trees of the source, and their files.
    pub(super) walked: RefCell<LruCache<BlobId, (BlobId, Counts)>>,
    /// The files below directories of earlier copies.
    below: RefCell<HashMap<BlobId, u64>>,
}

impl Counts {
    pub(super) fn add(&mut self, other: Counts) {
        self.files = self.files.saturating_add(other.files);
        self.new = self.new.saturating_add(other.new);
        self.changed = self.changed.saturating_add(other.changed);
    }

    pub(super) fn add_file(&mut self, is_new: bool) {
        let (new, changed) = (u64::from(is_new), u64::from(!is_new));
        self.add(Counts { files: 1, new, changed });
    }
}

impl Census {
    pub(super) fn new() -> Self {
        let walked = RefCell::new(LruCache::new(MOST_WALKED));
        Self { walked, below: RefCell::default() }
    }

    /// Counts the files below a directory of an earlier copy; each directory is read once.
    pub(super) fn files_under(&self, copies: &Reader, root: &BlobId) -> Result<u64> {
        // Directories whose files are counted when those below them are: each with its own files and its subtrees.
        let mut open: Vec<(BlobId, u64, Vec<BlobId>)> = Vec::new();
        let mut below = self.below.borrow_mut();
        let mut next = Some(*root);
        loop {
            if let Some(tree) = next.take()
                && !below.contains_key(&tree)
            {
                let (files, trees) = read(copies, &tree)?;
                open.push((tree, files, trees));
            }
            let Some((tree, files, trees)) = open.last_mut() else { break };
            match trees.pop() {
                Some(child) => match below.get(&child) {
                    Some(known) => *files = files.saturating_add(*known),
                    None => {
                        trees.push(child);
                        next = Some(child);
                    }
                },
                None => {
                    below.insert(*tree, *files);
                    open.pop();
                }
            }
        }
        Ok(below.get(root).copied().unwrap_or(0))
    }
}

/// Reads a directory: the number of its files, and the directories in it.
fn read(copies: &Reader, tree: &BlobId) -> Result<(u64, Vec<BlobId>)> {
    let (mut files, mut trees) = (0, Vec::new());
    let mut nodes = copies.nodes(tree)?;
    while let Some(node) = nodes.try_next()? {
        files += u64::from(node.kind == Kind::File);
        trees.extend(node.subtree);
    }
    Ok((files, trees))
}
