//! Commands that make a repository, look after it, and tell of it as a whole.

pub mod check;
pub mod forget;
pub mod init;
pub mod stats;
pub mod status;
