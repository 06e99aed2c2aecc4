//! A directory while things in it are restored.
//!
//! Each item that is still to be restored in a directory holds it, and a directory holds the one above it. So a
//! directory is dropped when everything in it is done, deepest first, and gets its metadata then.

use std::io;
use std::sync::{Arc, OnceLock};

use yore_platform::{
    Kind, Metadata, MkdirOutcome, OtherXattrs, Owner, SourceDir, TargetDir, WantedMetadata,
};

use super::context::Context;
use super::labelled_name::{self, LabelledName};
use super::sources::LinkPolicy;
use super::write_node::record_replaced;
use super::{Extra, Overwrite, Owners, Verify, was_there};
use crate::error::{Error, Result};
use crate::format::tree::{Flags, Node};
use crate::operation::run::Run;
use crate::path::join;

pub(super) struct OpenDir<'c> {
    context: &'c Context<'c>,
    /// `None` in a dry run, where there is no such directory.
    pub(super) dir: Option<TargetDir>,
    /// The same for reading, where the options need that.
    pub(super) source: Option<SourceDir>,
    pub(super) made: MkdirOutcome,
    /// Its path in the snapshot.
    pub(super) path: Vec<u8>,
    /// Its path in the target.
    pub(super) below: Vec<u8>,
    /// The metadata that it gets at the end.
    node: Option<Node>,
    /// Set once its owner can write into it.
    opened_up: OnceLock<()>,
    parent: Option<Arc<OpenDir<'c>>>,
}

/// A directory of the target, opened or made.
struct OpenedDir {
    dir: Option<TargetDir>,
    made: MkdirOutcome,
    /// The metadata that it gets at the end.
    metadata: Option<Node>,
}

impl OpenedDir {
    /// Returns a directory that does not exist in a dry run.
    fn none() -> Self {
        Self { dir: None, made: MkdirOutcome::Created, metadata: None }
    }
}

/// Returns the metadata of a node as the platform takes it.
///
/// An owner whose name this machine has gets the number that the name has here.
pub(super) fn metadata_of<'n>(context: &Context<'_>, node: &'n Node) -> WantedMetadata<'n> {
    let by_name = |owner: Owner| Owner {
        uid: node
            .owner_names
            .user(owner.uid)
            .and_then(|n| context.names.uid(n))
            .unwrap_or(owner.uid),
        gid: node
            .owner_names
            .group(owner.gid)
            .and_then(|n| context.names.gid(n))
            .unwrap_or(owner.gid),
    };
    WantedMetadata {
        kind: node.kind,
        mode: node.mode,
        owner: match context.options.owners {
            Owners::ByName => node.owner.map(by_name),
            Owners::ByNumber => node.owner,
        },
        modified: node.modified,
        xattrs: &node.xattrs,
        others: match node.flags.contains(Flags::ATTRIBUTES_MISSING) {
            true => OtherXattrs::Kept,
            false => OtherXattrs::Removed,
        },
    }
}

impl<'c> OpenDir<'c> {
    /// Opens the target itself, whose metadata is not restored.
    pub(super) fn base(context: &'c Context<'c>, dir: Option<TargetDir>) -> Self {
        let (path, below) = (context.selection.sources.path.base.clone(), Vec::new());
        let opened = OpenedDir { dir, made: MkdirOutcome::Existing, metadata: None };
        Self::new(context, opened, path, below, None)
    }

    /// Makes the directory `node` in `parent`, or opens the existing one.
    pub(super) fn make(
        context: &'c Context<'c>,
        parent: &Arc<OpenDir<'c>>,
        mut node: Node,
    ) -> Result<Self> {
        if context.options.overwrite == Overwrite::Beside {
            parent.label_if_occupied(&mut node)?;
        }
        let below = join(&parent.below, &node.name);
        let path = join(&parent.path, &node.name);
        let opened = match context.is_above_content(&path) {
            true => parent.open_above_content(node)?,
            false => parent.make_content(node)?,
        };
        Ok(Self::new(context, opened, path, below, Some(Arc::clone(parent))))
    }

