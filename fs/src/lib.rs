//! The drive: a [`Volume`](yore_platform::Volume) that presents the snapshots of a repository.
//!
//! What it promises is in SEMANTICS.md, why it is built so in DECISIONS.md. It knows nothing of
//! kernels and their numbers: hosts in `yore-platform` mount it, tests walk it without one.

mod attributes;
mod calendar;
mod directories;
mod files;
mod listing;
mod node;
mod number;
mod options;
mod prefetch;
mod refresh;
mod sharing;
mod states;
mod tables;
mod volume;

pub use options::{Filter, VolumeOptions};
pub use refresh::Changed;
pub use tables::TableSizes;
pub use volume::SnapshotVolume;
