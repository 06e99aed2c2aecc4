//! A directory of a source: entered, passed by, or kept as it is in the previous snapshot.

use std::io::ErrorKind;

use yore_platform::{Kind, Listing, Metadata, MountKind};

use super::previous::LastDir;
use super::{Advance, Level, Opened, Sources, Unlisted, Walk, emptied_folder};
use crate::backup::left_out::{EmptiedFolder, NotEntered};
use crate::backup::messages::WalkStep;
use crate::backup::read::attributes;
use crate::backup::read::node_of;
use crate::backup::source::Dir;
use crate::backup::walk::exclude::Excluder;
use crate::backup::{EmptySources, FileSystems, Reading};
use crate::error::Result;
use crate::format::record::Totals;
use crate::format::tree::{Flags, Node};
use crate::operation::clock::now;
use crate::path::join;
use crate::read::state_tree::{DirRef, ResolvedNode};

impl<'a> Walk<'a> {
    /// Enters a directory; `inner` are the sources in it, or it is one itself.
    pub(super) fn enter(
        &self,
        parent: &Level<'a>,
        name: &[u8],
        previous: Option<ResolvedNode>,
        inner: Option<&'a Sources>,
        spare: &mut Vec<Listing>,
    ) -> Result<Advance<'a>> {
        let path = join(&parent.path, name);
        let is_source = inner.is_some_and(|inner| inner.is_source);
        let mounted = self.places.mounted(self.mounts, &path);
        let not_entered = match mounted {
            Some(MountKind::Drive) => Some(NotEntered::Drive),
            Some(MountKind::System(kind)) => Some(NotEntered::System(kind.clone())),
            Some(MountKind::Fuse(_) | MountKind::Files) | None => None,
        };
        if let Some(why) = not_entered.filter(|_| !is_source) {
            // Not even opened: it may hang, or refuse other users.
            let node = unopened_node(name, previous.as_ref());
            return self.skip(&path, node, previous, inner, why);
        }
        if mounted.is_none()
            && inner.is_none()
            && let Some((node, below)) = self.unchanged(&path, previous.as_ref())
        {
            self.step(WalkStep::Unchanged(Box::new(node), below))?;
            return Ok(Advance::Stay);
        }
        let opened = self.open(parent, name, &path).and_then(|dir| Ok((dir.metadata()?, dir)));
        let (metadata, dir) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.keep_unopened(parent, name, &path, error, mounted, previous),
        };
        let last = previous.as_ref().map(|seen| &seen.node);
        let node = self.dir_node(&dir, name, &path, &metadata, last);
        let other_device = metadata.device != parent.device && !is_source;
        if other_device && self.options.file_systems == FileSystems::One {
            return self.skip(&path, node, previous, inner, NotEntered::OtherFileSystem);
        }
        if self.own.contains(&(metadata.device, metadata.inode)) {
            return self.skip(&path, node, previous, inner, NotEntered::Own);
        }
        if let Some(emptied) = self.unmounted(parent, &dir, &path, &metadata, previous.as_ref()) {
            self.counters.emptied(emptied);
            self.keep_last_state(name, previous, Some(metadata))?;
            return Ok(Advance::Stay);
        }
        let above = Some((parent.device, parent.compares_inodes));
        let opened = Opened { dir, path: path.as_slice().into(), metadata, above, inner };
        let listing = spare.pop().unwrap_or_default();
        match self.level(listing, opened, LastDir::of(previous.as_ref())) {
            Ok(level) if Excluder::is_repository(&level.dir, &level.listing, self.repository) => {
                self.skip(&path, node, previous, inner, NotEntered::Own)
            }
            Ok(level) => {
                self.step(WalkStep::Enter(Box::new(Node {
                    flags: node.flags.with(level.flags),
                    ..node
                })))?;
                Ok(Advance::Down(Box::new(level)))
            }
            Err(Unlisted) => {
                self.keep_last_state(name, previous, Some(metadata))?;
                Ok(Advance::Stay)
            }
        }
    }

    /// Opens a directory in another one, or where it is read instead.
    fn open(&self, parent: &Level<'a>, name: &[u8], path: &[u8]) -> std::io::Result<Dir> {
        match self.places.begins_at(path) {
            true => self.places.open(path),
            false => parent.dir.open_child(name),
        }
    }

    /// Returns a directory of the previous snapshot in which nothing changed, as far as that is known, and what is below
    /// it; `None` where it must be looked at.
    fn unchanged(&self, path: &[u8], previous: Option<&ResolvedNode>) -> Option<(Node, Totals)> {
        let changed = self.options.changed.as_ref().filter(|_| !self.previous.is_partial);
        let changed = changed.filter(|changed| changed.spares(path))?;
        let ResolvedNode { node, dir: Some(DirRef::Tree(tree)) } = previous? else { return None };
        let is_whole = node.flags == Flags::default() && node.subtree == Some(*tree);
        let is_stored = is_whole && self.reader.index().find(tree).is_some();
        // What can't be read is looked at.
        let below = is_stored.then(|| changed.count(self.reader, tree).ok()).flatten()?;
        Some((node.clone(), below))
    }

    /// Reports a directory that can't be opened, and keeps its last state; one that was deleted meanwhile is no error.
    fn keep_unopened(
        &self,
        parent: &Level<'a>,
        name: &[u8],
        path: &[u8],
        error: std::io::Error,
        mounted: Option<&MountKind>,
        previous: Option<ResolvedNode>,
    ) -> Result<Advance<'a>> {
        if error.kind() == ErrorKind::NotFound && is_deleted(&parent.dir, name) {
            return Ok(Advance::Stay);
        }
        let metadata = match mounted {
            Some(MountKind::Fuse(kind)) if error.kind() == ErrorKind::PermissionDenied => {
                self.counters.folder(path, NotEntered::Private(kind.clone()));
                None
            }
            _ => {
                self.unreadable(path, error);
                parent.dir.child_metadata(name).ok()
            }
        };
        self.keep_last_state(name, previous, metadata)?;
        Ok(Advance::Stay)
    }

    /// Keeps a directory without its content, but for the sources that are named inside of it.
    fn skip(
        &self,
        path: &[u8],
        mut node: Node,
        previous: Option<ResolvedNode>,
        inner: Option<&'a Sources>,
        why: NotEntered,
    ) -> Result<Advance<'a>> {
        self.counters.folder(path, why);
        self.record_uncovered(path);
        node.flags = node.flags.with(Flags::INCOMPLETE);
        self.step(WalkStep::Enter(Box::new(node)))?;
        if let Some(inner) = inner {
            let last = LastDir::of(previous.as_ref());
            self.walk_to_sources(inner, path, last, Flags::INCOMPLETE)?;
        }
        self.step(WalkStep::Leave)?;
        Ok(Advance::Stay)
    }

    /// Goes through a directory that is left out to the sources that are named inside of it.
    pub(super) fn walk_through(
        &self,
        parent: &Level<'a>,
        name: &[u8],
        previous: Option<ResolvedNode>,
        inner: &'a Sources,
    ) -> Result<()> {
        let path = join(&parent.path, name);
        let opened = self.open(parent, name, &path);
        let mut node = match opened.and_then(|dir| Ok((dir.metadata()?, dir))) {
            Ok((metadata, dir)) => self.dir_node(&dir, name, &path, &metadata, None),
            Err(_) => unopened_node(name, previous.as_ref()),
        };
        node.flags = node.flags.with(Flags::INCOMPLETE);
        self.step(WalkStep::Enter(Box::new(node)))?;
        let last = LastDir::of(previous.as_ref());
        self.walk_to_sources(inner, &path, last, Flags::INCOMPLETE)?;
        self.step(WalkStep::Leave)
    }

    /// Returns how a source has lost all of its files since the previous snapshot, if it has.
    pub(super) fn emptied(
        &self,
        dir: &Dir,
        path: &[u8],
        metadata: &Metadata,
        previous: Option<&ResolvedNode>,
    ) -> Option<EmptiedFolder> {
        let previous = previous.filter(|_| self.options.empty_sources == EmptySources::KeepLast)?;
        let last = (&previous.node, previous.dir.as_ref()?);
        let keeps_inodes = dir.keeps_inode_numbers().unwrap_or(false);
        let places = (self.places, self.mounts);
        emptied_folder::detect(self.reader, places, path, metadata, last, keeps_inodes)
    }

    /// Returns how a folder has lost its files because its disk is not mounted, if it has: it is another folder than
    /// before, although the folder above it did not change.
    fn unmounted(
        &self,
        parent: &Level<'a>,
        dir: &Dir,
        path: &[u8],
        metadata: &Metadata,
        previous: Option<&ResolvedNode>,
    ) -> Option<EmptiedFolder> {
        let previous = previous
            .filter(|seen| parent.is_unmoved && seen.node.inode != metadata.inode)
            .filter(|_| metadata.device == parent.device)?;
        self.emptied(dir, path, metadata, Some(previous)).filter(|found| found.is_other_folder)
    }

    /// Keeps the state that the previous snapshot has of a directory that can't be read, flagged as such; or, without
    /// one, an empty node.
    pub(super) fn keep_last_state(
        &self,
        name: &[u8],
        previous: Option<ResolvedNode>,
        metadata: Option<Metadata>,
    ) -> Result<()> {
        let node = match (previous, metadata) {
            (Some(seen), _) => return self.keep(seen),
            (None, Some(metadata)) if metadata.kind == Kind::Directory => node_of(name, &metadata),
            // Something else has taken its place since it was listed, which the next backup saves. (A node without
            // its content would be invalid.)
            (None, _) => return self.step(WalkStep::Incomplete),
        };
        self.step(WalkStep::Keep(Box::new(node)))
    }

    /// Keeps a node of the previous state, with everything below it.
    fn keep(&self, seen: ResolvedNode) -> Result<()> {
        let ResolvedNode { mut node, dir } = seen;
        node.flags = node.flags.with(Flags::STALE);
        let Some(DirRef::Merged(nodes)) = dir else {
            return self.step(WalkStep::Keep(Box::new(node)));
        };
        // Merged from several snapshots: no tree of the repository has all of it yet.
        self.step(WalkStep::Enter(Box::new(node)))?;
        nodes.iter().try_for_each(|below| self.keep(below.clone()))?;
        self.step(WalkStep::Leave)
    }

    /// Makes the node of a directory; its attributes are read only if it may have changed.
    pub(super) fn dir_node(
        &self,
        dir: &Dir,
        name: &[u8],
        path: &[u8],
        metadata: &Metadata,
        previous: Option<&Node>,
    ) -> Node {
        let mut node = node_of(name, metadata);
        let known = previous.filter(|previous| {
            self.options.reading == Reading::Changed
                && !previous.flags.contains(Flags::STALE)
                && !previous.flags.contains(Flags::ATTRIBUTES_MISSING)
                && previous.changed == metadata.changed
                && previous.inode == metadata.inode
                && metadata.changed.is_some_and(|changed| changed < self.previous.trusted_before)
        });
        match known {
            Some(previous) => node.xattrs = previous.xattrs.clone(),
            None => {
                let Walk { places, observer, counters, .. } = self;
                attributes::give(&mut node, dir.xattrs(), path, places, *observer, counters);
            }
        }
        node
    }
}

/// Returns whether a name that was not found is not listed any more, either.
fn is_deleted(dir: &Dir, name: &[u8]) -> bool {
    dir.list_fresh().is_ok_and(|listing| !listing.has(name))
}

/// Makes the node of a directory that is not opened: that of the previous snapshot, so that a tree stays the same
/// from backup to backup.
pub(super) fn unopened_node(name: &[u8], previous: Option<&ResolvedNode>) -> Node {
    match previous {
        Some(seen) if seen.node.kind == Kind::Directory => {
            let flags = seen.node.flags.without(Flags::STALE);
            Node { subtree: None, flags, ..seen.node.clone() }
        }
        Some(_) | None => Node::new(name, Kind::Directory, now()),
    }
}
