//! The result of freeing space.

use serde::Serialize;
use yore_engine::Run;
use yore_engine::prune::{DestinationPrune, Pending, PendingCause};

use crate::failure::engine_error::message;
use crate::text::format;

/// The result of `prune` for one destination.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "pruned")]
pub struct Pruned {
    /// The name and location of the destination.
    pub destination: String,
    /// Tells that nothing was changed.
    pub dry_run: bool,
    /// The snapshots that count.
    pub snapshots: u64,
    /// The packs before.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packs without anything that a snapshot needs.
    pub condemned_packs: u64,
    /// Their bytes.
    pub condemned_bytes: u64,
    /// Packs whose used part was moved.
    pub repacked_packs: u64,
    /// Their bytes.
    pub repacked_bytes: u64,
    /// The bytes that the used part takes elsewhere.
    pub written_bytes: u64,
    /// Packs that were deleted.
    pub deleted_packs: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Packs that wait to be deleted.
    pub pending: Vec<PendingPacks>,
    /// Packs that were condemned and that a backup meanwhile needs.
    pub rescued: u64,
    /// Bytes without use in packs that stay.
    pub unused_bytes: u64,
    /// Index objects that were put together.
    pub merged_indexes: u64,
    /// Records that were deleted.
    pub deleted_records: u64,
    /// Parity objects of deleted packs that were deleted.
    pub deleted_parity: u64,
    /// Their bytes.
    pub deleted_parity_bytes: u64,
    /// Everything that went wrong.
    pub problems: Vec<String>,
}

/// Packs that wait to be deleted.
#[derive(Debug, Default, Serialize)]
pub struct PendingPacks {
    /// Their number.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The reason: `grace`, `locked` or `writers`.
    pub cause: &'static str,
    /// The time until which they wait; `None` for writers.
    pub until: Option<String>,
    /// The machines of the writers.
    pub hosts: Vec<String>,
}

impl Pruned {
    /// Takes the report of the engine.
    pub fn new(destination: String, report: &DestinationPrune, run: Run) -> Self {
        let problems = report.problems.iter().chain(&report.error);
        Self {
            destination,
            dry_run: run == Run::Dry,
            snapshots: report.snapshots,
            packs: report.packs.packs,
            bytes: report.packs.bytes,
            condemned_packs: report.condemned.packs,
            condemned_bytes: report.condemned.bytes,
            repacked_packs: report.repacked.packs,
            repacked_bytes: report.repacked.bytes,
            written_bytes: report.written.bytes,
            deleted_packs: report.deleted.packs,
            deleted_bytes: report.deleted.bytes,
            pending: report.pending.iter().map(PendingPacks::new).collect(),
            rescued: report.rescued,
            unused_bytes: report.unused,
            merged_indexes: report.merged_indexes,
            deleted_records: report.deleted_records,
            deleted_parity: report.parity.objects,
            deleted_parity_bytes: report.parity.bytes,
            problems: problems.map(message).collect(),
        }
    }
}

impl PendingPacks {
    fn new(pending: &Pending) -> Self {
        let (cause, until, hosts) = match &pending.cause {
            PendingCause::Grace(until) => ("grace", Some(*until), Vec::new()),
            PendingCause::Locked(until) => ("locked", Some(*until), Vec::new()),
            PendingCause::Writers(writers) => {
                ("writers", None, writers.iter().map(|(host, _)| host.clone()).collect())
            }
        };
        let until = until.map(format::exact_time);
        Self { packs: pending.amount.packs, bytes: pending.amount.bytes, cause, until, hosts }
    }
}
