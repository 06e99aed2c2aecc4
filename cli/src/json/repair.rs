//! The result of a repair.

use serde::Serialize;
use yore_engine::repair::DestinationRepair;

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

impl Repaired {
    /// Takes the report of the engine.
    pub fn new(destination: String, report: &DestinationRepair, dry_run: bool) -> Self {
        let left = report.left.as_ref();
        Self {
            destination,
            dry_run,
            healed: report.healed.iter().map(ToString::to_string).collect(),
            quarantined: report.quarantined.iter().map(ToString::to_string).collect(),
            salvaged_blobs: report.salvaged,
            lost_blobs: report.lost,
            described_packs: report.described,
            left: left.map(|left| left.problems.len() as u64 + left.more_problems),
            problems: report.problems.iter().chain(&report.error).map(message).collect(),
        }
    }
}
