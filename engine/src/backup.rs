//! Backup: reading the sources once and making a snapshot of them.
//!
//! Data flows one way, through threads and bounded channels: a walker lists directories and joins
//! them with the previous snapshot; readers look at files and read what changed; the calling thread
//! builds trees and deduplicates; sealers compress, seal and verify; a writer writes packs. Nothing
//! is kept for each file. Who is ahead waits, so memory has a bound.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use crossbeam_channel::{Receiver, Sender, bounded, never, select};
use yore_platform::{Mounts, SourceDir, Timestamp, snapshot_path};

use crate::backup::assemble::Assembly;
use crate::backup::buffers::Buffers;
use crate::backup::left_out::Tally;
use crate::backup::read::budget::{Budget, Closing};
use crate::backup::read::large::HashJob;
use crate::backup::read::{Readers, SHARED_BUFFER};
use crate::backup::store::{Channels, FrameJob, Sealer, Shared, Store};
use crate::backup::stored::StoredBlobs;
use crate::backup::walk::exclude::Excluder;
use crate::backup::walk::{Sources, Step, Walk};
use crate::clock::now;
use crate::error::{Error, Result};
use crate::format::blob_hasher::HASH_BATCH;
use crate::format::chunker::Gear;
use crate::format::id::{BlobId, SnapshotId};
use crate::format::keys::{BlobKind, Keys};
use crate::format::object::{Kind, ObjectName};
use crate::format::record::{Snapshot, Totals};
use crate::format::tree::Flags;
use crate::index::BlobIndex;
use crate::observer::Observer;
use crate::read::merge::merge;
use crate::read::reader::Reader;
use crate::read::state_tree::DirRef;
use crate::repository::session::{self, OpenSession, Writer};
use crate::repository::{Repository, Snapshots};
use crate::run::Run;
use crate::snapshots::moment::{Moment, Part, state};
use crate::snapshots::order::SnapshotEntry;
use crate::{backend, format::seal};

mod assemble;
mod buffers;
mod clones;
mod count;
mod left_out;
mod options;
mod read;
mod resume;
mod slice;
mod store;
mod stored;
mod stream;
mod walk;

pub use count::count_sources;
pub use left_out::{LeftOut, NotEntered};
pub use options::{
    BackupOptions, BackupReport, ChangeTime, EmptySources, Excludes, FileSystems, InodeNumbers,
    Reading, UnchangedBy,
};
pub use stream::backup_stream;
pub use walk::Emptied;

/// Threads that look and read: what is cold on a disk arrives sooner when several wait for it.
const READERS: usize = 8;
/// Batches that wait for a reading thread, and steps that wait for the thread that builds trees.
const BATCHES: usize = 64;
const STEPS: usize = 512;
/// Bytes that are read ahead of the thread that builds trees.
const READ_AHEAD: usize = 32 << 20;
/// Unused buffers of small files and of chunks that are kept.
const SPARE_SHARED: usize = 24;
const SPARE_CHUNKS: usize = 16;
/// Bytes of decoded frames of the previous snapshot's trees that are kept.
const PREVIOUS_BUDGET: usize = 8 << 20;
/// A file that changed so many seconds before the previous backup began may have changed again
/// without a new time: FAT keeps times to two seconds.
const COARSEST_TIME: i64 = 3;

/// Makes a snapshot of files and folders, given by absolute paths without links and `..`.
///
/// Returns when the snapshot is durable. What could not be read is told to the observer and counted;
/// the rest is saved.
///
/// # Errors
/// Before anything is written: a source that is not there, a pattern that is none. After that,
/// nothing is committed, and what reached the destination is used by the next backup.
pub fn backup(
    repository: &Repository,
    sources: &[PathBuf],
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let excluder = Excluder::new(&options.excludes)?;
    for source in sources {
        if !source.is_absolute() {
            let what = format!("{} is not an absolute path", source.display());
            return Err(Error::Refused { what });
        }
        yore_platform::path_metadata(source).map_err(|error| Error::local(source, error))?;
    }
    if sources.is_empty() {
        return Err(Error::Refused { what: "there is nothing to back up".into() });
    }
    let tree = Sources::new(sources);
    let paths: Vec<Vec<u8>> = sources.iter().map(|path| snapshot_path(path)).collect();
    // Without the table every mount is a folder like others.
    let mounts = Mounts::read().unwrap_or_default();
    let own = options.own_folders.iter().filter_map(|folder| {
        let metadata = SourceDir::open(folder).and_then(|dir| dir.metadata()).ok()?;
        Some((metadata.device, metadata.inode))
    });
    let own: Vec<(u64, u64)> = own.collect();
    let tally = Tally::default();
    let mut report = run(repository, paths, options, observer, &tally, |stage| {
        let walk = Walk {
            excluder: &excluder,
            options,
            repository: repository.id(),
            own: &own,
            mounts: &mounts,
            tally: &tally,
            earlier: stage.earlier,
            reader: stage.reader,
            trusted_before: stage.trusted_before,
            observer,
            jobs: stage.jobs,
            steps: stage.steps,
            unreadable: stage.unreadable,
            batches: Cell::new(0),
            names: Cell::new(0),
        };
        walk.run(&tree, stage.previous)
    })?;
    tally.finish(excluder.unused(), &mut report);
    Ok(report)
}

