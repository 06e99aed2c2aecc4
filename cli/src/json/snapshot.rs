//! Snapshots.

use serde::Serialize;
use yore_engine::format::{Exclusion, SnapshotId};
use yore_engine::snapshots::{Clock, SnapshotEntry};

use super::lossy_path;
use crate::text::format;

/// A snapshot, of `snapshots`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "snapshot")]
pub struct Snapshot {
    /// Its id.
    pub id: String,
    /// The time that it claims.
    pub time: String,
    /// The time from which it belongs to the state.
    pub since: String,
    /// The credit that `time` deserves: `believed`, `given` or `wrong`.
    pub clock: &'static str,
    /// The end of the backup.
    pub end: String,
    /// The offset of its local time from UTC, in seconds.
    pub utc_offset: i64,
    /// The machine.
    pub host: String,
    /// The user who ran the backup.
    pub user: String,
    /// The paths that were backed up.
    pub sources: Vec<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Tells that no policy forgets it.
    pub pinned: bool,
    /// Tells that the change since the snapshot before was suspicious.
    pub suspicious: bool,
    /// Tells that a person has looked at the suspicious change.
    pub acknowledged: bool,
    /// Tells that it is a part of a backup that was cut short.
    pub partial: bool,
    /// The patterns of what was left out.
    pub excludes: Vec<String>,
    /// The program that made it.
    pub program: String,
    /// Its number among the snapshots of its client.
    pub sequence: u64,
    /// The id of the snapshot before it.
    pub previous: Option<String>,
    /// The ids of other clients' newest snapshots at that time.
    pub seen: Vec<String>,
    /// The totals of the backup.
    pub totals: Totals,
}

/// The numbers of what a backup saw and stored.
#[derive(Debug, Default, Serialize)]
pub struct Totals {
    /// Files, each hard link counted.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Everything else.
    pub others: u64,
    /// The bytes of the files.
    pub bytes: u64,
    /// Files that the previous snapshot does not have.
    pub new_files: u64,
    /// Files that the previous snapshot has otherwise.
    pub changed_files: u64,
    /// The bytes that the repository did not have.
    pub new_bytes: u64,
    /// The bytes that those take in the repository.
    pub stored_bytes: u64,
    /// Files and folders that could not be read.
    pub unreadable: u64,
}

/// A snapshot as the first or last of a run.
#[derive(Debug, Default, Serialize)]
pub struct SnapshotTime {
    /// The id of the snapshot.
    pub snapshot: String,
    /// The time that it claims.
    pub time: String,
}

impl From<&SnapshotEntry> for Snapshot {
    fn from(entry: &SnapshotEntry) -> Self {
        let SnapshotEntry { id, snapshot, since, clock, pinned, .. } = entry;
        Self {
            id: id.to_string(),
            time: format::exact_time(snapshot.time),
            since: format::exact_time(*since),
            clock: clock_word(*clock),
            end: format::exact_time(snapshot.end),
            utc_offset: snapshot.utc_offset,
            host: snapshot.host.clone(),
            user: snapshot.user.clone(),
            sources: snapshot.sources.iter().map(|source| lossy_path(source)).collect(),
            tags: snapshot.tags.clone(),
            pinned: *pinned,
            suspicious: snapshot.suspicious,
            acknowledged: snapshot.suspicious && !entry.needs_attention(),
            partial: snapshot.partial,
            excludes: Exclusion::patterns(&snapshot.excludes).map(str::to_owned).collect(),
            program: snapshot.program.clone(),
            sequence: snapshot.sequence,
            previous: snapshot.previous.map(|id| id.to_string()),
            seen: snapshot.seen.iter().map(SnapshotId::to_string).collect(),
            totals: Totals::from(&snapshot.totals),
        }
    }
}

impl From<&yore_engine::format::Totals> for Totals {
    fn from(totals: &yore_engine::format::Totals) -> Self {
        Self {
            files: totals.files,
            directories: totals.directories,
            others: totals.others,
            bytes: totals.bytes,
            new_files: totals.new_files,
            changed_files: totals.changed_files,
            new_bytes: totals.new_bytes,
            stored_bytes: totals.stored_bytes,
            unreadable: totals.unreadable,
        }
    }
}

impl From<&SnapshotEntry> for SnapshotTime {
    fn from(entry: &SnapshotEntry) -> Self {
        Self { snapshot: entry.id.to_string(), time: format::exact_time(entry.snapshot.time) }
    }
}

/// Returns the word for the credit that a claimed time deserves.
pub fn clock_word(clock: Clock) -> &'static str {
    match clock {
        Clock::Believed => "believed",
        Clock::Given => "given",
        Clock::Wrong => "wrong",
    }
}
