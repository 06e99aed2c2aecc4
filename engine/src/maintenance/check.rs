//! Check: every object is there and as its references say; optionally, every byte of every pack is read.
//!
//! An object that can't be read does not end a check: it is a problem like any other. Everything is read from the
//! destination: no cache is trusted.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::record::Snapshot;
use crate::index::BlobIndex;
use crate::operation::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::Repository;

mod packs;
mod records;
mod report;
mod snapshots;
#[cfg(test)]
mod tests;
mod trees;

use packs::Packs;
use report::Findings;
pub use report::{CheckReport, Finding};

/// The packs that are read whole.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ReadData {
    /// None: only their ends, which list their contents.
    #[default]
    None,
    /// All of them.
    All,
    /// So many in a hundred, chosen at random each time; at least one.
    Percent(f64),
    /// The `n`th of `of` parts, counted from 1; all parts together are all packs.
    Part {
        /// The number of the part.
        n: u64,
        /// The number of parts.
        of: u64,
    },
}

/// The options of a check.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckOptions {
    /// The packs that are read whole.
    pub read_data: ReadData,
}

/// The number of times that objects are listed while prune deletes some of them.
const VANISHED: usize = 3;

/// Bytes of decoded frames that the walk of the trees keeps.
const TREE_BUDGET: usize = 32 << 20;

/// Checks the first destination of a repository: every object but packs is read whole, every pack's end, every tree
/// of every snapshot that counts, and the packs that `options` choose.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted). Whatever is wrong with the repository is in the report.
pub fn check(
    repository: &Repository,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> Result<CheckReport> {
    check_one(&repository.only(0), &HashSet::new(), options, observer)
}

/// Checks each destination by itself; returns the reports in the order of the destinations.
///
/// A snapshot that a destination lacks and another one has is no problem: `sync` copies it.
///
/// # Errors
/// Those of [`check`].
pub fn check_each(
    repository: &Repository,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> Result<Vec<CheckReport>> {
    let known = repository.snapshots().unwrap_or_default().list;
    let elsewhere: HashSet<SnapshotId> = known.iter().map(|entry| entry.id).collect();
    let numbers = 0..repository.destinations().len();
    numbers.map(|n| check_one(&repository.only(n), &elsewhere, options, observer)).collect()
}

/// Checks a repository at one destination; `elsewhere` are snapshots that some destination has.
fn check_one(
    repository: &Repository,
    elsewhere: &HashSet<SnapshotId>,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> Result<CheckReport> {
    let (mut findings, counting) = check_records(repository, elsewhere);
    let condemned = repository.condemned().unwrap_or_default();
    let mut index = BlobIndex::default();
    let mut packs = Packs::list(repository, condemned, &mut findings);
    packs.take_index(repository, &mut index, &mut findings, observer)?;
    packs.check(repository, options.read_data, &mut findings, observer)?;
    let (mirrors, keys) = (repository.mirrors.clone(), repository.keys.clone());
    let reader = Reader::new(mirrors, keys, index, TREE_BUDGET, None);
    trees::check(&reader, &counting, &packs, &mut findings, observer)?;
    records::unfinished(repository, &mut findings);
    findings.report.snapshots = counting.len() as u64;
    Ok(findings.report)
}

/// Checks the small objects; returns the snapshots that count.
///
/// Prune may delete what was just listed: then everything is listed again.
fn check_records(
    repository: &Repository,
    elsewhere: &HashSet<SnapshotId>,
) -> (Findings, Vec<(SnapshotId, Snapshot)>) {
    let mut attempt = 0;
    loop {
        let mut findings = Findings::default();
        records::header(repository, &mut findings);
        records::keys(repository, &mut findings);
        records::generations(repository, &mut findings);
        let sessions = records::sessions(repository, &mut findings);
        let counting = snapshots::check(repository, &sessions, elsewhere, &mut findings);
        records::annotations(repository, &mut findings);
        attempt += 1;
        if attempt == VANISHED || !findings.has_vanished() {
            return (findings, counting);
        }
    }
}

/// Finds the snapshots among these whose trees a repository does not have whole. The data are not read.
///
/// Each snapshot is walked by itself, so this is for the few cases in which packs are lost.
pub(crate) fn incomplete(
    repository: &Repository,
    snapshots: &[(SnapshotId, Snapshot)],
    observer: &dyn Observer,
) -> Result<Vec<SnapshotId>> {
    let mut findings = Findings::default();
    let mut index = BlobIndex::default();
    let mut packs = Packs::list(repository, repository.condemned()?, &mut findings);
    packs.take_index(repository, &mut index, &mut findings, observer)?;
    let (mirrors, keys) = (repository.mirrors.clone(), repository.keys.clone());
    let reader = Reader::new(mirrors, keys, index, TREE_BUDGET, None);
    let mut incomplete = Vec::new();
    for one in snapshots {
        let mut findings = Findings::default();
        trees::check(&reader, std::slice::from_ref(one), &packs, &mut findings, observer)?;
        if !findings.report.is_sound() {
            incomplete.push(one.0);
        }
    }
    Ok(incomplete)
}

/// Sizes of listed objects by their ids.
type Sizes = HashMap<ObjectId, u64>;
