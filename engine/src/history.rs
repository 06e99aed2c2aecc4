//! Changes between snapshots: differences, versions of a path, and the catalog of all paths.

pub(crate) mod catalog;
pub(crate) mod diff;
pub(crate) mod pattern;
pub(crate) mod versions;
