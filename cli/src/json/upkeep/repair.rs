//! The result of a repair.

use serde::Serialize;
use yore_engine::format::{ObjectName, SnapshotId};
use yore_engine::repair::DestinationRepair;
use yore_engine::rewrite::Removed;

use crate::failure::engine_error::message;

/// The result of `repair` for one destination.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "repaired")]
pub struct Repaired {
    /// The name and location of the destination.
    pub destination: String,
    /// Tells that nothing was changed.
    pub dry_run: bool,
    /// Objects that another destination had whole.
    pub healed: Vec<String>,
    /// Packs that were rebuilt from parity.
    pub rebuilt: Vec<String>,
    /// Packs of which more is damaged than their parity covers.
    pub beyond_parity: Vec<String>,
    /// Parity objects that were made.
    pub made_parity: u64,
    /// Their bytes.
    pub made_parity_bytes: u64,
    /// Parity objects that were deleted.
    pub deleted_parity: u64,
    /// Objects that are in the quarantine.
    pub quarantined: Vec<String>,
    /// Intact blobs of damaged packs.
    pub salvaged_blobs: u64,
    /// Lost blobs of damaged packs.
    pub lost_blobs: u64,
    /// Packs that are in an index again.
    pub described_packs: u64,
    /// Problems that are left; `None` in a dry run.
    pub left: Option<u64>,
    /// Everything that went wrong.
    pub problems: Vec<String>,
}

/// A file or folder of which a part is lost.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "lost")]
pub struct Lost<'a> {
    /// Its path.
    pub path: &'a str,
}

/// A snapshot that `repair` made of one that lost something.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "salvaged")]
pub struct Salvaged {
    /// The snapshot that lost something.
    pub old: String,
    /// The snapshot without what is lost.
    pub new: String,
    /// The files that it lacks.
    pub files: u64,
    /// The directories that it lacks.
    pub directories: u64,
    /// Everything else that it lacks.
    pub others: u64,
}

impl Salvaged {
    /// Takes the report of the engine.
    pub fn new(old: SnapshotId, new: SnapshotId, lost: &Removed) -> Self {
        let Removed { files, directories, others, .. } = *lost;
        Self { old: old.to_string(), new: new.to_string(), files, directories, others }
    }
}

fn names(objects: &[ObjectName]) -> Vec<String> {
    objects.iter().map(ToString::to_string).collect()
}

impl Repaired {
    /// Takes the report of the engine.
    pub fn new(destination: String, report: &DestinationRepair, dry_run: bool) -> Self {
        let left = report.left.as_ref();
        Self {
            destination,
            dry_run,
            healed: names(&report.healed),
            rebuilt: names(&report.rebuilt),
            beyond_parity: names(&report.beyond_parity),
            made_parity: report.parity.made.objects,
            made_parity_bytes: report.parity.made.bytes,
            deleted_parity: report.parity.deleted.objects,
            quarantined: names(&report.quarantined),
            salvaged_blobs: report.salvaged,
            lost_blobs: report.lost,
            described_packs: report.described,
            left: left.map(|left| left.problems.len() as u64 + left.more_problems),
            problems: report.problems.iter().chain(&report.error).map(message).collect(),
        }
    }
}
