//! The drive: a [`Volume`](yore_platform::Volume) that presents the snapshots of a repository.
//!
//! What it promises is in SEMANTICS.md, why it is built so in DECISIONS.md. It knows nothing of
//! kernels and their numbers: hosts in `yore-platform` mount it, tests walk it without one.

mod at;
mod attributes;
mod calendar;
mod changes;
mod counters;
mod directories;
mod files;
mod follow;
mod gone;
mod label;
mod listing;
mod made;
mod memo;
mod node;
mod number;
mod options;
mod past;
mod place;
mod prefetch;
mod refresh;
mod scope;
mod search;
mod sharing;
mod shown;
mod states;
mod tables;
mod undecided;
mod version_name;
mod volume;

pub use calendar::{Naming, find_snapshot};
pub use counters::{COUNTERS, REPOSITORY};
pub use options::{Filter, VolumeOptions};
pub use refresh::Changed;
pub use tables::TableSizes;
pub use volume::SnapshotVolume;
