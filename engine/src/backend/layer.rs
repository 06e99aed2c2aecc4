//! Layers that every backend can stand below: a deadline, an identity check, and counters.

pub(crate) mod deadline;
pub(crate) mod identity;
pub(crate) mod metered;
