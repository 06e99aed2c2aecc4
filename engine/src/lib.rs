//! The repository: format, cryptography, backup, restore, check, destinations.
//!
//! The format is specified in FORMAT.md, what it promises against whom in SECURITY.md. This package
//! knows nothing of mounts, terminals, command lines or environment variables; progress and errors
//! that do not end an operation go to an [`Observer`].

mod ahead;
mod backend;
mod backup;
mod buffers;
mod catalog;
mod cbor;
mod check;
mod children;
mod chunker;
mod content;
mod content_id;
mod count;
mod diff;
mod directory;
mod error;
mod file;
mod forget;
mod frame;
mod frame_memory;
mod globs;
mod header;
mod history;
#[cfg(test)]
mod hostile;
mod id;
mod index;
mod keys;
mod lists;
mod machine;
mod moment;
mod namer;
mod object;
mod observer;
mod order;
mod pack;
mod pattern;
mod reader;
mod record;
mod repository;
mod restore;
mod seal;
mod secret;
mod session;
mod slot;
mod stats;
#[cfg(test)]
mod testing;
mod tree;
mod view;

pub use ahead::FrameAhead;
pub use backend::{
    Backend, Fetched, Folder, Meter, Metered, NewObject, Patient, Published, SETTLED, Stamp,
    Stored, Unfinished, load, save,
};
pub use backup::{
    BackupOptions, BackupReport, ChangeTime, Emptied, EmptySources, Excludes, FileSystems,
    InodeNumbers, LeftOut, NotEntered, Reading, Run, UnchangedBy, backup, backup_stream,
    count_sources,
};
pub use catalog::{Catalog, Hit, Query};
pub use check::{CheckOptions, CheckReport, Finding, ReadData, check};
pub use content_id::{ContentId, content_id};
pub use count::count_below;
pub use diff::{Change, Pair, Pairs, Which, any_change, diff, is_modified};
pub use directory::Nodes;
pub use error::{Error, Result};
pub use file::{OpenFile, Piece};
pub use forget::{ForgetReport, forget};
pub use globs::{Bases, Rule, check_glob, escape_glob};
pub use header::{FORMAT_VERSION, Header, Parameters};
pub use history::{
    Below, DirHistory, DirState, Kinds, Seen, Timeline, Version, below, descend, dir_history,
    find_seen, names, path_versions, reaches, top_history, versions,
};
pub use id::{BlobId, ObjectId, RepositoryId, SnapshotId, encode_hex};
pub use index::{BlobIndex, Location};
pub use keys::BlobKind;
pub use machine::Machine;
pub use moment::{Moment, Part, last_instant, state};
pub use object::{Area, Kind as ObjectKind, ObjectName};
pub use observer::{Event, Fate, Observer, Planned, Problem, Unit, Unobserved};
pub use order::{Clock, SnapshotEntry};
pub use pack::{Codec, FrameInfo, PackInfo, PackKind};
pub use pattern::Pattern;
pub use reader::{Blob, Reader};
pub use record::{ClientId, DestinationId, Outcome, Session, Snapshot, Tombstone, Totals, Verdict};
pub use repository::{
    CreateOptions, KnownSnapshots, Problems, Repository, Snapshots, create, open,
};
pub use restore::{
    Extra, Overwrite, Owners, RestoreOptions, RestorePlan, RestoreReport, SourcePart, Verify,
    restore, restore_in_place,
};
pub use secret::{Secret, SecretKind};
pub use session::Writer;
pub use slot::{Cost, Slot};
pub use stats::{Stats, stats};
pub use tree::{Chunk, Content, Flags, Hole, Holes, LeafRef, ListRef, Node, Strange, Tree};
pub use view::{DirRef, Found, LONGEST_PATH, SeenNode, child, children, find, merge};
