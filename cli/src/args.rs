//! Groups of options that several commands share, and the values of options as people type them.

pub mod duration;
pub mod exclude;
pub mod file_system_snapshot;
pub mod files;
pub mod global;
pub mod live_path;
pub mod machine;
pub mod other_repository;
pub mod percent;
pub mod retention;
pub mod size;
pub mod snapshot_filter;
pub mod time;
pub mod unchanged_by;
pub mod zone;
