//! Reading objects into memory.

pub(crate) mod buffer;
pub(crate) mod object;
mod region;
pub(crate) mod slab;
