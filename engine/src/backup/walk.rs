//! Walking the sources in order, side by side with the previous snapshot's tree.
//!
//! One thread lists directories, sorts their names, joins each with the node of the previous snapshot, and sends
//! batches of names to the readers. The assembler gets a step for each batch, in the order of the walk.

use std::cell::Cell;
use std::ops::Bound;
use std::sync::Arc;

use crossbeam_channel::bounded;
use yore_platform::{Kind, Listing, Metadata, Mounts};

use crate::backup::earlier_snapshots::PreviousState;
use crate::backup::left_out::Counters;
use crate::backup::messages::{FeedEnds, ReadBatch, SourceEntry, WalkStep};
use crate::backup::source::{Dir, Places};
use crate::backup::walk::exclude::Excluder;
use crate::backup::{BackupOptions, InodeNumbers};
use crate::error::{Error, Result};
use crate::format::id::RepositoryId;
use crate::format::tree::Flags;
use crate::operation::observer::{Observer, Problem};
use crate::path::{TreePath, join};
use crate::read::reader::Reader;
use crate::read::state_tree::ResolvedNode;

mod changed;
mod emptied_folder;
pub(super) mod exclude;
mod previous;
mod sources;
mod subdirectory;

pub use changed::ChangedPaths;
pub(super) use sources::Sources;

use previous::{LastDir, Previous, count_files};

/// The most names in a batch.
const BATCH: usize = 64;
/// The most results of a batch that wait for the assembler.
const RESULTS: usize = 4;

/// A walk of the sources: the things that do not change during it, and two counters.
pub(super) struct Walk<'a> {
    pub(super) excluder: &'a Excluder<'a>,
    pub(super) options: &'a BackupOptions,
    pub(super) repository: RepositoryId,
    /// The file systems and inode numbers of the program's own folders.
    pub(super) own: &'a [(u64, u64)],
    pub(super) mounts: &'a Mounts,
    /// The folders in which paths of the snapshot are read.
    pub(super) places: &'a Places,
    pub(super) counters: &'a Counters,
    pub(super) previous: &'a PreviousState,
    /// Reads the previous snapshot.
    pub(super) reader: &'a Reader,
    pub(super) observer: &'a dyn Observer,
    pub(super) ends: FeedEnds,
    /// The batches that were sent.
    pub(super) batches: Cell<u64>,
    /// The names that were sent to readers.
    pub(super) names: Cell<u64>,
}

/// A directory that is being walked.
struct Level<'r> {
    dir: Arc<Dir>,
    path: Arc<[u8]>,
    listing: Listing,
    next: usize,
    previous: Previous<'r>,
    device: u64,
    /// Set where files can be known by their inode numbers.
    compares_inodes: bool,
    /// Set if its own times are those of the previous snapshot.
    is_unmoved: bool,
    /// The sources that are named inside of it.
    inner: Option<&'r Sources>,
    /// The file in it that marks it: nothing else in it is backed up.
    marker: Option<Vec<u8>>,
    batch: Vec<SourceEntry>,
    /// The flags that its node gets.
    flags: Flags,
}

/// A directory before it is listed.
struct Opened<'r> {
    dir: Dir,
    path: Arc<[u8]>,
    metadata: Metadata,
    /// The device and the trust in inode numbers of the directory above; `None` at a source.
    above: Option<(u64, bool)>,
    inner: Option<&'r Sources>,
}

