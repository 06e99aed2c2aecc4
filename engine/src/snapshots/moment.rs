//! Moments: points in time as people name them, and the snapshots that make up the state then.
//!
//! The state of a machine at a moment has one part for each source: its newest snapshot not later
//! than the moment. A source inside of a newer one is no part, as the newer snapshot has all of it;
//! unless that one left it out.
//!
//! Example: three backups of one machine; Wednesday's left out `home/me/media`, which lies on
//! another file system.
//!
//! ```text
//! Monday      source home/me
//! Tuesday     source etc
//! Wednesday   source home       left out: home/me/media
//!
//! state of Tuesday:     home/me (Monday), etc (Tuesday)
//! state of Wednesday:   home (Wednesday), etc (Tuesday), home/me/media (Monday)
//! ```
//!
//! Chosen from the newest to the oldest, for Wednesday: `home` is a part and leaves `home/me/media`
//! open; `etc` is a part; Monday's `home/me` is covered by `home`, but it has the open path, which
//! becomes a part. Parts are laid over each other from the root down.

use std::collections::{BTreeSet, HashMap};

use yore_platform::Timestamp;

use crate::error::{Error, Refusal, Result};
use crate::path::TreePath;
use crate::snapshots::order::SnapshotEntry;

mod parse;

/// A point in time, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The newest state of everything.
    Latest,
    /// The snapshot of this number before the newest one; 0 is the newest.
    Back(usize),
    /// The state at the last instant of this second.
    At(i64),
    /// The one snapshot whose id begins so.
    Id(String),
}

/// A source's part of a state: the path, and the snapshot from which it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'s> {
    /// The source's path.
    pub source: TreePath<'s>,
    /// Its newest snapshot that belongs to the state at the moment.
    pub snapshot: &'s SnapshotEntry,
}

/// Chooses the parts of the state at a moment: for each source its newest snapshot not later.
///
/// `snapshots` are in their order, those of one machine. A later part lies over those before it: a
/// source inside of another comes after it.
///
/// # Errors
/// [`Error::NotFound`] when there is no snapshot then, or none of that id; [`Refusal::AmbiguousId`] when
/// the beginning of an id fits several.
pub fn state<'s>(snapshots: &'s [SnapshotEntry], moment: &Moment) -> Result<Vec<Part<'s>>> {
    match moment {
        Moment::Latest => newest_per_source(snapshots.iter()),
        Moment::At(second) => {
            newest_per_source(snapshots.iter().filter(|entry| entry.since.seconds <= *second))
        }
        Moment::Back(back) => {
            let last = snapshots.len().checked_sub(1);
            let chosen = last.and_then(|last| snapshots.get(last.checked_sub(*back)?));
            let what = format!("there are only {} snapshots", snapshots.len());
            chosen.map(whole).ok_or(Error::NotFound { what })
        }
        Moment::Id(prefix) => {
            let mut fitting =
                snapshots.iter().filter(|entry| entry.id.to_string().starts_with(prefix.as_str()));
            match (fitting.next(), fitting.next()) {
                (Some(one), None) => Ok(whole(one)),
                (Some(_), Some(_)) => {
                    Err(Refusal::AmbiguousId { prefix: prefix.to_string() }.into())
                }
                (None, _) => {
                    Err(Error::NotFound { what: format!("no snapshot begins with {prefix}") })
                }
            }
        }
    }
}

fn whole(snapshot: &SnapshotEntry) -> Vec<Part<'_>> {
    sources(snapshot).map(|source| Part { source, snapshot }).collect()
}

fn newest_per_source<'s>(
    snapshots: impl DoubleEndedIterator<Item = &'s SnapshotEntry>,
) -> Result<Vec<Part<'s>>> {
    let mut chosen = Chosen::default();
    for snapshot in snapshots.rev() {
        // What newer ones left out is taken from here, if this one has it.
        let open: Vec<TreePath<'_>> = chosen.open.iter().copied().collect();
        let left_open = open.into_iter().filter(|path| covers(snapshot, *path));
        for source in sources(snapshot).chain(left_open) {
            chosen.add(Part { source, snapshot });
        }
    }
    let mut parts = chosen.parts;
    parts.reverse();
    // A part inside of another is there because that one left it out, or is older: it comes after
    // it, also after the root, which replaces everything before it.
    parts.sort_by_key(|part| part.source.depth());
    match parts.is_empty() {
        false => Ok(parts),
        true => Err(Error::NotFound { what: "there is no snapshot at that time".into() }),
    }
}

/// Parts of a state, chosen from the newest to the oldest.
#[derive(Default)]
struct Chosen<'s> {
    parts: Vec<Part<'s>>,
    /// The indices of the parts, by their sources.
    places: HashMap<TreePath<'s>, usize>,
    /// The paths that parts left out and no other part has yet.
    open: BTreeSet<TreePath<'s>>,
}

