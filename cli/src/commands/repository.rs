//! Commands that make a repository, maintain it, and describe it as a whole.

pub mod annotate;
pub mod check;
pub mod collect;
pub mod copy;
pub mod forget;
pub mod import;
pub mod init;
pub mod prune;
pub mod repair;
pub mod rewrite;
pub mod stats;
pub mod status;
pub mod sync;
