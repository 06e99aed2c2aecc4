//! The drive: a [`Volume`](yore_platform::Volume) that presents the snapshots of a repository.
//!
//! SEMANTICS.md has its promises, DECISIONS.md the reasons for its design. It knows nothing of kernels: hosts in
//! `yore-platform` mount it, and tests walk it without one.
//!
//! The rooms, from the bottom up; each imports only those before it:
//!
//! * `inode`: inode numbers and the tables behind them.
//! * `tree`: the directories of states.
//! * `snapshot_list`: the snapshots that are shown, and their names.
//! * `history`: the histories of paths.
//! * `virtual_dir`: the folders at the top of the drive.
//! * `read`: open files and read-ahead; it depends on nothing else here.
//! * `refresh` and `volume`, on top of all.

mod calendar;
mod counters;
mod error;
mod history;
mod inode;
mod options;
mod path;
mod read;
mod refresh;
mod snapshot_list;
mod tree;
mod virtual_dir;
mod volume;

pub use calendar::{Naming, find_snapshot};
pub use counters::{COUNTERS, REPOSITORY};
pub use inode::tables::TableSizes;
pub use options::{Filter, VolumeOptions};
pub use refresh::Changed;
pub use volume::SnapshotVolume;
