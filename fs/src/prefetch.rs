//! Decoding ahead of reads, on threads of its own.
//!
//! Who asks never waits: when the threads are busy, nothing is read ahead.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use yore_engine::{BlobId, Content, Node, OpenFile, Reader};

/// Requests that may wait.
const QUEUE: usize = 32;
/// How far ahead in a file the reading ahead begins, and how far it goes.
const FIRST_WINDOW: u64 = 1 << 20;
const LAST_WINDOW: u64 = 8 << 20;
/// A read that begins so near to the end of the last one goes on with it: several threads of a
/// kernel read ahead out of order.
const NEAR: u64 = 1 << 20;
/// Bytes of neighbours that are decoded at a time, and the most files.
const NEIGHBOUR_BYTES: u64 = 2 << 20;
const NEIGHBOURS: usize = 128;
/// Files that are opened so soon after another count as read in order.
const STRIDE: usize = 8;

/// Threads that decode frames.
pub(crate) struct Prefetcher {
    queue: Option<Sender<Vec<BlobId>>>,
}

/// How far a file is read, and decoded ahead.
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

/// How far the files of a directory are opened, and decoded ahead.
#[derive(Default)]
pub(crate) struct Neighbours {
    /// Guards the positions of the last file opened and of the first that was not asked for.
    state: Mutex<(usize, usize)>,
}

impl Prefetcher {
    pub(crate) fn start(reader: &Arc<Reader>, threads: usize) -> Self {
        if threads == 0 {
            return Self { queue: None };
        }
        let (sender, receiver) = bounded::<Vec<BlobId>>(QUEUE);
        for _ in 0..threads {
            let (reader, receiver) = (Arc::clone(reader), receiver.clone());
            // They end when the volume, and with it the sender, is gone.
            std::thread::spawn(move || {
                for ids in receiver {
                    ids.iter().for_each(|id| reader.prefetch(id));
                }
            });
        }
        Self { queue: Some(sender) }
    }

    fn ask(&self, ids: Vec<BlobId>) {
        if let (Some(queue), false) = (&self.queue, ids.is_empty()) {
            // A full queue means that reads are faster than what could be gained.
            let _ = queue.try_send(ids);
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
        ahead.window = (ahead.window * 2).clamp(FIRST_WINDOW, LAST_WINDOW);
        ahead.issued = ahead.issued.max(end);
        let until = ahead.end.saturating_add(ahead.window).min(file.size());
        // In pieces of half a window: a request for every small read would cost more than it gains.
        if until.saturating_sub(ahead.issued) < ahead.window / 2 && until < file.size() {
            return;
        }
        let mut ids = Vec::new();
        while ahead.issued < until {
            let Ok(Some((id, place))) = file.chunk_after(reader, ahead.issued) else { break };
            ahead.issued = place.end.max(ahead.issued + 1);
            ids.push(id);
        }
        drop(ahead);
        self.spread(ids);
    }

    /// Gives each thread its share of what one reader waits for.
    fn spread(&self, ids: Vec<BlobId>) {
        ids.chunks(2).for_each(|ids| self.ask(ids.to_vec()));
    }

    /// Notes that the file at a position of a directory was opened, and decodes the beginnings of
    /// those after it if files are opened in order.
    pub(crate) fn opened(&self, nodes: &[Node], neighbours: &Neighbours, at: usize) {
        if self.queue.is_none() {
            return;
        }
        let mut state = neighbours.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, issued) = *state;
        state.0 = at;
        let in_order = at >= last && at - last <= STRIDE;
        if !in_order {
            state.1 = at + 1;
            return;
        }
        if issued > at + STRIDE {
            return;
        }
        let (mut bytes, mut ids) = (0, Vec::new());
        let first = issued.max(at + 1);
        let mut next = first;
        for node in nodes.iter().skip(first) {
            if bytes >= NEIGHBOUR_BYTES || ids.len() >= NEIGHBOURS {
                break;
            }
            next += 1;
            if let Content::Chunks(chunks) = &node.content
                && let Some(chunk) = chunks.first()
            {
                bytes += u64::from(chunk.length);
                ids.push(chunk.id);
            }
        }
        state.1 = next;
        drop(state);
        self.ask(ids);
    }
}
