//! The list of snapshots that the drive shows.

pub(crate) mod list;
pub(crate) mod scope;
