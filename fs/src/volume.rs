//! The volume: snapshots of a repository as a tree of files.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use yore_engine::{Node, OpenFile, Problems, Reader, Repository, Result, SnapshotEntry};
use yore_platform::{
    Entry, FOREVER, Ino, Kind, Listed, More, Seek, Space, Volume, VolumeError, current_ids,
};

use crate::counters::{COUNTERS, Counters, REPOSITORY, add};
use crate::history::cache::Most;
use crate::inode::number::{Number, PlaceNo};
use crate::inode::place::Body;
use crate::inode::tables::{TableSizes, Tables};
use crate::options::VolumeOptions;
use crate::read::files::{Files, Opened};
use crate::read::prefetch::Prefetcher;
use crate::refresh::{self, Changed, Refresher};
use crate::snapshot_list::list::Shown;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes::{self, Presentation, made_entry, node_entry};
use crate::tree::directories::Directories;
use crate::tree::follow::{current, inside};
use crate::tree::listing::{self, node_at};
use crate::tree::node::damaged;
use crate::virtual_dir::changes::Differences;
use crate::virtual_dir::deleted::Gones;
use crate::virtual_dir::dir::{self as made, Made};
use crate::virtual_dir::search::{self, Searches};
use crate::virtual_dir::versions::Pasts;

/// The share of the budget that decoded directories get; frames get the rest.
const DIRECTORIES_SHARE: usize = 8;

/// The share that is left to what is not counted: the program itself, tables, buffers of requests.
const UNCOUNTED_SHARE: usize = 8;

/// The share of the budget that remembers the numbers of what no host holds, out of what is not counted.
const TABLES_SHARE: usize = 16;

/// The share of the budget that what was worked out about paths may take, of each kind, unless it is one.
const MEMO_SHARE: usize = 16;

/// Presents the snapshots of a repository as a read-only tree.
pub struct SnapshotVolume {
    pub(crate) repository: Arc<Repository>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) options: VolumeOptions,
    pub(crate) presentation: Presentation,
    pub(crate) tables: Tables,
    pub(crate) directories: Directories,
    files: Files,
    prefetcher: Prefetcher,
    /// Guards what is known of the snapshots; whoever holds it asks the destination.
    pub(crate) refresher: Mutex<Refresher>,
    /// Guards which lists are shown.
    shown: RwLock<Vec<Arc<Shown>>>,
    /// Guards all snapshots that count, also those that a filter hides.
    everything: RwLock<Arc<Vec<SnapshotEntry>>>,
    pub(crate) pasts: Pasts,
    pub(crate) gones: Gones,
    pub(crate) differences: Differences,
    pub(crate) searches: Searches,
    counters: Counters,
}

type Answer<T> = std::result::Result<T, VolumeError>;

impl SnapshotVolume {
    /// Opens a volume, and tells what of the repository could not be read.
    ///
    /// # Errors
    /// The destination does not answer.
    pub fn open(repository: Arc<Repository>, options: VolumeOptions) -> Result<(Self, Problems)> {
        // The snapshots first: an index that is opened later knows all their blobs.
        let refresher = Refresher::start(&repository)?;
        let for_directories = options.cache_size / DIRECTORIES_SHARE;
        let uncounted = options.cache_size / UNCOUNTED_SHARE;
        let for_tables = options.cache_size / TABLES_SHARE;
        let most = Most(options.cache_size / MEMO_SHARE);
        let (reader, mut problems) =
            repository.reader(options.cache_size - for_directories - uncounted)?;
        let reader = Arc::new(reader);
        let presentation =
            Presentation { owner: options.owner, unknown: current_ids(), umask: options.umask };
        let volume = Self {
            prefetcher: Prefetcher::start(&reader, options.prefetch_threads),
            repository,
            reader,
            options,
            presentation,
            tables: Tables::new(for_tables),
            directories: Directories::new(for_directories),
            files: Files::new(),
            refresher: Mutex::new(refresher),
            shown: RwLock::default(),
            pasts: Pasts::new(most),
            gones: Gones::new(most),
            differences: Differences::new(most),
            searches: Searches::new(most),
            counters: Counters::default(),
            everything: RwLock::default(),
        };
        {
            let mut refresher = volume.refresher.lock().unwrap_or_else(PoisonError::into_inner);
            refresher.publish(&volume);
            problems.extend(refresher.begin(volume.all_shown()));
        }
        Ok((volume, problems))
    }

