//! Looking at files and reading those that are new or changed; several threads do it at once.
//!
//! A thread takes a batch of names and sends what it finds, in order, through a channel of the
//! batch's own. That channel is short: who reads ahead of the thread that builds trees waits.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};
use yore_platform::{FoundXattrs, Kind, Listing, Metadata, SourceDir, Timestamp, system_path};

use crate::backup::buffers::{Buffer, Buffers};
use crate::backup::left_out::Tally;
use crate::backup::read::budget::Budget;
use crate::backup::read::large::HashJob;
use crate::backup::slice::Slice;
use crate::backup::{BackupOptions, ChangeTime, Reading, StoredBlobs};
use crate::error::Error;
use crate::format::chunker::Gear;
use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::format::tree::{Flags, Hole, Node};
use crate::observer::{Event, Observer, Problem};
use crate::path::join;

pub(super) mod attributes;
pub(super) mod budget;
mod content;
pub(super) mod large;

/// Files above this are read by two threads, past the page cache.
pub(super) const LARGE: u64 = 8 << 20;
/// Size of the buffers that small files share.
pub(super) const SHARED_BUFFER: usize = 512 << 10;

/// A name to be looked at.
pub(super) struct Wanted {
    pub(super) name: Vec<u8>,
    /// What the listing says it is.
    pub(super) kind: Option<Kind>,
    /// What the previous snapshot has of it.
    pub(super) previous: Option<Node>,
    /// Whether it was named as a source, and is saved whatever its size.
    pub(super) is_source: bool,
}

/// A batch of names of one directory.
pub(super) struct Job {
    pub(super) dir: Arc<SourceDir>,
    pub(super) path: Arc<[u8]>,
    pub(super) names: Vec<Wanted>,
    /// Whether the files can be known by their inode numbers.
    pub(super) compares_inodes: bool,
    pub(super) results: Sender<Results>,
    /// Counts the batches, from 0.
    pub(super) number: u64,
}

/// Some of what a batch turned out to be.
pub(super) struct Results {
    /// The buffer that small files were read into.
    pub(super) shared: Option<Arc<Buffer>>,
    pub(super) found: Vec<Found>,
    /// What they hold of the budget.
    pub(super) bytes: usize,
}

/// How a file stands to the previous snapshot.
pub(super) enum Status {
    /// It is the same file, by its times and number.
    Unchanged,
    New,
    /// It was looked at anew; the previous snapshot has this of it.
    Known(Box<Node>),
}

impl Status {
    fn of(wanted: &Wanted) -> Status {
        let known = |previous: &Node| Status::Known(Box::new(previous.clone()));
        wanted.previous.as_ref().map_or(Status::New, known)
    }
}

/// What reading finds, in order.
pub(super) enum Found {
    /// The next chunk of the file whose node follows.
    Chunk(ChunkId, Bytes),
    /// The file changed or failed meanwhile: the chunks since the last node do not count.
    Again,
    /// Holes of the file whose node follows.
    Holes(Vec<Hole>),
    /// A node; its content is the chunks before it, if there were any.
    Node(Box<Node>, Status),
    /// Something in the directory is there and not in the snapshot.
    Incomplete,
    /// The batch is complete; without this, it is not.
    End,
}

/// Where a chunk's bytes are.
pub(super) enum Bytes {
    /// In the shared buffer of the results.
    Shared(Range<usize>),
    /// In a buffer of their own.
    Own(Slice),
}

/// A chunk's name, or where it will come from.
pub(super) enum ChunkId {
    Known(BlobId),
    Later(Receiver<BlobId>),
    /// Given when the shared buffer is sent, to all that are in it at once.
    WithOthers,
}

/// What reading threads share.
pub(super) struct Readers<'a> {
    pub(super) keys: &'a Keys,
    pub(super) gear: &'a Gear,
    pub(super) inline: u64,
    pub(super) options: &'a BackupOptions,
    pub(super) tally: &'a Tally,
    pub(super) trusted_before: Timestamp,
    pub(super) stored: &'a StoredBlobs<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) unreadable: &'a AtomicU64,
    pub(super) shared: Buffers,
    pub(super) chunks: Buffers,
    pub(super) hashing: Sender<HashJob>,
    pub(super) budget: &'a Budget,
}

/// The thread that took results is gone; so is the backup.
pub(super) struct Gone;

type Sent = std::result::Result<(), Gone>;

/// Why a file was not read.
pub(super) enum Failed {
    Gone,
    Io(io::Error),
}

impl From<Gone> for Failed {
    fn from(_: Gone) -> Self {
        Failed::Gone
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Io(error)
    }
}