    fn new(
        context: &'c Context<'c>,
        opened: OpenedDir,
        path: Vec<u8>,
        below: Vec<u8>,
        parent: Option<Arc<OpenDir<'c>>>,
    ) -> Self {
        let OpenedDir { dir, made, metadata } = opened;
        if let Some(dir) = dir.as_ref().filter(|_| was_there(made)) {
            clear_leftovers(context, dir, &path, &below);
        }
        let is_read =
            context.options.verify == Verify::Reread || context.options.extra != Extra::Keep;
        let source = dir.as_ref().filter(|_| is_read).and_then(|dir| dir.as_source().ok());
        let node = metadata.filter(|_| context.options.run == Run::Real);
        let opened_up = OnceLock::new();
        Self { context, dir, source, made, path, below, node, opened_up, parent }
    }

    /// Opens a directory above what is restored: made where it is missing, never changed.
    fn open_above_content(&self, node: Node) -> Result<OpenedDir> {
        let local = |source| self.local(&node.name, source);
        let Some(target) = &self.dir else { return Ok(OpenedDir::none()) };
        let follows = self.context.links() == LinkPolicy::Follow;
        let (dir, made) = match (self.context.options.run, follows) {
            (Run::Dry, true) => {
                (target.open_dir_following(&node.name).map_err(local)?, MkdirOutcome::Existing)
            }
            (Run::Dry, false) => (target.open_child(&node.name).ok(), MkdirOutcome::Existing),
            (Run::Real, _) => {
                let made = match follows {
                    true => target.make_dir_following(&node.name),
                    false => target.make_dir(&node.name),
                };
                let (dir, made) =
                    made.map_err(|error| local(explain_obstacle(target, &node.name, error)))?;
                (Some(dir), made)
            }
        };
        Ok(OpenedDir { dir, made, metadata: (made == MkdirOutcome::Created).then_some(node) })
    }

    /// Gives a directory a labelled name where something else has its name and stays.
    fn label_if_occupied(&self, node: &mut Node) -> Result<()> {
        let path = join(&self.path, &node.name);
        let Some(target) = self.dir.as_ref().filter(|_| !self.context.is_above_content(&path))
        else {
            return Ok(());
        };
        let found =
            target.child_metadata(&node.name).map_err(|error| self.local(&node.name, error))?;
        if found.is_some_and(|found| found.kind != Kind::Directory)
            && labelled_name::rename(self.context, self, target, node)? == LabelledName::Unused
        {
            self.context.counts.beside.add(1);
        }
        Ok(())
    }

    /// Makes or opens a directory that is restored itself.
    fn make_content(&self, node: Node) -> Result<OpenedDir> {
        let Some(target) = &self.dir else { return Ok(OpenedDir::none()) };
        let local = |source| self.local(&node.name, source);
        let found = match self.made {
            MkdirOutcome::Created => None,
            MkdirOutcome::Existing => target.child_metadata(&node.name).map_err(local)?,
        };
        let is_real = self.context.options.run == Run::Real;
        let stays = matches!(self.context.options.overwrite, Overwrite::Never | Overwrite::Beside);
        let (dir, made) = match found {
            Some(found) if found.kind == Kind::Directory => {
                let opened = target.open_child(&node.name);
                (
                    if is_real { Some(opened.map_err(local)?) } else { opened.ok() },
                    MkdirOutcome::Existing,
                )
            }
            Some(found) => {
                self.must_be_replaceable(&node, &found)?;
                record_replaced(self.context, self, &node, &found, 0)?;
                let replaced = self.for_writing().filter(|_| is_real);
                (
                    replaced.map(|it| it.replace_by_dir(&node.name)).transpose().map_err(local)?,
                    MkdirOutcome::Created,
                )
            }
            None if is_real => {
                let Some(target) = self.for_writing() else { return Ok(OpenedDir::none()) };
                let (dir, made) = target.make_dir(&node.name).map_err(local)?;
                (Some(dir), made)
            }
            None => return Ok(OpenedDir::none()),
        };
        let metadata = !(was_there(made) && stays);
        Ok(OpenedDir { dir, made, metadata: metadata.then_some(node) })
    }

