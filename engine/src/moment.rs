//! Moments: how people name a point in time, and which snapshots make up the state then.

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::order::SnapshotEntry;

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
/// `snapshots` are in their order, those of one machine. The parts are in the same order, so that what
/// comes later lies over what comes before; a source inside a newer one is left out.
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
                    Err(Error::Refused { what: format!("several snapshots begin with {prefix}") })
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
    let mut parts: Vec<Part<'_>> = Vec::new();
    for snapshot in snapshots.rev() {
        for source in &snapshot.snapshot.sources {
            // Newer parts are there already: the same source, or one that holds this one.
            if !parts.iter().any(|part| holds(part.source, source)) {
                parts.push(Part { source, snapshot });
            }
        }
    }
    parts.reverse();
    match parts.is_empty() {
        false => Ok(parts),
        true => Err(Error::NotFound { what: "there is no snapshot at that time".into() }),
    }
}

/// Whether the directory at `outer` is, or holds, the one at `inner`.
fn holds(outer: &[u8], inner: &[u8]) -> bool {
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
