//! Reading entries that are new or changed; several threads do it at once.
//!
//! A reader takes a batch of names and sends the results, in order, through the batch's own channel. That channel is
//! short, so a reader waits for the assembler.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use yore_platform::{FoundXattrs, Kind, Listing, Metadata, Timestamp};

use crate::backup::earlier_snapshots::ReusableBlobs;
use crate::backup::left_out::Counters;
use crate::backup::messages::{
    BatchResults, ChunkBytes, ChunkId, FileStatus, ReadBatch, ReadItem, SourceEntry,
};
use crate::backup::read::budget::Budget;
use crate::backup::read::selection::Selector;
use crate::backup::source::{Places, ReadAhead};
use crate::backup::{BackupOptions, ChangeTime, Reading};
use crate::error::Error;
use crate::format::chunker::Gear;
use crate::format::keys::{BlobKind, Keys};
use crate::format::tree::{Flags, Node};
use crate::operation::observer::{Event, Observer, Problem};
use crate::path::join;
use crate::store::HashJob;
use crate::store::buffers::{Buffer, Buffers};

pub(super) mod attributes;
pub(super) mod budget;
mod content;
mod large;
pub(super) mod selection;

/// Files above this are read by two threads, past the page cache.
const LARGE: u64 = 8 << 20;
/// The size of the buffers that small files share.
pub(super) const SHARED_BUFFER: usize = 512 << 10;

/// The things that all readers use.
pub(super) struct ReadContext<'a> {
    pub(super) keys: &'a Keys,
    pub(super) gear: &'a Gear,
    /// The size in bytes up to which content is kept in the node.
    pub(super) inline: u64,
    pub(super) options: &'a BackupOptions,
    /// The files that are read; `None` where all are.
    pub(super) selector: Option<Selector>,
    pub(super) counters: &'a Counters,
    pub(super) places: &'a Places,
    /// A time from this instant on may stand for two states of a file.
    pub(super) trusted_before: Timestamp,
    pub(super) reusable: ReusableBlobs<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) shared_buffers: Buffers,
    pub(super) chunk_buffers: Buffers,
    pub(super) budget: Budget,
}

/// The ends of channels that a reader holds.
#[derive(Clone)]
pub(super) struct ReaderEnds {
    pub(super) batches: Receiver<ReadBatch>,
    pub(super) hash_jobs: Sender<HashJob>,
}

/// The assembler or the seal workers have ended, and so has the backup.
struct Stopped;

type Sent = std::result::Result<(), Stopped>;

/// The reason why a file was not read.
enum ReadError {
    Stopped,
    Io(io::Error),
}

impl From<Stopped> for ReadError {
    fn from(_: Stopped) -> Self {
        ReadError::Stopped
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

/// Makes a node from metadata, without content and attributes.
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
pub(super) fn run(context: &ReadContext<'_>, ends: &ReaderEnds) {
    for batch in &ends.batches {
        if context.observer.interrupted() {
            return;
        }
        let mut reader = BatchReader {
            context,
            hash_jobs: &ends.hash_jobs,
            batch: &batch,
            items: Vec::new(),
            open: None,
            bytes: 0,
            listed_again: None,
            ahead: ReadAhead::default(),
        };
        if reader.run().is_err() {
            return;
        }
    }
}

/// Reads one batch.
struct BatchReader<'b> {
    context: &'b ReadContext<'b>,
    hash_jobs: &'b Sender<HashJob>,
    batch: &'b ReadBatch,
    /// The results that are not sent yet.
    items: Vec<ReadItem>,
    /// The buffer into which small files are read, until it is full.
    open: Option<Buffer>,
    bytes: usize,
    /// The directory, as it was listed last when a name was not found.
    listed_again: Option<Listing>,
    ahead: ReadAhead,
}

impl BatchReader<'_> {
    fn run(&mut self) -> Sent {
        if self.batch.dir.is_remote() {
            self.read_ahead();
        }
        for entry in &self.batch.entries {
            self.read_or_report(entry)?;
            self.context.observer.event(Event::Done { files: 1, bytes: 0 });
        }
        self.items.push(ReadItem::End);
        self.send()
    }

    /// Begins to read everything of a server that will be read.
    fn read_ahead(&mut self) {
        let dir = &self.batch.dir;
        let wanted = |entry: &SourceEntry| {
            let metadata = dir.child_metadata(&entry.name).ok()?;
            let is_unchanged = |previous: &Node| self.is_unchanged(previous, &metadata);
            let is_read = matches!(metadata.kind, Kind::File | Kind::Symlink)
                && !self.exceeds_limit(entry, &metadata)
                && !entry.previous.as_ref().is_some_and(is_unchanged);
            is_read.then(|| (entry.name.clone(), metadata.kind))
        };
        self.ahead = dir.read_ahead(self.batch.entries.iter().filter_map(wanted).collect());
    }

