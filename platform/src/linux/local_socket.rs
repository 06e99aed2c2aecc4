//! Sockets by which processes of one machine speak to each other, such as the agent of SSH keys.

mod journal;
mod keyring;

pub use journal::{send_to_journal, stderr_is_journal};
pub use keyring::{remove_from_keyring, secret_in_keyring, store_in_keyring};

use std::io;
use std::path::Path;

/// A connection to a process of this machine.
pub type LocalSocket = tokio::net::UnixStream;

/// Connects to the process that listens at a path.
pub async fn connect_local_socket(path: &Path) -> io::Result<LocalSocket> {
    LocalSocket::connect(path).await
}