    /// Refuses to put a directory in the place of something that stays.
    fn must_be_replaceable(&self, node: &Node, found: &Metadata) -> Result<()> {
        let replace = match self.context.options.overwrite {
            Overwrite::Never | Overwrite::Beside => false,
            Overwrite::Newer => found.modified < node.modified,
            Overwrite::Different | Overwrite::Always => true,
        };
        if replace {
            return Ok(());
        }
        let what = "something that is not a folder is in its place";
        Err(self.local(&node.name, io::Error::new(io::ErrorKind::NotADirectory, what)))
    }

    /// Returns the directory for changing its content: a read-only one lets its owner write until it gets its mode at
    /// the end.
    pub(super) fn for_writing(&self) -> Option<&TargetDir> {
        let dir = self.dir.as_ref()?;
        if was_there(self.made) && self.node.is_some() {
            self.opened_up.get_or_init(|| open_for_writing(dir));
        }
        Some(dir)
    }

    /// Returns an error about `name` in this directory.
    pub(super) fn local(&self, name: &[u8], source: io::Error) -> Error {
        self.context.local(&join(&self.below, name), source)
    }

    /// Returns whether another file system is mounted here; in doubt it is.
    pub(super) fn is_mounted(&self) -> bool {
        let device = |open: &OpenDir<'_>| {
            open.dir.as_ref().and_then(|dir| dir.metadata().ok()).map(|found| found.device)
        };
        let Some(parent) = &self.parent else { return false };
        match (device(self), device(parent)) {
            (Some(here), Some(above)) => here != above,
            (None, _) | (_, None) => true,
        }
    }

    /// Gives the directory its metadata, once.
    fn apply_metadata(&mut self) {
        if let (Some(node), Some(dir)) = (self.node.take(), &self.dir) {
            let refused = dir.set_metadata(&metadata_of(self.context, &node));
            self.context.refused(refused, &self.path, &self.below);
        }
    }
}

impl Drop for OpenDir<'_> {
    fn drop(&mut self) {
        self.apply_metadata();
        // Not by recursion: trees may be deeper than a stack.
        let mut next = self.parent.take();
        while let Some(mut open) = next.and_then(Arc::into_inner) {
            open.apply_metadata();
            next = open.parent.take();
        }
    }
}

/// Replaces the error where something else than a folder is on the path to what is restored.
fn explain_obstacle(target: &TargetDir, name: &[u8], error: io::Error) -> io::Error {
    match target.child_metadata(name) {
        Ok(Some(found)) if found.kind != Kind::Directory => {
            let what = "it is no folder, and on the way to what is restored";
            io::Error::new(io::ErrorKind::NotADirectory, what)
        }
        _ => error,
    }
}

/// Removes the temporary files of killed restores from a directory.
fn clear_leftovers(context: &Context<'_>, dir: &TargetDir, path: &[u8], below: &[u8]) {
    if context.options.run == Run::Dry {
        return;
    }
    match dir.remove_leftovers() {
        Ok(removed) => context.counts.leftovers.add(removed),
        // Folders above a source need not be readable.
        Err(_) if context.is_above_content(path) => {}
        Err(error) => context.problem(path.to_vec(), context.local(below, error)),
    }
}

/// Lets the owner write into a directory that was read-only.
fn open_for_writing(dir: &TargetDir) {
    let Ok(found) = dir.metadata() else { return };
    let Some(mode) = found.mode.filter(|mode| mode & 0o700 != 0o700) else { return };
    if dir.is_writable() {
        return;
    }
    // A refusal shows as soon as something is written.
    drop(dir.set_mode(mode | 0o700));
}
