//! Read-ahead: decoding ahead of reads, on threads of its own.
//!
//! A read never waits for read-ahead: when the threads are busy, nothing is read ahead.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use yore_engine::format::{BlobId, Content, Node};
use yore_engine::read::{FramePrefetch, OpenFile, Reader};

/// Requests that may wait.
const QUEUE: usize = 32;
/// The first and the last size of the window that is read ahead in a file.
const FIRST_WINDOW: u64 = 1 << 20;
const LAST_WINDOW: u64 = 8 << 20;
/// The last size where a read costs a round trip: 1 Gbit/s brings 4 MB in 30 ms, and half a window is requested anew.
const DISTANT_WINDOW: u64 = 16 << 20;
/// The threads there, each with a request in flight, and the chunks of each request: some 2 MiB.
const DISTANT_THREADS: usize = 8;
const DISTANT_SHARE: usize = 4;
/// A read that begins so near to the end of the last one goes on with it: several threads of a
/// kernel read ahead out of order.
const NEAR: u64 = 1 << 20;

/// A request to a read-ahead thread.
enum Job {
    /// Chunks of a file.
    Chunks(Vec<BlobId>),
    /// A frame that files to come lie in.
    Frame(FramePrefetch),
}

/// Threads that decode frames.
pub(crate) struct Prefetcher {
    queue: Option<Sender<Job>>,
    /// Chunks that a thread makes ready at once: their names are compared together.
    share: usize,
    /// The last size of the window that is read ahead in a file.
    last_window: u64,
}

/// The progress of reads of a file, and of read-ahead in it.
#[derive(Default)]
pub(crate) struct Progress {
    /// Guards the state of one file.
    state: Mutex<Ahead>,
}

#[derive(Default)]
struct Ahead {
    end: u64,
    window: u64,
    issued: u64,
}

impl Prefetcher {
    pub(crate) fn start(reader: &Arc<Reader>, threads: usize) -> Self {
        if threads == 0 {
            return Self { queue: None, share: 1, last_window: FIRST_WINDOW };
        }
        let is_distant = reader.is_distant();
        let threads = if is_distant { threads.max(DISTANT_THREADS) } else { threads };
        let (sender, receiver) = bounded::<Job>(QUEUE);
        for _ in 0..threads {
            let (reader, receiver) = (Arc::clone(reader), receiver.clone());
            // They end when the volume is dropped, and the sender with it.
            std::thread::spawn(move || {
                for job in receiver {
                    match job {
                        Job::Chunks(ids) => reader.prefetch(&ids),
                        Job::Frame(frame) => reader.prefetch_frame(&frame),
                    }
                }
            });
        }
        let share = if is_distant { DISTANT_SHARE } else { reader.hash_batch() };
        let last_window = if is_distant { DISTANT_WINDOW } else { LAST_WINDOW };
        Self { queue: Some(sender), share, last_window }
    }

    fn ask(&self, job: Job) {
        if let Some(queue) = &self.queue {
            // A full queue means that reads are faster than what could be gained.
            let _ = queue.try_send(job);
        }
    }

    /// Notes a read, and decodes what follows it if the file is read in order.
    pub(crate) fn read(
        &self,
        reader: &Reader,
        file: &OpenFile,
        progress: &Progress,
        offset: u64,
        size: u64,
    ) {
        let end = offset.saturating_add(size);
        if self.queue.is_none() || end >= file.size() && offset == 0 {
            return;
        }
        let mut ahead = progress.state.lock().unwrap_or_else(PoisonError::into_inner);
        if offset.abs_diff(ahead.end) > NEAR {
            *ahead = Ahead { end, window: 0, issued: end };
            return;
        }
        ahead.end = ahead.end.max(end);
        ahead.window = (ahead.window * 2).clamp(FIRST_WINDOW, self.last_window);
        ahead.issued = ahead.issued.max(end);
        let until = ahead.end.saturating_add(ahead.window).min(file.size());
        // In pieces of half a window: a request for every small read would cost more than it gains.
        if until.saturating_sub(ahead.issued) < ahead.window / 2 && until < file.size() {
            return;
        }
        let mut ids = Vec::new();
        while ahead.issued < until {
            let Ok(Some(chunk)) = file.chunk_after(reader, ahead.issued) else { break };
            ahead.issued = chunk.range.end.max(ahead.issued + 1);
            ids.push(chunk.id);
        }
        drop(ahead);
        self.spread(ids);
    }

    /// Gives each thread its share of what one reader waits for.
    fn spread(&self, ids: Vec<BlobId>) {
        ids.chunks(self.share).for_each(|ids| self.ask(Job::Chunks(ids.to_vec())));
    }

    /// Notes that a file is opened, and decodes what lies behind its beginning if files are opened in
    /// the order in which they were backed up.
    pub(crate) fn opened(&self, reader: &Reader, node: &Node) {
        if let (Some(_), Content::Chunks(chunks)) = (&self.queue, &node.content)
            && let Some(first) = chunks.first()
        {
            reader
                .plan_readahead(&first.id)
                .into_iter()
                .for_each(|frame| self.ask(Job::Frame(frame)));
        }
    }
}
