//! The life of a repository after its backups: check, prune, repair, rewrite, sync.

pub mod check;
pub mod prune;
pub mod repair;
pub mod rewrite;
pub mod sync;
pub mod usage;
