//! Repair: what is damaged at a destination is healed, and what can't be is put aside, so that nothing relies on it.
//!
//! ```text
//! mirrors      what another destination has whole is copied from there, as `sync` does
//! examine      every index, and every pack with all its frames
//! salvage      the intact blobs of damaged packs go into new packs, in a session of a writer
//! describe     an index without the damaged packs, and with whole packs that no readable index describes
//! put aside    damaged packs and indexes are moved to `quarantine/`, byte for byte
//! ```
//!
//! A blob that is lost is in no index any more. So the next backup stores it again where the source still has it, and
//! every snapshot that needs it is whole again. Until then what needs it is listed. A run that is killed leaves what it
//! has not moved where it was; nothing is deleted before its copy is in the quarantine.

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::format::object::ObjectName;
use crate::maintenance::check::{CheckOptions, CheckReport, ReadData, check};
use crate::maintenance::sync::{SyncOptions, Verify, sync};
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::repository::{Repository, Writer};

mod examine;
mod indexes;
mod quarantine;
mod salvage;
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
) -> Result<Vec<DestinationRepair>> {
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
    Ok(reports)
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
            return Ok(());
        }
        if !examined.is_whole() {
            report.salvaged = salvage::run(self, &examined)?;
            report.described = indexes::write(self, &examined)?;
            for name in aside {
                match quarantine::put_aside(self, &name) {
                    Ok(()) => report.quarantined.push(name),
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    Err(error) => report.problems.push(error),
                }
            }
        }
        let settings = CheckOptions { read_data: ReadData::None };
        let view = self.repository.only(self.destination);
        report.left = Some(check(&view, &settings, self.observer)?);
        Ok(())
    }

    fn place(&self) -> &crate::repository::Destination {
        &self.repository.destinations()[self.destination]
    }
}
