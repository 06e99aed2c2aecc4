//! The volume: snapshots of a repository as a tree of files.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use yore_engine::{Node, OpenFile, Problems, Reader, Repository, Result};
use yore_platform::{
    Entry, Ino, Kind, Listed, More, Seek, Space, Volume, VolumeError, current_ids,
};

use crate::attributes::{self, Presentation, made_entry, node_entry};
use crate::directories::Directories;
use crate::files::{Files, Opened};
use crate::listing::{self, inside, node_at, node_of_place};
use crate::node::damaged;
use crate::number::{Number, PlaceNo};
use crate::options::VolumeOptions;
use crate::prefetch::Prefetcher;
use crate::refresh::{self, Changed, LATEST, Refresher, SNAPSHOTS, Shown};
use crate::tables::{PlaceKind, TableSizes, Tables};

/// The share of the budget that decoded directories get; frames get the rest.
const DIRECTORIES_SHARE: usize = 8;
/// The share that is left to frames on their way: sealed ones, and those that are being decoded.
const DECODING_SHARE: usize = 8;

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
    shown: RwLock<Arc<Shown>>,
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
        let for_decoding = options.cache_size / DECODING_SHARE;
        let (reader, mut problems) =
            repository.reader(options.cache_size - for_directories - for_decoding)?;
        let reader = Arc::new(reader);
        let presentation =
            Presentation { owner: options.owner, unknown: current_ids(), umask: options.umask };
        let volume = Self {
            prefetcher: Prefetcher::start(&reader, options.prefetch_threads),
            repository,
            reader,
            options,
            presentation,
            tables: Tables::new(),
            directories: Directories::new(for_directories),
            files: Files::new(),
            refresher: Mutex::new(refresher),
            shown: RwLock::default(),
        };
        {
            let mut refresher = volume.refresher.lock().unwrap_or_else(PoisonError::into_inner);
            refresher.publish(&volume);
            problems.extend(refresher.begin(volume.shown()));
        }
        Ok((volume, problems))
    }

    /// Looks for new and forgotten snapshots now; tells what changed since it was last called.
    ///
    /// Costs two lists of names at the destination when nothing changed. When the destination does
    /// not answer, everything stays as it was, and that is among the problems.
    pub fn refresh(&self) -> Changed {
        refresh::refresh(self)
    }

    /// Tells how much is remembered of what was seen.
    pub fn table_sizes(&self) -> TableSizes {
        self.tables.sizes()
    }

    pub(crate) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn show(&self, shown: Arc<Shown>) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// Hands the node behind a number to `each`; `None` for directories that no backup has.
    pub(crate) fn with_node<T>(
        &self,
        ino: Ino,
        each: &mut dyn FnMut(&Node) -> T,
    ) -> Answer<Option<T>> {
        let (holder, at) = match Number::of(ino).ok_or(VolumeError::Stale)? {
            Number::Node(tree, position) => node_at(self, tree, position as usize)?,
            Number::Place(place) => match self.tables.place(place)?.kind {
                PlaceKind::Root | PlaceKind::Snapshots | PlaceKind::State(_) => return Ok(None),
                PlaceKind::Inside { .. } => node_of_place(self, place)?,
            },
        };
        Ok(Some(each(holder.node(at)?)))
    }

    /// The entry of a directory that no backup has.
    fn made(&self, place: PlaceNo, kind: PlaceKind) -> Answer<Entry> {
        let modified = match kind {
            PlaceKind::State(state) => self.tables.state(state)?.modified,
            PlaceKind::Root | PlaceKind::Snapshots | PlaceKind::Inside { .. } => {
                self.shown().modified
            }
        };
        Ok(made_entry(&self.presentation, place, modified))
    }

    fn made_by_place(&self, place: PlaceNo) -> Answer<Entry> {
        self.made(place, self.tables.place(place)?.kind)
    }

    fn find_in_root(&self, name: &[u8]) -> Answer<Entry> {
        let place = match name {
            LATEST => self.shown().latest.ok_or(VolumeError::NotFound)?,
            SNAPSHOTS => PlaceNo::SNAPSHOTS,
            _ => return Err(VolumeError::NotFound),
        };
        self.made_by_place(place)
    }

    fn list_root(&self, from: u64, each: &mut dyn FnMut(Listed<'_>) -> More) -> Answer<()> {
        for (next, name) in (1..).zip([LATEST, SNAPSHOTS]).skip(from as usize) {
            let entry = self.find_in_root(name)?;
            if each(Listed { name, next, entry }) == More::Stop {
                break;
            }
        }
        Ok(())
    }

    fn list_snapshots(&self, from: u64, each: &mut dyn FnMut(Listed<'_>) -> More) -> Answer<()> {
        let shown = self.shown();
        let first = shown.order.partition_point(|(position, _)| *position <= from);
        for (next, name) in shown.order.iter().skip(first) {
            let Some(place) = shown.names.get(name) else { continue };
            let entry = self.made_by_place(*place)?;
            if each(Listed { name, next: *next, entry }) == More::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Opens a file for reading, unless it is open.
    fn opened(&self, ino: Ino) -> Answer<Arc<Opened>> {
        let Some(Number::Node(tree, position)) = Number::of(ino) else {
            return Err(VolumeError::IsDirectory);
        };
        self.files.get(ino, || {
            let (holder, at) = node_at(self, tree, position as usize)?;
            let node = holder.node(at)?;
            self.prefetcher.opened(&self.reader, node);
            OpenFile::open(&self.reader, node).map_err(damaged)
        })
    }
}

impl Volume for SnapshotVolume {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Answer<Entry> {
        let Some(Number::Place(place)) = Number::of(parent) else {
            return Err(VolumeError::NotDirectory);
        };
        match self.tables.place(place)?.kind {
            PlaceKind::Root => {
                refresh::poll(self);
                self.find_in_root(name)
            }
            PlaceKind::Snapshots => {
                refresh::poll(self);
                let place = self.shown().names.get(name).copied();
                self.made_by_place(place.ok_or(VolumeError::NotFound)?)
            }
            kind => listing::find(self, inside(self, place, kind)?, name),
        }
    }

    fn attr(&self, ino: Ino) -> Answer<Entry> {
        let node = &mut |node: &Node| node_entry(&self.presentation, ino, node);
        match (self.with_node(ino, node)?, Number::of(ino)) {
            (Some(entry), _) => Ok(entry),
            (None, Some(Number::Place(place))) => self.made_by_place(place),
            (None, _) => Err(VolumeError::Stale),
        }
    }

    fn list(&self, ino: Ino, from: u64, each: &mut dyn FnMut(Listed<'_>) -> More) -> Answer<()> {
        let Some(Number::Place(place)) = Number::of(ino) else {
            return Err(VolumeError::NotDirectory);
        };
        match self.tables.place(place)?.kind {
            PlaceKind::Root => {
                refresh::poll(self);
                self.list_root(from, each)
            }
            PlaceKind::Snapshots => {
                if from == 0 {
                    refresh::poll(self);
                }
                self.list_snapshots(from, each)
            }
            kind => listing::list(self, inside(self, place, kind)?, from, each),
        }
    }

    fn read(&self, ino: Ino, offset: u64, size: u32, reply: &mut dyn FnMut(&[u8])) -> Answer<()> {
        let opened = self.opened(ino)?;
        let Opened { file, progress } = &*opened;
        self.prefetcher.read(&self.reader, file, progress, offset, u64::from(size));
        file.read(&self.reader, offset, size as usize, reply).map_err(damaged)
    }

    fn read_link(&self, ino: Ino) -> Answer<Vec<u8>> {
        let target = |node: &Node| (node.kind == Kind::Symlink).then(|| node.target.clone());
        let target = self.with_node(ino, &mut |node| target(node))?;
        target.flatten().ok_or(VolumeError::NotSymlink)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Answer<Vec<u8>> {
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

    fn space(&self) -> Answer<Space> {
        Ok(self.shown().space)
    }
}