/// What whoever feeds a backup is given.
struct Stage<'a> {
    reader: &'a Reader,
    previous: Option<&'a DirRef>,
    /// The sources of earlier snapshots of this machine or installation.
    earlier: &'a BTreeSet<Vec<u8>>,
    trusted_before: Timestamp,
    unreadable: &'a AtomicU64,
    gear: &'a Gear,
    chunks: Buffers,
    jobs: Sender<read::Job>,
    steps: SyncSender<Step>,
    hashing: Sender<HashJob>,
}

/// Refuses more words than a snapshot can describe itself by.
fn must_fit_a_record(sources: &[Vec<u8>], options: &BackupOptions) -> Result<()> {
    let patterns = options.excludes.rules.iter().flat_map(|rule| &rule.patterns);
    let texts = options.tags.iter().chain(patterns).map(String::len);
    let lengths = sources.iter().map(Vec::len).chain(texts);
    // What else it holds, and how a text begins, are small beside it.
    if lengths.map(|length| length + 16).sum::<usize>() > seal::MAX_RECORD / 2 {
        let what = "sources, tags and patterns are more than 2 MiB of text together".into();
        return Err(Error::Refused { what });
    }
    Ok(())
}

/// Runs a backup that `feed` feeds with what is to be saved.
fn run(
    repository: &Repository,
    sources: Vec<Vec<u8>>,
    options: &BackupOptions,
    observer: &dyn Observer,
    tally: &Tally,
    feed: impl FnOnce(Stage<'_>) -> Result<()> + Send,
) -> Result<BackupReport> {
    let started = now();
    let time = options.time.unwrap_or(started);
    if time > started {
        return Err(Error::Refused {
            what: "the time of a snapshot can't be in the future".into(),
        });
    }
    must_fit_a_record(&sources, options)?;
    let known = repository.snapshots()?;
    let ahead = known.ahead(started);
    if options.run == Run::Dry {
        let (_, condemned) = repository.condemned()?;
        let index = repository.open_index_to_write(condemned)?;
        let saved = save(repository, options, observer, tally, &known.list, index, feed)?;
        return Ok(report(None, saved.totals, ahead));
    }
    let sessions = repository.sessions()?.list;
    let new_client = clones::split(&known, &sessions, &options.writer);
    let client = new_client.unwrap_or(options.writer.client);
    let writer = Writer { client, ..options.writer.clone() };
    let left = resume::left_open(sessions);
    resume::clear(repository, &left)?;
    let session = session::open(repository, &writer, started)?;
    let saved = repository
        .open_index_to_write(session.condemned.clone())
        .and_then(|index| resume::adopt(repository, &left, &session, index))
        .and_then(|index| save(repository, options, observer, tally, &known.list, index, feed));
    let saved = match saved {
        Ok(saved) => saved,
        // A destination in trouble may lack the index of packs that it has: while the session has
        // no verdict, the next backup looks for them.
        Err(
            error @ (Error::Backend { .. }
            | Error::Missing { .. }
            | Error::NoRepository { .. }
            | Error::OtherRepository { .. }),
        ) => return Err(error),
        Err(error) => {
            // What was written stays useful; that it is not committed needs no verdict.
            let _ = session.abort(repository, now());
            return Err(error);
        }
    };
    let uncovered = tally.take_uncovered(&sources);
    let description = Description { sources, uncovered, time, options, writer, known: &known };
    let id = save_snapshot(repository, &session, description, &saved)?;
    session.commit(repository, vec![id], now())?;
    let _ = repository.backend.remove_abandoned();
    resume::end_dead(repository, &left, &options.writer);
    Ok(BackupReport { new_client, ..report(Some(id), saved.totals, ahead) })
}

fn report(
    snapshot: Option<SnapshotId>,
    totals: Totals,
    ahead: Option<SnapshotEntry>,
) -> BackupReport {
    let (left_out, emptied) = (LeftOut::default(), Vec::new());
    BackupReport {
        snapshot,
        totals,
        removed_files: 0,
        changed_while_read: 0,
        left_out,
        emptied,
        ahead,
        new_client: None,
    }
}

/// What the threads of a backup made.
struct Saved {
    root: BlobId,
    root_flags: Flags,
    totals: Totals,
}

fn save(
    repository: &Repository,
    options: &BackupOptions,
    observer: &dyn Observer,
    tally: &Tally,
    known: &[SnapshotEntry],
    index: BlobIndex,
    feed: impl FnOnce(Stage<'_>) -> Result<()> + Send,
) -> Result<Saved> {
    let keys = Arc::clone(&repository.keys);
    let backend = Arc::clone(&repository.backend);
    let reader = Reader::new(backend, Arc::clone(&keys), index.clone(), PREVIOUS_BUDGET);
    let own = |entry: &&SnapshotEntry| {
        let Writer { host, client, .. } = &options.writer;
        entry.snapshot.host == *host || entry.snapshot.client == *client
    };
    let here: Vec<_> = known.iter().filter(own).cloned().collect();
    let earlier = here.iter().flat_map(|entry| entry.snapshot.sources.iter().cloned()).collect();
    let (previous, trusted_before) = previous_state(&reader, &here);
    let parameters = &repository.header.parameters;
    let gear = Gear::new(&keys, parameters);
    let stored = StoredBlobs::new(index.clone(), &reader);
    let unreadable = AtomicU64::new(0);
    let sealers = std::thread::available_parallelism().map_or(2, usize::from);
    let shared = Shared::new(repository);
    let (frames, frames_out, writer, mut crunchers) = Channels::new(sealers).split(&shared)?;
    let (jobs, batches) = bounded(BATCHES);
    // Of the standard library: what waits there goes when the receiver does, and with it the channels through
    // which it was to be answered, so that nobody waits for an answer to nobody.
    let (steps, ordered) = sync_channel(STEPS);
    let (hashing, to_hash) = bounded(2 * HASH_BATCH);
    let budget = Budget::new(READ_AHEAD);
    let chunks = Buffers::new(SPARE_CHUNKS, gear.max());
    let readers = Arc::new(Readers {
        keys: &keys,
        gear: &gear,
        inline: u64::from(parameters.inline),
        options,
        tally,
        trusted_before,
        stored: &stored,
        observer,
        unreadable: &unreadable,
        shared: Buffers::new(SPARE_SHARED, SHARED_BUFFER),
        chunks: chunks.clone(),
        hashing: hashing.clone(),
        budget: &budget,
    });
    let stage = Stage {
        reader: &reader,
        previous: previous.as_ref(),
        earlier: &earlier,
        trusted_before,
        unreadable: &unreadable,
        gear: &gear,
        chunks,
        jobs,
        steps,
        hashing,
    };
    let frames = (options.run == Run::Real).then_some(frames);
    let store = Store::new(&shared, frames, index);
    let (assembled, mut store) = std::thread::scope(|scope| {
        // Owned here, so that a panic drops it and the threads that wait for more of it end.
        let mut store = store;
        let feeder = scope.spawn(|| feed(stage));
        for _ in 0..READERS {
            let (readers, batches) = (Arc::clone(&readers), batches.clone());
            scope.spawn(move || read::run(&readers, &batches));
        }
        drop((readers, batches));
        for mut sealer in crunchers.drain(..) {
            let (frames, to_hash, keys) = (frames_out.clone(), to_hash.clone(), &*keys);
            scope.spawn(move || crunch(&mut sealer, keys, frames, to_hash));
        }
        drop((frames_out, to_hash));
        let shared = &shared;
        scope.spawn(move || writer.run(shared).unwrap_or_else(|error| shared.fail(error)));
        let closing = Closing(&budget);
        let assembled = Assembly::new(&keys, &mut store, &budget, observer).run(&ordered);
        drop((ordered, closing));
        let fed = feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let whole = both(fed, assembled).and_then(|((), built)| store.flush().map(|()| built));
        if whole.is_err() {
            store.abandon();
        }
        (whole, store)
    });
    let (stored_bytes, mut saved) = both(store.finish(), assembled)?;
    saved.totals.stored_bytes = stored_bytes;
    saved.totals.new_bytes = store.new_bytes;
    saved.totals.unreadable = unreadable.load(Ordering::Relaxed);
    Ok(saved)
}

/// Puts two outcomes together; of two errors, the one that says why the other came about.
fn both<A, B>(first: Result<A>, second: Result<B>) -> Result<(A, B)> {
    match (first, second) {
        (Ok(first), Ok(second)) => Ok((first, second)),
        // Whoever was interrupted may have been so because the other failed.
        (Err(Error::Interrupted), Err(error)) | (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Compresses and seals frames and names chunks, until there will be neither.
fn crunch(
    sealer: &mut Sealer<'_, '_>,
    keys: &Keys,
    mut frames: Receiver<FrameJob>,
    mut to_hash: Receiver<HashJob>,
) {
    let (mut sealing, mut naming) = (true, true);
    while sealing || naming {
        // Sealing first: meanwhile more chunks come together, and many are named faster than few.
        let at_once = if to_hash.len() < HASH_BATCH { frames.try_recv().ok() } else { None };
        let frame = match at_once {
            Some(frame) => Some(frame),
            None => select! {
                recv(to_hash) -> job => {
                    match job {
                        Ok(job) => name(keys, job, &to_hash),
                        Err(_) => (to_hash, naming) = (never(), false),
                    }
                    continue;
                },
                recv(frames) -> frame => frame.ok(),
            },
        };
        let sealed = frame.map(|frame| sealer.run(frame));
        if !matches!(sealed, Some(Ok(()))) {
            // Who can't seal goes on naming: others wait for names before they see that it is over.
            (frames, sealing) = (never(), false);
        }
        if let Some(Err(error)) = sealed {
            sealer.fail(error);
        }
    }
}

/// Names a chunk, and others that wait with it.
fn name(keys: &Keys, first: HashJob, more: &Receiver<HashJob>) {
    let jobs: Vec<HashJob> =
        std::iter::once(first).chain(more.try_iter().take(HASH_BATCH - 1)).collect();
    let chunks: Vec<&[u8]> = jobs.iter().map(|job| &*job.bytes).collect();
    for (job, id) in jobs.iter().zip(keys.blob_ids(BlobKind::Data, &chunks)) {
        // Whoever wanted the name may have given up.
        let _ = job.name.send(id);
    }
}

/// The state that the snapshots of this machine or installation have now, and the instant before which it can be
/// trusted.
fn previous_state(reader: &Reader, snapshots: &[SnapshotEntry]) -> (Option<DirRef>, Timestamp) {
    let Ok(parts) = state(snapshots, &Moment::Latest) else {
        return (None, Timestamp::default());
    };
    let began = |part: &Part<'_>| part.snapshot.snapshot.time.min(part.snapshot.since);
    let oldest = parts.iter().map(began).min().unwrap_or_default();
    let trusted = Timestamp { seconds: oldest.seconds - COARSEST_TIME, nanos: oldest.nanos };
    // What can't be read of earlier snapshots is read from the sources.
    (merge(reader, &parts).ok(), trusted)
}

/// What a snapshot says of itself.
struct Description<'a> {
    sources: Vec<Vec<u8>>,
    uncovered: Vec<Vec<u8>>,
    time: Timestamp,
    options: &'a BackupOptions,
    writer: Writer,
    known: &'a Snapshots,
}

fn save_snapshot(
    repository: &Repository,
    session: &OpenSession,
    description: Description<'_>,
    saved: &Saved,
) -> Result<SnapshotId> {
    let Description { sources, uncovered, time, options, writer, known } = description;
    let Writer { host, user, client, program, .. } = writer;
    let mut seen = known.newest_of_each_client();
    let newest = seen.remove(&client);
    let mut seen: Vec<SnapshotId> = seen.into_values().map(|(_, id)| id).collect();
    seen.sort_unstable();
    let snapshot = Snapshot {
        time,
        time_given: options.time.is_some(),
        end: now(),
        utc_offset: options.utc_offset,
        host,
        user,
        sources,
        root: saved.root,
        root_flags: saved.root_flags,
        tags: options.tags.clone(),
        client,
        sequence: newest.map_or(1, |(sequence, _)| sequence.saturating_add(1)),
        previous: newest.map(|(_, id)| id),
        seen,
        totals: saved.totals,
        program,
        excludes: options.excludes.rules.iter().flat_map(|rule| rule.patterns.clone()).collect(),
        uncovered,
        session: session.id,
    };
    let content = snapshot.encode();
    let id = SnapshotId(repository.keys.draw_salt(&content));
    let name = ObjectName::snapshot(id);
    let object = seal::seal_whole(&repository.keys, Kind::Snapshot, &name, id.0, &content);
    backend::save(&*repository.backend, &name, &object)?;
    Ok(id)
}

#[cfg(test)]
mod tests;
