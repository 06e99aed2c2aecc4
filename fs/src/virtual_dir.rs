//! The directories that no backup has: one file for each folder at the top of the drive, and what they share.
//!
//! A new folder is a file of its own and one line in `folders.rs`.

pub(crate) mod dir;
pub(crate) mod folders;
pub(crate) mod readme;
pub(crate) mod top;

mod at;
mod changes;
mod deleted;
mod drive_files;
mod hosts;
mod latest;
mod no_machine;
mod search;
mod snapshots;
mod tags;
mod versions;
