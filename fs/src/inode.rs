//! Inode numbers: how they are made up, what has one, and for how long it is known.

pub(crate) mod number;
pub(crate) mod place;
pub(crate) mod sharing;
pub(crate) mod tables;
