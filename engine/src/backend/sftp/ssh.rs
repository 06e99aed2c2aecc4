//! SSH: the way to a server, the check of its key, and the log-in.

mod authenticate;
pub mod config;
pub(super) mod connection;
mod host_keys;
pub(crate) mod known_hosts;
pub mod options;
