//! Files of several names: the first is restored as a file, the others as links to it.
//!
//! The walk puts nodes with the same snapshot, file system and inode number into one group. Workers restore names at
//! the same time, so a link may come before its file, and then waits in the group:
//!
//! ```text
//! walk       a/x (First), b/y (Link), c/z (Link)
//! worker 1   begins a/x                       group: Pending []
//! worker 2   b/y comes: there is no a/x yet   group: Pending [b/y]
//! worker 1   a/x is complete, links b/y       group: Restored a/x
//! worker 2   c/z comes: links it to a/x
//! ```
//! If a/x fails, or a file that stays has its name, the group is `Unusable`: b/y and c/z become files of their own.

use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::{Kind, Metadata, TargetDir};

use super::context::Context;
use super::sources::LinkPolicy;
use super::worker::{Item, Role, report, restore_item};
use super::write_node::{self, Outcome};
use super::{Overwrite, was_there};
use crate::error::{Deviation, Error, Result};
use crate::operation::observer::Event;
use crate::operation::run::Run;
use crate::path::{TreePath, TreePathBuf};

/// The names of one file.
pub(super) struct LinkGroup<'c> {
    /// Guards the outcome of the first name.
    state: Mutex<State<'c>>,
}

enum State<'c> {
    /// The first name is being written; these wait for it.
    Pending(Vec<Item<'c>>),
    /// The first name is restored.
    Restored(Arc<First>),
    /// The first name could not be restored, or something else has it: the others become files of their own.
    Unusable,
}

/// The place of the first name of a file.
struct First {
    /// The path in the snapshot of its directory.
    path: Vec<u8>,
    /// The directory's path in the target.
    below: Vec<u8>,
    name: Vec<u8>,
    /// Set for a new file, of which no existing file can be another name.
    is_new: bool,
}

/// The outcome of the first name of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstOutcome {
    /// The file was written.
    Written,
    /// The file existed already.
    Unchanged,
    /// The file can't get other names.
    Unusable,
}

impl FirstOutcome {
    pub(super) fn of(outcome: &Result<Outcome>) -> Self {
        match outcome {
            Ok(Outcome::Written(_)) => FirstOutcome::Written,
            Ok(Outcome::Unchanged) => FirstOutcome::Unchanged,
            Ok(Outcome::Skipped) | Err(_) => FirstOutcome::Unusable,
        }
    }
}

impl<'c> LinkGroup<'c> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Pending(Vec::new())) })
    }

    /// Records the outcome of the first name `item`, and restores the names that waited for it.
    pub(super) fn first_done(
        &self,
        context: &'c Context<'c>,
        item: &Item<'c>,
        became: FirstOutcome,
    ) {
        let first = (became != FirstOutcome::Unusable).then(|| {
            Arc::new(First {
                path: item.dir.path.clone(),
                below: item.dir.below.clone(),
                name: item.node.name.clone(),
                is_new: became == FirstOutcome::Written,
            })
        });
        let state =
            first.as_ref().map_or(State::Unusable, |first| State::Restored(Arc::clone(first)));
        let mut locked = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *locked, state);
        drop(locked);
        let State::Pending(waiting) = before else { return };
        for item in waiting {
            match &first {
                Some(first) => link(context, item, first),
                None => restore_item(context, item),
            }
        }
    }

    /// Makes `item` another name of the first, once that is restored.
    pub(super) fn link(&self, context: &'c Context<'c>, mut item: Item<'c>) {
        // A waiting item that held its group would never be dropped.
        item.role = Role::Alone;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match &mut *state {
            State::Pending(waiting) => return waiting.push(item),
            State::Restored(first) => Some(Arc::clone(first)),
            State::Unusable => None,
        };
        drop(state);
        match first {
            Some(first) => link(context, item, &first),
            None => restore_item(context, item),
        }
    }
}

fn link<'c>(context: &'c Context<'c>, item: Item<'c>, first: &First) {
    let made = make_link(context, &item, first);
    if let Ok(Linked::Done(outcome)) = &made {
        report(context, &item, outcome);
        context.observer.event(Event::Done { files: 1, bytes: item.node.data_length() });
    }
    match made {
        Ok(Linked::Done(Outcome::Written(_))) => context.counts.links.add(1),
        Ok(Linked::Done(Outcome::Unchanged)) => context.counts.unchanged.add(1),
        Ok(Linked::Done(Outcome::Skipped)) => context.counts.skipped.add(1),
        Ok(Linked::Alone) => restore_item(context, item),
        Err(error @ (Error::Interrupted | Error::Deviation(Deviation::ChangedSincePlan))) => {
            context.failed(item.path(), error);
        }
        Err(error) => {
            context.problem(item.path(), error);
            restore_item(context, item);
        }
    }
}

/// The outcome of a later name.
enum Linked {
    Done(Outcome),
    /// It becomes a file of its own.
    Alone,
}

fn make_link(context: &Context<'_>, item: &Item<'_>, first: &First) -> Result<Linked> {
    let Item { dir, node, .. } = item;
    let (Some(root), Some(target)) = (&context.root, &dir.dir) else {
        return Ok(Linked::Done(Outcome::Written(0)));
    };
    let local = |source| dir.local(&node.name, source);
    let there =
        if was_there(dir.made) { target.child_metadata(&node.name).map_err(local)? } else { None };
    if let Some(found) = &there {
        if !first.is_new {
            let from = walk_to(context, root, first).map_err(local)?;
            let first = from.child_metadata(&first.name).map_err(local)?;
            let is_same =
                |first: Metadata| (first.inode, first.device) == (found.inode, found.device);
            if first.is_some_and(is_same) {
                // Its metadata came with the first name.
                return Ok(Linked::Done(Outcome::Unchanged));
            }
        }
        let keep = match context.options.overwrite {
            Overwrite::Never => true,
            Overwrite::Newer => found.modified >= node.modified,
            Overwrite::Different | Overwrite::Always => false,
            Overwrite::Beside => return Ok(Linked::Alone),
        };
        if keep {
            return Ok(Linked::Done(Outcome::Skipped));
        }
        let contents = write_node::check_replaceable(context, dir, node, found)?;
        write_node::record_replaced(context, dir, node, found, contents)?;
    }
    let (Some(target), Run::Real) = (dir.for_writing(), context.options.run) else {
        return Ok(Linked::Done(Outcome::Written(0)));
    };
    let from = walk_to(context, root, first).map_err(local)?;
    let linked = match there.map(|found| found.kind) {
        None => target.hard_link(&node.name, &from, &first.name),
        Some(Kind::Directory) => target
            .remove(&node.name)
            .and_then(|()| target.hard_link(&node.name, &from, &first.name)),
        Some(_) => target
            .replace_with(&node.name, |temporary| target.hard_link(temporary, &from, &first.name)),
    };
    linked.map_err(local)?;
    Ok(Linked::Done(Outcome::Written(0)))
}

/// Opens the directory of a first name.
fn walk_to(context: &Context<'_>, root: &TargetDir, first: &First) -> std::io::Result<TargetDir> {
    let follows = context.links() == LinkPolicy::Follow;
    let above = &first.path[..first.path.len().saturating_sub(first.below.len())];
    let mut path: TreePathBuf = TreePath::new(above).components().collect();
    let mut dir = root.clone();
    for name in TreePath::new(&first.below).components() {
        path.push(name);
        dir = match follows && context.is_above_content(&path) {
            true => dir.open_dir_following(name)?.ok_or(std::io::ErrorKind::NotFound)?,
            false => dir.open_child(name)?,
        };
    }
    Ok(dir)
}