impl<'s> Chosen<'s> {
    /// Adds a part unless newer ones cover all of it. A source inside of another of the same
    /// snapshot is a part of its own, with its own left-out paths.
    fn add(&mut self, part: Part<'s>) {
        if self.is_covered(part.source, Some(part.snapshot)) {
            return;
        }
        self.places.insert(part.source, self.parts.len());
        self.parts.push(part);
        self.open.remove(&part.source);
        self.open.extend(left_out(part.snapshot).filter(|path| path.starts_with(part.source)));
        let is_covered = |path: &TreePath<'_>| self.is_covered(*path, None);
        self.open = self.open.iter().copied().filter(|path| !is_covered(path)).collect();
    }

    /// Reports whether a part covers a path: its source is the path, or holds it and is not of the
    /// snapshot `own`, and it did not leave the path out.
    fn is_covered(&self, path: TreePath<'_>, own: Option<&SnapshotEntry>) -> bool {
        let parts = path.prefixes().filter_map(|above| self.parts.get(*self.places.get(&above)?));
        let is_own = |part: &&Part<'_>| own.is_some_and(|own| own.id == part.snapshot.id);
        let exactly = |part: &Part<'_>| part.source == path;
        let mut others = parts.filter(|part| exactly(part) || !is_own(part));
        others.any(|part| !leaves_out(part.snapshot, path))
    }
}

/// Yields the paths that a snapshot backed up.
fn sources(entry: &SnapshotEntry) -> impl Iterator<Item = TreePath<'_>> {
    entry.snapshot.sources.iter().map(|source| TreePath::new(source))
}

/// Yields the paths below its sources that a snapshot left out.
fn left_out(entry: &SnapshotEntry) -> impl Iterator<Item = TreePath<'_>> {
    entry.snapshot.uncovered.iter().map(|path| TreePath::new(path))
}

/// Reports whether a snapshot has all that is at a path.
fn covers(entry: &SnapshotEntry, path: TreePath<'_>) -> bool {
    sources(entry).any(|source| path.starts_with(source)) && !leaves_out(entry, path)
}

/// Reports whether a snapshot left out a path or a directory that holds it.
pub(crate) fn leaves_out(entry: &SnapshotEntry, path: TreePath<'_>) -> bool {
    left_out(entry).any(|left_out| path.starts_with(left_out))
}

/// Returns the last instant of a second, for comparisons with times that have nanoseconds.
pub fn last_instant(second: i64) -> Timestamp {
    Timestamp { seconds: second, nanos: 999_999_999 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Snapshot;
    use crate::snapshots::order::Clock;
    use crate::snapshots::order::tests::snapshot;

    fn entry(sequence: u64, sources: &[&str], left_out: &[&str]) -> SnapshotEntry {
        let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec()).collect();
        let (id, whole) = snapshot(1, sequence, sequence as i64);
        let snapshot = Snapshot { sources: bytes(sources), uncovered: bytes(left_out), ..whole };
        let (pinned, labels) = (false, std::collections::BTreeMap::new());
        let since = snapshot.time;
        SnapshotEntry { id, since, snapshot, clock: Clock::Believed, pinned, labels }
    }

    /// The parts of the newest state: each source, and the sequence of its snapshot.
    fn latest(snapshots: &[SnapshotEntry]) -> Vec<(String, u64)> {
        let parts = state(snapshots, &Moment::Latest).expect("a state");
        let part = |part: &Part<'_>| (part.source.to_string(), part.snapshot.snapshot.sequence);
        parts.iter().map(part).collect()
    }

    fn parts(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(path, sequence)| ((*path).to_owned(), *sequence)).collect()
    }

    #[test]
    fn what_a_source_left_out_lies_over_it() {
        for (outer, inner) in [("home", "home/me"), ("", "boot"), ("", "home/me")] {
            let snapshots = [entry(1, &[inner], &[]), entry(2, &[outer], &[inner])];
            assert_eq!(latest(&snapshots), parts(&[(outer, 2), (inner, 1)]), "{outer:?}");
        }
    }

    #[test]
    fn a_source_inside_of_a_newer_one_is_no_part() {
        let snapshots = [entry(1, &["home/me"], &[]), entry(2, &["home"], &[])];
        assert_eq!(latest(&snapshots), parts(&[("home", 2)]));
        let snapshots = [entry(1, &["home"], &[]), entry(2, &["home/me"], &[])];
        assert_eq!(latest(&snapshots), parts(&[("home", 1), ("home/me", 2)]));
        let snapshots = [entry(1, &["home"], &[]), entry(2, &["homes"], &[])];
        assert_eq!(latest(&snapshots), parts(&[("home", 1), ("homes", 2)]));
    }
}
