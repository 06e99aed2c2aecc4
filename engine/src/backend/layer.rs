//! Wrappers around any backend: a deadline, an identity check, and counters.

pub(crate) mod deadline;
pub(crate) mod identity;
pub(crate) mod metered;
