//! What is brought over from other repositories and tools.

use serde::Serialize;
use yore_engine::backup::BackupReport;
use yore_engine::collect::CollectReport;
use yore_engine::copy::CopyReport;
use yore_engine::import::{DatedFolder, Found};
use yore_engine::{TreePathBuf, copy};

use super::lossy_path;
use crate::text::{escape, format};

/// A snapshot that `copy` copied.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "copied")]
pub struct Copied {
    /// The id of the snapshot in the other repository.
    pub source: String,
    /// The id of the copy; `None` in a dry run.
    pub copy: Option<String>,
    /// The time of both.
    pub time: String,
    /// The machine.
    pub host: String,
    /// The bytes of its files.
    pub bytes: u64,
    /// Bytes of parts that this repository did not have.
    pub new_bytes: u64,
    /// The same as stored.
    pub stored_bytes: u64,
}

/// The result of `copy`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "copy")]
pub struct Copy {
    /// Tells that nothing was written.
    pub dry_run: bool,
    /// Snapshots that were copied.
    pub copied: u64,
    /// Snapshots that had been copied before.
    pub present: u64,
    /// Snapshots that had been copied before, and were forgotten.
    pub forgotten: u64,
    /// The ids of snapshots that can't be read whole, and were not copied.
    pub failed: Vec<String>,
}

/// A dated folder that `import` imported.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "imported")]
pub struct Imported {
    /// The name of the folder; what is not UTF-8 is escaped.
    pub name: String,
    /// The path that it has in the snapshot.
    pub path: String,
    /// The time.
    pub time: String,
    /// The id of the snapshot; `None` in a dry run.
    pub snapshot: Option<String>,
    /// Files.
    pub files: u64,
    /// The bytes of its files.
    pub bytes: u64,
    /// Bytes of parts that the repository did not have.
    pub new_bytes: u64,
    /// The same as stored.
    pub stored_bytes: u64,
    /// Files and folders that could not be read.
    pub unreadable: u64,
}

/// The result of `import`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "import")]
pub struct Import {
    /// Tells that nothing was written.
    pub dry_run: bool,
    /// Folders that were imported.
    pub imported: u64,
    /// Folders that had been imported before.
    pub present: u64,
    /// Folders that had been imported before, and whose snapshots were forgotten.
    pub forgotten: u64,
    /// Folders whose name has no date.
    pub undated: u64,
    /// Dated folders that lack the wanted part.
    pub lacking: u64,
    /// Folders that could not be imported.
    pub failed: u64,
    /// Files and folders that could not be read, or changed meanwhile.
    pub unreadable: u64,
}

/// The result of `collect` for one machine.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "collected")]
pub struct Collected {
    /// The name of the write-only machine.
    pub machine: String,
    /// Tells that nothing was written.
    pub dry_run: bool,
    /// Snapshots that were collected.
    pub collected: u64,
    /// Snapshots that had been collected before.
    pub present: u64,
    /// The ids of snapshots that can't be read whole, and were not collected.
    pub failed: Vec<String>,
}

impl Collected {
    /// Takes the report of the engine.
    pub fn new(machine: &str, report: &CollectReport, dry_run: bool) -> Self {
        let copies = &report.copies;
        Self {
            machine: machine.to_owned(),
            dry_run,
            collected: copies.copied.len() as u64,
            present: copies.present,
            failed: copies.failed.iter().map(|one| one.source.id.to_string()).collect(),
        }
    }
}

impl Copied {
    /// Takes the report of the engine.
    pub fn new(one: &copy::Copied) -> Self {
        Self {
            source: one.source.id.to_string(),
            copy: one.copy.map(|id| id.to_string()),
            time: format::exact_time(one.source.since),
            host: one.source.snapshot.host.clone(),
            bytes: one.source.snapshot.totals.bytes,
            new_bytes: one.new_bytes,
            stored_bytes: one.stored_bytes,
        }
    }
}

impl Copy {
    /// Takes the report of the engine.
    pub fn new(report: &CopyReport, dry_run: bool) -> Self {
        Self {
            dry_run,
            copied: report.copied.len() as u64,
            present: report.present,
            forgotten: report.forgotten,
            failed: report.failed.iter().map(|one| one.source.id.to_string()).collect(),
        }
    }
}

impl Imported {
    /// Describes a folder that would be imported.
    pub fn planned(folder: &DatedFolder, path: &TreePathBuf) -> Self {
        Self {
            name: escape::name(&folder.name),
            path: lossy_path(path.as_path().as_bytes()),
            time: format::exact_time(folder.time),
            ..Self::default()
        }
    }

    /// Takes the report of the engine.
    pub fn new(folder: &DatedFolder, path: &TreePathBuf, report: &BackupReport) -> Self {
        let totals = &report.totals;
        Self {
            snapshot: report.snapshot.map(|id| id.to_string()),
            files: totals.files,
            bytes: totals.bytes,
            new_bytes: totals.new_bytes,
            stored_bytes: totals.stored_bytes,
            unreadable: totals.unreadable,
            ..Self::planned(folder, path)
        }
    }
}

impl Import {
    /// Begins with what was found.
    pub fn new(found: &Found, dry_run: bool) -> Self {
        Self {
            dry_run,
            undated: found.undated.len() as u64,
            lacking: found.lacking.len() as u64,
            ..Self::default()
        }
    }
}
