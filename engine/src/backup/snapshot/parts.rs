//! A backup in parts: what matters most is a snapshot of its own before the rest is read.
//!
//! Example: a first backup of 400 GB over a slow line, which is cut short on its second day.
//!
//! ```text
//! part   *.docx, *.odt, …               3 GB     durable after an hour
//! part   what was modified this week    20 GB    durable after six
//! whole  everything                              never made: the next backup goes on
//! ```
//! In a part, a file that is not selected has its last state, or is missing. Once a whole snapshot is at every
//! destination, the parts before it are forgotten. Its totals are those of all parts together, so that a report,
//! and the look for suspicious change, compare it with the whole snapshot before it.

use std::path::PathBuf;

use crate::backup::snapshot::SavedSnapshot;
use crate::backup::{BackupOptions, BackupReport, Selection, backup};
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::Totals;
use crate::operation::clock::now;
use crate::operation::observer::{Event, Observer, Problem, Unit};
use crate::repository::session::Writer;
use crate::repository::{self, Repository};
use crate::snapshots::order::SnapshotEntry;

/// The reason that the tombstone of a part gives.
const SUPERFLUOUS: &str = "a part of a backup, of which there is the whole";

/// Makes a snapshot of files and folders after one of each selection, in their order.
///
/// A backup that is cut short has saved the selections before. In an inbox, where nothing can be forgotten, it makes the
/// whole snapshot at once.
///
/// # Errors
/// As [`backup`]; parts that were made stay.
pub fn backup_in_parts(
    repository: &Repository,
    sources: &[PathBuf],
    selections: &[Selection],
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let selections = if repository.must_be_own().is_ok() { selections } else { &[] };
    let mut options = BackupOptions { only: None, ..options.clone() };
    let (mut new_client, mut rolled_back) = (None, Vec::new());
    for selection in selections {
        let part = BackupOptions { only: Some(selection.clone()), ..options.clone() };
        let report = backup(repository, sources, &part, &PartObserver(observer))?;
        options.writer.client = report.new_client.unwrap_or(options.writer.client);
        new_client = report.new_client.or(new_client);
        rolled_back.extend(report.rolled_back);
        observer.event(Event::Counting(Unit::Files));
    }
    let report = backup(repository, sources, &options, observer)?;
    rolled_back.extend(report.rolled_back);
    rolled_back.dedup();
    Ok(BackupReport { new_client: report.new_client.or(new_client), rolled_back, ..report })
}

/// Returns true for a part in which no file is new or changed.
pub(in crate::backup) fn is_needless(options: &BackupOptions, totals: &Totals) -> bool {
    options.only.is_some() && totals.new_files + totals.changed_files == 0
}

/// Returns the parts since the last whole snapshot of the same machine and sources.
pub(super) fn since_whole<'s>(
    list: &'s [SnapshotEntry],
    host: &str,
    sources: &[Vec<u8>],
) -> Vec<&'s SnapshotEntry> {
    let mut parts = Vec::new();
    for entry in list {
        let SnapshotEntry { snapshot, .. } = entry;
        let is_same = snapshot.host == host && snapshot.sources == sources;
        match snapshot.partial {
            true if is_same => parts.push(entry),
            false if is_same => parts.clear(),
            true | false => {}
        }
    }
    parts
}

/// Adds what the parts of a backup have read and stored to the totals of the next snapshot; the last part has the sum.
pub(super) fn add(totals: &mut Totals, parts: &[&SnapshotEntry]) {
    if let Some(part) = parts.last().map(|part| &part.snapshot.totals) {
        totals.new_files = totals.new_files.saturating_add(part.new_files);
        totals.changed_files = totals.changed_files.saturating_add(part.changed_files);
        totals.new_bytes = totals.new_bytes.saturating_add(part.new_bytes);
        totals.stored_bytes = totals.stored_bytes.saturating_add(part.stored_bytes);
    }
}

/// Forgets the parts that a whole snapshot makes superfluous. After an error the next backup does it.
pub(in crate::backup) fn forget(
    repository: &Repository,
    list: &[SnapshotEntry],
    made: &SavedSnapshot,
    writer: &Writer,
) {
    let SavedSnapshot { snapshot, .. } = made;
    let is_superfluous = |entry: &&SnapshotEntry| {
        let part = &entry.snapshot;
        let is_same = part.host == snapshot.host && part.sources == snapshot.sources;
        part.partial && is_same && !entry.pinned
    };
    let parts: Vec<SnapshotId> = list.iter().filter(is_superfluous).map(|entry| entry.id).collect();
    if !snapshot.partial && !parts.is_empty() {
        let _ = repository::forget(repository, &parts, writer, now(), SUPERFLUOUS);
    }
}

/// Passes on what a part does. Its problems are those of the whole, which reports them.
struct PartObserver<'o>(&'o dyn Observer);

impl Observer for PartObserver<'_> {
    fn event(&self, event: Event) {
        self.0.event(event);
    }

    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }

    fn wants_files(&self) -> bool {
        self.0.wants_files()
    }
}
