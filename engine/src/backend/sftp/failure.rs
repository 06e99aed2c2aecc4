//! The errors of this destination: what a server or the SSH layer reports, as the engine's errors.

use std::fmt;
use std::io;

use crate::error::{Error, HostKeyProblem};

/// The reason why no session comes about until somebody removes it; the payload of an [`io::Error`].
#[derive(Debug)]
pub(super) enum Refused {
    /// The server has not the key that it should have.
    HostKey { host: String, key_type: String, fingerprint: String, problem: HostKeyProblem },
    /// The server let the user not in.
    LogIn { host: String, user: String, reason: String },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::HostKey { host, .. } => write!(f, "the host key of {host} is not accepted"),
            Refused::LogIn { reason, .. } => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        io::Error::new(io::ErrorKind::PermissionDenied, refused)
    }
}

/// Returns the error of a destination that can't be reached.
pub(super) fn unreachable(location: &str, source: io::Error) -> Error {
    match source.downcast::<Refused>() {
        Ok(Refused::HostKey { host, key_type, fingerprint, problem }) => {
            Error::HostKey { host, key_type, fingerprint, problem }
        }
        Ok(Refused::LogIn { host, user, reason }) => Error::LogIn { host, user, reason },
        Err(source) => Error::Backend { object: location.to_owned(), source },
    }
}
