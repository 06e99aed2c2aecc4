//! The repository: format, cryptography, backup, restore, check, destinations.
//!
//! FORMAT.md specifies the format, SECURITY.md the guarantees against each attacker. This crate does
//! not depend on mounts, terminals, command lines or environment variables; progress and errors that
//! do not end an operation go to an [`Observer`].

mod backend;
mod backup;
mod check;
mod clock;
mod error;
mod format;
mod globs;
mod history;
#[cfg(test)]
mod hostile;
mod index;
mod observer;
mod path;
mod read;
mod repository;
mod restore;
mod run;
mod snapshots;
#[cfg(test)]
mod testing;

pub use backend::{
    Backend, Capabilities, ChangeToken, Deadline, Fetched, Folder, ListedObject, Meter, Metered,
    NewObject, Published, TIMESTAMP_GRANULARITY, UnfinishedFile, load, save,
};
pub use backup::{
    BackupOptions, BackupReport, ChangeTime, EmptiedFolder, EmptySources, Excludes, FileSystems,
    InodeNumbers, LeftOut, NotEntered, Reading, UnchangedBy, backup, backup_stream, count_sources,
};
pub use check::{CheckOptions, CheckReport, Finding, ReadData, check};
pub use error::{Deviation, Error, KeepReason, Refusal, Result};
pub use format::content_id::{ContentId, content_id};
pub use format::header::{FORMAT_VERSION, Header, Parameters};
pub use format::id::{BlobId, ObjectId, RepositoryId, SnapshotId, encode_hex};
pub use format::keys::BlobKind;
pub use format::object::{Area, Kind as ObjectKind, ObjectName};
pub use format::pack::{Codec, FrameInfo, PackInfo, PackKind};
pub use format::record::{
    ClientId, DestinationId, Exclusion, Outcome, Session, Snapshot, Tombstone, Totals, Verdict,
};
pub use format::secret::{Secret, SecretKind};
pub use format::slot::{Cost, Slot};
pub use format::tree::{
    Chunk, Content, Flags, Hole, Holes, InvalidNode, LeafRef, ListRef, Node, Tree,
};
pub use globs::{Bases, Rule, check_glob, escape_glob};
pub use history::catalog::{Catalog, Hit, Query};
pub use history::diff::{Change, ChangeKind, Pair, Pairs, any_change, diff, is_modified};
pub use history::pattern::Pattern;
pub use history::versions::{
    ChildTrees, DirHistory, DirState, Kinds, LocatedNode, Timeline, Version, child_trees,
    covers_path, descend, dir_history, locate_node, names_ever, path_versions, top_history,
    versions,
};
pub use index::{BlobIndex, Location};
pub use observer::{Event, Fate, Observer, Planned, Problem, Unit, Unobserved};
pub use path::{Name, TreePath, TreePathBuf};
pub use read::chunk_lists::ChunkSpan;
pub use read::count::{Counted, count_below};
pub use read::directory::Nodes;
pub use read::file::{OpenFile, Piece};
pub use read::merge::merge;
pub use read::readahead::FramePrefetch;
pub use read::reader::{Blob, Reader};
pub use read::state_tree::{DirRef, LONGEST_PATH, Lookup, ResolvedNode, child, children, find};
pub use repository::forget::{ForgetReport, forget};
pub use repository::session::Writer;
pub use repository::stats::{Stats, stats};
pub use repository::{
    CreateOptions, Destination, KnownSnapshots, Problems, Repository, Snapshots, create,
    create_copy, open,
};
pub use restore::{
    Extra, Overwrite, Owners, RestoreOptions, RestorePlan, RestoreReport, SourcePart, Verify,
    restore, restore_in_place,
};
pub use run::Run;
pub use snapshots::machine::Machine;
pub use snapshots::moment::{Moment, Part, last_instant, state};
pub use snapshots::order::{Clock, SnapshotEntry};