    /// Reads an entry, anew when the connection to its server was lost and is there again.
    fn read_at_last(&mut self, entry: &SourceEntry) -> Result<(), ReadError> {
        let mut attempt = 1;
        loop {
            match self.read(entry) {
                Err(ReadError::Io(error)) if self.batch.dir.is_back_after(&error, attempt) => {
                    self.items.push(ReadItem::Discard);
                    attempt += 1;
                }
                // Out of reach is not unreadable: the backup ends.
                Err(ReadError::Io(_)) if self.batch.dir.is_lost() => {
                    return Err(ReadError::Stopped);
                }
                read => return read,
            }
        }
    }

    fn read_or_report(&mut self, entry: &SourceEntry) -> Sent {
        match self.read_at_last(entry) {
            Ok(()) => Ok(()),
            Err(ReadError::Stopped) => Err(Stopped),
            // It was deleted after its directory was listed: the snapshot is of a moment later.
            Err(ReadError::Io(error))
                if error.kind() == io::ErrorKind::NotFound && self.is_deleted(entry) =>
            {
                self.items.push(ReadItem::Discard);
                Ok(())
            }
            Err(ReadError::Io(error)) => {
                self.items.push(ReadItem::Discard);
                let path = join(&self.batch.path, &entry.name);
                self.context.counters.unreadable();
                let error = Error::local(self.context.places.live(&path), error);
                self.context.observer.problem(Problem { subject: path, error });
                self.keep_last_state(entry)
            }
        }
    }

    /// Keeps the last known state of a file, if all of it is still stored: the file may be there.
    fn keep_last_state(&mut self, entry: &SourceEntry) -> Sent {
        let is_stored = |node: &Node| self.context.reusable.have_all_of(node);
        let Some(mut node) = entry.previous.clone().filter(is_stored) else {
            return self.push(ReadItem::Incomplete, 0);
        };
        node.flags = node.flags.with(Flags::STALE);
        self.push(ReadItem::Node(Box::new(node), FileStatus::Unchanged), 0)
    }

    /// Returns whether a name that was not found is not listed any more, either.
    ///
    /// Some file systems list names that they do not find. The directory is listed again when the last listing still
    /// has the name: it may have been deleted since.
    fn is_deleted(&mut self, entry: &SourceEntry) -> bool {
        if self.listed_again.as_ref().is_some_and(|listing| !listing.has(&entry.name)) {
            return true;
        }
        self.listed_again = self.batch.dir.list_fresh().ok();
        self.listed_again.as_ref().is_some_and(|listing| !listing.has(&entry.name))
    }

    /// Gives a node its extended attributes.
    fn give_attributes(&self, node: &mut Node, found: FoundXattrs) {
        let path = join(&self.batch.path, &node.name);
        let ReadContext { places, observer, counters, .. } = self.context;
        attributes::give(node, found, &path, places, *observer, counters);
    }

