//! Moments: how people name a point in time, and which snapshots make up the state then.

use std::collections::{BTreeSet, HashMap};

use yore_platform::Timestamp;

use crate::error::{Error, Refusal, Result};
use crate::snapshots::order::SnapshotEntry;

mod parse;

/// A point in time, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The newest state of everything.
    Latest,
    /// The snapshot so many before the newest one; 0 is the newest.
    Back(usize),
    /// The state at the last instant of this second.
    At(i64),
    /// The one snapshot whose id begins so.
    Id(String),
}

/// A source's part of a state: the path, and the snapshot from which it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'s> {
    /// The source's path: components joined by `/`.
    pub source: &'s [u8],
    /// Its newest snapshot that belongs to the state at the moment.
    pub snapshot: &'s SnapshotEntry,
}

/// Chooses the parts of the state at a moment: for each source its newest snapshot not later.
///
/// `snapshots` are in their order, those of one machine. What comes later in the parts lies over what comes before:
/// a source inside of another comes after it. One inside of a newer one is no part, unless that one left it out; then
/// it is taken from the newest snapshot that has it.
///
/// # Errors
/// [`Error::NotFound`] when there is no snapshot then, or none of that id; [`Error::Refused`] when
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
    snapshot.snapshot.sources.iter().map(|source| Part { source, snapshot }).collect()
}

fn newest_per_source<'s>(
    snapshots: impl DoubleEndedIterator<Item = &'s SnapshotEntry>,
) -> Result<Vec<Part<'s>>> {
    let mut chosen = Chosen::default();
    for snapshot in snapshots.rev() {
        let sources = snapshot.snapshot.sources.iter().map(Vec::as_slice);
        // What newer ones left out is taken from here, if this one has it.
        let open: Vec<&[u8]> = chosen.open.iter().copied().collect();
        let left_open = open.into_iter().filter(|path| covers(snapshot, path));
        for source in sources.chain(left_open) {
            chosen.add(Part { source, snapshot });
        }
    }
    let mut parts = chosen.parts;
    parts.reverse();
    // What lies inside of another part is there because that one left it out, or is older.
    parts.sort_by_key(|part| part.source.split(|byte| *byte == b'/').count());
    match parts.is_empty() {
        false => Ok(parts),
        true => Err(Error::NotFound { what: "there is no snapshot at that time".into() }),
    }
}

/// The parts of a state, chosen from the newest to the oldest.
#[derive(Default)]
struct Chosen<'s> {
    parts: Vec<Part<'s>>,
    /// The places of the parts, by their sources.
    places: HashMap<&'s [u8], usize>,
    /// What parts left out and no other part has yet.
    open: BTreeSet<&'s [u8]>,
}

impl<'s> Chosen<'s> {
    /// Adds a part unless newer ones tell of all of it. A source inside of another of the same snapshot is a part of
    /// its own: what was left out of it is judged by itself.
    fn add(&mut self, part: Part<'s>) {
        if self.is_covered(part.source, Some(part.snapshot)) {
            return;
        }
        self.places.insert(part.source, self.parts.len());
        self.parts.push(part);
        self.open.remove(part.source);
        let left_out = part.snapshot.snapshot.uncovered.iter().map(Vec::as_slice);
        self.open.extend(left_out.filter(|path| holds(part.source, path)));
        let is_covered = |path: &&[u8]| self.is_covered(path, None);
        self.open = self.open.iter().copied().filter(|path| !is_covered(path)).collect();
    }

    /// Whether a part, of another snapshot than `own`, is of this path or of a directory that holds it, and left it
    /// not out.
    fn is_covered(&self, path: &[u8], own: Option<&SnapshotEntry>) -> bool {
        let parts = above(path).filter_map(|above| self.parts.get(*self.places.get(above)?));
        let is_own = |part: &&Part<'_>| own.is_some_and(|own| own.id == part.snapshot.id);
        let exactly = |part: &Part<'_>| part.source == path;
        let mut others = parts.filter(|part| exactly(part) || !is_own(part));
        others.any(|part| !leaves_out(part.snapshot, path))
    }
}

/// A path and every directory above it, up to the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    let ends = ends.chain([path.len()]).chain((!path.is_empty()).then_some(0));
    ends.map(|end| &path[..end])
}

/// Whether a snapshot tells of all that is at a path.
fn covers(entry: &SnapshotEntry, path: &[u8]) -> bool {
    entry.snapshot.sources.iter().any(|source| holds(source, path)) && !leaves_out(entry, path)
}

/// Whether a snapshot says that it left out a path, or a directory that holds it.
pub(crate) fn leaves_out(entry: &SnapshotEntry, path: &[u8]) -> bool {
    entry.snapshot.uncovered.iter().any(|left_out| holds(left_out, path))
}

/// Whether the directory at `outer` is, or holds, the one at `inner`.
pub(crate) fn holds(outer: &[u8], inner: &[u8]) -> bool {
    outer.is_empty()
        || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The last instant of a second, for comparisons with times that have nanoseconds.
pub fn last_instant(second: i64) -> Timestamp {
    Timestamp { seconds: second, nanos: 999_999_999 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_holds_itself_and_what_is_below_it() {
        assert!(holds(b"", b"home") && holds(b"home", b"home") && holds(b"home", b"home/me"));
        assert!(!holds(b"home", b"homes") && !holds(b"home/me", b"home"));
    }
}
