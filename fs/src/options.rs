//! The options of a volume.

use std::sync::Arc;

use jiff::tz::TimeZone;
use yore_engine::backend::Meter;
use yore_engine::format::{Snapshot, SnapshotId};
use yore_platform::Owner;

use crate::calendar::Naming;

/// Selects the snapshots that are presented.
pub type Filter = Arc<dyn Fn(&SnapshotId, &Snapshot) -> bool + Send + Sync>;

/// The options of a volume.
#[derive(Clone)]
pub struct VolumeOptions {
    /// The zone of words like `yesterday`, and of times that name none.
    pub zone: TimeZone,
    /// The zone of the times in names.
    pub naming: Naming,
    /// Bytes of memory for decoded data and for the index; of a large index more is kept in memory where there
    /// is any to spare.
    pub cache_size: usize,
    /// The owner of everything; `None` leaves the recorded owners.
    pub owner: Option<Owner>,
    /// Permission bits that are taken away.
    pub umask: u32,
    /// The machine that the top shows; where it has no snapshots, the only one that has some.
    pub machine: Option<String>,
    /// Selects the snapshots that are presented; `None` presents all.
    pub filter: Option<Filter>,
    /// The name of the drive in file managers; `None` leaves it to them.
    pub label: Option<String>,
    /// Counts the fetches from the destination, for the drive's counters.
    pub meter: Option<Arc<Meter>>,
    /// Leaves out the file at the top that explains the folders.
    pub no_readme: bool,
    /// Threads that decode ahead of reads; 0 reads nothing ahead.
    pub prefetch_threads: usize,
}

impl VolumeOptions {
    /// Presents everything as it is, with times in `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            naming: Naming::Local(zone.clone()),
            zone,
            cache_size: 128 << 20,
            owner: None,
            umask: 0,
            machine: None,
            filter: None,
            label: None,
            meter: None,
            no_readme: false,
            prefetch_threads: 4,
        }
    }
}
