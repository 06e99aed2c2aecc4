//! Rewrite: paths are removed from snapshots that exist.
//!
//! A snapshot never changes, so a new one is made of it, with its time and without the paths, and the old one is
//! forgotten; prune then frees what only the old one held. The new ones are committed together before any old one is
//! forgotten: a run that is killed leaves both, and the next one finds the old ones again.

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{Exclusion, Snapshot};
use crate::format::seal;
use crate::globs::{Globs, Rule};
use crate::index::BlobIndex;
use crate::operation::observer::{Event, Observer, Unit};
use crate::operation::run::Run;
use crate::read::reader::Reader;
use crate::repository::forget::forget;
use crate::repository::{Behind, MirrorWriter, Repository, Snapshots, Targets, Writer, session};
use crate::snapshots::SnapshotEntry;
use crate::store::{StoreState, store_blobs};

mod filter;
#[cfg(test)]
mod tests;

pub use filter::Removed;
use filter::TreeFilter;

/// Bytes of decoded frames of the trees that are kept.
const BUDGET: usize = 32 << 20;

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
/// An invalid pattern; a tree that can't be read, or that has nodes which this version does not know. Then nothing is
/// changed.
pub fn rewrite(
    repository: &Repository,
    chosen: &[SnapshotEntry],
    options: &RewriteOptions,
    writer: &Writer,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<RewriteReport> {
    let globs = Globs::new(&options.exclude)?;
    let (pinned, chosen): (Vec<&SnapshotEntry>, Vec<&SnapshotEntry>) =
        chosen.iter().partition(|entry| entry.pinned);
    let mut report = RewriteReport::default();
    report.pinned.extend(pinned.iter().map(|entry| entry.id));
    observer.event(Event::Counting(Unit::Snapshots));
    observer.event(Event::Expected { files: chosen.len() as u64, bytes: 0 });
    if options.run == Run::Dry {
        let (reader, _) = repository.reader(BUDGET)?;
        let mut filter = TreeFilter::new(&reader, &repository.keys, &globs);
        for entry in chosen {
            let removed = filter.count(&entry.snapshot.root, observer)?;
            if removed.is_some() {
                report.rewritten.push(Rewritten { old: entry.id, new: None, removed });
            }
            observer.event(Event::Done { files: 1, bytes: 0 });
        }
        return Ok(report);
    }
    let (mut listing, state) = repository.list_state(Targets::areas(repository))?;
    let targets = Targets::choose(repository, &mut listing, &state)?;
    let mut opened = session::open(repository, &targets.destinations, writer, now)?;
    let index = repository.open_index_to_write(&mut opened)?.into_index();
    let mirrors = MirrorWriter::start(repository, opened, observer);
    let job = Job { repository, writer, options, known: &state.snapshots, observer };
    let made = match job.write(&mirrors, index, &globs, &chosen) {
        Ok(made) => made,
        Err(error) => {
            if let Some(session) = mirrors.stop() {
                // What was written is in an index; prune frees it.
                let _ = session.abort(repository, now);
            }
            return Err(error);
        }
    };
    let new: Vec<SnapshotId> = made.iter().filter_map(|one| one.new).collect();
    report.behind = mirrors.commit(&new, crate::operation::clock::now())?;
    report.behind.extend(targets.behind);
    let old: Vec<SnapshotId> = made.iter().map(|one| one.old).collect();
    let patterns = options.exclude.iter().filter_map(|rule| rule.typed.as_deref());
    let reason = format!("rewritten without {}", patterns.collect::<Vec<_>>().join(", "));
    report.behind.extend(forget(repository, &old, writer, now, &reason)?.behind);
    report.rewritten = made;
    Ok(report)
}

struct Job<'a> {
    repository: &'a Repository,
    writer: &'a Writer,
    options: &'a RewriteOptions,
    known: &'a Snapshots,
    observer: &'a dyn Observer,
}

impl Job<'_> {
    /// Writes the trees, and then the snapshots of them.
    fn write(
        &self,
        mirrors: &MirrorWriter<'_>,
        index: BlobIndex,
        globs: &Globs,
        chosen: &[&SnapshotEntry],
    ) -> Result<Vec<Rewritten>> {
        let repository = self.repository;
        let (shared, keys) = (repository.mirrors.clone(), repository.keys.clone());
        let reader = Reader::new(shared, keys, index.clone(), BUDGET, repository.frame_cache());
        let state = StoreState::new(repository, Some(mirrors));
        let (trees, _) = store_blobs(&state, index, |store| {
            let mut filter = TreeFilter::new(&reader, &repository.keys, globs);
            let mut trees = Vec::new();
            for entry in chosen {
                if let Some(found) = filter.rewrite(&entry.snapshot.root, store, self.observer)? {
                    trees.push((*entry, found));
                }
                self.observer.event(Event::Done { files: 1, bytes: 0 });
            }
            Ok(trees)
        })?;
        let (newest, seen) = self.known.newest_and_heads(self.writer.client);
        let (mut sequence, mut previous) =
            newest.map_or((0, None), |(sequence, id)| (sequence, Some(id)));
        let mut made = Vec::new();
        for (entry, (root, removed)) in trees {
            sequence += 1;
            let snapshot = Snapshot {
                root,
                sequence,
                previous,
                seen: seen.clone(),
                client: self.writer.client,
                session: mirrors.session().id(),
                // Its place is that of its time, as that of the old one was.
                time: entry.since,
                time_given: true,
                excludes: self.excludes(&entry.snapshot),
                totals: removed.taken_from(entry.snapshot.totals),
                ..entry.snapshot.clone()
            };
            let content = snapshot.encode();
            let id = SnapshotId(repository.keys.draw_salt(&content));
            let name = ObjectName::snapshot(id);
            let keys = &repository.keys;
            mirrors.save(&name, seal::seal_whole(keys, Kind::Snapshot, &name, id.0, &content))?;
            previous = Some(id);
            made.push(Rewritten { old: entry.id, new: Some(id), removed });
        }
        if made.is_empty() && self.observer.interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(made)
    }

    /// Returns the rules of a snapshot with those of this rewrite.
    fn excludes(&self, old: &Snapshot) -> Vec<Exclusion> {
        let patterns = self.options.exclude.iter().flat_map(|rule| &rule.patterns);
        let new = patterns.map(|pattern| Exclusion::Pattern(pattern.clone()));
        old.excludes.iter().cloned().chain(new).collect()
    }
}
