//! The life of a repository beside its backups: check, collect, copy, import, prune, repair, rewrite, sync.

pub mod check;
pub mod collect;
pub mod copy;
#[cfg(any(test, feature = "fuzzing"))]
pub mod decoders;
pub mod import;
pub mod parity;
pub mod prune;
pub mod repair;
mod replacement;
pub mod rewrite;
pub mod sync;
mod tree_filter;
pub mod usage;

/// The treatment of what was brought over before and forgotten since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// It stays forgotten.
    #[default]
    Never,
    /// It is brought over again.
    Forgotten,
}
