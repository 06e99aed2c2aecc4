//! Backup: reading the sources once and making a snapshot of them.
//!
//! A walk lists directories and joins them with the previous snapshot; readers read what is new or changed; the
//! calling thread builds trees and deduplicates; seal workers compress, seal and verify; a writer writes packs
//! (`pipeline.rs` draws the flow). Nothing is kept for each file, and all channels are bounded, so memory is too.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use yore_platform::{Mounts, SourceDir, snapshot_path};

use crate::backup::assemble::Saved;
use crate::backup::earlier_snapshots::PreviousState;
use crate::backup::left_out::{Counted, Counters};
use crate::backup::messages::FeedEnds;
use crate::backup::read::budget::Budget;
use crate::backup::read::selection::Selector;
use crate::backup::read::{ReadContext, SHARED_BUFFER};
use crate::backup::snapshot::{SnapshotContents, parts};
use crate::backup::walk::exclude::Excluder;
use crate::backup::walk::{Sources, Walk};
use crate::error::{Error, Refusal, Result};
use crate::format::chunker::Gear;
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::record::{Session, Totals};
use crate::index::BlobIndex;
use crate::operation::clock::now;
use crate::operation::observer::Observer;
use crate::operation::run::Run;
use crate::read::reader::Reader;
use crate::repository::session::{self, OpenSession, Writer};
use crate::repository::{MirrorWriter, Repository, Targets};
use crate::snapshots::order::SnapshotEntry;
use crate::store::StoreState;
use crate::store::buffers::Buffers;

mod assemble;
mod count;
mod dated;
mod earlier_snapshots;
mod left_out;
mod messages;
mod options;
mod pipeline;
mod read;
pub(crate) mod resume;
mod shared_client_id;
mod snapshot;
mod source;
mod stream;
mod walk;

pub use count::count_sources;
pub(crate) use dated::{DatedSource, EarlierState, backup_dated};
pub(crate) use earlier_snapshots::ReusableBlobs;
pub use left_out::{EmptiedFolder, LeftOut, NotEntered};
pub use options::{
    BackupOptions, BackupReport, ChangeTime, EmptySources, Excludes, FileSystems, InodeNumbers,
    Reading, UnchangedBy,
};
pub use read::selection::Selection;
pub use snapshot::parts::backup_in_parts;
pub use source::{Place, Places};
#[cfg(feature = "sftp")]
pub use source::{ServerFiles, backup_server};
pub use stream::backup_stream;
pub use walk::ChangedPaths;

/// Bytes that are read ahead of the assembler.
const READ_AHEAD: usize = 32 << 20;
/// The most unused buffers of small files and of chunks that are kept.
const SPARE_SHARED: usize = 24;
const SPARE_CHUNKS: usize = 16;
/// Bytes of decoded frames of the previous snapshot's trees that are kept.
const PREVIOUS_BUDGET: usize = 8 << 20;
/// The same where a request costs a round trip: neighbours are fetched together.
const DISTANT_PREVIOUS_BUDGET: usize = 32 << 20;

/// Makes a snapshot of files and folders, given by absolute paths without links and `..`.
///
/// Returns when the snapshot is durable. What could not be read is reported to the observer and counted; the rest
/// is saved.
///
/// # Errors
/// Before anything is written: a source that does not exist, an invalid pattern. After that, nothing is committed,
/// and the next backup uses what reached the destination.
pub fn backup(
    repository: &Repository,
    sources: &[PathBuf],
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    backup_from(repository, sources, &Places::default(), options, observer)
}

/// Makes a snapshot of files and folders as [`backup`] does; some are read in other places than their own.
///
/// Where the places show a moment, the snapshot is of that moment.
///
/// # Errors
/// Those of [`backup`].
pub fn backup_from(
    repository: &Repository,
    sources: &[PathBuf],
    places: &Places,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    check_sources(sources, places)?;
    let paths = sources.iter().map(|path| snapshot_path(path)).collect();
    back_up_paths(repository, paths, places, None, options, observer)
}

