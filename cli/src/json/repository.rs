//! A repository as a whole.

use std::collections::BTreeMap;

use serde::Serialize;

/// The result of `init`.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "repository")]
pub struct Repository<'a> {
    /// The id.
    pub id: String,
    /// Its location.
    pub location: String,
    /// The locations of its copies.
    pub copies: Vec<String>,
    /// The recovery key, which is shown only here.
    pub recovery_key: &'a str,
    /// The path of the key file that opens it.
    pub key_file: Option<&'a str>,
    /// Tells that a passphrase opens it.
    pub passphrase: bool,
}

/// The result of `stats`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "stats")]
pub struct Stats {
    /// The id of the repository.
    pub repository: String,
    /// Its location.
    pub location: String,
    /// The number of snapshots.
    pub snapshots: u64,
    /// The bytes of files that the snapshots describe together.
    pub described_bytes: u64,
    /// The bytes of different chunks before compression.
    pub raw_data_bytes: u64,
    /// The bytes of different trees and lists before compression.
    pub raw_tree_bytes: u64,
    /// The number of different blobs.
    pub blobs: u64,
    /// The number of packs.
    pub packs: u64,
    /// The bytes of packs.
    pub packed_bytes: u64,
    /// The bytes of everything that is stored.
    pub stored_bytes: u64,
    /// The same by folder of the repository.
    pub stored_by_area: BTreeMap<&'static str, u64>,
    /// The bytes of files that are no objects.
    pub unfinished_bytes: u64,
    /// `described_bytes` divided by `raw_data_bytes`.
    pub deduplication: Option<f64>,
    /// `raw_data_bytes` and `raw_tree_bytes` divided by `packed_bytes`.
    pub compression: Option<f64>,
    /// The bytes that were not stored since the repository had them already; `None` where none were.
    pub deduplication_saved_bytes: Option<u64>,
    /// The bytes that compression saved; `None` where it saved none.
    pub compression_saved_bytes: Option<u64>,
}

/// The room of a part, of `stats --by`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "usage")]
pub struct Usage {
    /// The snapshot; `None` for other parts.
    pub snapshot: Option<String>,
    /// The path; `None` for other parts.
    pub path: Option<String>,
    /// The end of the names of files; `None` for other parts.
    pub extension: Option<String>,
    /// The bytes that only it needs.
    pub own_bytes: u64,
    /// Its files.
    pub files: u64,
}

impl Usage {
    /// Takes the figures of the engine.
    pub fn new(part: &yore_engine::usage::Usage) -> Self {
        use yore_engine::usage::UsageKey;
        let mut usage = Self { own_bytes: part.own, files: part.files, ..Self::default() };
        match &part.key {
            UsageKey::Snapshot(id) => usage.snapshot = Some(id.to_string()),
            UsageKey::Path(path) => usage.path = Some(super::lossy_path(path)),
            UsageKey::Type(end) => {
                usage.extension = Some(String::from_utf8_lossy(end).into_owned());
            }
            UsageKey::Folders => {}
        }
        usage
    }
}

/// The room of what several parts need, and of what none does.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "usage_totals")]
pub struct UsageTotals {
    /// The bytes that several parts need.
    pub shared: u64,
    /// The bytes that prune frees.
    pub unused: u64,
}

/// A snapshot that `forget` forgot.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "forget")]
pub struct Forget {
    /// The id of the snapshot.
    pub snapshot: String,
    /// Tells that it was not forgotten.
    pub dry_run: bool,
}

/// A snapshot of which something was noted.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "annotated")]
pub struct Annotated {
    /// The id of the snapshot.
    pub snapshot: String,
    /// Tells that no policy forgets it.
    pub pinned: bool,
    /// Its tags.
    pub tags: Vec<String>,
}

/// A snapshot from which paths were removed.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "rewritten")]
pub struct Rewritten {
    /// The id of the snapshot that is forgotten.
    pub old: String,
    /// The id of the snapshot that is there instead; `None` in a dry run.
    pub new: Option<String>,
    /// Files that it lacks.
    pub removed_files: u64,
    /// Folders that it lacks.
    pub removed_directories: u64,
    /// Bytes of those files.
    pub removed_bytes: u64,
    /// Tells that nothing was changed.
    pub dry_run: bool,
}

impl Rewritten {
    /// Takes the report of the engine.
    pub fn new(one: &yore_engine::rewrite::Rewritten, dry_run: bool) -> Self {
        Self {
            old: one.old.to_string(),
            new: one.new.map(|id| id.to_string()),
            removed_files: one.removed.files,
            removed_directories: one.removed.directories,
            removed_bytes: one.removed.bytes,
            dry_run,
        }
    }
}

/// A snapshot that a policy keeps.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "retained")]
pub struct Retained {
    /// The id of the snapshot.
    pub snapshot: String,
    /// Every reason.
    pub reasons: Vec<String>,
}

impl Stats {
    /// Takes the figures of the engine.
    pub fn new(
        repository: &yore_engine::repository::Repository,
        stats: &yore_engine::repository::Stats,
    ) -> Self {
        // Trees hold the content of small files.
        let raw = stats.raw_data + stats.raw_trees;
        Self {
            repository: repository.id().to_string(),
            location: repository.location(),
            snapshots: stats.snapshots,
            described_bytes: stats.described,
            raw_data_bytes: stats.raw_data,
            raw_tree_bytes: stats.raw_trees,
            blobs: stats.blobs,
            packs: stats.packs,
            packed_bytes: stats.packed,
            stored_bytes: stats.stored_bytes(),
            stored_by_area: stats
                .stored
                .iter()
                .map(|(area, bytes)| (area.folder(), *bytes))
                .collect(),
            unfinished_bytes: stats.unfinished,
            deduplication: stats.deduplication(),
            compression: stats.compression(),
            deduplication_saved_bytes: saved(stats.described, raw),
            compression_saved_bytes: saved(raw, stats.packed),
        }
    }
}

/// Returns how many fewer bytes `after` is than `before`.
fn saved(before: u64, after: u64) -> Option<u64> {
    before.checked_sub(after).filter(|bytes| *bytes > 0)
}

/// A suspicious change that a person has looked at.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "acknowledged")]
pub struct Acknowledged {
    /// The id of the snapshot.
    pub snapshot: String,
}

/// A snapshot that is expected no more where it is missing.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "accepted_loss")]
pub struct AcceptedLoss {
    /// The name and location of the destination.
    pub destination: String,
    /// The id of the snapshot.
    pub snapshot: String,
}
