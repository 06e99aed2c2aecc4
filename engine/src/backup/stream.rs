//! Backing up a stream of bytes as one file: what a command prints, what comes through a pipe.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crossbeam_channel::{Sender, bounded};
use yore_platform::Kind;

use crate::backup::left_out::Tally;
use crate::backup::read::large::HashJob;
use crate::backup::read::{Bytes, ChunkId, Found, Results, Status};
use crate::backup::slice::Slice;
use crate::backup::walk::Step;
use crate::backup::{BackupOptions, BackupReport, Stage, now, run};
use crate::error::{Error, Result};
use crate::format::chunker::End;
use crate::format::tree::Node;
use crate::observer::{Event, Observer};
use crate::path::{Name, TreePath, TreePathBuf};
use crate::repository::Repository;

/// How much is read at a time.
const BLOCK: usize = 256 << 10;

/// Makes a snapshot of one file at `path` (components joined by `/`) with the bytes of `input`.
///
/// # Errors
/// As for [`backup`](crate::backup); an error of `input` ends the backup, and nothing is committed.
pub fn backup_stream(
    repository: &Repository,
    path: &[u8],
    input: &mut (dyn Read + Send),
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let names: Vec<&[u8]> = TreePath::new(path).components().collect();
    let are_names = names.iter().all(|name| Name::new(name).is_some());
    let Some((name, way)) = names.split_last().filter(|_| are_names) else {
        let what = format!("{:?} can't be the name of a file", TreePath::new(path));
        return Err(Error::Refused { what });
    };
    let source = names.iter().copied().collect::<TreePathBuf>().into_bytes();
    let tally = Tally::default();
    run(repository, vec![source], options, observer, &tally, |stage| {
        let time = now();
        for name in way {
            let mut node = Node::new(name, Kind::Directory, time);
            node.mode = Some(0o755);
            send(&stage.steps, Step::Enter(Box::new(node)))?;
        }
        let (results, found) = bounded(4);
        send(&stage.steps, Step::Batch(0, found))?;
        let size = cut(&stage, input, &results, observer)?;
        let mut node = Node::new(name, Kind::File, time);
        (node.mode, node.size) = (Some(0o600), size);
        send_found(&results, vec![Found::Node(Box::new(node), Status::New), Found::End])?;
        drop(results);
        way.iter().try_for_each(|_| send(&stage.steps, Step::Leave))
    })
}

fn send(steps: &SyncSender<Step>, step: Step) -> Result<()> {
    steps.send(step).map_err(|_| Error::Interrupted)
}

fn send_found(results: &Sender<Results>, found: Vec<Found>) -> Result<()> {
    results.send(Results { shared: None, found, bytes: 0 }).map_err(|_| Error::Interrupted)
}

/// Cuts the stream into chunks; returns its length.
fn cut(
    stage: &Stage<'_>,
    input: &mut (dyn Read + Send),
    results: &Sender<Results>,
    observer: &dyn Observer,
) -> Result<u64> {
    let (mut cutter, mut block, mut size) = (stage.gear.cutter(), vec![0; BLOCK], 0);
    let mut chunk = stage.chunks.take();
    let emit = |chunk: crate::backup::buffers::Buffer| {
        let length = chunk.len();
        let bytes = Slice::part(&Arc::new(chunk), 0..length);
        let (name, named) = bounded(1);
        let job = HashJob { bytes: bytes.clone(), name };
        stage.hashing.send(job).map_err(|_| Error::Interrupted)?;
        send_found(results, vec![Found::Chunk(ChunkId::Later(named), Bytes::Own(bytes))])
    };
    loop {
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let read = match input.read(&mut block) {
            // The interrupt that ended whoever writes the stream is why it ends here.
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
                emit(std::mem::replace(&mut chunk, stage.chunks.take()))?;
            }
        }
    }
    if !chunk.is_empty() {
        emit(chunk)?;
    }
    Ok(size)
}
