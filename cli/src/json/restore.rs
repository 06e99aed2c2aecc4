//! The result of a restore.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use yore_engine::Run;
use yore_engine::restore::RestoreReport;

/// The result of `restore`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "restore")]
pub struct Restore {
    /// Tells that nothing was written.
    pub dry_run: bool,
    /// The path at which the first restored name lies.
    pub at: String,
    /// Files written.
    pub files: u64,
    /// Directories made or gone through.
    pub directories: u64,
    /// Symbolic links, pipes, sockets and devices made.
    pub others: u64,
    /// Further names given to files that have several.
    pub links: u64,
    /// The bytes in the files written.
    pub bytes: u64,
    /// Nodes that were there already as they should be.
    pub unchanged: u64,
    /// Nodes that were there and stay as they are.
    pub skipped: u64,
    /// Nodes that were removed because the snapshot does not have them.
    pub deleted: u64,
    /// Nodes that were replaced.
    pub replaced: u64,
    /// Nodes that were replaced and were newer than in the snapshot.
    pub newer: u64,
    /// Nodes that could not be restored.
    pub failed: u64,
    /// Files of them whose intact parts were written.
    pub salvaged: u64,
    /// Parts of metadata that the system refused.
    pub refused: u64,
    /// Temporary files of interrupted restores, removed now.
    pub leftovers: u64,
    /// Old versions put beside newer ones.
    pub kept_both: u64,
    /// The duration.
    pub seconds: f64,
}

impl Restore {
    /// Takes the report of the engine.
    pub fn new(run: Run, at: &Path, report: &RestoreReport, took: Duration) -> Self {
        Self {
            dry_run: run == Run::Dry,
            at: at.display().to_string(),
            files: report.files,
            directories: report.directories,
            others: report.others,
            links: report.links,
            bytes: report.bytes,
            unchanged: report.unchanged,
            skipped: report.skipped,
            deleted: report.deleted,
            replaced: report.replaced,
            newer: report.newer,
            failed: report.failed,
            salvaged: report.salvaged,
            refused: report.refused,
            leftovers: report.leftovers,
            kept_both: report.beside,
            seconds: took.as_secs_f64(),
        }
    }
}