/// Describes what was looked at, without content and attributes.
pub(super) fn node_of(name: &[u8], metadata: &Metadata) -> Node {
    let mut node = Node::new(name, metadata.kind, metadata.modified);
    node.mode = metadata.mode;
    node.owner = metadata.owner;
    node.changed = metadata.changed;
    node.born = metadata.born;
    node.inode = metadata.inode;
    node.device_number = metadata.device_number;
    if metadata.kind == Kind::File {
        node.size = metadata.size;
    }
    if metadata.kind != Kind::Directory && metadata.links > 1 {
        node.links = metadata.links;
        node.filesystem = metadata.device;
    }
    node
}

/// Takes batches until there are none.
pub(super) fn run(readers: &Readers<'_>, jobs: &Receiver<Job>) {
    for job in jobs {
        if readers.observer.interrupted() {
            return;
        }
        let mut batch = Batch {
            readers,
            job: &job,
            found: Vec::new(),
            open: None,
            bytes: 0,
            listed_again: None,
        };
        if batch.run().is_err() {
            return;
        }
    }
}

/// A batch that is being worked on.
pub(super) struct Batch<'b> {
    pub(super) readers: &'b Readers<'b>,
    job: &'b Job,
    /// What was found and not sent yet.
    found: Vec<Found>,
    /// The buffer that small files are read into, until it is full.
    open: Option<Buffer>,
    bytes: usize,
    /// The directory, as it was listed last when a name was not found.
    listed_again: Option<Listing>,
}

