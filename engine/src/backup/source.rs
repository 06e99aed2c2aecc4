//! The files that a backup reads: those of this system, or those of a server.
//!
//! Both have the same verbs, so a walk and its readers do not know which they read.

mod dir;
mod places;
#[cfg(feature = "sftp")]
mod server;

pub(super) use dir::{Dir, File, ReadAhead};
pub use places::{Place, Places};
#[cfg(feature = "sftp")]
pub use server::{ServerFiles, backup_server};
