//! The result of copying to a destination.

use serde::Serialize;
use yore_engine::sync::{FillReport, LockReport};

use crate::failure::engine_error::message;
use crate::text::format;

/// The result of `sync` for one destination.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "sync")]
pub struct Filled {
    /// The name and location of the destination.
    pub destination: String,
    /// Objects that it lacked and got.
    pub copied: u64,
    /// Bytes that were written there.
    pub bytes: u64,
    /// Objects that were damaged there and are healed.
    pub healed: Vec<String>,
    /// Snapshots that were committed there.
    pub committed: u64,
    /// Keys that were removed elsewhere, and opened it until now.
    pub removed_keys: u64,
    /// Snapshots that no destination has whole.
    pub incomplete: Vec<String>,
    /// Everything that went wrong.
    pub problems: Vec<String>,
    /// Tells that it has everything that another destination has.
    pub whole: bool,
}

impl Filled {
    /// Takes the report of the engine.
    pub fn new(destination: String, report: &FillReport) -> Self {
        let problems = report.problems.iter().chain(&report.error);
        Self {
            destination,
            copied: report.copied,
            bytes: report.bytes,
            healed: report.healed.iter().map(ToString::to_string).collect(),
            committed: report.committed,
            removed_keys: report.removed_slots,
            incomplete: report.incomplete.iter().map(ToString::to_string).collect(),
            problems: problems.map(message).collect(),
            whole: report.is_whole(),
        }
    }
}

/// The result of `sync --extend-lock` for one destination.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "locks")]
pub struct Locks {
    /// The name and location of the destination.
    pub destination: String,
    /// Objects that are locked for another period.
    pub extended: u64,
    /// The time when the first of these locks ends; `None` where nothing is locked.
    pub until: Option<String>,
    /// Everything that went wrong.
    pub problems: Vec<String>,
}

impl Locks {
    /// Takes the report of the engine.
    pub fn new(destination: String, report: &LockReport) -> Self {
        Self {
            destination,
            extended: report.extended,
            until: report.until.map(format::exact_time),
            problems: report.problems.iter().map(message).collect(),
        }
    }
}
