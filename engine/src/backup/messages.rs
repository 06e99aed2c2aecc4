//! The messages between the threads of a backup; `pipeline.rs` draws their flow.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crossbeam_channel::{Receiver, Sender};
use yore_platform::Kind;

use crate::backup::source::Dir;
use crate::format::id::BlobId;
use crate::format::record::Totals;
use crate::format::tree::{Hole, Node};
use crate::store::HashJob;
use crate::store::buffers::Buffer;
use crate::store::buffers::blob_bytes::BlobBytes;

/// A step of the walk, from the feed to the assembler, in the order of the walk.
pub(super) enum WalkStep {
    /// A directory begins: its node, without a tree yet.
    Enter(Box<Node>),
    /// The number of a batch, and the channel through which a reader sends its results.
    Batch(u64, Receiver<BatchResults>),
    /// A node that is stored as it is.
    Keep(Box<Node>),
    /// A directory of the previous snapshot in which nothing changed, and what is below it.
    Unchanged(Box<Node>, Totals),
    /// Something in the directory is there and not in the snapshot.
    Incomplete,
    /// The directory ends.
    Leave,
}

/// Some names of one directory, from the feed to a reader.
pub(super) struct ReadBatch {
    pub(super) dir: Arc<Dir>,
    pub(super) path: Arc<[u8]>,
    pub(super) entries: Vec<SourceEntry>,
    /// Set where files can be known by their inode numbers.
    pub(super) compares_inodes: bool,
    pub(super) results: Sender<BatchResults>,
    /// The number of the batch, counted from 0.
    pub(super) number: u64,
}

/// A name in a directory of a source.
pub(super) struct SourceEntry {
    pub(super) name: Vec<u8>,
    /// The kind that the listing gives.
    pub(super) kind: Option<Kind>,
    /// The node of the previous snapshot.
    pub(super) previous: Option<Node>,
    /// Set for a source, which is saved whatever its size.
    pub(super) is_source: bool,
}

/// A part of the results of a batch, from a reader to the assembler.
pub(super) struct BatchResults {
    /// The buffer into which small files were read.
    pub(super) shared: Option<Arc<Buffer>>,
    pub(super) items: Vec<ReadItem>,
    /// The bytes of the budget that the results hold.
    pub(super) bytes: usize,
}

/// A result of reading; a file is its chunks, its holes and then its node.
pub(super) enum ReadItem {
    /// The next chunk of the file whose node follows.
    Chunk(ChunkId, ChunkBytes),
    /// The file changed or failed meanwhile: the chunks and holes since the last node do not count.
    Discard,
    /// Holes of the file whose node follows.
    Holes(Vec<Hole>),
    /// A node; its content is the chunks before it, if there were any.
    Node(Box<Node>, FileStatus),
    /// Something in the directory is there and not in the snapshot.
    Incomplete,
    /// The batch is complete; without this item, it is not.
    End,
}

/// The bytes of a chunk.
pub(super) enum ChunkBytes {
    /// A range of the shared buffer of the results.
    Shared(Range<usize>),
    /// A buffer of their own.
    Own(BlobBytes),
}

/// The id of a chunk, now or later.
pub(super) enum ChunkId {
    Known(BlobId),
    /// A seal worker sends it.
    Pending(Receiver<BlobId>),
    /// The reader computes it with those of all chunks in the shared buffer, before it sends them.
    Batched,
}

/// A file compared with the previous snapshot.
pub(super) enum FileStatus {
    /// It is the same file, by its times and number.
    Unchanged,
    New,
    /// It was read again; this is the node of the previous snapshot.
    Known(Box<Node>),
}

impl FileStatus {
    /// Returns the status of an entry that was read.
    pub(super) fn of(entry: &SourceEntry) -> Self {
        let known = |previous: &Node| FileStatus::Known(Box::new(previous.clone()));
        entry.previous.as_ref().map_or(FileStatus::New, known)
    }
}

/// The ends of channels that the feed holds, a walk or a stream.
pub(super) struct FeedEnds {
    pub(super) batches: Sender<ReadBatch>,
    pub(super) steps: SyncSender<WalkStep>,
    pub(super) hash_jobs: Sender<HashJob>,
}
