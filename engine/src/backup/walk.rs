//! Walking the sources in order, side by side with the previous snapshot's tree.
//!
//! One thread lists directories, sorts their names, joins each with the node that the previous
//! snapshot has of it, and hands batches of names to the threads that look and read. What those
//! find arrives, in the order of the walk, where trees are built.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crossbeam_channel::{Receiver, Sender, bounded};
use yore_platform::{Kind, Listing, Metadata, SourceDir, Timestamp, snapshot_path};

use crate::backup::exclude::Excluder;
use crate::backup::read::{Job, Results, Wanted, node_of, within_bounds};
use crate::backup::{FileSystems, Reading};
use crate::directory::Nodes;
use crate::error::{Error, Result};
use crate::observer::{Observer, Problem};
use crate::reader::Reader;
use crate::tree::{Flags, Node};
use crate::view::{DirRef, SeenNode};

/// How many names one thread is handed at a time.
const BATCH: usize = 64;
/// How many results of a batch wait for the thread that builds trees.
const RESULTS: usize = 4;

/// What the walk tells the thread that builds trees, in order.
pub(super) enum Step {
    /// A directory begins: its node, without a tree yet.
    Enter(Box<Node>),
    /// What a batch of names turned out to be.
    Batch(u64, Receiver<Results>),
    /// A node that is taken as it is.
    Take(Box<Node>),
    /// Something in the directory is there and not in the snapshot.
    Incomplete,
    /// The directory ends.
    Leave,
}

/// What does not change during a walk.
pub(super) struct Walk<'a> {
    pub(super) excluder: &'a Excluder,
    pub(super) file_systems: FileSystems,
    pub(super) reading: Reading,
    /// Reads the previous snapshot.
    pub(super) reader: &'a Reader,
    /// What changed at or after this instant may have changed unnoticed.
    pub(super) trusted_before: Timestamp,
    pub(super) observer: &'a dyn Observer,
    pub(super) jobs: Sender<Job>,
    pub(super) steps: SyncSender<Step>,
    pub(super) unreadable: &'a std::sync::atomic::AtomicU64,
    /// Counts the batches.
    pub(super) batches: std::cell::Cell<u64>,
}

/// The sources as a tree of names: a source at a leaf, the way to it above.
#[derive(Default)]
pub(super) struct Sources {
    source: bool,
    below: BTreeMap<Vec<u8>, Sources>,
}

impl Sources {
    /// Sorts sources into a tree; one inside another is part of it.
    pub(super) fn new(paths: &[PathBuf]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let path = snapshot_path(path);
            let mut at = &mut root;
            for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
                at = at.below.entry(name.to_vec()).or_default();
            }
            at.source = true;
        }
        root
    }
}

/// What the previous snapshot has of a directory.
#[allow(clippy::large_enum_variant, reason = "one for each level of the walk")]
enum Previous<'r> {
    Tree(Nodes<'r>),
    Merged(std::iter::Peekable<std::vec::IntoIter<SeenNode>>),
    Nothing,
}

impl<'r> Previous<'r> {
    fn open(reader: &'r Reader, dir: Option<&DirRef>) -> Self {
        match dir {
            // What can't be read of the previous snapshot is read from the source.
            Some(DirRef::Tree(id)) => reader.nodes(id).map_or(Previous::Nothing, Previous::Tree),
            Some(DirRef::Merged(nodes)) => {
                Previous::Merged(nodes.as_ref().clone().into_iter().peekable())
            }
            Some(DirRef::Unreadable) | None => Previous::Nothing,
        }
    }

    /// Takes the node `name`; names are asked for in ascending order.
    fn take(&mut self, name: &[u8]) -> Option<SeenNode> {
        loop {
            match self {
                Previous::Nothing => return None,
                Previous::Tree(nodes) => match nodes.peek() {
                    Ok(Some(node)) if node.name.as_slice() > name => return None,
                    Ok(Some(_)) => {
                        let node = nodes.try_next().ok().flatten()?;
                        if node.name == name {
                            return Some(SeenNode::of(node));
                        }
                    }
                    Ok(None) => return None,
                    // A damaged leaf: its files are read again, the walk goes on behind it.
                    Err(_) => {}
                },
                Previous::Merged(nodes) => {
                    let seen = nodes.next_if(|seen| seen.node.name.as_slice() <= name)?;
                    if seen.node.name == name {
                        return Some(seen);
                    }
                }
            }
        }
    }
}

/// A directory that is being walked.
struct Level<'r> {
    dir: Arc<SourceDir>,
    path: Arc<[u8]>,
    listing: Listing,
    next: usize,
    previous: Previous<'r>,
    device: u64,
    batch: Vec<Wanted>,
    /// What its node is to say of it.
    flags: Flags,
}

