//! The snapshots that the drive shows: which of them, under which names, and the states that they make up.

pub(crate) mod list;
pub(crate) mod moment;
pub(crate) mod registry;
pub(crate) mod scope;
