//! Commands that show what snapshots hold.

mod archive;
pub mod cat;
pub mod diff;
pub mod find;
pub mod log;
pub mod ls;
pub mod snapshots;