impl<'a> Walk<'a> {
    /// Walks every source.
    pub(super) fn run(&self, sources: &Sources, previous: Option<&DirRef>) -> Result<()> {
        if !sources.source {
            return self.walk_way(sources, b"", previous);
        }
        let root = yore_platform::system_path(b"");
        let failed = |source| Error::local(&root, source);
        let dir = SourceDir::open(&root).map_err(failed)?;
        let device = dir.metadata().map_err(failed)?.device;
        match self.level(dir, b"".as_slice().into(), device, previous) {
            Ok(level) => {
                if level.flags.contains(Flags::INCOMPLETE) {
                    self.step(Step::Incomplete)?;
                }
                self.walk_dir(level)
            }
            Err(Unlisted) => Err(Error::Refused { what: "the root can't be listed".into() }),
        }
    }

    /// Goes from the root towards the sources, through directories of which nothing else is kept.
    fn walk_way(&self, way: &Sources, path: &[u8], previous: Option<&DirRef>) -> Result<()> {
        let mut before = Previous::open(self.reader, previous);
        for (name, below) in &way.below {
            let seen = before.take(name);
            let path = join(path, name);
            let system = yore_platform::system_path(&path);
            let metadata = yore_platform::path_metadata(&system)
                .map_err(|source| Error::local(&system, source))?;
            if below.source {
                self.walk_source(&path, name, metadata, seen)?;
                continue;
            }
            // The way to a source may be one that can be gone, but not be read.
            let node = match SourceDir::open(&system) {
                Ok(dir) => self.dir_node(&dir, name, &path, &metadata, None),
                Err(_) => node_of(name, &metadata),
            };
            self.step(Step::Enter(Box::new(node)))?;
            let dir = seen.as_ref().and_then(|seen| seen.dir.as_ref());
            self.walk_way(below, &path, dir)?;
            self.step(Step::Leave)?;
        }
        Ok(())
    }

