//! The histories of paths: what each snapshot has there, and the versions that this makes.

pub(crate) mod cache;
pub(crate) mod path_history;
pub(crate) mod version_name;
