//! Commands that make a repository, maintain it, and describe it as a whole.

pub mod check;
pub mod forget;
pub mod init;
pub mod stats;
pub mod status;
