//! The sources as a tree of names, and the walk from the root to each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use yore_platform::{Kind, Listing, Metadata};

use super::previous::{LastDir, Previous};
use super::subdirectory::unopened_node;
use super::{Opened, Unlisted, Walk};
use crate::backup::messages::{SourceEntry, WalkStep};
use crate::backup::read::node_of;
use crate::error::{Error, Result};
use crate::format::tree::{Flags, Node};
use crate::path::{TreePath, join};
use crate::read::state_tree::ResolvedNode;

/// A node of the tree: a source, or a folder above one.
#[derive(Default)]
pub(in crate::backup) struct Sources {
    /// Set for a source; otherwise it is a folder above one.
    pub(super) is_source: bool,
    /// The sources below it, also those inside of a source.
    pub(super) below: BTreeMap<Vec<u8>, Sources>,
}

impl Sources {
    /// Sorts paths into a tree.
    pub(in crate::backup) fn new(paths: &[Vec<u8>]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut at = &mut root;
            for name in TreePath::new(path).components() {
                at = at.below.entry(name.to_vec()).or_default();
            }
            at.is_source = true;
        }
        root
    }
}

impl<'a> Walk<'a> {
    /// Walks every source.
    pub(in crate::backup) fn run(&self, sources: &'a Sources) -> Result<()> {
        let previous = LastDir::root(self.previous.root.as_ref());
        if !sources.is_source {
            return self.walk_to_sources(sources, b"", previous, Flags::default());
        }
        let failed = |source| Error::local(self.places.live(b""), source);
        let dir = self.places.open(b"").map_err(failed)?;
        let metadata = dir.metadata().map_err(failed)?;
        let path = b"".as_slice().into();
        let opened = Opened { dir, path, metadata, above: None, inner: Some(sources) };
        match self.level(Listing::new(), opened, previous) {
            Ok(level) => {
                if level.flags.contains(Flags::INCOMPLETE) {
                    self.step(WalkStep::Incomplete)?;
                }
                self.walk_dir(level)
            }
            Err(Unlisted) => Err(Error::Unreadable { what: "the root can't be listed".into() }),
        }
    }

    /// Goes to the sources below `inner`, through directories of which nothing else is kept; their nodes get `flags`.
    pub(super) fn walk_to_sources(
        &self,
        inner: &'a Sources,
        path: &[u8],
        previous: LastDir<'_>,
        flags: Flags,
    ) -> Result<()> {
        let mut before = Previous::open(self.reader, previous);
        for (name, below) in &inner.below {
            let seen = before.take(name, &mut |_| {});
            let path = join(path, name);
            if !below.is_source && self.places.is_name_only(&path) {
                self.pass_by(name, &path, seen, below)?;
                continue;
            }
            let failed = |source| Error::local(self.places.live(&path), source);
            let metadata = self.places.metadata(&path).map_err(failed)?;
            if below.is_source {
                self.walk_source(&path, name, metadata, seen, below)?;
                continue;
            }
            // A folder above a source may be one that can be entered, but not listed.
            let mut node = match self.places.open(&path) {
                Ok(dir) => self.dir_node(&dir, name, &path, &metadata, None),
                Err(_) => node_of(name, &metadata),
            };
            node.flags = node.flags.with(flags);
            self.step(WalkStep::Enter(Box::new(node)))?;
            self.walk_to_sources(below, &path, LastDir::of(seen.as_ref()), flags)?;
            self.step(WalkStep::Leave)?;
        }
        Ok(())
    }

    /// Goes through a folder that is not read: what is below it is read elsewhere.
    fn pass_by(
        &self,
        name: &[u8],
        path: &[u8],
        previous: Option<ResolvedNode>,
        below: &'a Sources,
    ) -> Result<()> {
        let node = unopened_node(name, previous.as_ref());
        self.step(WalkStep::Enter(Box::new(Node { mode: node.mode.or(Some(0o755)), ..node })))?;
        let last = LastDir::of(previous.as_ref());
        self.walk_to_sources(below, path, last, Flags::default())?;
        self.step(WalkStep::Leave)
    }

    /// Walks a source: a directory, or a single file.
    fn walk_source(
        &self,
        path: &[u8],
        name: &[u8],
        metadata: Metadata,
        previous: Option<ResolvedNode>,
        inner: &'a Sources,
    ) -> Result<()> {
        if metadata.kind != Kind::Directory {
            let (dir, parent) = self.places.open_parent(path)?;
            let inodes = self.compares_inodes(&dir);
            let previous = previous.filter(|seen| seen.dir.is_none()).map(|seen| seen.node);
            let entry = SourceEntry { name: name.to_vec(), kind: None, previous, is_source: true };
            let parent: Arc<[u8]> = parent.into();
            return self.send_batch(&Arc::new(dir), &parent, inodes, vec![entry]);
        }
        let dir = match self.places.open(path) {
            Ok(dir) => dir,
            Err(error) => {
                self.unreadable(path, error);
                return self.keep_last_state(name, previous, Some(metadata));
            }
        };
        if let Some(emptied) = self.emptied(&dir, path, &metadata, previous.as_ref()) {
            self.counters.emptied(emptied);
            return self.keep_last_state(name, previous, Some(metadata));
        }
        let mut node =
            self.dir_node(&dir, name, path, &metadata, previous.as_ref().map(|seen| &seen.node));
        let (names, left_out) = (self.names.get(), self.counters.so_far());
        let opened = Opened { dir, path: path.into(), metadata, above: None, inner: Some(inner) };
        match self.level(Listing::new(), opened, LastDir::of(previous.as_ref())) {
            Ok(level) => {
                node.flags = node.flags.with(level.flags);
                self.step(WalkStep::Enter(Box::new(node)))?;
                self.walk_dir(level)?;
                self.step(WalkStep::Leave)?;
            }
            Err(Unlisted) => return self.keep_last_state(name, previous, Some(metadata)),
        }
        if self.names.get() == names && self.counters.so_far() > left_out {
            self.counters.whole_source(path);
        }
        Ok(())
    }
}
