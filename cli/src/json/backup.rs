//! The result of a backup.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use yore_engine::backup::{BackupReport, NotEntered};
use yore_engine::format::RepositoryId;
use yore_engine::snapshots::Change;

use super::{PathText, Totals};
use crate::text::escape;

/// The result of `backup`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "backup")]
pub struct Backup {
    /// The name of the source in the configuration; `None` where arguments name what is saved.
    pub source: Option<String>,
    /// The id of the repository.
    pub repository: String,
    /// The id of the snapshot; `None` after a dry run.
    pub snapshot: Option<String>,
    /// The totals of the snapshot.
    pub totals: Totals,
    /// Files that were neither new nor changed.
    pub unchanged_files: u64,
    /// Files that the previous snapshot has and that are deleted.
    pub removed_files: u64,
    /// Files that changed each time they were read.
    pub changed_while_read: u64,
    /// Everything that was left out on purpose.
    pub left_out: LeftOut,
    /// Folders whose last state was kept, because they were empty.
    pub emptied: Vec<Emptied>,
    /// The id of the newest snapshot, for `check --expect-head`: that of this one.
    pub head: Option<String>,
    /// The change since the snapshot before, if it is suspicious.
    pub suspicious: Option<SuspiciousChange>,
    /// Snapshots that destinations had and have no more, although nobody forgot them.
    pub rolled_back: Vec<String>,
    /// Destinations that do not have the snapshot, by name or location.
    pub behind: Vec<String>,
    /// The duration.
    pub seconds: f64,
}

/// Everything that a backup left out on purpose.
#[derive(Debug, Default, Serialize)]
pub struct LeftOut {
    /// Names that fit a pattern.
    pub by_patterns: u64,
    /// Folders without their content, by the name of the file in them that asks for it.
    pub by_marks: BTreeMap<String, u64>,
    /// Files above the size limit.
    pub too_large: u64,
    /// Folders that were not entered.
    pub folders: Vec<LeftOutFolder>,
    /// Sources of which nothing is saved.
    pub whole_sources: Vec<String>,
    /// Patterns that fit nothing.
    pub unused_patterns: Vec<String>,
}

/// A folder that was not entered.
#[derive(Debug, Default, Serialize)]
pub struct LeftOutFolder {
    /// Its path.
    pub path: String,
    /// One of `other file system`, `drive`, `system`, `private` and `own`.
    pub reason: &'static str,
    /// The type of the file system that is mounted there, where that is the reason.
    pub file_system: Option<String>,
}

/// Unusually much change since the snapshot before.
#[derive(Debug, Default, Serialize)]
pub struct SuspiciousChange {
    /// Files of the snapshot before.
    pub files_before: u64,
    /// Files of them that changed.
    pub changed: u64,
    /// Files of them that are removed.
    pub removed: u64,
    /// Tells that new data can hardly be compressed, while earlier data could.
    pub incompressible: bool,
}

impl From<&Change> for SuspiciousChange {
    fn from(change: &Change) -> Self {
        let Change { before, changed, removed, incompressible } = *change;
        Self { files_before: before, changed, removed, incompressible }
    }
}

/// A folder that had files and was empty.
#[derive(Debug, Default, Serialize)]
pub struct Emptied {
    /// Its path.
    pub path: String,
    /// The number of files in its last state.
    pub files_before: u64,
}

/// A file that `backup -v` or `restore -v` processed.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "file")]
pub struct ProcessedFile {
    /// Its path.
    #[serde(flatten)]
    pub path: PathText,
    /// One of `new`, `changed`, `unchanged`, `restored`, `kept` and `removed`.
    pub what: &'static str,
}

impl Backup {
    /// Takes the report of the engine.
    pub fn new(
        source: Option<String>,
        repository: RepositoryId,
        report: &BackupReport,
        behind: Vec<String>,
        took: Duration,
    ) -> Self {
        let emptied = |emptied: &yore_engine::backup::EmptiedFolder| Emptied {
            path: escape::path(&emptied.path),
            files_before: emptied.before,
        };
        let totals = &report.totals;
        Self {
            source,
            repository: repository.to_string(),
            snapshot: report.snapshot.map(|id| id.to_string()),
            totals: Totals::from(totals),
            unchanged_files: totals.files.saturating_sub(totals.new_files + totals.changed_files),
            removed_files: report.removed_files,
            changed_while_read: report.changed_while_read,
            left_out: LeftOut::from(&report.left_out),
            emptied: report.emptied.iter().map(emptied).collect(),
            head: report.snapshot.map(|id| id.to_string()),
            suspicious: report.suspicion.as_ref().map(SuspiciousChange::from),
            rolled_back: report.rolled_back.iter().map(|one| one.snapshot.to_string()).collect(),
            behind,
            seconds: took.as_secs_f64(),
        }
    }
}

impl From<&yore_engine::backup::LeftOut> for LeftOut {
    fn from(left_out: &yore_engine::backup::LeftOut) -> Self {
        let mark =
            |(mark, count): (&Vec<u8>, &u64)| (String::from_utf8_lossy(mark).into_owned(), *count);
        Self {
            by_patterns: left_out.by_patterns,
            by_marks: left_out.by_marks.iter().map(mark).collect(),
            too_large: left_out.too_large,
            folders: left_out.folders.iter().map(LeftOutFolder::new).collect(),
            whole_sources: left_out.whole_sources.iter().map(|path| escape::path(path)).collect(),
            unused_patterns: left_out.unused_patterns.clone(),
        }
    }
}

impl LeftOutFolder {
    fn new((path, reason): &(Vec<u8>, NotEntered)) -> Self {
        let (reason, file_system) = match reason {
            NotEntered::OtherFileSystem => ("other file system", None),
            NotEntered::Drive => ("drive", None),
            NotEntered::System(file_system) => ("system", Some(file_system.clone())),
            NotEntered::Private(file_system) => ("private", Some(file_system.clone())),
            NotEntered::Own => ("own", None),
        };
        Self { path: escape::path(path), reason, file_system }
    }
}
