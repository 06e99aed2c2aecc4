//! The repository: format, cryptography, backup, restore, check, destinations.
//!
//! FORMAT.md specifies the format, SECURITY.md the guarantees against each attacker. This crate does
//! not depend on mounts, terminals, command lines or environment variables; progress and errors that
//! do not end an operation go to an [`Observer`].

pub mod backend;
pub mod backup;
pub mod check;
mod clock;
mod error;
pub mod format;
pub mod globs;
pub mod history;
#[cfg(test)]
mod hostile;
pub mod index;
mod observer;
mod path;
pub mod read;
pub mod repository;
pub mod restore;
mod run;
pub mod snapshots;
#[cfg(test)]
mod testing;

pub use error::{Deviation, Error, KeepReason, Refusal, Result};
pub use observer::{Event, Fate, Observer, Planned, Problem, Unit, Unobserved};
pub use path::{Name, TreePath, TreePathBuf};
pub use run::Run;
