//! The state of a repository at a moment.

pub mod clock;
pub mod content;
pub mod place;
