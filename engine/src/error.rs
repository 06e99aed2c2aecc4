//! The errors of the engine, by what the caller can do about them.
//!
//! A message names its subject and not its cause, which is the error's source; [`Error::with_cause`] puts them together.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of an operation, or of a part of one that goes on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The destination holds no repository.
    #[error("there is no repository at {location}")]
    NoRepository {
        /// The destination.
        location: String,
    },
    /// A repository is there already, or something that is not one.
    #[error("{location} {found}")]
    Occupied {
        /// The folder or destination.
        location: String,
        /// The thing that is there.
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
    /// The secret opens a key slot from before the keys were changed.
    #[error("this secret opens {location} no more: the keys were changed since it was added")]
    OutdatedSecret {
        /// The repository.
        location: String,
    },
    /// The secret itself is not well-formed.
    #[error("{what} is not usable: {reason}")]
    MalformedSecret {
        /// The secret: a key file's path, the recovery key.
        what: String,
        /// The malformed part of it.
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
        /// The finding.
        reason: &'static str,
    },
    /// An object that must be there is not.
    #[error("{object} is missing")]
    Missing {
        /// The object's name, or the blob's.
        object: String,
    },
    /// A request to the destination failed.
    #[error("{object} could not be used")]
    Backend {
        /// The object, with the place where it is kept.
        object: String,
        /// The answer of the destination.
        source: io::Error,
    },
    /// The server of a destination did not prove to be the one that is known.
    #[error("{problem} {host}: it shows the {key_type} key {fingerprint}")]
    HostKey {
        /// The server, as files of known hosts name it.
        host: String,
        /// The type of the key that it shows.
        key_type: String,
        /// The fingerprint of that key.
        fingerprint: String,
        /// The finding.
        problem: HostKeyProblem,
    },
    /// The server of a destination accepts no key of the user.
    #[error("{host} does not let {user} log in: {reason}")]
    LogIn {
        /// The server.
        host: String,
        /// The user.
        user: String,
        /// The keys that were tried, in words.
        reason: String,
    },
    /// A local file or folder could not be read or written.
    #[error("{} could not be used", path.display())]
    Local {
        /// The file or folder.
        path: PathBuf,
        /// The answer of the system.
        source: io::Error,
    },
    /// The repository does not have something that was requested.
    #[error("{what}")]
    NotFound {
        /// The thing that was looked for, in a sentence.
        what: String,
    },
    /// Something that the repository has can't be read, or could not be read when it was backed up.
    #[error("{what}")]
    Unreadable {
        /// The thing that can't be read, in a sentence.
        what: String,
    },
    /// The request is not carried out: it makes no sense, or exceeds a limit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something is saved, kept or restored otherwise than requested, and the operation goes on.
    #[error(transparent)]
    Deviation(#[from] Deviation),
    /// Prune published a newer generation while a session opened, or another machine gave the session up for dead;
    /// the operation starts over.
    #[error("prune began meanwhile, or another machine took this one for dead")]
    Overtaken,
    /// The person or the system asked the operation to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The reason why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A source is given by a relative path.
    #[error("{} is not an absolute path", path.display())]
    RelativePath {
        /// The source.
        path: PathBuf,
    },
    /// Prune would run beside others where two writers may create one object.
    #[error(
        "{location} does not promise to create an object only once, so prune must run alone there"
    )]
    NeedsExclusiveAccess {
        /// The destination.
        location: String,
    },
    /// A destination has lost snapshots that nobody forgot, so what nothing needs is not known.
    #[error("{location} had the snapshot {snapshot} and has it no more, although nobody forgot it")]
    RolledBack {
        /// The destination.
        location: String,
        /// The beginning of the snapshot's id.
        snapshot: String,
    },
    /// The key of a write-only machine was used for more than writing.
    #[error(
        "this is the key of a write-only machine: it adds backups, and neither reads nor changes what is there"
    )]
    WriteOnly,
    /// The inbox of a write-only machine was to be opened with another key than the machine's.
    #[error(
        "{location} is the inbox of a write-only machine, and is opened by the repository around it"
    )]
    Inbox {
        /// The inbox.
        location: String,
    },
    /// The name of a write-only machine can't name a folder everywhere.
    #[error("{name:?} can't name a machine")]
    InvalidMachineName {
        /// The name.
        name: String,
    },
    /// A record is longer than any reader takes.
    #[error("a record of the repository would have more than {limit} bytes")]
    RecordTooLarge {
        /// The most bytes.
        limit: usize,
    },
    /// There is a write-only machine of that name.
    #[error("there is a machine {name} already")]
    MachineExists {
        /// The name.
        name: String,
    },
    /// A backup has no sources.
    #[error("there is nothing to back up")]
    NothingToBackUp,
    /// The texts of a snapshot exceed its record.
    #[error("sources, tags and patterns are more than 2 MiB of text together")]
    TextTooLong,
    /// The keys were changed while a destination was away, and it does not have them yet.
    #[error(
        "the keys of {location} are from before they were changed elsewhere: nothing is written there until a sync"
    )]
    OutdatedKeys {
        /// The destination.
        location: String,
    },
    /// A snapshot would be of the future.
    #[error("the time of a snapshot can't be in the future")]
    TimeInFuture,
    /// A stream is to be saved under a path that no file can have.
    #[error("{path:?} can't be the name of a file")]
    InvalidFileName {
        /// The path.
        path: String,
    },
    /// A pattern is malformed.
    #[error("{pattern:?} can't be used as a pattern: {reason}")]
    InvalidPattern {
        /// The pattern.
        pattern: String,
        /// The malformed part of it, in words.
        reason: String,
    },
    /// A pattern of dated names is malformed, or tells no day.
    #[error("{pattern:?} can't be used as a pattern of dates: {reason}")]
    InvalidDatePattern {
        /// The pattern.
        pattern: String,
        /// The malformed part of it, in words.
        reason: String,
    },
    /// Two dated folders have the same time.
    #[error("the folders {first} and {second} have the same time")]
    SameTime {
        /// The name of one.
        first: String,
        /// The name of the other.
        second: String,
    },
    /// Snapshots are to be copied from a repository into itself.
    #[error("{location} is the same repository as the one to which snapshots are copied")]
    SameRepository {
        /// The place from which they are to be copied.
        location: String,
    },
    /// The patterns take more memory than a limit.
    #[error("the patterns are too long together")]
    PatternsTooLong,
    /// The beginning of a snapshot's id fits several.
    #[error("several snapshots begin with {prefix}")]
    AmbiguousId {
        /// The beginning.
        prefix: String,
    },
    /// No secret would open the repository any more.
    #[error("nothing would open the repository any more")]
    LastSlot,
    /// Neither a passphrase nor a recovery key would open the repository any more.
    #[error("only key files would open the repository: no passphrase and no recovery key is left")]
    OnlyKeyFilesLeft,
    /// A key slot that a newer program made was to be removed.
    #[error("the key {id} is of a kind that this version does not know")]
    UnknownKindOfKey {
        /// The beginning of its id.
        id: String,
    },
    /// Further passphrases would not be tried.
    #[error("the repository has {limit} passphrases, and no more are tried")]
    TooManyPassphrases {
        /// The number of passphrases that are tried.
        limit: usize,
    },
    /// The keys were changed as often as the format allows.
    #[error("the keys were changed 254 times, and can't be changed again")]
    TooManyGenerations,
    /// The label of a key slot is too long.
    #[error("a label has at most {limit} bytes")]
    LabelTooLong {
        /// The most bytes.
        limit: usize,
    },
    /// An object's name leads to no file of a destination.
    #[error("{name} names no file")]
    InvalidObjectName {
        /// The object's name.
        name: String,
    },
    /// The retention of an object would end earlier than it does.
    #[error("the retention of {object} ends later already")]
    RetentionShortened {
        /// The object's name.
        object: String,
    },
    /// A part of a tree or a list is larger than a frame.
    #[error("a part of {bytes} bytes can't be stored")]
    BlobTooLarge {
        /// The size of the part.
        bytes: usize,
    },
    /// A path is longer than any that is followed.
    #[error("it is nested more deeply than is followed")]
    TooDeep,
    /// The paths of nested directories take more memory than a restore may use.
    #[error("it is nested more deeply than can be restored")]
    TooDeepToRestore,
}

