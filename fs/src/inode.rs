//! Inode numbers: what they are made of, what has one, and how long it is known.

pub(crate) mod number;
pub(crate) mod place;
pub(crate) mod sharing;
pub(crate) mod state;
pub(crate) mod tables;
