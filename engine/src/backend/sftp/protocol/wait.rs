//! The limits of waiting for a server.

use std::time::Duration;

/// The time without any answer after which a connection counts as dead.
pub(in super::super) const PATIENCE: Duration = Duration::from_secs(60);

/// The same for requests that wait for a disk, or for a cloud behind the server: flush, close, rename.
pub(in super::super) const SETTLE_PATIENCE: Duration = Duration::from_secs(600);
