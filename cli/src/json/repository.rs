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

/// A snapshot that `forget` forgot.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "forget")]
pub struct Forget {
    /// The id of the snapshot.
    pub snapshot: String,
    /// Tells that it was not forgotten.
    pub dry_run: bool,
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
