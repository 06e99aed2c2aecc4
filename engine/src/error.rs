//! Why an operation of the engine failed, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The destination holds no repository.
    #[error("there is no repository at {location}")]
    NoRepository {
        /// Where it was looked for.
        location: String,
    },
    /// A repository is there already, or something that is not one.
    #[error("{location} {found}")]
    Occupied {
        /// Where the repository was to be made.
        location: String,
        /// What is there instead of nothing.
        found: &'static str,
    },
    /// No key slot opens with the given secret.
    #[error(
        "wrong secret: it does not open the repository at {location} (a recovery key does, too)"
    )]
    WrongSecret {
        /// The repository.
        location: String,
    },
    /// The secret itself is not well-formed.
    #[error("{what} is not usable: {reason}")]
    MalformedSecret {
        /// Which secret: a key file's path, the recovery key.
        what: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The repository needs something that this program does not know.
    #[error("the repository at {location} needs {feature}, which this version does not know")]
    Unsupported {
        /// The repository.
        location: String,
        /// The format version or feature, by name.
        feature: String,
    },
    /// A destination carries another repository than the one expected.
    #[error("{location} holds another repository than the one expected")]
    OtherRepository {
        /// The destination.
        location: String,
    },
    /// An object is not what it was when it was written.
    #[error("{object} is damaged: {reason}")]
    Damaged {
        /// The object's name, or the blob's.
        object: String,
        /// What was found.
        reason: &'static str,
    },
    /// An object that must be there is not.
    #[error("{object} is missing")]
    Missing {
        /// The object's name, or the blob's.
        object: String,
    },
    /// The destination did not do what was asked.
    #[error("{object}: {source}")]
    Backend {
        /// The object, with the place where it is kept.
        object: String,
        /// What the destination answered.
        source: io::Error,
    },
    /// A local file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Local {
        /// Which.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// What was asked for is not in the repository.
    #[error("{what}")]
    NotFound {
        /// What was looked for, as a sentence.
        what: String,
    },
    /// The request makes no sense.
    #[error("{what}")]
    Refused {
        /// Why, as a sentence.
        what: String,
    },
    /// Prune published a newer generation while a session opened, or somebody gave the session up for dead; the
    /// operation starts over.
    #[error("prune began meanwhile, or another machine took this one for dead")]
    Overtaken,
    /// The person or the system asked the operation to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn damaged(object: impl Into<String>, reason: &'static str) -> Self {
        Error::Damaged { object: object.into(), reason }
    }

    pub(crate) fn local(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Error::Local { path: path.into(), source }
    }
}
