//! A backup in parts: what matters most is a snapshot of its own before the rest is read.
//!
//! Example: a first backup of 400 GB over a slow line, which is cut short on its second day.
//!
//! ```text
//! part   *.docx, *.odt, …               3 GB     durable after an hour
//! part   what was modified this week    20 GB    durable after six
//! whole  everything                              never made: the next backup goes on
//! ```
//! In a part, a file that is not selected has its last state, or is missing. The next part, or the whole snapshot, makes
//! it superfluous, and forgets it, unless a file that it has changed or is gone since, or a destination is behind; then
//! retention keeps it as long as the whole snapshot after it. The totals of each are those of all parts so far
//! together, so that a report, and the look for suspicious change, compare them with the whole snapshot before.

use std::path::PathBuf;

use crate::backup::snapshot::SavedSnapshot;
use crate::backup::{BackupOptions, BackupReport, Places, Selection, backup_from};
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::{ClientId, Snapshot, Totals};
use crate::operation::clock::now;
use crate::operation::observer::{Event, Fate, Observer, Problem, Unit};
use crate::repository::session::Writer;
use crate::repository::{self, Behind, Repository, RolledBack};
use crate::snapshots::order::SnapshotEntry;
use crate::snapshots::suspicion::Change;

/// The reason that the tombstone of a part gives.
const SUPERFLUOUS: &str = "a part of a backup; the next snapshot has all of it";

/// Makes a snapshot of files and folders, read at their places, after one of each selection, in their order.
///
/// A backup that is cut short has saved the selections before. In an inbox, where nothing can be forgotten, it makes the
/// whole snapshot at once.
///
/// # Errors
/// As [`backup_from`]; parts that were made stay.
pub fn backup_in_parts(
    repository: &Repository,
    (sources, places): (&[PathBuf], &Places),
    selections: &[Selection],
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let selections = if repository.must_be_own().is_ok() { selections } else { &[] };
    let mut options = BackupOptions { only: None, ..options.clone() };
    let mut made = Made::default();
    for selection in selections {
        let part = BackupOptions { only: Some(selection.clone()), ..options.clone() };
        let report = backup_from(repository, sources, places, &part, &PartObserver(observer))?;
        options.writer.client = report.new_client.unwrap_or(options.writer.client);
        made.add(report);
        observer.event(Event::Counting(Unit::Files));
    }
    Ok(made.complete(backup_from(repository, sources, places, &options, observer)?))
}

/// The facts of the parts that belong into the report of the whole.
#[derive(Default)]
struct Made {
    new_client: Option<ClientId>,
    rolled_back: Vec<RolledBack>,
    suspicion: Option<Change>,
    removed_files: u64,
}

impl Made {
    fn add(&mut self, report: BackupReport) {
        self.new_client = report.new_client.or(self.new_client);
        self.rolled_back.extend(report.rolled_back);
        self.suspicion = report.suspicion.or(self.suspicion);
        // The whole compares itself with a part only if that was committed.
        if report.snapshot.is_some() {
            self.removed_files += report.removed_files;
        }
    }

    fn complete(mut self, whole: BackupReport) -> BackupReport {
        self.rolled_back.extend(whole.rolled_back);
        self.rolled_back.dedup();
        BackupReport {
            new_client: whole.new_client.or(self.new_client),
            rolled_back: self.rolled_back,
            suspicion: whole.suspicion.or(self.suspicion),
            removed_files: whole.removed_files + self.removed_files,
            ..whole
        }
    }
}

/// Returns true for a part in which no file is new or changed.
pub(in crate::backup) fn is_needless(options: &BackupOptions, totals: &Totals) -> bool {
    options.only.is_some() && totals.new_files + totals.changed_files == 0
}

/// Returns true for snapshots of the same machine and installation, sources and rules: one may be a part of the other.
fn is_same_backup(one: &Snapshot, other: &Snapshot) -> bool {
    let of = |snapshot: &Snapshot| (snapshot.client, snapshot.time_given);
    of(one) == of(other)
        && one.foreign == other.foreign
        && one.host == other.host
        && one.sources == other.sources
        && one.excludes == other.excludes
}

/// Returns the parts of a new snapshot's backup: those since the last whole one. A snapshot whose time a person gave has
/// none.
pub(in crate::backup) fn of<'s>(
    list: &'s [SnapshotEntry],
    made: &Snapshot,
) -> Vec<&'s SnapshotEntry> {
    let mut parts = Vec::new();
    if made.time_given {
        return parts;
    }
    for entry in list.iter().filter(|entry| is_same_backup(&entry.snapshot, made)) {
        match entry.snapshot.partial {
            true => parts.push(entry),
            false => parts.clear(),
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

/// Forgets the part just before a snapshot that makes it superfluous. After an error retention does it.
///
/// `lost` are the files that the part has and that changed or are gone since: with one of them, it stays.
pub(in crate::backup) fn forget(
    repository: &Repository,
    list: &[SnapshotEntry],
    made: &SavedSnapshot,
    writer: &Writer,
    lost: u64,
) -> Vec<Behind> {
    let part = of(list, &made.snapshot).pop();
    let part = part.filter(|_| lost == 0 && !made.snapshot.suspicious);
    let Some(SnapshotEntry { id, .. }) = part.filter(|part| !is_pinned(repository, part.id)) else {
        return Vec::new();
    };
    let forgotten = repository::forget(repository, &[*id], writer, now(), SUPERFLUOUS);
    forgotten.map_or_else(|_| Vec::new(), |report| report.behind)
}

/// Tells whether a snapshot is pinned, or may be. A backup lists no annotations, so that its own list does not tell it.
fn is_pinned(repository: &Repository, id: SnapshotId) -> bool {
    let Ok(known) = repository.snapshots() else { return true };
    known.list.iter().any(|entry| entry.id == id && entry.pinned)
}

/// Passes on what a part does. Its problems are those of the whole, which reports them.
struct PartObserver<'o>(&'o dyn Observer);

impl Observer for PartObserver<'_> {
    fn event(&self, event: Event) {
        // What does not change is listed by the whole.
        if !matches!(event, Event::File { fate: Fate::Unchanged, .. }) {
            self.0.event(event);
        }
    }

    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }

    fn wants_files(&self) -> bool {
        self.0.wants_files()
    }
}
