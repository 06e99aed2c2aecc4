//! The repository: format, cryptography, backup, restore, check, destinations.
//!
//! FORMAT.md specifies the format, SECURITY.md the guarantees against each attacker. This crate does
//! not depend on mounts, terminals, command lines or environment variables; progress and errors that
//! do not end an operation go to an [`Observer`].

pub mod backend;
pub mod backup;
mod error;
pub mod format;
pub mod globs;
pub mod history;
pub mod index;
mod maintenance;
mod operation;
mod path;
pub mod read;
pub mod repository;
pub mod restore;
pub mod snapshots;
mod store;
#[cfg(test)]
mod testing;

pub use error::{Deviation, Error, HostKeyProblem, KeepReason, Refusal, Result};
#[cfg(feature = "fuzzing")]
pub use maintenance::decoders;
pub use maintenance::{
    Repeat, check, collect, copy, import, parity, prune, repair, rewrite, sync, usage,
};
pub use operation::observer::{Event, Fate, Observer, Planned, Problem, Unit, Unobserved};
pub use operation::run::Run;
pub use path::{Name, TreePath, TreePathBuf};
