//! What the workers of a restore do.

use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use yore_platform::Kind;

use super::context::Context;
use super::directory::OpenDir;
use super::large::{Large, stretch};
use super::links::{FirstName, LinkGroup};
use super::write_node::{Outcome, place};
use crate::format::tree::Node;
use crate::observer::{Event, Fate};
use crate::path::join;

/// What a worker is given.
pub(super) enum Job<'c> {
    /// Some nodes that are not directories.
    Batch(Vec<Item<'c>>),
    /// A stretch of a large file.
    Stretch(Arc<Large<'c>>, Range<u64>),
}

/// A node that is not a directory, and the directory into which it comes.
pub(super) struct Item<'c> {
    pub(super) dir: Arc<OpenDir<'c>>,
    pub(super) node: Node,
    pub(super) role: Role<'c>,
}

/// What a node is to the other names of its file.
pub(super) enum Role<'c> {
    /// It has none, or they do not count.
    Alone,
    /// It is the first.
    First(Arc<LinkGroup<'c>>),
    /// It is a later one.
    Link(Arc<LinkGroup<'c>>),
}

impl Item<'_> {
    /// Its path in the snapshot.
    pub(super) fn path(&self) -> Vec<u8> {
        join(&self.dir.path, &self.node.name)
    }
}

/// Works until there is nothing more to do; once the restore has ended, only lets go of things.
pub(super) fn run<'c>(context: &'c Context<'c>, jobs: &Receiver<Job<'c>>) {
    for job in jobs {
        match job {
            Job::Batch(items) => {
                for item in items {
                    if context.stopped() {
                        break;
                    }
                    restore_item(context, item);
                }
            }
            Job::Stretch(large, range) => stretch(context, large, range),
        }
    }
}

/// Restores one node, and whatever waited for it.
pub(super) fn restore_item<'c>(context: &'c Context<'c>, mut item: Item<'c>) {
    if let Role::Link(group) = &item.role {
        return Arc::clone(group).link(context, item);
    }
    let outcome = place(context, &item.dir, &mut item.node);
    let first = FirstName::of(&outcome);
    match outcome {
        Ok(outcome) => {
            count(context, &item, &outcome);
            context.observer.event(Event::Done { files: 1, bytes: item.node.data_length() });
        }
        Err(error) => context.failed(item.path(), error),
    }
    if let Role::First(group) = &item.role {
        group.settle(context, &item, first);
    }
}

/// Counts what became of a node, and tells it.
pub(super) fn count(context: &Context<'_>, item: &Item<'_>, outcome: &Outcome) {
    let (counts, node) = (&context.counts, &item.node);
    tell(context, item, outcome);
    match outcome {
        Outcome::Written(bytes) if node.kind == Kind::File => {
            counts.files.add(1);
            counts.bytes.add(*bytes);
        }
        Outcome::Written(_) => counts.others.add(1),
        Outcome::Unchanged => counts.unchanged.add(1),
        Outcome::Skipped => counts.skipped.add(1),
    }
}

/// Tells what became of a node.
pub(super) fn tell(context: &Context<'_>, item: &Item<'_>, outcome: &Outcome) {
    if context.observer.wants_files() {
        let fate = match outcome {
            Outcome::Written(_) => Fate::Restored,
            Outcome::Unchanged => Fate::Unchanged,
            Outcome::Skipped => Fate::Kept,
        };
        context.observer.event(Event::File { path: item.path(), fate });
    }
}
