//! The errors of the keyring of the desktop.

use thiserror::Error;

/// A keyring that does not do what it is asked for.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// There is none here.
    #[error("there is no keyring here: {0}")]
    Absent(String),
    /// It is locked, and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// Anything else.
    #[error("the keyring: {0}")]
    Failed(String),
}
