//! Building the trees of a snapshot from the steps of the walk, in their order.

use std::sync::mpsc::Receiver;
use yore_platform::Kind;

use crate::backup::messages::{BatchResults, ChunkBytes, ChunkId, FileStatus, ReadItem, WalkStep};
use crate::backup::read::ReadContext;
use crate::backup::read::budget::Budget;
use crate::error::{Error, Result};
use crate::format::content::{ContentBuilder, keep_holes};
use crate::format::id::BlobId;
use crate::format::keys::{BlobKind, Keys};
use crate::format::record::Totals;
use crate::format::tree::{Chunk, Content, Flags, Holes, Naming, Node, TreeBuilder};
use crate::operation::observer::{Event, Fate, Observer};
use crate::path::join;
use crate::store::buffers::blob_bytes::BlobBytes;
use crate::store::{Added, BlobStore};

/// The root of a new snapshot, and the totals of its backup.
pub(super) struct Saved {
    pub(super) root: BlobId,
    pub(super) root_flags: Flags,
    pub(super) totals: Totals,
    /// Files whose content or metadata of the previous snapshot is not in this one; those that it had not read do not count.
    pub(super) overwritten: u64,
}

/// Builds trees; belongs to the calling thread.
pub(super) struct TreeAssembler<'a, 's, 'r> {
    keys: &'a Keys,
    names: Naming,
    store: &'a mut BlobStore<'s, 'r>,
    budget: &'a Budget,
    observer: &'a dyn Observer,
    /// The directories from the root down to the current one; the root has no node.
    levels: Vec<(Option<Node>, TreeBuilder)>,
    /// The chunks and holes of the file whose node is still to come.
    content: ContentBuilder,
    holes: Holes,
    totals: Totals,
    overwritten: u64,
    /// The flags of the root, which has no node.
    root_flags: Flags,
}

impl<'a, 's, 'r> TreeAssembler<'a, 's, 'r> {
    /// Begins with an empty root.
    pub(super) fn new(context: &'a ReadContext<'_>, store: &'a mut BlobStore<'s, 'r>) -> Self {
        Self {
            keys: context.keys,
            budget: &context.budget,
            observer: context.observer,
            names: match context.places.machine() {
                None => Naming::System(Box::default()),
                // The accounts of this system are not those of a server, which tells numbers alone.
                Some(_) => Naming::AsRead,
            },
            store,
            levels: vec![(None, TreeBuilder::default())],
            content: ContentBuilder::default(),
            holes: Holes::default(),
            totals: Totals::default(),
            overwritten: 0,
            root_flags: Flags::default(),
        }
    }

    /// Takes every step of the walk; returns the root tree.
    pub(super) fn run(mut self, steps: &Receiver<WalkStep>) -> Result<Saved> {
        for step in steps {
            match step {
                WalkStep::Enter(node) => self.levels.push((Some(*node), TreeBuilder::default())),
                WalkStep::Keep(node) => {
                    self.count(&node);
                    self.add(*node)?;
                }
                WalkStep::Unchanged(node, below) => {
                    let totals = &mut self.totals;
                    totals.files += below.files;
                    totals.directories += below.directories;
                    totals.others += below.others;
                    totals.bytes = totals.bytes.saturating_add(below.bytes);
                    self.add(*node)?;
                }
                WalkStep::Batch(number, results) => {
                    self.budget.turn_to(number);
                    let mut complete = false;
                    for results in &results {
                        complete |= matches!(results.items.last(), Some(ReadItem::End));
                        self.results(results)?;
                    }
                    // A thread that stopped in the middle must not make a smaller snapshot.
                    if !complete {
                        return Err(Error::Interrupted);
                    }
                }
                WalkStep::Incomplete => self.incomplete(),
                WalkStep::Leave => self.leave()?,
            }
        }
        match (self.levels.pop(), self.levels.is_empty()) {
            (Some((None, root)), true) => {
                let store = self.store;
                let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
                let root = root.finish(&self.names, &mut save)?;
                let Self { root_flags, totals, overwritten, .. } = self;
                Ok(Saved { root, root_flags, totals, overwritten })
            }
            // The walk ended early; its error is the cause.
            _ => Err(Error::Interrupted),
        }
    }

    /// Marks the current directory.
    fn incomplete(&mut self) {
        let node = self.levels.last_mut().and_then(|(node, _)| node.as_mut());
        let flags = node.map_or(&mut self.root_flags, |node| &mut node.flags);
        *flags = flags.with(Flags::INCOMPLETE);
    }

