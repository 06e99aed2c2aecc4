//! The result of a check.

use std::time::Duration;

use serde::Serialize;
use yore_engine::check::CheckReport;

/// Something that is wrong.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "finding")]
pub struct Finding<'a> {
    /// The object or path.
    pub subject: &'a str,
    /// The problem.
    pub message: &'a str,
}

/// Something unusual and harmless.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "note")]
pub struct Note<'a> {
    /// The observation.
    pub message: &'a str,
}

/// The result of `check`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "check")]
pub struct Check {
    /// The location of the destination.
    pub location: String,
    /// Tells that nothing is wrong.
    pub sound: bool,
    /// The number of problems; of many, not all are listed.
    pub problems: u64,
    /// The number of snapshots.
    pub snapshots: u64,
    /// The number of trees, each counted once.
    pub trees: u64,
    /// The number of names in them.
    pub nodes: u64,
    /// The number of packs.
    pub packs: u64,
    /// The number of packs that were read whole.
    pub packs_read: u64,
    /// The bytes that were read of them.
    pub bytes_read: u64,
    /// The duration.
    pub seconds: f64,
}

impl Check {
    /// Takes the report of the engine.
    pub fn new(location: String, report: &CheckReport, took: Duration) -> Self {
        Self {
            location,
            sound: report.is_sound(),
            problems: report.problems.len() as u64 + report.more_problems,
            snapshots: report.snapshots,
            trees: report.trees,
            nodes: report.nodes,
            packs: report.packs,
            packs_read: report.packs_read,
            bytes_read: report.bytes_read,
            seconds: took.as_secs_f64(),
        }
    }
}
