//! Rewrite: paths are removed from snapshots that exist.
//!
//! A snapshot never changes, so a new one is made of it, with its time and without the paths, and the old one is
//! forgotten; prune then frees what only the old one held. The new ones are committed together before any old one is
//! forgotten: a run that is killed leaves both, and the next one finds the old ones again.

use yore_platform::Timestamp;

use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::{Exclusion, Snapshot};
use crate::globs::{Globs, Rule};
use crate::maintenance::replacement::{BUDGET, Task};
pub use crate::maintenance::tree_filter::Removed;
use crate::maintenance::tree_filter::{TreeFilter, Unwanted};
use crate::operation::observer::{Event, Observer, Unit};
use crate::operation::run::Run;
use crate::repository::forget::forget;
use crate::repository::{Behind, Repository, Writer};
use crate::snapshots::SnapshotEntry;

#[cfg(test)]
mod tests;

/// The options of a rewrite.
#[derive(Debug, Clone)]
pub struct RewriteOptions {
    /// The patterns of what is removed.
    pub exclude: Vec<Rule>,
    /// Whether anything is changed.
    pub run: Run,
}

/// A snapshot that was, or would be, replaced.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The old one.
    pub old: SnapshotId,
    /// The new one; `None` in a dry run.
    pub new: Option<SnapshotId>,
    /// The nodes that it lacks.
    pub removed: Removed,
}

/// The result of a rewrite.
#[derive(Debug, Default)]
pub struct RewriteReport {
    /// The snapshots that had something to be removed, in their order.
    pub rewritten: Vec<Rewritten>,
    /// The pinned snapshots, which stay as they are.
    pub pinned: Vec<SnapshotId>,
    /// The destinations that did not get everything; `sync` copies it.
    pub behind: Vec<Behind>,
}

/// Removes paths from snapshots.
///
/// # Errors
/// An invalid pattern; a tree that can't be read, or that has nodes which this version does not know;
/// [`Error::Unsupported`](crate::Error::Unsupported) for a snapshot with parts that it does not know. Then nothing is
/// changed.
pub fn rewrite(
    repository: &Repository,
    chosen: &[SnapshotEntry],
    options: &RewriteOptions,
    writer: &Writer,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<RewriteReport> {
    repository.must_be_own()?;
    let globs = Globs::new(&options.exclude)?;
    let (pinned, chosen): (Vec<&SnapshotEntry>, Vec<&SnapshotEntry>) =
        chosen.iter().partition(|entry| entry.pinned);
    let mut report = RewriteReport::default();
    report.pinned.extend(pinned.iter().map(|entry| entry.id));
    observer.event(Event::Counting(Unit::Snapshots));
    observer.event(Event::Expected { files: chosen.len() as u64, bytes: 0 });
    let (unwanted, location) = (Unwanted::Matching(&globs), repository.location());
    if options.run == Run::Dry {
        let (reader, _) = repository.reader(BUDGET)?;
        let mut filter = TreeFilter::new(&reader, &repository.keys, unwanted);
        for entry in chosen {
            let removed = filter.count(&entry.snapshot.root, observer)?;
            if removed.is_some() {
                entry.snapshot.unknown.allow_another(&location, entry.id)?;
                report.rewritten.push(Rewritten { old: entry.id, new: None, removed });
            }
            observer.event(Event::Done { files: 1, bytes: 0 });
        }
        return Ok(report);
    }
    let task = Task { repository, writer, now, observer };
    let (new, behind) = task.commit(|reader, store| {
        let mut filter = TreeFilter::new(reader, &repository.keys, unwanted);
        let mut made = Vec::new();
        for entry in chosen {
            let found = filter.rewrite(&entry.snapshot.root, store, observer)?;
            if let Some(root) = found.tree {
                let (removed, old) = (found.removed, &entry.snapshot);
                old.unknown.allow_another(&location, entry.id)?;
                let (excludes, totals) = (options.added_to(old), removed.taken_from(old.totals));
                report.rewritten.push(Rewritten { old: entry.id, new: None, removed });
                made.push((entry, Snapshot { root, excludes, totals, ..old.clone() }));
            }
            observer.event(Event::Done { files: 1, bytes: 0 });
        }
        Ok(made)
    })?;
    report.behind = behind;
    for (rewritten, new) in report.rewritten.iter_mut().zip(new) {
        rewritten.new = Some(new);
    }
    let old: Vec<SnapshotId> = report.rewritten.iter().map(|one| one.old).collect();
    let patterns = options.exclude.iter().filter_map(|rule| rule.typed.as_deref());
    let reason = format!("rewritten without {}", patterns.collect::<Vec<_>>().join(", "));
    report.behind.extend(forget(repository, &old, writer, now, &reason)?.behind);
    Ok(report)
}

impl RewriteOptions {
    /// Returns the rules of a snapshot with those of this rewrite.
    fn added_to(&self, old: &Snapshot) -> Vec<Exclusion> {
        let patterns = self.exclude.iter().flat_map(|rule| &rule.patterns);
        let new = patterns.map(|pattern| Exclusion::Pattern(pattern.clone()));
        old.excludes.iter().cloned().chain(new).collect()
    }
}
