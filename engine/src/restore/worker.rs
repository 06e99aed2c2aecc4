//! The workers of a restore.

use std::ops::Range;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use yore_platform::Kind;

use super::context::Context;
use super::directory::OpenDir;
use super::large::{Large, stretch};
use super::links::{FirstOutcome, LinkGroup};
use super::write_node::{Outcome, salvage, write};
use crate::format::id::BlobId;
use crate::format::tree::{Content, Node};
use crate::operation::observer::{Event, Fate};
use crate::path::join;

/// The chunks of each file that are fetched with those of its batch.
const FIRST_CHUNKS: usize = 8;

/// A job of a worker.
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

/// The relation of a node to other names of its file.
pub(super) enum Role<'c> {
    /// It has no other names, or they do not count.
    Alone,
    /// It is the first name.
    First(Arc<LinkGroup<'c>>),
    /// It is a later name.
    Link(Arc<LinkGroup<'c>>),
}

impl Item<'_> {
    /// Returns its path in the snapshot.
    pub(super) fn path(&self) -> Vec<u8> {
        join(&self.dir.path, &self.node.name)
    }
}

/// Works until there are no more jobs; once the restore has ended, only drops them.
pub(super) fn run<'c>(context: &'c Context<'c>, jobs: &Receiver<Job<'c>>) {
    for job in jobs {
        match job {
            Job::Batch(items) => {
                fetch_ahead(context, &items);
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

/// Fetches the chunks of a batch together, where a request costs a round trip.
fn fetch_ahead(context: &Context<'_>, items: &[Item<'_>]) {
    if context.reader.is_distant() {
        let chunks = items.iter().flat_map(|item| first_chunks(&item.node));
        context.reader.fetch_ahead(&chunks.collect::<Vec<_>>());
    }
}

/// Returns the first chunks of a file, which are all of a small one.
fn first_chunks(node: &Node) -> impl Iterator<Item = BlobId> + '_ {
    let chunks = match &node.content {
        Content::Chunks(chunks) => chunks.as_slice(),
        Content::Empty | Content::Inline(_) | Content::Lists { .. } => &[],
    };
    chunks.iter().take(FIRST_CHUNKS).map(|chunk| chunk.id)
}

/// Restores one node, and the other names of its file that waited for it.
pub(super) fn restore_item<'c>(context: &'c Context<'c>, mut item: Item<'c>) {
    if let Role::Link(group) = &item.role {
        return Arc::clone(group).link(context, item);
    }
    let outcome = write(context, &item.dir, &mut item.node);
    let first = FirstOutcome::of(&outcome);
    match outcome {
        Ok(outcome) => {
            count(context, &item, &outcome);
            context.observer.event(Event::Done { files: 1, bytes: item.node.data_length() });
        }
        Err(error) => {
            salvage::after(context, &item.dir, &item.node, &error);
            context.failed(item.path(), error);
        }
    }
    if let Role::First(group) = &item.role {
        group.first_done(context, &item, first);
    }
}

/// Counts and reports the outcome of a node.
pub(super) fn count(context: &Context<'_>, item: &Item<'_>, outcome: &Outcome) {
    let (counts, node) = (&context.counts, &item.node);
    report(context, item, outcome);
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

/// Reports the outcome of a node.
pub(super) fn report(context: &Context<'_>, item: &Item<'_>, outcome: &Outcome) {
    if context.observer.wants_files() {
        let fate = match outcome {
            Outcome::Written(_) => Fate::Restored,
            Outcome::Unchanged => Fate::Unchanged,
            Outcome::Skipped => Fate::Kept,
        };
        context.observer.event(Event::File { path: item.path(), fate });
    }
}
