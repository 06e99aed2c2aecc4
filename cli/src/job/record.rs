//! The result of a job.

use std::time::Duration;

use yore_engine::backup::{BackupReport, EmptySources};
use yore_engine::format::RepositoryId;

use crate::failure::Done;
use crate::json;

/// The result of a job.
#[derive(Debug)]
pub struct RunRecord {
    /// The name of the source in the configuration.
    pub source: Option<String>,
    /// The repository.
    pub repository: RepositoryId,
    /// The report of the engine.
    pub report: BackupReport,
    /// The number of listed paths that are not there.
    pub missing: u64,
    /// Tells whether a source of which nothing is saved is as the job wants it.
    pub empty_sources: EmptySources,
    /// The titles of the destinations that do not have the snapshot.
    pub behind: Vec<String>,
    /// The duration.
    pub took: Duration,
}

impl RunRecord {
    /// Tells whether everything was saved that the job names.
    pub fn done(&self) -> Done {
        let report = &self.report;
        let accepts_empty = matches!(self.empty_sources, EmptySources::Accept);
        let is_whole = report.totals.unreadable + report.changed_while_read + self.missing == 0
            && report.emptied.is_empty()
            && self.behind.is_empty()
            && report.rolled_back.is_empty()
            && (report.left_out.whole_sources.is_empty() || accepts_empty);
        if is_whole { Done::Whole } else { Done::Partly }
    }

    /// Describes the run for programs.
    pub fn object(&self) -> json::Backup {
        let (source, behind) = (self.source.clone(), self.behind.clone());
        json::Backup::new(source, self.repository, &self.report, behind, self.took)
    }
}
