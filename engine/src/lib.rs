//! The repository: format, cryptography, backup, restore, check, destinations.
//!
//! The format is specified in FORMAT.md, what it promises against whom in SECURITY.md. This package
//! knows nothing of mounts, terminals, command lines or environment variables; progress and errors
//! that do not end an operation go to an [`Observer`].

mod backend;
mod cbor;
mod error;
mod header;
mod id;
mod keys;
mod object;
mod pack;
mod seal;
mod secret;
mod slot;
