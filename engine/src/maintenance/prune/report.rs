//! What a prune did, and what it could not free yet.

use yore_platform::Timestamp;

use crate::error::Error;
use crate::maintenance::parity::ParityAmount;

/// A number of packs and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Packs.
    pub packs: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        self.packs += 1;
        self.bytes += bytes;
    }
}

/// The reason why condemned packs are not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingCause {
    /// These writers began before and have not ended: machines and the times of their begin.
    Writers(Vec<(String, Timestamp)>),
    /// Readers that opened the repository before have until this time.
    Grace(Timestamp),
    /// The destination keeps them until this time (Object Lock).
    Locked(Timestamp),
}

/// Condemned packs that are not deleted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The packs.
    pub amount: Amount,
    /// The reason.
    pub cause: PendingCause,
}

/// The result of a prune.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// The destinations in their order.
    pub destinations: Vec<DestinationPrune>,
}

/// The result of a prune at one destination; in a dry run, what it would be.
#[derive(Debug, Default)]
pub struct DestinationPrune {
    /// The number of the destination.
    pub destination: usize,
    /// The snapshots whose blobs are live.
    pub snapshots: u64,
    /// The packs before.
    pub packs: Amount,
    /// Packs without a live blob that were condemned.
    pub condemned: Amount,
    /// Packs whose live blobs were moved, and which were condemned.
    pub repacked: Amount,
    /// Packs that the moved blobs were written to, and their bytes; in a dry run an estimate of the bytes.
    pub written: Amount,
    /// Packs that were deleted.
    pub deleted: Amount,
    /// Packs that are condemned and not deleted yet, by the reason.
    pub pending: Vec<Pending>,
    /// Condemned packs that a writer needs after all.
    pub rescued: u64,
    /// Bytes that no snapshot needs in packs that stay.
    pub unused: u64,
    /// Index objects that were put together into others.
    pub merged_indexes: u64,
    /// Records of sessions, forgotten snapshots and their tombstones that were deleted.
    pub deleted_records: u64,
    /// Parity objects of packs that are deleted, which were deleted, too.
    pub parity: ParityAmount,
    /// The destination lacks snapshots that another one has, so nothing is repacked here before it has them.
    pub is_behind: bool,
    /// The errors of objects that could not be read or deleted.
    pub problems: Vec<Error>,
    /// The error that ended it.
    pub error: Option<Error>,
}

impl DestinationPrune {
    pub(super) fn new(destination: usize) -> Self {
        Self { destination, ..Self::default() }
    }

    /// Drops what is found anew when a round begins again; what was done stays.
    pub(super) fn begin_again(&mut self) {
        self.packs = Amount::default();
        self.pending.clear();
        self.problems.clear();
    }

    /// Returns the bytes that come free, now or later: what is condemned less what was written instead.
    pub fn freed(&self) -> u64 {
        let pending: u64 = self.pending.iter().map(|pending| pending.amount.bytes).sum();
        (self.deleted.bytes + pending).saturating_sub(self.written.bytes)
    }

    /// Returns true if there was nothing to do.
    pub fn is_unchanged(&self) -> bool {
        self.error.is_none()
            && self.condemned == Amount::default()
            && self.repacked == Amount::default()
            && self.deleted == Amount::default()
            && self.merged_indexes == 0
            && self.deleted_records == 0
            && self.parity == ParityAmount::default()
    }
}
