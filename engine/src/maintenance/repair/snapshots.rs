//! Snapshots of what can be saved: without the files and folders of which a part is lost everywhere.
//!
//! The snapshots that lost something stay as they are: what they still have can be restored from them, too, and a blob
//! that a later backup stores again makes them whole.

use std::collections::HashMap;

use super::{DestinationRepair, RepairOptions, Saved};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::Area;
use crate::format::record::Snapshot;
use crate::format::tree::Flags;
use crate::index::BlobIndex;
use crate::maintenance::replacement::{BUDGET, Task};
use crate::maintenance::tree_filter::{Filtered, TreeFilter, Unwanted};
use crate::operation::observer::{Event, Unit};
use crate::operation::run::Run;
use crate::read::reader::Reader;
use crate::repository::Repository;
use crate::snapshots::SnapshotEntry;

/// The tag of a snapshot that lacks what was lost.
const TAG: &str = "salvaged";

/// Makes a snapshot of each that lost something, unless there is one already.
pub(super) fn save(
    task: &Task<'_>,
    options: &RepairOptions,
    destinations: &[DestinationRepair],
) -> Result<Saved> {
    let is_unsound =
        |one: &DestinationRepair| one.left.as_ref().is_some_and(|left| !left.is_sound());
    let mut saved = Saved::default();
    if options.run == Run::Dry || !destinations.iter().any(is_unsound) {
        return Ok(saved);
    }
    let repository = task.repository;
    let listed = repository.snapshots()?.list;
    let mut index = repository.open_index()?.index;
    index.expect(&repository.stored_packs()?);
    let (mirrors, keys) = (repository.mirrors.clone(), repository.keys.clone());
    let reader = Reader::new(mirrors, keys, index.clone(), BUDGET, repository.frame_cache());
    task.observer.event(Event::Counting(Unit::Snapshots));
    task.observer.event(Event::Expected { files: listed.len() as u64, bytes: 0 });
    let affected = affected(task, &reader, &index, &listed, &mut saved)?;
    if affected.is_empty() {
        return Ok(saved);
    }
    let mut made_of = Vec::new();
    let (new, behind) = task.commit(|_, store| {
        let mut filter = TreeFilter::new(&reader, &repository.keys, Unwanted::Lost(&index));
        let mut made = Vec::new();
        for entry in affected {
            let found = filter.rewrite(&entry.snapshot.root, store, task.observer)?;
            let Some(snapshot) = without_losses(&entry.snapshot, &found) else { continue };
            made_of.push((entry.id, found.removed));
            made.push((entry, snapshot));
        }
        saved.lost = filter.into_lost();
        Ok(made)
    })?;
    let made = made_of.into_iter().zip(new);
    saved.snapshots = made.map(|((old, removed), new)| (old, new, removed)).collect();
    saved.behind = behind;
    Ok(saved)
}

/// Finds the snapshots that lost something, and of which none was made without it.
fn affected<'e>(
    task: &Task<'_>,
    reader: &Reader,
    index: &BlobIndex,
    listed: &'e [SnapshotEntry],
    saved: &mut Saved,
) -> Result<Vec<&'e SnapshotEntry>> {
    let (keys, location) = (&task.repository.keys, task.repository.location());
    let mut filter = TreeFilter::new(reader, keys, Unwanted::Lost(index));
    let mut affected = Vec::new();
    for entry in listed {
        match filter.find(&entry.snapshot.root, task.observer) {
            Ok(found) => {
                if let Some(snapshot) = without_losses(&entry.snapshot, &found)
                    && !listed.iter().any(|other| is_made(other, entry, &snapshot))
                {
                    match entry.snapshot.unknown.allow_another(&location, entry.id) {
                        Ok(()) => affected.push(entry),
                        Err(error) => saved.unsaved.push((entry.id, error)),
                    }
                }
            }
            // Its root is lost, so nothing of it can be saved; or it has what this version does not know.
            Err(error) if error.is_of_copy() => saved.unsaved.push((entry.id, error)),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => return Err(error),
        }
        task.observer.event(Event::Done { files: 1, bytes: 0 });
    }
    Ok(affected)
}

/// Returns the record of a snapshot without what it lost; `None` if it lost nothing.
fn without_losses(old: &Snapshot, found: &Filtered) -> Option<Snapshot> {
    let root = found.tree?;
    let mut snapshot = Snapshot { root, ..old.clone() };
    snapshot.totals = found.removed.taken_from(old.totals);
    if found.is_incomplete {
        snapshot.root_flags = snapshot.root_flags.with(Flags::INCOMPLETE);
    }
    if !snapshot.tags.iter().any(|tag| tag == TAG) {
        snapshot.tags.push(TAG.to_owned());
    }
    Some(snapshot)
}

/// Returns true if an earlier repair has made this snapshot.
fn is_made(other: &SnapshotEntry, of: &SnapshotEntry, snapshot: &Snapshot) -> bool {
    other.snapshot.root == snapshot.root
        && other.snapshot.time == of.since
        && other.snapshot.host == snapshot.host
        && other.snapshot.sources == snapshot.sources
}

impl Repository {
    /// Lists the packs at every destination, with their sizes.
    fn stored_packs(&self) -> Result<HashMap<ObjectId, u64>> {
        let listing = self.list(&[Area::Packs])?;
        Ok(listing.reached().flat_map(|(_, listed)| listed.packs.clone()).collect())
    }
}
