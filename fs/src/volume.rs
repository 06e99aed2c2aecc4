//! The volume: snapshots of a repository as a tree of files.

use std::sync::Arc;

use yore_engine::Result;
use yore_engine::format::Node;
use yore_engine::read::OpenFile;
use yore_engine::repository::{Problems, Repository};
use yore_platform::{
    Entry, FOREVER, Ino, Kind, ListControl, Listed, Seek, Space, Timestamp, Volume, VolumeError,
    current_ids,
};

use crate::counters::{COUNTERS, Counters, REPOSITORY, add};
use crate::error::{Answer, damaged};
use crate::history::cache::CacheLimit;
use crate::history::path_history::PathHistories;
use crate::inode::number::{Inode, PlaceNo};
use crate::inode::place::{Body, Place};
use crate::inode::tables::{TableSizes, Tables};
use crate::options::VolumeOptions;
use crate::read::files::{Files, OpenedFile};
use crate::read::prefetch::Prefetcher;
use crate::refresh::{Changed, Refresher};
use crate::snapshot_list::registry::SnapshotLists;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::attributes;
use crate::tree::core::Core;
use crate::tree::directories::Directories;
use crate::tree::follow::{current, open_dir};
use crate::tree::node::{node_at, with_node};
use crate::tree::presentation::Presentation;
use crate::virtual_dir::dir::{Context, Dir, NumberedLinks, kept};
use crate::virtual_dir::folders::folders;
use crate::virtual_dir::{readme, top};

/// The share of the budget that decoded directories get; frames get the rest.
const DIRECTORIES_SHARE: usize = 8;

/// The share that is left to what is not counted: the program itself, tables, buffers of requests.
const UNCOUNTED_SHARE: usize = 8;

/// The share of the budget that remembers the numbers of what no host holds, out of what is not counted.
const TABLES_SHARE: usize = 16;

/// The share of the budget that each cache of answers about paths may take.
const CACHE_SHARE: usize = 16;

/// Presents the snapshots of a repository as a read-only tree.
pub struct SnapshotVolume {
    context: Context,
    files: Files,
    prefetcher: Prefetcher,
    refresher: Refresher,
    counters: Counters,
}

impl SnapshotVolume {
    /// Opens a volume; returns it and what of the repository could not be read.
    ///
    /// # Errors
    /// The destination does not answer.
    pub fn open(repository: Arc<Repository>, options: VolumeOptions) -> Result<(Self, Problems)> {
        // The snapshots first: an index that is opened later knows all their blobs.
        let refresher = Refresher::start(&repository)?;
        let for_directories = options.cache_size / DIRECTORIES_SHARE;
        let uncounted = options.cache_size / UNCOUNTED_SHARE;
        let for_tables = options.cache_size / TABLES_SHARE;
        let limit = CacheLimit(options.cache_size / CACHE_SHARE);
        let (reader, mut problems) =
            repository.reader(options.cache_size - for_directories - uncounted)?;
        let reader = Arc::new(reader);
        let presentation =
            Presentation { owner: options.owner, unknown: current_ids(), umask: options.umask };
        let prefetcher = Prefetcher::start(&reader, options.prefetch_threads);
        let options = Arc::new(options);
        let context = Context {
            core: Core {
                reader,
                tables: Tables::new(for_tables, top::root()),
                directories: Directories::new(for_directories),
                presentation,
            },
            lists: SnapshotLists::new(Arc::clone(&options)),
            histories: PathHistories::new(limit),
            links: NumberedLinks::default(),
            folders: folders(limit),
            repository,
            options,
            opened: now(),
        };
        if !context.options.no_readme {
            readme::place(&context);
        }
        problems.extend(refresher.begin(&context));
        let (files, counters) = (Files::new(), Counters::default());
        Ok((Self { context, files, prefetcher, refresher, counters }, problems))
    }

    /// Looks for new and forgotten snapshots now; returns what changed since the last call.
    ///
    /// Costs two lists of names at the destination when nothing changed. When the destination does
    /// not answer, everything stays as it was, and that is among the problems.
    pub fn refresh(&self) -> Changed {
        self.refresh_and_tell(&|_| {})
    }

    /// Does the same; calls `host` with what it must forget, at once and before any name that it holds comes to
    /// mean another state, so that no program sees an old file after a new one.
    pub fn refresh_and_tell(&self, host: &dyn Fn(&Changed)) -> Changed {
        self.refresher.refresh(&self.context, host)
    }

    /// Returns the sizes of the inode tables.
    pub fn table_sizes(&self) -> TableSizes {
        self.context.core.tables.sizes()
    }

    /// Returns what a directory is at present.
    ///
    /// # Errors
    /// Not a directory for the numbers of anything else.
    fn directory(&self, ino: Ino) -> Answer<Place> {
        let Some(Inode::Place(place)) = Inode::of(ino) else {
            return Err(VolumeError::NotDirectory);
        };
        current(&self.context.core, place)
    }