/// Makes a snapshot of paths, which are read at their places; set is what they are an earlier state of.
fn back_up_paths(
    repository: &Repository,
    paths: Vec<Vec<u8>>,
    places: &Places,
    dated: Option<&DatedSource<'_>>,
    options: &BackupOptions,
    observer: &dyn Observer,
) -> Result<BackupReport> {
    let excluder = Excluder::new(&options.excludes)?;
    let tree = Sources::new(&paths);
    // Without the table every mount is a folder like others.
    let mounts = match places.machine() {
        None => Mounts::read().unwrap_or_default(),
        Some(_) => Mounts::default(),
    };
    let own = options.own_folders.iter().filter_map(|folder| {
        let metadata = SourceDir::open(folder).and_then(|dir| dir.metadata()).ok()?;
        Some((metadata.device, metadata.inode))
    });
    let own: Vec<(u64, u64)> = own.collect();
    let counters = Counters::default();
    let task = Task { repository, options, observer, counters: &counters, places, dated };
    let report = run(task, paths, |feed| {
        let walk = Walk {
            excluder: &excluder,
            options,
            repository: repository.id(),
            own: &own,
            mounts: &mounts,
            places,
            counters: &counters,
            previous: feed.previous,
            reader: feed.reader,
            observer,
            ends: feed.ends,
            batches: Cell::new(0),
            names: Cell::new(0),
        };
        walk.run(&tree)
    });
    let report = report.map_err(|error| places.cause_of(error))?;
    let counted = counters.finish(excluder.unused());
    let Counted { removed_files, changed_while_read, emptied, left_out } = counted;
    Ok(BackupReport { removed_files, changed_while_read, emptied, left_out, ..report })
}

/// Refuses relative and missing sources, and an empty list.
fn check_sources(sources: &[PathBuf], places: &Places) -> Result<()> {
    for source in sources {
        if !source.is_absolute() {
            return Err(Refusal::RelativePath { path: source.clone() }.into());
        }
        let path = snapshot_path(source);
        let failed = |error| Error::local(places.live(&path), error);
        places.metadata(&path).map_err(failed)?;
    }
    if sources.is_empty() {
        return Err(Refusal::NothingToBackUp.into());
    }
    Ok(())
}

/// The repository, and how a backup into it is made.
#[derive(Clone, Copy)]
struct Task<'a> {
    repository: &'a Repository,
    options: &'a BackupOptions,
    observer: &'a dyn Observer,
    counters: &'a Counters,
    /// The folders in which paths of the snapshot are read.
    places: &'a Places,
    /// Set where the snapshot is of a folder that shows an earlier state.
    dated: Option<&'a DatedSource<'a>>,
}

/// The things that the feed of a backup, a walk or a stream, works with.
struct Feed<'a> {
    reader: &'a Reader,
    previous: &'a PreviousState,
    gear: &'a Gear,
    chunk_buffers: Buffers,
    ends: FeedEnds,
}