    fn read(&mut self, entry: &SourceEntry) -> Result<(), ReadError> {
        // A new file is opened at once; opening gives its metadata, too.
        let is_new = entry.previous.is_none() && entry.kind == Some(Kind::File);
        if is_new && self.context.selector.is_none() {
            return self.read_file(entry);
        }
        let metadata = self.batch.dir.child_metadata(&entry.name)?;
        if self.is_too_large(entry, &metadata) {
            return Ok(self.push(ReadItem::Incomplete, 0)?);
        }
        if let Some(previous) = &entry.previous
            && self.is_unchanged(previous, &metadata)
        {
            let node = self.unchanged_node(entry, previous, &metadata)?;
            self.context.observer.event(Event::Done { files: 0, bytes: node.size });
            return Ok(self.push(ReadItem::Node(Box::new(node), FileStatus::Unchanged), 0)?);
        }
        match metadata.kind {
            Kind::File if !self.is_selected(entry, &metadata) => Ok(self.keep_last_state(entry)?),
            Kind::File => self.read_file(entry),
            // It became a directory after it was listed.
            Kind::Directory => {
                let what = "it became a folder meanwhile; the next backup saves what is in it";
                Err(ReadError::Io(io::Error::new(io::ErrorKind::IsADirectory, what)))
            }
            Kind::CharDevice | Kind::BlockDevice if self.batch.dir.is_remote() => {
                let what =
                    "it is a device, whose number SFTP does not tell; to leave it out, exclude it";
                Err(ReadError::Io(io::Error::new(io::ErrorKind::Unsupported, what)))
            }
            Kind::Symlink | Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                let mut node = node_of(&entry.name, &metadata);
                if metadata.kind == Kind::Symlink {
                    node.target = match self.ahead.take_link(&entry.name) {
                        Some(target) => target,
                        None => self.batch.dir.read_link(&entry.name)?,
                    };
                }
                let found = self.batch.dir.child_xattrs(&entry.name)?;
                self.give_attributes(&mut node, found);
                Ok(self.push(ReadItem::Node(Box::new(node), FileStatus::of(entry)), 0)?)
            }
        }
    }

    /// Returns whether a file is to be read now, and not in a later part of the backup.
    fn is_selected(&self, entry: &SourceEntry, metadata: &Metadata) -> bool {
        let path = || join(&self.batch.path, &entry.name);
        let selector = self.context.selector.as_ref();
        selector.is_none_or(|selector| selector.selects(&path(), metadata.modified))
    }

    /// Returns whether a file is larger than those that are backed up.
    fn exceeds_limit(&self, entry: &SourceEntry, metadata: &Metadata) -> bool {
        let limit = self.context.options.excludes.larger_than.filter(|_| !entry.is_source);
        metadata.kind == Kind::File && limit.is_some_and(|limit| metadata.size > limit)
    }

    /// Counts a file that is too large to be backed up.
    fn is_too_large(&self, entry: &SourceEntry, metadata: &Metadata) -> bool {
        let is_too_large = self.exceeds_limit(entry, metadata);
        if is_too_large {
            self.context.counters.too_large();
        }
        is_too_large
    }

    /// Returns whether a file is the one that the previous snapshot has: the same in size and, as far as they are
    /// compared, both times and inode number, not changed too recently to tell, and all its blobs are still stored.
    ///
    /// Anything but a file costs as much to read as to compare, and is always compared in full.
    fn is_unchanged(&self, previous: &Node, metadata: &Metadata) -> bool {
        let is_file = metadata.kind == Kind::File;
        let by = self.context.options.unchanged_by;
        let compares_change = by.change_time == ChangeTime::Compared || !is_file;
        let is_settled = |time: Timestamp| time < self.context.trusted_before;
        self.context.options.reading == Reading::Changed
            && previous.kind == metadata.kind
            && (!is_file || previous.size == metadata.size)
            && previous.modified == metadata.modified
            && (!compares_change || previous.changed == metadata.changed)
            && (previous.inode == metadata.inode || is_file && !self.batch.compares_inodes)
            && previous.flags == Flags::default()
            && (!compares_change || metadata.changed.is_some_and(is_settled))
            && is_settled(metadata.modified)
            && self.context.reusable.have_all_of(previous)
    }

    /// Makes the node of a file whose content is that of the previous snapshot.
    fn unchanged_node(
        &self,
        entry: &SourceEntry,
        previous: &Node,
        metadata: &Metadata,
    ) -> Result<Node, ReadError> {
        if previous.changed == metadata.changed && previous.inode == metadata.inode {
            let mut node = previous.clone();
            // The system may number its file systems anew each time it starts.
            if node.link_group().is_some() {
                node.filesystem = metadata.device;
            }
            return Ok(node);
        }
        // Mode, owner and attributes may have changed without its content.
        let mut node = node_of(&entry.name, metadata);
        node.content = previous.content.clone();
        node.holes = previous.holes.clone();
        let found = self.batch.dir.child_xattrs(&entry.name)?;
        self.give_attributes(&mut node, found);
        Ok(node)
    }

    /// Adds an item; sends the items when they are many.
    fn push(&mut self, item: ReadItem, bytes: usize) -> Sent {
        self.items.push(item);
        self.bytes += bytes;
        if self.bytes > SHARED_BUFFER || self.items.len() >= 256 { self.send() } else { Ok(()) }
    }

    /// Sends the items that are not sent yet.
    fn send(&mut self) -> Sent {
        let shared = self.open.take().map(Arc::new);
        if self.items.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes) + shared.as_ref().map_or(0, |b| b.capacity());
        self.context.budget.take(self.batch.number, bytes);
        let mut items = std::mem::take(&mut self.items);
        if let Some(buffer) = &shared {
            hash_batched(self.context.keys, buffer, &mut items);
        }
        let results = BatchResults { shared, items, bytes };
        self.batch.results.send(results).map_err(|_| Stopped)
    }
}

/// Computes the ids of the chunks in a shared buffer.
fn hash_batched(keys: &Keys, buffer: &[u8], items: &mut [ReadItem]) {
    let is_batched = |item: &&mut ReadItem| matches!(item, ReadItem::Chunk(ChunkId::Batched, _));
    let bytes = |item: &ReadItem| match item {
        ReadItem::Chunk(ChunkId::Batched, ChunkBytes::Shared(range)) => buffer.get(range.clone()),
        _ => None,
    };
    let chunks: Vec<&[u8]> = items.iter().filter_map(bytes).collect();
    let ids = keys.blob_ids(BlobKind::Data, &chunks);
    for (item, known) in items.iter_mut().filter(is_batched).zip(ids) {
        if let ReadItem::Chunk(id, _) = item {
            *id = ChunkId::Known(known);
        }
    }
}

/// Returns whether a file may have holes. (A file of less than a block may be kept without one.)
fn is_sparse(metadata: &Metadata) -> bool {
    metadata.allocated < metadata.size && metadata.size > 4096
}