/// A difference between a request and what was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Deviation {
    /// A file is saved in a state that it may never have had.
    #[error("changed each time it was read; what was read last is kept")]
    ChangedWhileRead,
    /// Of a damaged file, the intact parts are written under another name.
    #[error(
        "its intact parts are {name:?}: {lost} of its {size} bytes are lost, and zeros there; \
         \"{name}.gaps.txt\" lists where"
    )]
    Salvaged {
        /// The name of the file that has them.
        name: String,
        /// The bytes that are lost.
        lost: u64,
        /// All bytes of the file.
        size: u64,
    },
    /// A pattern chose nothing.
    #[error("nothing fits this pattern")]
    UnusedPattern,
    /// A file got another name in a target that is not case-sensitive.
    #[error(
        "the target takes it for another name that differs in case alone: it is restored as {name:?}"
    )]
    RenamedForCase {
        /// The name that it got.
        name: String,
    },
    /// A file or folder of the target is not what it was when the plan was made.
    #[error("it changed since the plan was shown, and stays as it is")]
    ChangedSincePlan,
    /// A folder of the target stays where the snapshot has something else, since nothing is to be removed.
    #[error("{}: a folder is in its place", path.display())]
    FolderInPlace {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of the target stays where the snapshot has something else, since no backup has all of it.
    #[error(
        "{}: a folder is in its place that holds what backups leave out or can't read",
        path.display()
    )]
    UnsavedFolderInPlace {
        /// The folder.
        path: PathBuf,
    },
    /// A folder of the target that the snapshot does not have stays, since no backup has all of it.
    #[error("it is not removed: {path} is in it, which backups leave out or can't read")]
    UnsavedContent {
        /// The path of something in the folder that no backup has.
        path: String,
    },
    /// Nothing is removed from a folder of the target.
    #[error("nothing is removed in it: {0}")]
    NothingRemoved(KeepReason),
    /// A part of the repository was not searched.
    #[error("below /{path} nothing was searched: {message}")]
    NotSearched {
        /// The path of the part.
        path: String,
        /// The error that prevented it, in words.
        message: String,
    },
}

