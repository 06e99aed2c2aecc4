//! Moments as people type them, the snapshots that they mean, and the state of a repository then.

pub mod clock;
pub mod content;
pub mod moment_path;
pub mod snapshot;
pub mod state;
pub mod suspicion;