    /// Opens a file for reading, unless it is open.
    fn opened(&self, ino: Ino) -> Answer<Arc<OpenedFile>> {
        let core = &self.context.core;
        self.files.get(ino, || {
            let open = &mut |node: &Node| {
                if node.kind == Kind::Directory {
                    return Err(VolumeError::IsDirectory);
                }
                self.prefetcher.opened(&core.reader, node);
                OpenFile::open(&core.reader, node).map_err(damaged)
            };
            with_node(core, ino, open)?.ok_or(VolumeError::IsDirectory)?
        })
    }
}

fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    // A clock before 1970 has negative parts of a second.
    let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
    Timestamp { seconds: now.as_second(), nanos }
}

impl Volume for SnapshotVolume {
    fn lookup(&self, parent: Ino, name: &[u8]) -> Answer<Entry> {
        add(&self.counters.lookups, 1);
        let now = self.directory(parent)?;
        match &now.body {
            Body::Virtual(dir) => {
                self.refresher.poll(&self.context);
                kept(&**dir)?.find(&Dir { context: &self.context, place: now.number }, name)
            }
            Body::File(_) => Err(VolumeError::NotDirectory),
            Body::StateTop(..) | Body::StateDir(_) => open_dir(&self.context.core, now)?.find(name),
        }
    }

    fn attr(&self, ino: Ino) -> Answer<Entry> {
        let core = &self.context.core;
        match Inode::of(ino).ok_or(VolumeError::Stale)? {
            Inode::Place(place) => self.context.entry(place),
            Inode::Link(search, position) => {
                self.context.links.get(search)?.entry(&self.context, position as usize)
            }
            // The number belongs to what the file is, so that its attributes never change.
            Inode::Node(node) => {
                let handle = node_at(core, node.tree(), node.position())?;
                Ok(core.presentation.node(ino, handle.node()?, FOREVER))
            }
        }
    }

    fn list(
        &self,
        ino: Ino,
        from: u64,
        each: &mut dyn FnMut(Listed<'_>) -> ListControl,
    ) -> Answer<()> {
        add(&self.counters.listings, u64::from(from == 0));
        let now = self.directory(ino)?;
        match &now.body {
            Body::Virtual(dir) => {
                if from == 0 {
                    self.refresher.poll(&self.context);
                }
                kept(&**dir)?.list(&Dir { context: &self.context, place: now.number }, from, each)
            }
            Body::File(_) => Err(VolumeError::NotDirectory),
            Body::StateTop(..) | Body::StateDir(_) => {
                open_dir(&self.context.core, now)?.list(from, each)
            }
        }
    }

    fn read(&self, ino: Ino, offset: u64, size: u32, reply: &mut dyn FnMut(&[u8])) -> Answer<()> {
        add(&self.counters.reads, 1);
        let reader = &self.context.core.reader;
        let answer = self.opened(ino).and_then(|opened| {
            let OpenedFile { file, progress } = &*opened;
            self.prefetcher.read(reader, file, progress, offset, u64::from(size));
            let counted = &mut |bytes: &[u8]| {
                add(&self.counters.bytes, bytes.len() as u64);
                reply(bytes);
            };
            file.read(reader, offset, size as usize, counted).map_err(damaged)
        });
        add(&self.counters.errors, u64::from(answer.is_err()));
        answer
    }

    fn read_link(&self, ino: Ino) -> Answer<Vec<u8>> {
        if let Some(Inode::Link(search, position)) = Inode::of(ino) {
            return self.context.links.get(search)?.target(&self.context, position as usize);
        }
        let target = |node: &Node| (node.kind == Kind::Symlink).then(|| node.target.clone());
        let target = with_node(&self.context.core, ino, &mut |node| target(node))?;
        target.flatten().ok_or(VolumeError::NotSymlink)
    }

    fn xattr(&self, ino: Ino, name: &[u8]) -> Answer<Vec<u8>> {
        let options = &self.context.options;
        if ino == Ino::ROOT && name == COUNTERS {
            let fetched = options.meter.as_ref().map(|meter| meter.fetched());
            let sizes = self.table_sizes();
            return Ok(self.counters.json(fetched.unwrap_or_default(), sizes).into_bytes());
        }
        if ino == Ino::ROOT && name == REPOSITORY {
            return Ok(self.context.repository.id().to_string().into_bytes());
        }
        attributes::xattr(&self.context.core, &options.zone, ino, name)
    }

    fn xattr_names(&self, ino: Ino) -> Answer<Vec<Vec<u8>>> {
        let names = |node: &Node| node.xattrs.iter().map(|(name, _)| name.clone()).collect();
        Ok(with_node(&self.context.core, ino, &mut |node| names(node))?.unwrap_or_default())
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
        match Inode::of(ino).ok_or(VolumeError::Stale)? {
            Inode::Place(place) => self.context.core.tables.parent(place).map(PlaceNo::ino),
            Inode::Node(_) | Inode::Link(..) => Err(VolumeError::NotDirectory),
        }
    }

    fn hold(&self, ino: Ino) -> Answer<()> {
        self.context.core.tables.hold(ino)
    }

    fn forget(&self, ino: Ino, times: u64) {
        self.context.core.tables.forget(ino, times);
    }

    fn space(&self) -> Answer<Space> {
        Ok(self.context.lists.get(ScopeNo::WHOLE)?.space)
    }
}
