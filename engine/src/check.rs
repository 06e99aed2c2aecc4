//! Check: every object is there and as its references say; optionally, every byte of every pack is read.
//!
//! An object that can't be read does not end a check: it is a problem like any other. Everything is read from the
//! destination: no cache is trusted.

use std::collections::HashMap;

use crate::error::Result;
use crate::format::id::ObjectId;
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

/// Bytes of decoded frames that the walk of the trees keeps.
const TREE_BUDGET: usize = 32 << 20;

/// Checks a repository: every object but packs is read whole, every pack's end, every tree of every
/// snapshot that counts, and the packs that `options` choose.
///
/// # Errors
/// [`Error::Interrupted`](crate::Error::Interrupted). Whatever is wrong with the repository is in the report.
pub fn check(
    repository: &Repository,
    options: &CheckOptions,
    observer: &dyn Observer,
) -> Result<CheckReport> {
    let mut findings = Findings::default();
    records::header(repository, &mut findings);
    records::keys(repository, &mut findings);
    records::generations(repository, &mut findings);
    let condemned = repository.condemned().unwrap_or_default();
    let sessions = records::sessions(repository, &mut findings);
    let counting = snapshots::check(repository, &sessions, &mut findings);
    let mut index = BlobIndex::default();
    let mut packs = Packs::list(repository, condemned, &mut findings);
    packs.take_index(repository, &mut index, &mut findings, observer)?;
    packs.check(repository, options.read_data, &mut findings, observer)?;
    let (backend, keys) = (repository.backend().clone(), repository.keys.clone());
    let reader = Reader::new(backend, keys, index, TREE_BUDGET);
    trees::check(&reader, &counting, &packs, &mut findings, observer)?;
    records::unfinished(repository, &mut findings);
    findings.report.snapshots = counting.len() as u64;
    Ok(findings.report)
}

/// Sizes of listed objects by their ids.
type Sizes = HashMap<ObjectId, u64>;
