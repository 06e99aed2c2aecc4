//! Files of several names: the first is the file, the others are links to it.

use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::TargetDir;

use super::context::Context;
use super::place::{self, Outcome};
use super::work::{Item, Role, restore_item, tell};
use super::{Overwrite, was_there};
use crate::backup::Run;
use crate::error::{Error, Result};
use crate::observer::Event;

/// What became of the first name of a file.
pub(super) struct LinkGroup<'c> {
    /// Guards that.
    state: Mutex<State<'c>>,
}

enum State<'c> {
    /// It is being written; these wait for it.
    Pending(Vec<Item<'c>>),
    /// It is there: its directory, by its path in the target, and its name.
    There(Vec<u8>, Vec<u8>),
    /// It could not be restored, or something else has its name: the others are files themselves.
    Unusable,
}

impl<'c> LinkGroup<'c> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State::Pending(Vec::new())) })
    }

    /// Tells what became of the first name, and goes on with those who waited for it.
    pub(super) fn settle(&self, context: &'c Context<'c>, first: Option<(&[u8], &[u8])>) {
        let state = match first {
            Some((below, name)) => State::There(below.to_vec(), name.to_vec()),
            None => State::Unusable,
        };
        let mut locked = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *locked, state);
        drop(locked);
        let State::Pending(waiting) = before else { return };
        for item in waiting {
            match first {
                Some((below, name)) => link(context, item, below, name),
                None => restore_item(context, item),
            }
        }
    }

    /// Makes `item` another name of the first, once that is there.
    pub(super) fn link(&self, context: &'c Context<'c>, mut item: Item<'c>) {
        // A waiting item that held its group would keep both alive for good.
        item.role = Role::Alone;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = match &mut *state {
            State::Pending(waiting) => return waiting.push(item),
            State::There(below, name) => Some((below.clone(), name.clone())),
            State::Unusable => None,
        };
        drop(state);
        match first {
            Some((below, name)) => link(context, item, &below, &name),
            None => restore_item(context, item),
        }
    }
}

fn link<'c>(context: &'c Context<'c>, item: Item<'c>, below: &[u8], name: &[u8]) {
    let made = make_link(context, &item, below, name);
    if let Ok(outcome) = &made {
        tell(context, &item, outcome);
        context.observer.event(Event::Done { files: 1, bytes: item.node.data_length() });
    }
    match made {
        Ok(Outcome::Written(_)) => context.counts.links.add(1),
        Ok(Outcome::Unchanged) => context.counts.unchanged.add(1),
        Ok(Outcome::Skipped) => context.counts.skipped.add(1),
        Err(error @ Error::Interrupted) => context.failed(item.path(), error),
        Err(error) => {
            context.problem(item.path(), error);
            restore_item(context, item);
        }
    }
}

fn make_link(context: &Context<'_>, item: &Item<'_>, below: &[u8], name: &[u8]) -> Result<Outcome> {
    let (Some(root), Some(target), Run::Real) = (&context.root, &item.dir.dir, context.options.run)
    else {
        return Ok(Outcome::Written(0));
    };
    let local = |source| item.dir.local(&item.node.name, source);
    let from = walk_to(root, below).map_err(local)?;
    if was_there(item.dir.made)
        && let Some(found) = target.kind_of(&item.node.name).map_err(local)?
    {
        let first = from.kind_of(name).map_err(local)?;
        if first.is_some_and(|first| (first.inode, first.device) == (found.inode, found.device)) {
            // Its metadata came with the first name.
            return Ok(Outcome::Unchanged);
        }
        let keep = match context.options.overwrite {
            Overwrite::Never => true,
            Overwrite::Newer => found.modified >= item.node.modified,
            Overwrite::Different | Overwrite::Always => false,
        };
        if keep {
            return Ok(Outcome::Skipped);
        }
        place::check_replaceable(context, &item.dir, &item.node, &found)?;
        target.remove(&item.node.name).map_err(local)?;
    }
    target.hard_link(&item.node.name, &from, name).map_err(local)?;
    Ok(Outcome::Written(0))
}

/// Opens a directory of the target by its path in it.
fn walk_to(root: &TargetDir, below: &[u8]) -> std::io::Result<TargetDir> {
    below
        .split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty())
        .try_fold(root.clone(), |dir, name| dir.open_child(name))
}
