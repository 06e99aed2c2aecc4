//! The order of snapshots, the machines that they belong to, and which of them make up a state.

pub(crate) mod machine;
pub(crate) mod moment;
pub(crate) mod order;
