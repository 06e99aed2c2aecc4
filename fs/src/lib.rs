//! The drive: a [`Volume`](yore_platform::Volume) that presents the snapshots of a repository.
//!
//! What it promises is in SEMANTICS.md, why it is built so in DECISIONS.md. It knows nothing of
//! kernels and their numbers: hosts in `yore-platform` mount it, tests walk it without one.

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
