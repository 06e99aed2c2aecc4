//! Reading files, and reading ahead.

pub(crate) mod files;
pub(crate) mod prefetch;
