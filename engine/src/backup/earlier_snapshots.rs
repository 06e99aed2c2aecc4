//! Earlier snapshots: the state with which the sources are compared, and the blobs that can be reused.
//!
//! A file is taken as unchanged, without reading it, if size, times and inode number are those of the previous
//! snapshot. That is safe only if a change would have moved a time, and times are coarse: written twice within two
//! seconds, a file on FAT keeps its time. So a time counts only if it is older than the previous backup by more than
//! that. After a backup at 10:00:00, the next one trusts no time from 09:59:57 on:
//!
//! ```text
//! 09:59:50  a is written
//! 09:59:59  b is written
//! 10:00:00  a backup begins and reads a and b
//! 10:00:00  b is written again, with the same size and, rounded, the same time
//! 11:00:00  the next backup: a is unchanged, b is read again
//! ```
//!
//! That holds for what the previous backup read. Where it kept the state of an earlier one, as of a folder that it could
//! not read, nothing is taken as unchanged: each node there is flagged as not read (`walk/previous.rs`).

use std::collections::BTreeSet;

use yore_platform::Timestamp;

use crate::backup::dated::EarlierState;
use crate::format::id::BlobId;
use crate::format::tree::{Content, Holes, Node};
use crate::index::BlobIndex;
use crate::read::merge::merge;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;
use crate::repository::session::Writer;
use crate::snapshots::moment::{Moment, state};
use crate::snapshots::order::SnapshotEntry;

/// A file that changed so many seconds before the previous backup began may have changed again
/// without a new time: FAT keeps times to two seconds.
const COARSEST_TIME: i64 = 3;

/// The same for the files of a server: its clock may be behind this one by that much, so that a time which looks
/// settled is that of the present. Files that changed in the hour before a backup are read once more by the next one.
const MOST_CLOCK_LAG: i64 = 60 * 60;

/// The state of the sources after the previous backups of this machine or installation.
#[derive(Default)]
pub(super) struct PreviousState {
    /// The root of the state; `None` without snapshots, or where they can't be read.
    pub(super) root: Option<DirRef>,
    /// The sources of all earlier snapshots.
    pub(super) sources: BTreeSet<Vec<u8>>,
    /// A time from this instant on may stand for two states of a file.
    pub(super) trusted_before: Timestamp,
    /// A part of a backup is among the snapshots: something in it may be older than it.
    pub(super) is_partial: bool,
}

impl PreviousState {
    /// Merges the newest snapshots that are of the host or the client of `writer`, or of the other `machine` whose
    /// files are read.
    pub(super) fn read(
        reader: &Reader,
        known: &[SnapshotEntry],
        writer: &Writer,
        machine: Option<&str>,
    ) -> Self {
        let own = own_snapshots(known, writer, machine);
        let sources = own.iter().flat_map(|entry| entry.snapshot.sources.iter().cloned()).collect();
        let Ok(parts) = state(&own, &Moment::Latest) else {
            return Self { sources, ..Self::default() };
        };
        let oldest = parts.iter().map(|part| began(part.snapshot)).min().unwrap_or_default();
        // What can't be read of earlier snapshots is read from the sources.
        let lag = if machine.is_some() { MOST_CLOCK_LAG } else { 0 };
        let oldest = Timestamp { seconds: oldest.seconds.saturating_sub(lag), ..oldest };
        let root = merge(reader, &parts).ok();
        let is_partial = parts.iter().any(|part| part.snapshot.snapshot.partial);
        Self { root, sources, trusted_before: trusted_before(oldest), is_partial }
    }

    /// Takes one snapshot among the known ones, or none, as the previous state.
    pub(super) fn of(
        reader: &Reader,
        known: &[SnapshotEntry],
        writer: &Writer,
        earlier: Option<&EarlierState>,
    ) -> Self {
        let own = own_snapshots(known, writer, None);
        let sources = own.iter().flat_map(|entry| entry.snapshot.sources.iter().cloned()).collect();
        let found = earlier.and_then(|earlier| {
            let entry = known.iter().find(|entry| entry.id == earlier.snapshot)?;
            Some((entry, earlier.read_from.unwrap_or_else(|| began(entry))))
        });
        let Some((entry, read_from)) = found else { return Self { sources, ..Self::default() } };
        // What can't be read of it is read from the source.
        let root = reader.tree(&entry.snapshot.root).is_ok();
        Self {
            root: root.then_some(DirRef::Tree(entry.snapshot.root)),
            sources,
            trusted_before: trusted_before(read_from),
            is_partial: entry.snapshot.partial,
        }
    }
}

/// Returns the snapshots of the host or the client of a writer, or of another machine, in their order.
///
/// One that was brought over is of its machine, whatever installation did that. This machine's `/home/me` and that of a
/// server whose files it saves are never compared.
fn own_snapshots(
    known: &[SnapshotEntry],
    writer: &Writer,
    machine: Option<&str>,
) -> Vec<SnapshotEntry> {
    let own = |entry: &&SnapshotEntry| {
        let is_of_host = entry.snapshot.host == writer.host;
        match (machine, entry.snapshot.machine()) {
            (None, None) => {
                is_of_host
                    || entry.snapshot.client == writer.client && entry.snapshot.origin.is_none()
            }
            (Some(wanted), Some(found)) => is_of_host || wanted == found,
            (None, Some(_)) | (Some(_), None) => false,
        }
    };
    // What a write-only machine says of its files is no reason to leave one unread.
    known.iter().filter(own).filter(|entry| !entry.snapshot.collected).cloned().collect()
}

/// Returns the time at which the backup of a snapshot began, as far as its record tells.
fn began(entry: &SnapshotEntry) -> Timestamp {
    entry.snapshot.time.min(entry.since)
}

/// Returns the time up to which a file's times are trusted after it was read at `read_from` or later.
fn trusted_before(read_from: Timestamp) -> Timestamp {
    Timestamp { seconds: read_from.seconds.saturating_sub(COARSEST_TIME), nanos: read_from.nanos }
}

/// The blobs of earlier snapshots that are still stored.
pub(crate) struct ReusableBlobs<'a> {
    index: BlobIndex,
    reader: &'a Reader,
}

impl<'a> ReusableBlobs<'a> {
    /// Looks blobs up in `index`, and reads lists of chunks with `reader`.
    pub(crate) fn new(index: BlobIndex, reader: &'a Reader) -> Self {
        Self { index, reader }
    }

    /// Returns whether all blobs of a file are stored.
    pub(crate) fn have_all_of(&self, node: &Node) -> bool {
        let has = |id: &BlobId| self.index.find(id).is_some();
        let holes = match &node.holes {
            Holes::Inline(_) => true,
            Holes::Lists(lists) => lists.iter().all(has),
        };
        holes
            && match &node.content {
                Content::Empty | Content::Inline(_) => true,
                Content::Chunks(chunks) => chunks.iter().all(|chunk| has(&chunk.id)),
                Content::Lists { depth, lists } => {
                    lists.iter().all(|list| self.has_all_under(&list.id, *depth))
                }
            }
    }

    fn has_all_under(&self, list: &BlobId, depth: u8) -> bool {
        let listed = self.index.find(list).and_then(|_| self.reader.list(list, depth).ok());
        listed.is_some_and(|items| {
            items.iter().all(|item| match depth.checked_sub(1) {
                None => self.index.find(&item.id).is_some(),
                Some(depth) => self.has_all_under(&item.id, depth),
            })
        })
    }
}
