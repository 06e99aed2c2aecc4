//! Last backups and mounted drives.

use serde::Serialize;
use serde_json::Value;

/// The last backup of a source.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "source")]
pub struct Source<'a> {
    /// The location of the repository.
    pub repository: &'a str,
    /// The machine.
    pub host: &'a str,
    /// The path of the source.
    pub path: String,
    /// The id of the snapshot.
    pub snapshot: String,
    /// The time that the snapshot claims.
    pub time: String,
    /// The age; `None` where the clock was wrong.
    pub age_seconds: Option<u64>,
    /// The credit that `time` deserves: `believed`, `given` or `wrong`.
    pub clock: &'static str,
    /// The number of files and folders that could not be read.
    pub unreadable: u64,
}

/// A source that does not count any more, of `status --forget-source`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "dropped_source")]
pub struct DroppedSource<'a> {
    /// The machine.
    pub host: &'a str,
    /// The path of the source.
    pub path: &'a str,
}

/// A mounted drive.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "drive")]
pub struct Drive<'a> {
    /// The mountpoint.
    pub mountpoint: &'a str,
    /// The id of its repository; `None` when it does not answer.
    pub repository: Option<&'a str>,
    /// The counters as the drive reports them; `None` when it does not answer.
    pub counters: Option<&'a Value>,
}
