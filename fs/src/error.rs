//! The errors of the engine, as the drive reports them.

use yore_engine::Error;
use yore_platform::VolumeError;

/// The result of a call of the volume.
pub(crate) type Answer<T> = Result<T, VolumeError>;

/// Returns the drive's error for an engine's: whatever keeps the engine from answering is damage there.
pub(crate) fn damaged(error: Error) -> VolumeError {
    match error {
        Error::NoRepository { .. }
        | Error::Occupied { .. }
        | Error::WrongSecret { .. }
        | Error::OutdatedSecret { .. }
        | Error::MalformedSecret { .. }
        | Error::Unsupported { .. }
        | Error::OtherRepository { .. }
        | Error::Damaged { .. }
        | Error::Missing { .. }
        | Error::Backend { .. }
        | Error::HostKey { .. }
        | Error::LogIn { .. }
        | Error::Local { .. }
        | Error::NotFound { .. }
        | Error::Unreadable { .. }
        | Error::Refused(_)
        | Error::Deviation(_)
        | Error::Overtaken
        | Error::Interrupted => VolumeError::Damaged,
    }
}
