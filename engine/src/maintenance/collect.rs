//! Collect: the snapshots in the inbox of a write-only machine are verified, and brought into its owner's repository.
//!
//! ```text
//! inbox    S1 S2 S3        before
//! owner    C1 C2 C3        each is read, its blobs are verified by their names, and stored under the owner's keys
//! inbox    S3              S1 and S2 are forgotten; S3 stays, since the machine's next backup continues from it
//! ```
//!
//! The machine may be in foreign hands: what it says of its host and of origins is not believed, and its trees are read
//! with the bounds of any hostile object.

use std::collections::{HashMap, HashSet};

use yore_platform::Timestamp;

use super::Repeat;
use super::copy::{CopyOptions, CopyReport, copy};
use super::sync::{SyncOptions, sync};
use crate::error::Result;
use crate::format::id::SnapshotId;
use crate::format::record::Origin;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::repository::{Behind, Repository, Writer, forget};
use crate::snapshots::SnapshotEntry;

/// The policy of a tombstone in an inbox.
const POLICY: &str = "collected";

/// The result of collecting from one inbox.
#[derive(Debug, Default)]
pub struct CollectReport {
    /// The copies.
    pub copies: CopyReport,
    /// The number of snapshots that were collected and forgotten in the inbox.
    pub forgotten: u64,
    /// The places of the inbox that do not know that they are forgotten.
    pub behind: Vec<Behind>,
}

/// Collects the snapshots of an inbox that its owner does not have yet.
///
/// Where the inbox is at several places, each gets first what it lacks, since the machine can't copy between them.
///
/// # Errors
/// As [`copy`] and [`sync`].
pub fn collect(
    inbox: &Repository,
    owner: &Repository,
    machine: &str,
    run: Run,
    writer: &Writer,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<CollectReport> {
    if inbox.destinations().len() > 1 && run == Run::Real {
        sync(inbox, &SyncOptions::default(), writer, observer)?;
    }
    let options = CopyOptions { machine: Some(machine), repeat: Repeat::Never, run };
    let copies = copy(inbox, owner, &|_| true, options, writer, observer)?;
    let mut report = CollectReport { copies, ..CollectReport::default() };
    if run == Run::Real {
        let ids = collected(inbox, owner)?;
        if !ids.is_empty() {
            report.behind = forget::forget(inbox, &ids, writer, now, POLICY)?.behind;
            report.forgotten = ids.len() as u64;
        }
    }
    Ok(report)
}

/// Returns the snapshots of the inbox that the owner has or had, without the newest of each list of sources.
fn collected(inbox: &Repository, owner: &Repository) -> Result<Vec<SnapshotId>> {
    let known = owner.snapshots()?;
    let origins = known.list.iter().map(|entry| entry.snapshot.origin);
    let forgotten = known.forgotten.iter().map(|tombstone| tombstone.origin);
    let had: HashSet<Origin> = origins.chain(forgotten).flatten().collect();
    let list = inbox.snapshots()?.list;
    // They are in their order, so the last one of equal sources stays.
    let newest: HashMap<&[Vec<u8>], SnapshotId> =
        list.iter().map(|entry| (entry.snapshot.sources.as_slice(), entry.id)).collect();
    let goes = |entry: &&SnapshotEntry| {
        let origin = Origin::Snapshot { repository: inbox.id(), snapshot: entry.id };
        had.contains(&origin) && !newest.values().any(|id| *id == entry.id)
    };
    Ok(list.iter().filter(goes).map(|entry| entry.id).collect())
}

#[cfg(test)]
mod tests;
