//! The order of snapshots, the machines that they belong to, and which of them make up a state.

pub(crate) mod machine;
pub(crate) mod moment;
pub(crate) mod order;
pub mod retention;
pub(crate) mod suspicion;

pub use machine::Machine;
pub use moment::{Moment, Part, last_instant, state};
pub use order::{Clock, SnapshotEntry};
pub use suspicion::{ACKNOWLEDGED, Change, change_of};
