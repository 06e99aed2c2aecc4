//! The objects that `--json` prints, one struct for each type. JSON.md documents every field.
//!
//! `screen` prints the fields of an object in alphabetical order.

mod backup;
mod brought;
mod browse;
mod config;
mod drive;
mod history;
mod key;
mod message;
mod repository;
mod restore;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod upkeep;

pub use backup::{Backup, ProcessedFile, SuspiciousChange};
pub use brought::{Collected, Copied, Copy, Import, Imported};
pub use browse::{Change, ChangeCounts, Hit, Node, Version, kind_name};
pub use config::{
    AddedDestination, Config, ConfigPath, ConfigValue, ConfiguredDestination, ConfiguredSource,
    Removed, StoredSecret,
};
pub use drive::{Desktop, DesktopPath, Mount, NfsServer, Try, Umount, WebdavServer};
pub use history::{Automatic, Condition, Drilled, HistoryRun, SentAlert, SourceRun, Timer};
pub use key::{Key, KeyAdded, KeyRemoved, WRITE_ONLY, key_kind};
pub use message::{Failed, Problem, Remark};
pub use repository::{
    AcceptedLoss, Acknowledged, Annotated, Forget, Repository, Retained, Rewritten, Stats, Usage,
    UsageTotals,
};
pub use restore::Restore;
pub use snapshot::{Snapshot, SnapshotTime, Totals, clock_word};
pub use status::{CopiesRule, DestinationStatus, Drive, DroppedSource, Source, Suspicious};
pub use upkeep::{Check, Filled, Finding, Locks, Lost, Note, Pruned, Repaired, Salvaged};

use serde::Serialize;
use yore_engine::format::encode_hex;

/// An absolute path as text, with all of its bytes where the text does not have them.
#[derive(Debug, Default, Serialize)]
pub struct PathText {
    /// The path; what is not UTF-8 is replaced.
    pub path: String,
    /// All bytes of a path that is not UTF-8, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_hex: Option<String>,
}

impl PathText {
    /// Takes a path as snapshots have it.
    pub fn new(path: &[u8]) -> Self {
        let path_hex =
            std::str::from_utf8(path).is_err().then(|| encode_hex(&[b"/", path].concat()));
        Self { path: lossy_path(path), path_hex }
    }
}

/// Returns a path of a snapshot as an absolute one; what is not UTF-8 is replaced.
pub fn lossy_path(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}