impl Batch<'_> {
    fn run(&mut self) -> Sent {
        for wanted in &self.job.names {
            self.look(wanted)?;
            self.readers.observer.event(Event::Done { files: 1, bytes: 0 });
        }
        self.found.push(Found::End);
        self.send()
    }

    fn look(&mut self, wanted: &Wanted) -> Sent {
        match self.find(wanted) {
            Ok(()) => Ok(()),
            Err(Failed::Gone) => Err(Gone),
            // It was deleted after its directory was listed: the snapshot is of a moment later.
            Err(Failed::Io(error))
                if error.kind() == io::ErrorKind::NotFound && self.is_gone(wanted) =>
            {
                self.found.push(Found::Again);
                Ok(())
            }
            Err(Failed::Io(error)) => {
                self.found.push(Found::Again);
                let path = join(&self.job.path, &wanted.name);
                self.readers.unreadable.fetch_add(1, Ordering::Relaxed);
                let error = Error::local(system_path(&path), error);
                self.readers.observer.problem(Problem { subject: path, error });
                // The last known state stays, rather than to drop a file that may be there.
                let Some(mut node) = wanted.previous.clone() else {
                    return self.push(Found::Incomplete, 0);
                };
                node.flags = node.flags.with(Flags::STALE);
                self.push(Found::Node(Box::new(node), Status::Unchanged), 0)
            }
        }
    }

    /// Tells whether a name that was not found is not listed any more, either.
    ///
    /// Some file systems list names that they do not find. The directory is listed anew when the last listing still
    /// has the name: it may have been deleted since.
    fn is_gone(&mut self, wanted: &Wanted) -> bool {
        if self.listed_again.as_ref().is_some_and(|listing| !listing.has(&wanted.name)) {
            return true;
        }
        self.listed_again = self.job.dir.list_fresh().ok();
        self.listed_again.as_ref().is_some_and(|listing| !listing.has(&wanted.name))
    }

    /// Gives a node its extended attributes.
    fn give_attributes(&self, node: &mut Node, found: FoundXattrs) {
        let path = join(&self.job.path, &node.name);
        let Readers { observer, unreadable, .. } = self.readers;
        attributes::give(node, found, &path, *observer, unreadable);
    }

    fn find(&mut self, wanted: &Wanted) -> Result<(), Failed> {
        // What is surely new is opened at once; opening looks at it too.
        if wanted.previous.is_none() && wanted.kind == Some(Kind::File) {
            return self.read_file(wanted);
        }
        let metadata = self.job.dir.child_metadata(&wanted.name)?;
        if self.is_too_large(wanted, &metadata) {
            return Ok(self.push(Found::Incomplete, 0)?);
        }
        if let Some(previous) = &wanted.previous
            && self.is_unchanged(previous, &metadata)
        {
            let node = self.known_again(wanted, previous, &metadata)?;
            self.readers.observer.event(Event::Done { files: 0, bytes: node.size });
            return Ok(self.push(Found::Node(Box::new(node), Status::Unchanged), 0)?);
        }
        match metadata.kind {
            Kind::File => self.read_file(wanted),
            // It became a directory after it was listed.
            Kind::Directory => {
                let what = "it became a folder meanwhile; the next backup saves what is in it";
                Err(Failed::Io(io::Error::new(io::ErrorKind::IsADirectory, what)))
            }
            Kind::Symlink | Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                let mut node = node_of(&wanted.name, &metadata);
                if metadata.kind == Kind::Symlink {
                    node.target = self.job.dir.read_link(&wanted.name)?;
                }
                let found = self.job.dir.child_xattrs(&wanted.name)?;
                self.give_attributes(&mut node, found);
                Ok(self.push(Found::Node(Box::new(node), Status::of(wanted)), 0)?)
            }
        }
    }

    /// Counts a file that is too large to be backed up.
    fn is_too_large(&self, wanted: &Wanted, metadata: &Metadata) -> bool {
        let limit = self.readers.options.excludes.larger_than.filter(|_| !wanted.is_source);
        let is_too_large =
            metadata.kind == Kind::File && limit.is_some_and(|limit| metadata.size > limit);
        if is_too_large {
            self.readers.tally.too_large();
        }
        is_too_large
    }

    /// Whether a file is the one that the previous snapshot has: the same in size and, as far as they are compared,
    /// both times and number, not changed too recently to tell, and all that it needs is still stored.
    ///
    /// Anything but a file costs as much to read as to compare, and is always compared in full.
    fn is_unchanged(&self, previous: &Node, metadata: &Metadata) -> bool {
        let is_file = metadata.kind == Kind::File;
        let by = self.readers.options.unchanged_by;
        let compares_change = by.change_time == ChangeTime::Compared || !is_file;
        let is_settled = |time: Timestamp| time < self.readers.trusted_before;
        self.readers.options.reading == Reading::Changed
            && previous.kind == metadata.kind
            && (!is_file || previous.size == metadata.size)
            && previous.modified == metadata.modified
            && (!compares_change || previous.changed == metadata.changed)
            && (previous.inode == metadata.inode || is_file && !self.job.compares_inodes)
            && previous.flags == Flags::default()
            && (!compares_change || metadata.changed.is_some_and(is_settled))
            && is_settled(metadata.modified)
            && self.readers.stored.all_of(previous)
    }

    /// Describes a file whose content is the one that the previous snapshot has.
    fn known_again(
        &self,
        wanted: &Wanted,
        previous: &Node,
        metadata: &Metadata,
    ) -> Result<Node, Failed> {
        if previous.changed == metadata.changed && previous.inode == metadata.inode {
            let mut node = previous.clone();
            // The system may number its file systems anew each time it starts.
            if node.link_group().is_some() {
                node.filesystem = metadata.device;
            }
            return Ok(node);
        }
        // Mode, owner and attributes may have changed without its content.
        let mut node = node_of(&wanted.name, metadata);
        node.content = previous.content.clone();
        node.holes = previous.holes.clone();
        let found = self.job.dir.child_xattrs(&wanted.name)?;
        self.give_attributes(&mut node, found);
        Ok(node)
    }

    /// Adds something found; sends it on its way when enough has come together.
    pub(super) fn push(&mut self, found: Found, bytes: usize) -> Sent {
        self.found.push(found);
        self.bytes += bytes;
        if self.bytes > SHARED_BUFFER || self.found.len() >= 256 { self.send() } else { Ok(()) }
    }

    /// Sends what was found.
    pub(super) fn send(&mut self) -> Sent {
        let shared = self.open.take().map(Arc::new);
        if self.found.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes) + shared.as_ref().map_or(0, |b| b.capacity());
        self.readers.budget.take(self.job.number, bytes);
        let mut found = std::mem::take(&mut self.found);
        if let Some(buffer) = &shared {
            name_together(self.readers.keys, buffer, &mut found);
        }
        self.job.results.send(Results { shared, found, bytes }).map_err(|_| Gone)
    }
}

/// Names the chunks in a shared buffer.
fn name_together(keys: &Keys, buffer: &[u8], found: &mut [Found]) {
    let unnamed = |found: &&mut Found| matches!(found, Found::Chunk(ChunkId::WithOthers, _));
    let bytes = |found: &Found| match found {
        Found::Chunk(ChunkId::WithOthers, Bytes::Shared(range)) => buffer.get(range.clone()),
        _ => None,
    };
    let chunks: Vec<&[u8]> = found.iter().filter_map(bytes).collect();
    let names = keys.blob_ids(BlobKind::Data, &chunks);
    for (found, name) in found.iter_mut().filter(unnamed).zip(names) {
        if let Found::Chunk(id, _) = found {
            *id = ChunkId::Known(name);
        }
    }
}

/// Whether a file may have holes. (A file of less than a block may be kept without one.)
pub(super) fn is_sparse(metadata: &Metadata) -> bool {
    metadata.allocated < metadata.size && metadata.size > 4096
}
