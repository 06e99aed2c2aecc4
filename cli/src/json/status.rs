//! Last backups and mounted drives.

use serde::Serialize;
use serde_json::Value;

use super::SuspiciousChange;

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
    /// Tells that its change was suspicious, and nobody has looked at it.
    pub suspicious: bool,
}

/// A snapshot with a suspicious change that nobody has looked at.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "suspicious")]
pub struct Suspicious<'a> {
    /// The id of the snapshot.
    pub snapshot: String,
    /// The time that it claims.
    pub time: String,
    /// The machine.
    pub host: &'a str,
    /// The sources.
    pub sources: Vec<String>,
    /// The change.
    pub change: SuspiciousChange,
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

/// A destination as it is now.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "destination_status")]
pub struct DestinationStatus {
    /// The name in the configuration; `None` where an option names it.
    pub name: Option<String>,
    /// The location.
    pub location: String,
    /// Tells that it answers, and holds the repository.
    pub reachable: bool,
    /// Tells that it is normal for it to be absent.
    pub removable: bool,
    /// The reason why it is not reachable.
    pub problem: Option<String>,
    /// The free space in bytes.
    pub free_bytes: Option<u64>,
    /// The whole space in bytes.
    pub total_bytes: Option<u64>,
    /// The number of packs that another destination has.
    pub packs_behind: Option<u64>,
    /// The number of snapshots that count and that it does not have.
    pub snapshots_behind: Option<u64>,
    /// The number of all objects that another destination has.
    pub objects_behind: Option<u64>,
    /// The time of the last contact.
    pub last_contact: Option<String>,
    /// Tells whether it creates an object only if it is absent; `None` where that is not known.
    pub create_if_absent: Option<bool>,
    /// Tells whether what was written survives a loss of power.
    pub durable: Option<bool>,
}

/// The rule of three copies on two media, one of them off-site.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "copies")]
pub struct CopiesRule {
    /// The original, and the destinations that have the newest snapshot.
    pub copies: u64,
    /// The disks and servers on which they lie.
    pub media: u64,
    /// Tells that one is in another building.
    pub off_site: bool,
    /// Tells that the rule is kept.
    pub satisfied: bool,
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
