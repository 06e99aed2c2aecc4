//! What keeps a repository whole: check, prune, repair, sync.

mod check;
mod prune;
mod repair;
mod sync;

pub use check::{Check, Finding, Note};
pub use prune::Pruned;
pub use repair::{Lost, Repaired, Salvaged};
pub use sync::{Filled, Locks};