/// Makes a snapshot of everything that `feed` sends.
fn run(
    task: Task<'_>,
    sources: Vec<Vec<u8>>,
    feed: impl FnOnce(Feed<'_>) -> Result<()> + Send,
) -> Result<BackupReport> {
    let Task { repository, options, counters, places, .. } = task;
    let started = now();
    let time = options.time.or(places.moment()).unwrap_or(started);
    if time > started {
        return Err(Refusal::TimeInFuture.into());
    }
    snapshot::check_record_size(&sources, options)?;
    let (mut listing, state) = repository.list_state(Targets::areas(repository))?;
    let ahead = state.snapshots.newest_ahead_of_clock(started);
    let targets = Targets::choose(repository, &mut listing, &state)?;
    // What only other destinations have can't be reused.
    let is_common = |entry: &&SnapshotEntry| targets.common.contains(&entry.id);
    let previous: Vec<SnapshotEntry> =
        state.snapshots.list.iter().filter(is_common).cloned().collect();
    if options.run == Run::Dry {
        let index = repository.open_index_to_compare(&targets)?.index;
        let saved = save(task, None, &previous, index, feed)?;
        return Ok(report(None, saved.totals, ahead));
    }
    let sessions = state.sessions.list;
    let new_client =
        shared_client_id::new_id_if_shared(&state.snapshots, &sessions, &options.writer);
    let client = new_client.unwrap_or(options.writer.client);
    let writer = Writer { client, ..options.writer.clone() };
    let left = resume::left_open(sessions);
    resume::clear(repository, &left);
    let session = session::open(repository, &targets.destinations, &writer, started)?;
    let (destinations, saved) = save_in_session(task, session, &left, &previous, feed)?;
    if parts::is_needless(options, &saved.totals) {
        let _ = destinations.stop().map(|session| session.abort(repository, now()));
        return Ok(report(None, saved.totals, ahead));
    }
    let uncovered = counters.take_uncovered(&sources);
    let known = &state.snapshots;
    let origin = task.dated.map(|dated| dated.origin);
    let machine = task.places.machine();
    let contents =
        SnapshotContents { sources, uncovered, time, options, writer, known, origin, machine };
    let made = snapshot::save(repository, &destinations, contents, &saved)?;
    let newest = (made.snapshot.client, made.snapshot.sequence, made.id);
    let mut behind = destinations.commit(&[made.id], now())?;
    repository.remember_newest(newest, &behind);
    behind.extend(targets.behind);
    repository.remove_abandoned();
    resume::end_dead(repository, &left, &options.writer);
    if behind.is_empty() {
        let lost = saved.overwritten + counters.removed_so_far();
        behind = parts::forget(repository, &state.snapshots.list, &made, &options.writer, lost);
    }
    let (suspicion, rolled_back) = (made.suspicion, state.snapshots.rolled_back);
    let report = report(Some(made.id), made.snapshot.totals, ahead);
    Ok(BackupReport { new_client, behind, suspicion, rolled_back, ..report })
}

fn report(
    snapshot: Option<SnapshotId>,
    totals: Totals,
    ahead: Option<SnapshotEntry>,
) -> BackupReport {
    BackupReport {
        snapshot,
        totals,
        removed_files: 0,
        changed_while_read: 0,
        left_out: LeftOut::default(),
        emptied: Vec::new(),
        ahead,
        new_client: None,
        behind: Vec::new(),
        suspicion: None,
        rolled_back: Vec::new(),
    }
}

/// Saves what `feed` sends, after the packs of interrupted sessions were adopted; an error ends the session.
fn save_in_session<'a>(
    task: Task<'a>,
    mut session: OpenSession,
    left: &[(ObjectId, Session)],
    previous: &[SnapshotEntry],
    feed: impl FnOnce(Feed<'_>) -> Result<()> + Send,
) -> Result<(MirrorWriter<'a>, Saved)> {
    let Task { repository, observer, .. } = task;
    let index = match repository.open_index_to_write(&mut session) {
        Ok(index) => index,
        Err(error) => return Err(end_failed(repository, Some(session), error)),
    };
    let destinations = MirrorWriter::start(repository, session, observer);
    // A part that is not committed must not end the life of what it adopts.
    let left = if task.options.only.is_some() { &[] } else { left };
    let saved = resume::adopt(repository, left, &destinations, index)
        .and_then(|index| save(task, Some(&destinations), previous, index, feed));
    match saved {
        Ok(saved) => Ok((destinations, saved)),
        Err(error) => Err(end_failed(repository, destinations.stop(), error)),
    }
}

/// Ends a session that failed, and returns the error.
///
/// A destination that fails may lack the index of packs that it has: while the session has no verdict, the next backup
/// looks for them.
fn end_failed(repository: &Repository, session: Option<OpenSession>, error: Error) -> Error {
    let is_of_destination = matches!(
        error,
        Error::Backend { .. }
            | Error::Missing { .. }
            | Error::NoRepository { .. }
            | Error::OtherRepository { .. }
    );
    if let Some(session) = session.filter(|_| !is_of_destination) {
        // What was written stays useful; that it is not committed needs no verdict.
        let _ = session.abort(repository, now());
    }
    error
}

/// Stores what `feed` sends, unless `destinations` is `None`, and returns the root of the new tree.
fn save(
    task: Task<'_>,
    destinations: Option<&MirrorWriter<'_>>,
    previous: &[SnapshotEntry],
    index: BlobIndex,
    feed: impl FnOnce(Feed<'_>) -> Result<()> + Send,
) -> Result<Saved> {
    let Task { repository, options, observer, counters, places, dated } = task;
    let (mirrors, keys) = (Arc::clone(&repository.mirrors), Arc::clone(&repository.keys));
    let budget = if repository.is_distant() { DISTANT_PREVIOUS_BUDGET } else { PREVIOUS_BUDGET };
    let reader = Reader::new(mirrors, keys, index.clone(), budget, repository.frame_cache());
    let previous = match dated {
        None => PreviousState::read(&reader, previous, &options.writer, places.machine()),
        Some(dated) => {
            PreviousState::of(&reader, previous, &options.writer, dated.earlier.as_ref())
        }
    };
    let parameters = &repository.header.parameters;
    let gear = Gear::new(&repository.keys, parameters);
    let chunk_buffers = Buffers::new(SPARE_CHUNKS, gear.max());
    let context = ReadContext {
        keys: &repository.keys,
        gear: &gear,
        inline: u64::from(parameters.inline),
        options,
        selector: options.only.as_ref().map(Selector::new).transpose()?,
        counters,
        places,
        trusted_before: previous.trusted_before,
        reusable: ReusableBlobs::new(index.clone(), &reader),
        observer,
        shared_buffers: Buffers::new(SPARE_SHARED, SHARED_BUFFER),
        chunk_buffers: chunk_buffers.clone(),
        budget: Budget::new(READ_AHEAD),
    };
    pipeline::run(&context, &StoreState::new(repository, destinations), index, |ends| {
        feed(Feed { reader: &reader, previous: &previous, gear: &gear, chunk_buffers, ends })
    })
}

#[cfg(test)]
mod tests;
