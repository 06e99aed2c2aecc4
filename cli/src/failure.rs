//! The end of a command: done, done in part, or failed with a reason and a hint.

use yore_engine::Error;
use yore_platform::MountError;

pub mod engine_error;
mod mount_error;

/// The end of a command that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Everything was done.
    Whole,
    /// Something was left out, and was listed.
    Partly,
    /// Verification found damage, and listed it.
    Damaged,
}

/// The kind of failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// There is no repository.
    NoRepository,
    /// Something else must end first.
    Busy,
    /// The secret opens nothing.
    WrongSecret,
    /// A signal interrupted it.
    Interrupted,
    /// A process in the background ended with this code.
    Code(u8),
}

/// The reason why a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The kind of failure.
    pub exit: Exit,
    /// The message: what happened, to what.
    pub what: String,
    /// The hint: what the person can do.
    pub hint: Option<String>,
}

/// The result of a command.
pub type Outcome<T = Done> = Result<T, Failure>;

impl Failure {
    /// Makes a failure with a hint.
    pub fn new(exit: Exit, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: Some(hint.into()) }
    }

    /// Makes the failure of arguments that make no sense.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what, hint)
    }

    /// Makes the failure of a local file or folder.
    pub fn local(path: &std::path::Path, source: std::io::Error) -> Self {
        Error::Local { path: path.to_owned(), source }.into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, hint) = engine_error::explain(&error);
        Self { exit, what: engine_error::message(&error), hint }
    }
}

impl From<MountError> for Failure {
    fn from(error: MountError) -> Self {
        let (exit, hint) = mount_error::explain(&error);
        let what = match &error {
            MountError::Io { source, .. } => {
                format!("{error}: {}", engine_error::reason(source))
            }
            other => other.to_string(),
        };
        Self { exit, what, hint: Some(hint) }
    }
}

impl Exit {
    /// Returns the exit code; `signal` is the one that interrupted, if any did.
    pub fn code(self, signal: Option<i32>) -> u8 {
        match self {
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NoRepository => 10,
            Exit::Busy => 11,
            Exit::WrongSecret => 12,
            Exit::Interrupted => signal.and_then(|n| u8::try_from(128 + n).ok()).unwrap_or(130),
            Exit::Code(code) => code,
        }
    }
}

impl Done {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Done::Whole => 0,
            Done::Damaged => 1,
            Done::Partly => 3,
        }
    }

    /// Returns the end of two steps: that of the worse one.
    pub fn and(self, other: Done) -> Done {
        match (self, other) {
            (Done::Damaged, _) | (_, Done::Damaged) => Done::Damaged,
            (Done::Partly, _) | (_, Done::Partly) => Done::Partly,
            (Done::Whole, Done::Whole) => Done::Whole,
        }
    }
}
