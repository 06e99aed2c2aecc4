//! A large file: written by several workers, each a stretch at a time.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use yore_platform::{Replace, TemporaryFile};

use super::context::Context;
use super::directory::metadata_of;
use super::links::FirstOutcome;
use super::worker::{Item, Job, Role, count};
use super::write_node::{self, Outcome, Placement, salvage};
use super::{Verify, verify};
use crate::error::{Error, Result};
use crate::operation::observer::Event;
use crate::read::file::OpenFile;

/// Files of at least so much data are written in stretches.
pub(super) const LARGE: u64 = 16 << 20;
/// The length of a stretch, about.
const STRETCH: u64 = 4 << 20;

/// A large file while it is written, under no name or a temporary one until it is complete.
pub(super) struct Large<'c> {
    item: Item<'c>,
    file: OpenFile,
    out: TemporaryFile,
    placement: Placement,
    /// Guards the error for which the file can't be completed.
    failed: Mutex<Option<Error>>,
}

/// Begins a large file, and passes its stretches to `send` until that returns `false`.
pub(super) fn begin<'c>(
    context: &'c Context<'c>,
    item: Item<'c>,
    send: &mut dyn FnMut(Job<'c>) -> bool,
) {
    match open(context, item) {
        Opened::Large(large) => {
            if let Err(error) = cut(context, &large, send) {
                large.fail(error);
            }
            finish_last(context, large);
        }
        Opened::Done(item, outcome) => {
            let first = FirstOutcome::of(&outcome);
            match outcome {
                Ok(outcome) => {
                    count(context, &item, &outcome);
                    let bytes = item.node.data_length();
                    context.observer.event(Event::Done { files: 1, bytes });
                }
                Err(error) => fail(context, &item, error),
            }
            finish_group(context, &item, first);
        }
    }
}

enum Opened<'c> {
    Large(Arc<Large<'c>>),
    Done(Box<Item<'c>>, Result<Outcome>),
}

fn open<'c>(context: &'c Context<'c>, mut item: Item<'c>) -> Opened<'c> {
    match try_open(context, &mut item) {
        Ok(Ok((file, out, placement))) => {
            Opened::Large(Arc::new(Large { item, file, out, placement, failed: Mutex::default() }))
        }
        Ok(Err(outcome)) => Opened::Done(Box::new(item), Ok(outcome)),
        Err(error) => Opened::Done(Box::new(item), Err(error)),
    }
}

type Begun = (OpenFile, TemporaryFile, Placement);

fn try_open(
    context: &Context<'_>,
    item: &mut Item<'_>,
) -> Result<std::result::Result<Begun, Outcome>> {
    let Item { dir, node, .. } = item;
    let placement = match write_node::decide(context, dir, node)? {
        Ok(placement) => placement,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let local = |source| dir.local(&node.name, source);
    let Some(target) = dir.for_writing() else {
        return Ok(Err(Outcome::Written(node.data_length())));
    };
    let file = OpenFile::open(context.reader, node)?;
    let hint = if node.holes.is_empty() { node.size } else { 0 };
    let out = target.create_temporary(hint).map_err(|source| match source.kind() {
        // There may be room for smaller files.
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge if hint > 0 => {
            let what = format!("there is no room for its {hint} bytes");
            local(std::io::Error::new(ErrorKind::FileTooLarge, what))
        }
        _ => local(source),
    })?;
    Ok(Ok((file, out, placement)))
}

/// Cuts the file into stretches that end where chunks do, so that none is decoded twice.
fn cut<'c>(
    context: &Context<'_>,
    large: &Arc<Large<'c>>,
    send: &mut dyn FnMut(Job<'c>) -> bool,
) -> Result<()> {
    let (file, size) = (&large.file, large.file.size());
    let mut start = 0;
    while let Some(from) = file.next_data(start) {
        if context.stopped() {
            return Err(Error::Interrupted);
        }
        let last = from.saturating_add(STRETCH - 1).min(size - 1);
        let chunk = file.chunk_after(context.reader, last)?;
        let end = chunk.map_or(size, |chunk| chunk.range.end).clamp(last + 1, size);
        if large.has_failed() || !send(Job::Stretch(Arc::clone(large), from..end)) {
            return Ok(());
        }
        start = end;
    }
    Ok(())
}

/// Writes one stretch, and completes the file if it was the last.
pub(super) fn stretch<'c>(context: &'c Context<'c>, large: Arc<Large<'c>>, range: Range<u64>) {
    if context.stopped() {
        large.fail(Error::Interrupted);
    } else if !large.has_failed() {
        let Item { dir, node, .. } = &large.item;
        let local = |source| dir.local(&node.name, source);
        let bytes = range.end - range.start;
        match write_node::write_range(context, &large.file, &large.out, range, &local) {
            Ok(()) => context.observer.event(Event::Done { files: 0, bytes }),
            Err(error) => large.fail(error),
        }
    }
    finish_last(context, large);
}

impl Large<'_> {
    fn fail(&self, error: Error) {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    fn has_failed(&self) -> bool {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// Completes the file when no other worker holds it.
fn finish_last<'c>(context: &'c Context<'c>, large: Arc<Large<'c>>) {
    let Some(large) = Arc::into_inner(large) else { return };
    let Large { item, file: _, out, placement, failed } = large;
    let done = match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        // Dropped without being published, it leaves nothing.
        Some(error) => Err(error),
        None => complete(context, &item, out, placement),
    };
    let first = if done.is_ok() { FirstOutcome::Written } else { FirstOutcome::Unusable };
    match done {
        Ok(()) => {
            count(context, &item, &Outcome::Written(item.node.data_length()));
            context.observer.event(Event::Done { files: 1, bytes: 0 });
        }
        Err(error) => fail(context, &item, error),
    }
    finish_group(context, &item, first);
}

fn fail(context: &Context<'_>, item: &Item<'_>, error: Error) {
    salvage::after(context, &item.dir, &item.node, &error);
    context.failed(item.path(), error);
}

fn complete(
    context: &Context<'_>,
    item: &Item<'_>,
    out: TemporaryFile,
    placement: Placement,
) -> Result<()> {
    if context.stopped() {
        return Err(Error::Interrupted);
    }
    let Item { dir, node, .. } = item;
    let local = |source| dir.local(&node.name, source);
    write_node::finish_length(node, &out).map_err(local)?;
    write_node::report_refused(context, dir, node, out.set_metadata(&metadata_of(context, node)));
    let replace = match &dir.dir {
        Some(target) => placement.clear(target, &node.name).map_err(local)?,
        None => Replace::Never,
    };
    out.publish(&node.name, replace).map_err(local)?;
    if context.options.verify == Verify::Reread {
        verify::compare(context, dir, node)?;
    }
    Ok(())
}

fn finish_group<'c>(context: &'c Context<'c>, item: &Item<'c>, first: FirstOutcome) {
    if let Role::First(group) = &item.role {
        group.first_done(context, item, first);
    }
}
