//! Real runs and dry runs.

/// A real or a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Run {
    /// A snapshot is made.
    #[default]
    Real,
    /// Everything is read and counted, and nothing written.
    Dry,
}
