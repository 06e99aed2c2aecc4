//! The directories that no backup has: one file for each folder at the top of the drive.

pub(crate) mod at;
pub(crate) mod changes;
pub(crate) mod deleted;
pub(crate) mod dir;
pub(crate) mod label;
pub(crate) mod no_machine;
pub(crate) mod search;
pub(crate) mod versions;
