//! A directory while things in it are restored.
//!
//! Whatever is still to be done in a directory holds it; a directory holds the one above it. So the
//! last holder to let go is done with it, deepest first, and gives it its metadata then.

use std::io;
use std::sync::Arc;

use yore_platform::{Kind, Made, Restore, SourceDir, TargetDir, Xattrs};

use super::context::Context;
use super::{Overwrite, was_there};
use crate::backup::Run;
use crate::error::{Error, Result};
use crate::tree::Node;

pub(super) struct OpenDir<'c> {
    context: &'c Context<'c>,
    /// `None` in a dry run, where there is no such directory.
    pub(super) dir: Option<TargetDir>,
    /// The same for reading, where that was asked for.
    pub(super) source: Option<SourceDir>,
    pub(super) made: Made,
    /// Its path in the snapshot.
    pub(super) path: Vec<u8>,
    /// Its path in the target.
    pub(super) below: Vec<u8>,
    /// The metadata that it shall get.
    node: Option<Node>,
    parent: Option<Arc<OpenDir<'c>>>,
}

/// Appends a name to a path.
pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let separator: &[u8] = if path.is_empty() { b"" } else { b"/" };
    [path, separator, name].concat()
}

/// The metadata of a node, as the platform takes it.
pub(super) fn metadata_of(node: &Node) -> Restore<'_> {
    Restore {
        kind: node.kind,
        mode: node.mode,
        owner: node.owner,
        modified: node.modified,
        xattrs: &node.xattrs,
    }
}

impl<'c> OpenDir<'c> {
    /// The target itself, whose metadata nobody restores.
    pub(super) fn base(
        context: &'c Context<'c>,
        dir: Option<TargetDir>,
        path: Vec<u8>,
        source: Option<SourceDir>,
    ) -> Self {
        let (made, below) = (Made::Existing, Vec::new());
        if let Some(dir) = &dir {
            clear_leftovers(context, dir, &path, &below);
        }
        Self { context, dir, source, made, path, below, node: None, parent: None }
    }

    /// Makes the directory `node` in `parent`, or opens the one that is there.
    pub(super) fn make(
        context: &'c Context<'c>,
        parent: &Arc<OpenDir<'c>>,
        node: Node,
    ) -> Result<Self> {
        let below = join(&parent.below, &node.name);
        let path = join(&parent.path, &node.name);
        let (dir, made) = match (&parent.dir, context.options.run) {
            (None, _) => (None, Made::New),
            (Some(target), Run::Dry) => (target.open_child(&node.name).ok(), Made::Existing),
            (Some(target), Run::Real) => {
                let (dir, made) = make_dir(context, target, &node)
                    .map_err(|source| context.local(&below, source))?;
                (Some(dir), made)
            }
        };
        let source = match &parent.source {
            None => None,
            Some(source) => source.open_child(&node.name).ok(),
        };
        let keeps = was_there(made) && context.options.overwrite == Overwrite::Never;
        if let (Some(dir), true, false) = (&dir, was_there(made), keeps) {
            open_for_writing(context, dir);
        }
        if let Some(dir) = dir.as_ref().filter(|_| was_there(made)) {
            clear_leftovers(context, dir, &path, &below);
        }
        let node = (!keeps && context.options.run == Run::Real).then_some(node);
        let parent = Some(Arc::clone(parent));
        Ok(Self { context, dir, source, made, path, below, node, parent })
    }

    /// Wraps an error about `name` in this directory.
    pub(super) fn local(&self, name: &[u8], source: io::Error) -> Error {
        self.context.local(&join(&self.below, name), source)
    }

    /// Whether another file system is mounted here; in doubt it is.
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
    fn settle(&mut self) {
        if let (Some(node), Some(dir)) = (self.node.take(), &self.dir) {
            let refused = dir.set_metadata(&metadata_of(&node));
            self.context.refused(refused, &self.path, &self.below);
        }
    }
}

impl Drop for OpenDir<'_> {
    fn drop(&mut self) {
        self.settle();
        // Not by recursion: trees may be deeper than a stack.
        let mut next = self.parent.take();
        while let Some(mut open) = next.and_then(Arc::into_inner) {
            open.settle();
            next = open.parent.take();
        }
    }
}

fn make_dir(
    context: &Context<'_>,
    target: &TargetDir,
    node: &Node,
) -> io::Result<(TargetDir, Made)> {
    let first = target.make_dir(&node.name);
    let Err(error) = first else { return first };
    let in_place = target.kind_of(&node.name)?.filter(|found| found.kind != Kind::Directory);
    let Some(found) = in_place else { return Err(error) };
    let replace = match context.options.overwrite {
        Overwrite::Never => false,
        Overwrite::Newer => found.modified < node.modified,
        Overwrite::Different | Overwrite::Always => true,
    };
    if !replace {
        let what = "something that is not a folder is in its place";
        return Err(io::Error::new(io::ErrorKind::NotADirectory, what));
    }
    target.remove(&node.name)?;
    target.make_dir(&node.name)
}

/// Takes away what restores that were killed left in a directory.
fn clear_leftovers(context: &Context<'_>, dir: &TargetDir, path: &[u8], below: &[u8]) {
    if context.options.run == Run::Real
        && let Err(error) = dir.remove_leftovers()
    {
        context.problem(path.to_vec(), context.local(below, error));
    }
}

/// Lets the owner write into a directory that was read-only; it gets its mode at the end.
fn open_for_writing(context: &Context<'_>, dir: &TargetDir) {
    let Ok(found) = dir.metadata() else { return };
    let Some(mode) = found.mode.filter(|mode| mode & 0o700 != 0o700) else { return };
    if context.options.run == Run::Real {
        let (modified, xattrs) = (found.modified, &Xattrs::new());
        let mode = Some(mode | 0o700);
        // What is refused shows as soon as something is written.
        drop(dir.set_metadata(&Restore {
            kind: Kind::Directory,
            mode,
            owner: None,
            modified,
            xattrs,
        }));
    }
}