impl<'a> Walk<'a> {
    /// Walks a directory and everything in it, without recursion: depth has no limit but handles.
    fn walk_dir(&self, root: Level<'a>) -> Result<()> {
        let mut levels = vec![root];
        let mut spare: Vec<Listing> = Vec::new();
        while let Some(level) = levels.last_mut() {
            if self.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            match self.advance(level, &mut spare)? {
                Advance::Down(next) => levels.push(*next),
                Advance::Stay => {}
                Advance::Up => {
                    let done = levels.pop().map(|level| level.listing);
                    spare.extend(done.filter(|_| spare.len() < 16));
                    if !levels.is_empty() {
                        self.step(WalkStep::Leave)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on in a directory up to the next directory in it.
    fn advance(&self, level: &mut Level<'a>, spare: &mut Vec<Listing>) -> Result<Advance<'a>> {
        while let Some(listed) = level.listing.get(level.next) {
            level.next += 1;
            let name = listed.name;
            let kind = match listed.kind {
                Some(kind) => kind,
                None => match level.dir.child_metadata(name) {
                    Ok(metadata) => metadata.kind,
                    // The reader reports the error.
                    Err(_) => Kind::File,
                },
            };
            let is_marked = level.marker.is_some();
            let mut removed = |deleted| self.count_removed(&deleted, is_marked);
            let previous = level.previous.take(name, &mut removed);
            let inner = level.inner.and_then(|inner| inner.below.get(name));
            let is_source = inner.is_some_and(|inner| inner.is_source);
            // A source is backed up even in a directory that is left out.
            if !is_source && self.is_left_out(level, name, kind) {
                if let (Some(inner), Kind::Directory) = (inner, kind) {
                    let name = name.to_vec();
                    self.flush(level)?;
                    self.walk_through(level, &name, previous, inner)?;
                }
                continue;
            }
            if kind == Kind::Directory {
                let name = name.to_vec();
                self.flush(level)?;
                return self.enter(level, &name, previous, inner, spare);
            }
            let previous = previous.filter(|seen| seen.dir.is_none()).map(|seen| seen.node);
            level.batch.push(SourceEntry {
                name: name.to_vec(),
                kind: listed.kind,
                previous,
                is_source,
            });
            if level.batch.len() >= BATCH {
                self.flush(level)?;
                return Ok(Advance::Stay);
            }
        }
        let is_marked = level.marker.is_some();
        level.previous.finish(&mut |deleted| self.count_removed(&deleted, is_marked));
        self.flush(level)?;
        Ok(Advance::Up)
    }

    /// Returns whether a name in a directory is left out on purpose, and counts it.
    fn is_left_out(&self, level: &Level<'_>, name: &[u8], kind: Kind) -> bool {
        if let Some(marker) = &level.marker {
            if marker != name {
                self.record_uncovered(&join(&level.path, name));
            }
            return marker != name;
        }
        // Some patterns are for directories alone, and some file systems list no kinds.
        let is_left_out = self.excluder.leaves_out(&level.path, name, kind);
        if is_left_out {
            self.counters.pattern();
            self.record_uncovered(&join(&level.path, name));
        }
        is_left_out
    }

    /// Records the sources of earlier snapshots that are left out with a path.
    pub(super) fn record_uncovered(&self, path: &[u8]) {
        if self.previous.sources.is_empty() {
            return;
        }
        let from =
            self.previous.sources.range::<[u8], _>((Bound::Included(path), Bound::Unbounded));
        for source in from.take_while(|source| source.starts_with(path)) {
            if TreePath::new(source).starts_with(TreePath::new(path)) {
                self.counters.uncovered(path, source);
            }
        }
    }

    /// Counts the files of something that was deleted; those of a marked directory are not known.
    fn count_removed(&self, deleted: &ResolvedNode, is_marked: bool) {
        if is_marked {
            return;
        }
        let files = match &deleted.dir {
            Some(dir) => count_files(self.reader, dir, u64::MAX),
            None => u64::from(deleted.node.kind == Kind::File),
        };
        self.counters.removed(files);
    }

    /// Lists an opened directory.
    fn level(
        &self,
        mut listing: Listing,
        opened: Opened<'a>,
        last: LastDir<'_>,
    ) -> std::result::Result<Level<'a>, Unlisted> {
        let Opened { dir, path, metadata, above, inner } = opened;
        if let Err(error) = dir.list(&mut listing) {
            self.unreadable(&path, error);
            return Err(Unlisted);
        }
        let compares_inodes = match above {
            Some((device, compares)) if device == metadata.device => compares,
            _ => self.compares_inodes(&dir),
        };
        // No snapshot has the times of the root; folders are rarely deleted and made again there.
        let is_unmoved = last.node.map_or(path.is_empty(), |last| {
            last.modified == metadata.modified && last.changed == metadata.changed
        });
        let marker = self.excluder.marker(&dir, &listing).map(<[u8]>::to_vec);
        let mut flags = Flags::default();
        if let Some(marker) = &marker {
            self.counters.mark(marker);
            flags = Flags::INCOMPLETE;
        }
        Ok(Level {
            dir: Arc::new(dir),
            path,
            listing,
            next: 0,
            previous: Previous::open(self.reader, last),
            device: metadata.device,
            compares_inodes,
            is_unmoved,
            inner,
            marker,
            batch: Vec::new(),
            flags,
        })
    }

    /// Returns whether the files of a directory can be known by their inode numbers.
    fn compares_inodes(&self, dir: &Dir) -> bool {
        match self.options.unchanged_by.inode {
            InodeNumbers::Compared => true,
            InodeNumbers::Ignored => false,
            InodeNumbers::WhereKept => dir.keeps_inode_numbers().unwrap_or(false),
        }
    }

    fn flush(&self, level: &mut Level<'_>) -> Result<()> {
        if level.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut level.batch);
        self.send_batch(&level.dir, &level.path, level.compares_inodes, batch)
    }

    fn send_batch(
        &self,
        dir: &Arc<Dir>,
        path: &Arc<[u8]>,
        compares_inodes: bool,
        entries: Vec<SourceEntry>,
    ) -> Result<()> {
        let (results, results_out) = bounded(RESULTS);
        let (dir, path) = (Arc::clone(dir), Arc::clone(path));
        let number = self.batches.get();
        self.batches.set(number + 1);
        self.names.set(self.names.get() + entries.len() as u64);
        let batch = ReadBatch { dir, path, entries, compares_inodes, results, number };
        self.ends.batches.send(batch).map_err(|_| Error::Interrupted)?;
        self.step(WalkStep::Batch(number, results_out))
    }

    fn step(&self, step: WalkStep) -> Result<()> {
        // What can't be reached must not look like something that is not there.
        if self.places.is_lost() {
            return Err(Error::Interrupted);
        }
        self.ends.steps.send(step).map_err(|_| Error::Interrupted)
    }

    fn unreadable(&self, path: &[u8], source: std::io::Error) {
        if self.places.is_lost() {
            return;
        }
        self.counters.unreadable();
        let error = Error::local(self.places.live(path), source);
        self.observer.problem(Problem { subject: path.to_vec(), error });
    }
}

enum Advance<'r> {
    Down(Box<Level<'r>>),
    Stay,
    Up,
}

/// A directory could not be listed, which was reported.
struct Unlisted;