    /// Walks a source: a directory, or a single file.
    fn walk_source(
        &self,
        path: &[u8],
        name: &[u8],
        metadata: Metadata,
        previous: Option<SeenNode>,
    ) -> Result<()> {
        let system = yore_platform::system_path(path);
        if metadata.kind != Kind::Directory {
            let parent = system.parent().unwrap_or(&system);
            let dir = SourceDir::open(parent).map_err(|source| Error::local(parent, source))?;
            let previous = previous.filter(|seen| seen.dir.is_none()).map(|seen| seen.node);
            let wanted = Wanted { name: name.to_vec(), kind: None, previous };
            let parent: Arc<[u8]> = snapshot_path(parent).into();
            return self.send_batch(&Arc::new(dir), &parent, vec![wanted]);
        }
        let below = previous.as_ref().and_then(|seen| seen.dir.clone());
        let last = previous.map(|seen| seen.node);
        let dir = match SourceDir::open(&system) {
            Ok(dir) => dir,
            Err(error) => {
                self.unreadable(path, error);
                return self.keep_last_state(name, last, Some(metadata));
            }
        };
        let mut node = self.dir_node(&dir, name, path, &metadata, last.as_ref());
        match self.level(dir, path.into(), metadata.device, below.as_ref()) {
            Ok(level) => {
                node.flags = level.flags;
                self.step(Step::Enter(Box::new(node)))?;
                self.walk_dir(level)?;
                self.step(Step::Leave)
            }
            Err(Unlisted) => self.keep_last_state(name, last, Some(metadata)),
        }
    }

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
                        self.step(Step::Leave)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on in a directory up to the next one below it.
    fn advance(&self, level: &mut Level<'a>, spare: &mut Vec<Listing>) -> Result<Advance<'a>> {
        while let Some(listed) = level.listing.get(level.next) {
            level.next += 1;
            let name = listed.name;
            let kind = match listed.kind {
                Some(kind) => kind,
                None => match level.dir.child_metadata(name) {
                    Ok(metadata) => metadata.kind,
                    // Whoever looks at it next tells what is wrong.
                    Err(_) => Kind::File,
                },
            };
            // Some patterns are for directories alone, and some file systems list no kinds.
            if self.excluder.leaves_out(&level.path, name, kind) {
                continue;
            }
            let previous = level.previous.take(name);
            if kind == Kind::Directory {
                let name = name.to_vec();
                self.flush(level)?;
                return self.enter(level, &name, previous, spare);
            }
            let previous = previous.filter(|seen| seen.dir.is_none()).map(|seen| seen.node);
            level.batch.push(Wanted { name: name.to_vec(), kind: listed.kind, previous });
            if level.batch.len() >= BATCH {
                self.flush(level)?;
                return Ok(Advance::Stay);
            }
        }
        self.flush(level)?;
        Ok(Advance::Up)
    }

    fn enter(
        &self,
        parent: &Level<'a>,
        name: &[u8],
        previous: Option<SeenNode>,
        spare: &mut Vec<Listing>,
    ) -> Result<Advance<'a>> {
        let path = join(&parent.path, name);
        let opened = parent.dir.open_child(name).and_then(|dir| Ok((dir.metadata()?, dir)));
        let (metadata, dir) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Advance::Stay),
            Err(error) => {
                self.unreadable(&path, error);
                let metadata = parent.dir.child_metadata(name).ok();
                self.keep_last_state(name, previous.map(|seen| seen.node), metadata)?;
                return Ok(Advance::Stay);
            }
        };
        let last = previous.as_ref().map(|seen| &seen.node);
        let mut node = self.dir_node(&dir, name, &path, &metadata, last);
        let other_device = metadata.device != parent.device;
        if other_device && self.file_systems == FileSystems::One {
            node.flags = Flags::INCOMPLETE;
            self.step(Step::Enter(Box::new(node)))?;
            self.step(Step::Leave)?;
            return Ok(Advance::Stay);
        }
        let below = previous.as_ref().and_then(|seen| seen.dir.clone());
        let listing = spare.pop().unwrap_or_default();
        match self.level_into(listing, dir, path.into(), metadata.device, below.as_ref()) {
            Ok(level) => {
                node.flags = level.flags;
                self.step(Step::Enter(Box::new(node)))?;
                Ok(Advance::Down(Box::new(level)))
            }
            Err(Unlisted) => {
                self.keep_last_state(name, previous.map(|seen| seen.node), Some(metadata))?;
                Ok(Advance::Stay)
            }
        }
    }

    /// Keeps what the previous snapshot has of a directory that can't be read, marked as such; or,
    /// without one, that there is such a directory.
    fn keep_last_state(
        &self,
        name: &[u8],
        previous: Option<Node>,
        metadata: Option<Metadata>,
    ) -> Result<()> {
        let node = match (previous, metadata) {
            (Some(mut node), _) => {
                node.flags = Flags(node.flags.0 | Flags::STALE.0);
                node
            }
            (None, Some(metadata)) if metadata.kind == Kind::Directory => node_of(name, &metadata),
            // Something else has taken its place since it was listed; what that is, the next backup
            // tells. (A node of it without its content would be no node.)
            (None, _) => return self.step(Step::Incomplete),
        };
        self.step(Step::Take(Box::new(node)))
    }

    fn level(
        &self,
        dir: SourceDir,
        path: Arc<[u8]>,
        device: u64,
        previous: Option<&DirRef>,
    ) -> std::result::Result<Level<'a>, Unlisted> {
        self.level_into(Listing::new(), dir, path, device, previous)
    }

    fn level_into(
        &self,
        mut listing: Listing,
        dir: SourceDir,
        path: Arc<[u8]>,
        device: u64,
        previous: Option<&DirRef>,
    ) -> std::result::Result<Level<'a>, Unlisted> {
        if let Err(error) = dir.list(&mut listing) {
            self.unreadable(&path, error);
            return Err(Unlisted);
        }
        let mut level = Level {
            path,
            next: 0,
            previous: Previous::open(self.reader, previous),
            device,
            batch: Vec::new(),
            flags: Flags::default(),
            dir: Arc::new(dir),
            listing,
        };
        if let Some(marker) = self.excluder.marker(&level.dir, &level.listing) {
            // The marker itself stays, so that a restored directory is left out again.
            let previous = level.previous.take(marker).map(|seen| seen.node);
            level.batch.push(Wanted { name: marker.to_vec(), kind: None, previous });
            level.next = level.listing.len();
            level.flags = Flags::INCOMPLETE;
        }
        Ok(level)
    }

    /// Describes a directory; its attributes are read only if it may have changed.
    fn dir_node(
        &self,
        dir: &SourceDir,
        name: &[u8],
        path: &[u8],
        metadata: &Metadata,
        previous: Option<&Node>,
    ) -> Node {
        let mut node = node_of(name, metadata);
        let known = previous.filter(|previous| {
            self.reading == Reading::Changed
                && previous.changed == metadata.changed
                && previous.inode == metadata.inode
                && metadata.changed.is_some_and(|changed| changed < self.trusted_before)
        });
        match known {
            Some(previous) => node.xattrs = previous.xattrs.clone(),
            None => match dir.xattrs().and_then(within_bounds) {
                Ok(xattrs) => node.xattrs = xattrs,
                Err(error) => self.unreadable(path, error),
            },
        }
        node
    }

    fn flush(&self, level: &mut Level<'_>) -> Result<()> {
        if level.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut level.batch);
        self.send_batch(&level.dir, &level.path, batch)
    }

    fn send_batch(&self, dir: &Arc<SourceDir>, path: &Arc<[u8]>, names: Vec<Wanted>) -> Result<()> {
        let (results, found) = bounded(RESULTS);
        let (dir, path) = (Arc::clone(dir), Arc::clone(path));
        let number = self.batches.get();
        self.batches.set(number + 1);
        let job = Job { dir, path, names, results, number };
        self.jobs.send(job).map_err(|_| Error::Interrupted)?;
        self.step(Step::Batch(number, found))
    }

    fn step(&self, step: Step) -> Result<()> {
        self.steps.send(step).map_err(|_| Error::Interrupted)
    }

    fn unreadable(&self, path: &[u8], source: std::io::Error) {
        self.unreadable.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let error = Error::local(yore_platform::system_path(path), source);
        self.observer.problem(Problem { subject: path.to_vec(), error });
    }
}

enum Advance<'r> {
    Down(Box<Level<'r>>),
    Stay,
    Up,
}

/// A directory could not be listed; the observer knows.
struct Unlisted;

pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
    path.extend_from_slice(parent);
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
