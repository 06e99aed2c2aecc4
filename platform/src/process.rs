//! Names and reports of processes, in terms that every system can fill in.

pub(crate) mod detach;
pub(crate) mod identity;
