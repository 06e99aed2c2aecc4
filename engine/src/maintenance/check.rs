//! Check: every object is there and as its references say; optionally, every byte of every pack is read.
//!
//! An object that can't be read does not end a check: it is a problem like any other. Everything is read from the
//! destination: no cache is trusted.

use std::collections::{HashMap, HashSet};

use crate::error::Result;
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::record::{Snapshot, Tombstone};
use crate::index::BlobIndex;
use crate::operation::observer::Observer;
use crate::read::reader::Reader;
use crate::repository::{Repository, RolledBack};

mod packs;
mod parity;
mod read_log;
mod records;
mod report;
mod snapshots;
#[cfg(test)]
mod tests;
mod trees;

use packs::Packs;
use read_log::ReadLog;
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
    /// All that a check of all has not read which was interrupted; all if there was none.
    Rest,
    /// This share of the packs, above 0 and up to 1: those that were not read for the longest time. So after as many
    /// checks as there are shares, all were read.
    Share(f64),
}

/// The options of a check.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// The packs that are read whole.
    pub read_data: ReadData,
    /// The beginning of the id of a snapshot that must be there, or forgotten.
    pub expected_head: Option<String>,
}

impl CheckOptions {
    /// Makes options that read so much, and expect nothing.
    pub const fn reading(read_data: ReadData) -> Self {
        Self { read_data, expected_head: None }
    }
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
    check_one(repository, 0, &Elsewhere::default(), options, observer)
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
    let known = repository.snapshots().unwrap_or_default();
    let elsewhere = Elsewhere {
        snapshots: known.list.iter().map(|entry| entry.id).collect(),
        rolled_back: known.rolled_back,
    };
    let numbers = 0..repository.destinations().len();
    let check = |number| check_one(repository, number, &elsewhere, options, observer);
    let mut reports = numbers.map(check).collect::<Result<Vec<_>>>()?;
    if let (Some(prefix), Some(first)) = (&options.expected_head, reports.first_mut()) {
        let is_head = |id: &SnapshotId| id.to_string().starts_with(prefix.as_str());
        if !known.list.iter().any(|entry| is_head(&entry.id)) {
            match known.forgotten.iter().find(|tombstone| is_head(&tombstone.snapshot)) {
                Some(Tombstone { user, host, .. }) => first.notes.push(format!(
                    "the expected snapshot {prefix} was forgotten by {user} on {host}"
                )),
                None => first.problems.push(Finding::missing_head(prefix)),
            }
        }
    }
    Ok(reports)
}

/// The knowledge of other destinations, and of earlier states.
#[derive(Default)]
struct Elsewhere {
    /// The snapshots that some destination has.
    snapshots: HashSet<SnapshotId>,
    /// The snapshots that destinations had.
    rolled_back: Vec<RolledBack>,
}

/// Checks a repository at one destination.
fn check_one(
    all: &Repository,
    destination: usize,
    elsewhere: &Elsewhere,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> Result<CheckReport> {
    let repository = &all.only(destination);
    let (mut findings, counting) = check_records(repository, &elsewhere.snapshots);
    let lost = elsewhere.rolled_back.iter().filter(|one| one.destination == destination);
    lost.for_each(|one| findings.rolled_back(one.snapshot));
    let condemned = repository.condemned().unwrap_or_default();
    let mut index = BlobIndex::default();
    let mut packs = Packs::list(repository, condemned, &mut findings);
    packs.take_index(repository, &mut index, &mut findings, observer)?;
    let mut log = ReadLog::open(all, destination, |pack| packs.is_listed(pack));
    let chosen = packs.choose(options.read_data, &mut log);
    packs.check(repository, (&chosen, &mut log), &mut findings, observer)?;
    if repository.is_write_only() {
        findings.note(
            "packs of data: this key does not open them, so only their sizes were compared".into(),
        );
    }
    parity::check(repository, &packs, &chosen, &mut findings, observer)?;
    if matches!(options.read_data, ReadData::All | ReadData::Rest) {
        log.end();
    }
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
        let forgotten = snapshots::tombstones(repository, &mut findings);
        records::bodiless_verdicts(&sessions, &forgotten, &mut findings);
        let counting =
            snapshots::check(repository, &sessions, &forgotten, elsewhere, &mut findings);
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
