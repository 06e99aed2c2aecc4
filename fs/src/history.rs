//! The history of a path.

pub(crate) mod cache;
pub(crate) mod version_name;
