//! Repair: what is damaged at a destination is healed, and what can't be is put aside, so that nothing relies on it.
//!
//! ```text
//! mirrors      what another destination has whole is copied from there, as `sync` does
//! examine      every index, and every pack with all its frames
//! parity       a damaged pack is rebuilt, authenticated and put in its place, if its parity covers the damage
//! salvage      the intact blobs of damaged packs go into new packs, in a session of a writer
//! describe     an index without the damaged packs, and with whole packs that no readable index describes
//! put aside    damaged packs, indexes and tombstones are moved to `quarantine/`, byte for byte
//! in step      parity that is missing or damaged is made anew, and that of deleted packs is deleted
//! save         of each snapshot that lost something for good, one is made without it
//! ```
//!
//! A blob that is lost is in no index any more. So the next backup stores it again where the source still has it, and
//! every snapshot that needs it is whole again; no snapshot is forgotten for its loss. A run that is killed leaves what it
//! has not moved where it was; nothing is deleted before its copy is in the quarantine.

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::ObjectName;
use crate::maintenance;
use crate::maintenance::check::{CheckOptions, CheckReport, ReadData, check};
use crate::maintenance::parity::{ParityReport, keep_in_step};
use crate::maintenance::replacement;
use crate::maintenance::rewrite::Removed;
use crate::maintenance::sync::{SyncOptions, Verify, sync};
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::repository::{Behind, Repository, Writer};

mod examine;
mod indexes;
mod parity;
mod quarantine;
mod salvage;
mod snapshots;
#[cfg(test)]
mod tests;

use examine::Examined;

/// The options of a repair.
#[derive(Debug, Clone, Copy)]
pub struct RepairOptions {
    /// Whether every byte is read, or only the ends of packs.
    pub read_data: ReadData,
    /// Whether anything is changed.
    pub run: Run,
}

/// The result of a repair at one destination; in a dry run, what it would be.
#[derive(Debug, Default)]
pub struct DestinationRepair {
    /// The number of the destination.
    pub destination: usize,
    /// Objects that were healed from another destination.
    pub healed: Vec<ObjectName>,
    /// Packs that were rebuilt from their parity; sorted.
    pub rebuilt: Vec<ObjectName>,
    /// Packs with parity of which more is damaged than it covers; sorted.
    pub beyond_parity: Vec<ObjectName>,
    /// Parity objects that were made and deleted.
    pub parity: ParityReport,
    /// Objects that were damaged everywhere and are in the quarantine.
    pub quarantined: Vec<ObjectName>,
    /// Intact blobs of damaged packs that were written anew.
    pub salvaged: u64,
    /// Blobs of damaged packs that were lost.
    pub lost: u64,
    /// Whole packs that no readable index described and one describes now.
    pub described: u64,
    /// The errors of objects that could not be read or moved.
    pub problems: Vec<Error>,
    /// What is still wrong afterwards; `None` in a dry run.
    pub left: Option<CheckReport>,
    /// The error that ended it.
    pub error: Option<Error>,
}

/// The snapshots that a repair made of those that lost something.
#[derive(Debug, Default)]
pub struct Saved {
    /// The old one, the new one, and the nodes that the new one lacks.
    pub snapshots: Vec<(SnapshotId, SnapshotId, Removed)>,
    /// The paths of everything that was lost, each once; of very many, the first.
    pub lost: Vec<Vec<u8>>,
    /// The snapshots of which nothing could be saved.
    pub unsaved: Vec<(SnapshotId, Error)>,
    /// The destinations that did not get everything; `sync` copies it.
    pub behind: Vec<Behind>,
}

/// The result of a repair.
#[derive(Debug, Default)]
pub struct RepairReport {
    /// The results by destination.
    pub destinations: Vec<DestinationRepair>,
    /// The snapshots that were made.
    pub saved: Saved,
}

/// Repairs each destination.
///
/// # Errors
/// [`Error::Interrupted`]; an error of every destination at once.
pub fn repair(
    repository: &Repository,
    options: &RepairOptions,
    writer: &Writer,
    now: Timestamp,
    observer: &dyn Observer,
) -> Result<RepairReport> {
    repository.must_be_own()?;
    let count = repository.destinations().len();
    let mut reports: Vec<DestinationRepair> = (0..count)
        .map(|destination| DestinationRepair { destination, ..DestinationRepair::default() })
        .collect();
    if count > 1 && options.run == Run::Real {
        let verify = match options.read_data {
            ReadData::None => Verify::Suspects,
            _ => Verify::Everything,
        };
        let settings = SyncOptions { verify, ..SyncOptions::default() };
        for filled in sync(repository, &settings, writer, observer)?.destinations {
            reports[filled.destination].healed = filled.healed;
        }
    }
    for report in &mut reports {
        let task =
            Task { repository, destination: report.destination, options, writer, now, observer };
        match task.run(report) {
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => report.error = Some(error),
            Ok(()) => {}
        }
    }
    let task = replacement::Task { repository, writer, now, observer };
    let saved = snapshots::save(&task, options, &reports)?;
    Ok(RepairReport { destinations: reports, saved })
}

/// The destination that is repaired, and how.
#[derive(Clone, Copy)]
struct Task<'a> {
    repository: &'a Repository,
    destination: usize,
    options: &'a RepairOptions,
    writer: &'a Writer,
    now: Timestamp,
    observer: &'a dyn Observer,
}

impl Task<'_> {
    fn run(&self, report: &mut DestinationRepair) -> Result<()> {
        let examined = Examined::load(self, report)?;
        report.lost = examined.damaged.iter().map(|pack| pack.lost_blobs()).sum();
        let aside = examined.damaged_names();
        if self.options.run == Run::Dry {
            report.quarantined = aside;
            report.described = examined.undescribed.len() as u64;
            report.parity = keep_in_step(&self.parity(), self.options.read_data, self.now)?;
            return Ok(());
        }
        if !examined.is_whole() {
            report.salvaged = salvage::run(self, &examined)?;
            report.described = indexes::write(self, &examined)?;
        }
        for name in aside {
            match quarantine::put_aside(self, &name) {
                Ok(()) => report.quarantined.push(name),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => report.problems.push(error),
            }
        }
        report.parity = keep_in_step(&self.parity(), self.options.read_data, self.now)?;
        let settings = CheckOptions::reading(ReadData::None);
        let view = self.repository.only(self.destination);
        report.left = Some(check(&view, &settings, self.observer)?);
        Ok(())
    }

    fn parity(&self) -> maintenance::parity::Task<'_> {
        let Task { repository, destination, options, observer, .. } = *self;
        maintenance::parity::Task { repository, destination, run: options.run, observer }
    }

    fn place(&self) -> &crate::repository::Destination {
        &self.repository.destinations()[self.destination]
    }
}
