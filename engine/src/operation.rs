//! The surroundings of an operation: its observer, whether it writes, and the clock.

pub(crate) mod clock;
pub(crate) mod observer;
pub(crate) mod run;
