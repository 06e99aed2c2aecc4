//! A backup as a job, independent of what starts it.
//!
//! Arguments or a configuration say what is saved and how: a [`BackupJob`]. [`prepare()`] finds its
//! sources and refuses what can't work before a secret is asked for, [`Prepared::run`] makes the
//! snapshot, and a [`RunRecord`] holds what came of it.

mod configured;
mod containers;
mod dumps;
mod frozen;
pub mod hooks;
pub mod limits;
mod prepare;
mod priority;
mod program_output;
mod record;
pub mod remote;
pub mod retention;
mod run;
mod sources;
mod sqlite;
mod tool;

pub use configured::jobs;
pub use containers::missing_volume;
pub use dumps::missing_program;
pub use prepare::{Prepared, prepare};
pub use record::RunRecord;

use std::ffi::OsString;
use std::path::PathBuf;

use yore_engine::Run;
use yore_engine::backup::{ChangedPaths, EmptySources, FileSystems, Reading, UnchangedBy};

use crate::access::destination::ServerFolder;
use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::args::files::FileArgs;
use crate::config::{DockerVolumes, Hooks};

/// A backup, as arguments or a configuration describe it.
#[derive(Debug, Clone)]
pub struct BackupJob {
    /// The name of the source in the configuration; `None` where arguments name what is saved.
    pub source: Option<String>,
    /// The input.
    pub input: Input,
    /// The patterns and limits of what is left out.
    pub excludes: ExcludeLists,
    /// The files that are read: all, or those that changed.
    pub reading: Reading,
    /// The attributes by which a file is known to be unchanged.
    pub unchanged_by: UnchangedBy,
    /// The file systems that are entered.
    pub file_systems: FileSystems,
    /// The snapshot of its file systems from which it is read.
    pub snapshot: FileSystemSnapshot,
    /// Commands around the moment of that snapshot.
    pub hooks: Hooks,
    /// The treatment of a source that had files and has none.
    pub empty_sources: EmptySources,
    /// The paths that may differ from the previous snapshot, where they are known: nothing else is looked at.
    pub changed: Option<ChangedPaths>,
    /// What matters most is saved before the rest.
    pub smart: bool,
    /// Tells whether anything is written.
    pub run: Run,
    /// The tags of the snapshot.
    pub tags: Vec<String>,
    /// The time that the snapshot gets instead of now, as people type it.
    pub time: Option<String>,
    /// The machine that the snapshot is of, unless it is this one.
    pub host: Option<String>,
}

/// The input of a job.
#[derive(Debug, Clone)]
pub enum Input {
    /// Files and folders.
    Files(FileArgs),
    /// Volumes of Docker or Podman, each in the folder of its name below that of the source.
    Volumes(DockerVolumes),
    /// The standard input of this process, under a path in the snapshot.
    Stdin {
        /// The path.
        path: Vec<u8>,
    },
    /// The standard output of a command, under a path in the snapshot.
    Command {
        /// The path.
        path: Vec<u8>,
        /// The command, for a shell.
        command: OsString,
    },
    /// A database of SQLite, as it is at one moment.
    Sqlite {
        /// The path of the database.
        database: PathBuf,
    },
    /// Files and folders of a server, at least one.
    Remote(Vec<ServerFolder>),
}

/// The patterns and limits by which files and folders are left out.
#[derive(Debug, Clone, Default)]
pub struct ExcludeLists {
    /// Patterns, relative to the sources and the working directory.
    pub patterns: Vec<String>,
    /// Files that list patterns, relative to the sources.
    pub files: Vec<PathBuf>,
    /// Leaves out the content of folders that say that they are caches.
    pub caches: bool,
    /// Names of files that mark folders whose content is left out.
    pub if_present: Vec<OsString>,
    /// The size above which files are left out.
    pub larger_than: Option<u64>,
}
