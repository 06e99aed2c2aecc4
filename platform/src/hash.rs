//! Hashing many messages at once.

pub(crate) mod multi_sha256;
