//! The trees that backups have, as the drive shows them.

pub(crate) mod attributes;
pub(crate) mod directories;
pub(crate) mod follow;
pub(crate) mod listing;
pub(crate) mod node;
pub(crate) mod state_tree;