/// The reason why a restore removes nothing from a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepReason {
    /// The snapshot has the folder without what was left out of it, or could not be read.
    Incomplete,
    /// The snapshot has an older state of the folder, and of everything below it.
    Stale,
    /// The folder is empty in the snapshot, and another file system is mounted there now.
    Mounted,
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeepReason::Incomplete => "the backup left out some of it, or could not read it",
            KeepReason::Stale => "the backup could not read it, and has an older state",
            KeepReason::Mounted => {
                "another file system is mounted there, of which the snapshot has nothing"
            }
        })
    }
}

/// The reason why the key of a server is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyProblem {
    /// No key of the server is known.
    Unknown,
    /// The server is known to have another key.
    Changed,
    /// The key was declared to be in wrong hands.
    Revoked,
}

impl fmt::Display for HostKeyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HostKeyProblem::Unknown => "no host key is known of",
            HostKeyProblem::Changed => "the host key has changed of",
            HostKeyProblem::Revoked => "the host key is revoked of",
        })
    }
}

impl Error {
    /// Returns whether the same request may succeed later without anything being repaired: the destination did not
    /// answer in time, was not reachable, or was busy. Any other error is permanent until its cause is removed.
    pub fn is_temporary(&self) -> bool {
        use std::io::ErrorKind as Kind;
        let Error::Backend { source, .. } = self else { return false };
        matches!(
            source.kind(),
            Kind::TimedOut
                | Kind::Interrupted
                | Kind::WouldBlock
                | Kind::ConnectionRefused
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::NotConnected
                | Kind::BrokenPipe
                | Kind::NetworkDown
                | Kind::NetworkUnreachable
                | Kind::HostUnreachable
                | Kind::ResourceBusy
        )
    }

    /// Returns true if what one copy of an object holds is not what was written: another copy may be whole. Altered
    /// bytes may also look like a version that is not known.
    pub(crate) fn is_of_copy(&self) -> bool {
        matches!(self, Error::Damaged { .. } | Error::Missing { .. } | Error::Unsupported { .. })
    }

    /// Returns the message with its cause, if it has one.
    pub fn with_cause(&self) -> String {
        match self {
            Error::Backend { object, source } => format!("{object}: {source}"),
            Error::Local { path, source } => format!("{}: {source}", path.display()),
            other => other.to_string(),
        }
    }

    pub(crate) fn damaged(object: impl Into<String>, reason: &'static str) -> Self {
        Error::Damaged { object: object.into(), reason }
    }

    pub(crate) fn local(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Error::Local { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests;