    /// Looks for new and forgotten snapshots now; tells what changed since it was last called.
    ///
    /// Costs two lists of names at the destination when nothing changed. When the destination does
    /// not answer, everything stays as it was, and that is among the problems.
    pub fn refresh(&self) -> Changed {
        self.refresh_and_tell(&|_| {})
    }

    /// Does the same; `host` is told what it must forget, at once and before any name that it holds comes to
    /// stand for another state, so that nobody sees an old file after a new one.
    pub fn refresh_and_tell(&self, host: &dyn Fn(&Changed)) -> Changed {
        refresh::refresh(self, host)
    }

    /// Tells how much is remembered of what was seen.
    pub fn table_sizes(&self) -> TableSizes {
        self.tables.sizes()
    }

    /// The lists of a scope.
    pub(crate) fn shown(&self, scope: ScopeNo) -> Answer<Arc<Shown>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        shown.get(scope.0 as usize).cloned().ok_or(VolumeError::Stale)
    }

    /// All snapshots that count, also those that a filter hides.
    pub(crate) fn all_snapshots(&self) -> Arc<Vec<SnapshotEntry>> {
        Arc::clone(&self.everything.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn count(&self, all: Arc<Vec<SnapshotEntry>>) {
        *self.everything.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    pub(crate) fn all_shown(&self) -> Vec<Arc<Shown>> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn show(&self, shown: Vec<Arc<Shown>>) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown.clone();
        shown.iter().for_each(|shown| shown.lead(&self.tables));
    }

    pub(crate) fn show_also(&self, shown: Arc<Shown>) {
        self.shown.write().unwrap_or_else(PoisonError::into_inner).push(shown);
    }

    /// Hands the node behind a number to `each`; `None` for directories that no backup has.
    pub(crate) fn with_node<T>(
        &self,
        ino: Ino,
        each: &mut dyn FnMut(&Node) -> T,
    ) -> Answer<Option<T>> {
        let (holder, at) = match Number::of(ino).ok_or(VolumeError::Stale)? {
            Number::Node(node) => node_at(self, node.tree(), node.position())?,
            Number::Link(..) => return Ok(None),
            Number::Place(place) => match current(self, place)?.body {
                Body::Made(Made::Held(seen)) => return Ok(Some(each(&seen.node))),
                Body::Made(_) | Body::Top(..) => return Ok(None),
                Body::Inside(dir) => node_at(self, dir.node.0, dir.node.1 as usize)?,
            },
        };
        Ok(Some(each(holder.node(at)?)))
    }

    /// The entry of a place.
    pub(crate) fn entry_of(&self, place: PlaceNo) -> Answer<Entry> {
        let now = current(self, place)?;
        match now.body {
            Body::Made(made) => made::entry(self, place, &made),
            Body::Top(state, _) => Ok(made_entry(&self.presentation, place.ino(), state.modified)),
            Body::Inside(dir) => {
                let (holder, at) = node_at(self, dir.node.0, dir.node.1 as usize)?;
                Ok(node_entry(&self.presentation, place.ino(), holder.node(at)?, now.ttl))
            }
        }
    }

    /// Opens a file for reading, unless it is open.
    fn opened(&self, ino: Ino) -> Answer<Arc<Opened>> {
        self.files.get(ino, || {
            let open = &mut |node: &Node| {
                if node.kind == Kind::Directory {
                    return Err(VolumeError::IsDirectory);
                }
                self.prefetcher.opened(&self.reader, node);
                OpenFile::open(&self.reader, node).map_err(damaged)
            };
            self.with_node(ino, open)?.ok_or(VolumeError::IsDirectory)?
        })
    }
}

impl Volume for SnapshotVolume {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Answer<Entry> {
        add(&self.counters.lookups, 1);
        let Some(Number::Place(place)) = Number::of(parent) else {
            return Err(VolumeError::NotDirectory);
        };
        let now = current(self, place)?;
        match now.body {
            Body::Made(made) => made::find(self, place, &made, name),
            Body::Top(..) | Body::Inside(_) => {
                listing::find(self, &inside(self, place, now)?, name)
            }
        }
    }

    fn attr(&self, ino: Ino) -> Answer<Entry> {
        match Number::of(ino).ok_or(VolumeError::Stale)? {
            Number::Place(place) => self.entry_of(place),
            Number::Link(found, position) => search::entry(self, found, position),
            // The number belongs to what the file is, so that its attributes never change.
            Number::Node(node) => {
                let (holder, at) = node_at(self, node.tree(), node.position())?;
                Ok(node_entry(&self.presentation, ino, holder.node(at)?, FOREVER))
            }
        }
    }

    fn list(&self, ino: Ino, from: u64, each: &mut dyn FnMut(Listed<'_>) -> More) -> Answer<()> {
        add(&self.counters.listings, u64::from(from == 0));
        let Some(Number::Place(place)) = Number::of(ino) else {
            return Err(VolumeError::NotDirectory);
        };
        let now = current(self, place)?;
        match now.body {
            Body::Made(made) => made::list(self, place, &made, from, each),
            Body::Top(..) | Body::Inside(_) => {
                listing::list(self, &inside(self, place, now)?, from, each)
            }
        }
    }

    fn read(&self, ino: Ino, offset: u64, size: u32, reply: &mut dyn FnMut(&[u8])) -> Answer<()> {
        add(&self.counters.reads, 1);
        let answer = self.opened(ino).and_then(|opened| {
            let Opened { file, progress } = &*opened;
            self.prefetcher.read(&self.reader, file, progress, offset, u64::from(size));
            let counted = &mut |bytes: &[u8]| {
                add(&self.counters.bytes, bytes.len() as u64);
                reply(bytes);
            };
            file.read(&self.reader, offset, size as usize, counted).map_err(damaged)
        });
        add(&self.counters.errors, u64::from(answer.is_err()));
        answer
    }

    fn read_link(&self, ino: Ino) -> Answer<Vec<u8>> {
        if let Some(Number::Link(found, position)) = Number::of(ino) {
            return search::target(self, found, position);
        }
        let target = |node: &Node| (node.kind == Kind::Symlink).then(|| node.target.clone());
        let target = self.with_node(ino, &mut |node| target(node))?;
        target.flatten().ok_or(VolumeError::NotSymlink)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Answer<Vec<u8>> {
        if ino == Ino::ROOT && name == COUNTERS {
            let fetched = self.options.meter.as_ref().map(|meter| meter.fetched());
            let sizes = self.tables.sizes();
            return Ok(self.counters.json(fetched.unwrap_or_default(), sizes).into_bytes());
        }
        if ino == Ino::ROOT && name == REPOSITORY {
            return Ok(self.repository.id().to_string().into_bytes());
        }
        attributes::xattr(self, ino, name)
    }

    fn xattr_names(&self, ino: Ino) -> Answer<Vec<Vec<u8>>> {
        let names = |node: &Node| node.xattrs.iter().map(|(name, _)| name.clone()).collect();
        Ok(self.with_node(ino, &mut |node| names(node))?.unwrap_or_default())
    }

    fn seek(&self, ino: Ino, offset: u64, whence: Seek) -> Answer<u64> {
        let opened = self.opened(ino)?;
        let found = match whence {
            Seek::Data => opened.file.next_data(offset),
            Seek::Hole => opened.file.next_hole(offset),
        };
        found.ok_or(VolumeError::BeyondEnd)
    }

    fn parent(&self, ino: Ino) -> Answer<Ino> {
        match Number::of(ino).ok_or(VolumeError::Stale)? {
            Number::Place(place) => self.tables.parent(place).map(PlaceNo::ino),
            Number::Node(_) | Number::Link(..) => Err(VolumeError::NotDirectory),
        }
    }

    fn hold(&self, ino: Ino) -> Answer<()> {
        self.tables.hold(ino)
    }

    fn forget(&self, ino: Ino, times: u64) {
        self.tables.forget(ino, times);
    }

    fn space(&self) -> Answer<Space> {
        Ok(self.shown(ScopeNo::WHOLE)?.space)
    }
}
