//! Who is told of progress and of errors that do not end an operation.

use crate::error::Error;

/// What an operation is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many files and bytes are expected in all, as far as is known.
    Expected {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// So many more are done.
    Done {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// From now on these are counted, from 0.
    Counting(Unit),
    /// What became of a file, or of anything else that is not a folder; only for observers that want files.
    File {
        /// The path in the snapshot.
        path: Vec<u8>,
        /// What became of it.
        fate: Fate,
    },
    /// This is being worked on; a path for people.
    At(String),
    /// In a dry run: something that is there would change.
    Planned {
        /// The path in the snapshot.
        path: Vec<u8>,
        /// The change.
        change: Planned,
    },
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// Files.
    #[default]
    Files,
    /// Packs of the repository.
    Packs,
    /// Snapshots.
    Snapshots,
}

/// What became of a file in a backup or restore, or would become of it in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Saved, and not in the previous snapshot.
    New,
    /// Saved, and otherwise in the previous snapshot.
    Changed,
    /// As it is in the previous snapshot, or in the place into which it was to be restored.
    Unchanged,
    /// Written.
    Restored,
    /// Something is in its place, and stays.
    Kept,
    /// Removed, since the snapshot does not have it.
    Removed,
}

/// A change of a dry run to something that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// It would be replaced.
    Replace,
    /// It would be replaced, and is newer than what replaces it.
    ReplaceNewer,
    /// It would be removed.
    Remove,
}

/// Something that went wrong without ending the operation.
#[derive(Debug)]
pub struct Problem {
    /// The path or object that it concerns; bytes of a path are shown as well as they can be.
    pub subject: Vec<u8>,
    /// What happened.
    pub error: Error,
}

/// Is told of progress and problems, from any thread, and may ask the operation to stop.
pub trait Observer: Sync {
    /// Something moved on.
    fn event(&self, event: Event);

    /// Something went wrong; the operation goes on and counts it.
    fn problem(&self, problem: Problem);

    /// Whether the operation should stop as soon as it can.
    fn interrupted(&self) -> bool;

    /// Whether it wants [`Event::File`]: their paths cost time to put together.
    fn wants_files(&self) -> bool {
        false
    }
}

/// An observer that looks away.
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}

    fn problem(&self, _problem: Problem) {}

    fn interrupted(&self) -> bool {
        false
    }
}