    fn leave(&mut self) -> Result<()> {
        let Some((Some(mut node), tree)) = self.levels.pop() else {
            return Err(Error::Interrupted);
        };
        let store = &mut *self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
        node.subtree = Some(tree.finish(&self.names, &mut save)?);
        self.totals.directories += 1;
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Result<()> {
        let store = &mut *self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::Tree, bytes);
        match self.levels.last_mut() {
            Some((_, tree)) => tree.push(node, self.keys, &self.names, &mut save),
            None => Err(Error::Interrupted),
        }
    }

    fn count(&mut self, node: &Node) {
        match node.kind {
            Kind::File => {
                self.totals.files += 1;
                self.totals.bytes += node.size;
            }
            Kind::Directory => self.totals.directories += 1,
            _ => self.totals.others += 1,
        }
    }

    fn results(&mut self, results: BatchResults) -> Result<()> {
        let BatchResults { shared, items, bytes } = results;
        for item in items {
            match item {
                ReadItem::Chunk(id, bytes) => {
                    let bytes = match (bytes, &shared) {
                        (ChunkBytes::Own(bytes), _) => bytes,
                        (ChunkBytes::Shared(range), Some(buffer)) => {
                            BlobBytes::range(buffer, range)
                        }
                        (ChunkBytes::Shared(_), None) => return Err(Error::Interrupted),
                    };
                    self.chunk(id, bytes)?;
                }
                ReadItem::Holes(holes) => {
                    let store = &mut *self.store;
                    let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
                    self.holes = keep_holes(holes, &mut save)?;
                }
                ReadItem::Discard => {
                    self.content = ContentBuilder::default();
                    self.holes = Holes::default();
                }
                ReadItem::Node(node, status) => self.file(*node, status)?,
                ReadItem::Incomplete => self.incomplete(),
                ReadItem::End => {}
            }
        }
        self.budget.give_back(bytes);
        Ok(())
    }

    fn chunk(&mut self, id: ChunkId, bytes: BlobBytes) -> Result<()> {
        let id = match id {
            ChunkId::Known(id) => id,
            ChunkId::Pending(id) => id.recv().map_err(|_| Error::Interrupted)?,
            ChunkId::Batched => return Err(Error::Interrupted),
        };
        let chunk = Chunk { id, length: bytes.len() as u32 };
        let _: Added = self.store.add(BlobKind::Data, id, bytes)?;
        let store = &mut *self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
        self.content.push(chunk, &mut save)
    }

    fn file(&mut self, mut node: Node, status: FileStatus) -> Result<()> {
        let store = &mut *self.store;
        let mut save = |bytes| store.add_metadata(BlobKind::List, bytes);
        let content = std::mem::take(&mut self.content).finish(&mut save)?;
        if content != Content::Empty {
            node.content = content;
        }
        if !self.holes.is_empty() {
            node.holes = std::mem::take(&mut self.holes);
        }
        let fate = match status {
            FileStatus::New => Fate::New,
            FileStatus::Known(previous) => {
                let was_read = !previous.flags.contains(Flags::STALE);
                let is_same = is_same(&node, *previous);
                self.overwritten += u64::from(was_read && !is_same);
                if is_same { Fate::Unchanged } else { Fate::Changed }
            }
            FileStatus::Unchanged => Fate::Unchanged,
        };
        if node.kind == Kind::File {
            self.totals.new_files += u64::from(fate == Fate::New);
            self.totals.changed_files += u64::from(fate == Fate::Changed);
        }
        if self.observer.wants_files() {
            self.report(&node, fate);
        }
        self.count(&node);
        self.add(node)
    }

    /// Reports what became of a file. One that could not be read was reported as a problem.
    fn report(&self, node: &Node, fate: Fate) {
        if node.flags.contains(Flags::STALE) {
            return;
        }
        let above = self.levels.iter().filter_map(|(node, _)| node.as_ref());
        let above = above.fold(Vec::new(), |path, node| join(&path, &node.name));
        self.observer.event(Event::File { path: join(&above, &node.name), fate });
    }
}

/// Returns whether a file is what it was, whatever numbers the system now has for it, and although it was not read then.
fn is_same(node: &Node, previous: Node) -> bool {
    let Node { changed, inode, filesystem, .. } = *node;
    let flags = previous.flags.without(Flags::STALE);
    Node { changed, inode, filesystem, flags, ..previous } == *node
}
