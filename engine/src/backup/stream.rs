//! Backing up a stream of bytes as one file: the output of a command, or a pipe.

use std::io::{self, Read};
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};
use yore_platform::Kind;

use crate::backup::left_out::Counters;
use crate::backup::messages::{BatchResults, ChunkBytes, ChunkId, FileStatus, ReadItem, WalkStep};
use crate::backup::source::Places;
use crate::backup::{BackupOptions, BackupReport, Feed, Task, run};
use crate::error::{Error, Refusal, Result};
use crate::format::chunker::End;
use crate::format::tree::Node;
use crate::operation::clock::now;
use crate::operation::observer::{Event, Observer};
use crate::path::{Name, TreePath, TreePathBuf};
use crate::repository::Repository;
use crate::store::HashJob;
use crate::store::buffers::Buffer;
use crate::store::buffers::blob_bytes::BlobBytes;

/// The bytes of one read.
const BLOCK: usize = 256 << 10;

/// Makes a snapshot of one file at `path` (components joined by `/`) with the bytes of `input`.
///
/// # Errors
/// Those of [`backup`](crate::backup); an error of `input` ends the backup, and nothing is committed.
pub fn backup_stream(
    repository: &Repository,
    path: &[u8],
    input: &mut (dyn Read + Send),
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let names: Vec<&[u8]> = TreePath::new(path).components().collect();
    let are_names = names.iter().all(|name| Name::new(name).is_some());
    let Some((name, folders)) = names.split_last().filter(|_| are_names) else {
        let path = TreePath::new(path).to_string();
        return Err(Refusal::InvalidFileName { path }.into());
    };
    let source = names.iter().copied().collect::<TreePathBuf>().into_bytes();
    let counters = Counters::default();
    let places = Places::default();
    let task =
        Task { repository, options, observer, counters: &counters, places: &places, dated: None };
    run(task, vec![source], |feed| {
        let time = now();
        for name in folders {
            let mut node = Node::new(name, Kind::Directory, time);
            node.mode = Some(0o755);
            send(&feed, WalkStep::Enter(Box::new(node)))?;
        }
        let (results, results_out) = bounded(4);
        send(&feed, WalkStep::Batch(0, results_out))?;
        let size = cut(&feed, input, &results, observer)?;
        let mut node = Node::new(name, Kind::File, time);
        (node.mode, node.size) = (Some(0o600), size);
        let node = ReadItem::Node(Box::new(node), FileStatus::New);
        send_items(&results, vec![node, ReadItem::End])?;
        drop(results);
        folders.iter().try_for_each(|_| send(&feed, WalkStep::Leave))
    })
}

fn send(feed: &Feed<'_>, step: WalkStep) -> Result<()> {
    feed.ends.steps.send(step).map_err(|_| Error::Interrupted)
}

fn send_items(results: &Sender<BatchResults>, items: Vec<ReadItem>) -> Result<()> {
    results.send(BatchResults { shared: None, items, bytes: 0 }).map_err(|_| Error::Interrupted)
}

/// Cuts the stream into chunks; returns its length.
fn cut(
    feed: &Feed<'_>,
    input: &mut (dyn Read + Send),
    results: &Sender<BatchResults>,
    observer: &dyn Observer,
) -> Result<u64> {
    let (mut cutter, mut block, mut size) = (feed.gear.cutter(), vec![0; BLOCK], 0);
    let mut chunk = feed.chunk_buffers.take();
    let emit = |chunk: Buffer| {
        let length = chunk.len();
        let bytes = BlobBytes::range(&Arc::new(chunk), 0..length);
        let (id, pending) = bounded(1);
        let job = HashJob { bytes: bytes.clone(), id };
        feed.ends.hash_jobs.send(job).map_err(|_| Error::Interrupted)?;
        let chunk = ReadItem::Chunk(ChunkId::Pending(pending), ChunkBytes::Own(bytes));
        send_items(results, vec![chunk])
    };
    loop {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let read = match input.read(&mut block) {
            // The interrupt that ended the program that writes the stream is why it ends here.
            Ok(0) if observer.interrupted() => return Err(Error::Interrupted),
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(Error::local("the stream", source)),
        };
        size += read as u64;
        observer.event(Event::Done { files: 0, bytes: read as u64 });
        let mut rest = &block[..read];
        while !rest.is_empty() {
            let (taken, end) = cutter.take(rest);
            chunk.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if end == End::Here {
                emit(std::mem::replace(&mut chunk, feed.chunk_buffers.take()))?;
            }
        }
    }
    if !chunk.is_empty() {
        emit(chunk)?;
    }
    Ok(size)
}
