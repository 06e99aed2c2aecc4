//! The surroundings of an operation: its observer, whether it writes, the clock, and its threads.

pub(crate) mod clock;
pub(crate) mod observer;
pub(crate) mod run;
pub(crate) mod spread;
