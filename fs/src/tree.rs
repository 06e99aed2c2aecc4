//! The directories of states: their trees, found, entered and listed.

pub(crate) mod attributes;
pub(crate) mod base_tree;
pub(crate) mod core;
pub(crate) mod directories;
pub(crate) mod follow;
pub(crate) mod listing;
pub(crate) mod node;
pub(crate) mod presentation;
pub(crate) mod state_tree;
