//! Building the trees of a snapshot from what the walk finds, in its order.

use std::sync::mpsc::Receiver;
use yore_platform::{AccountNames, Kind};

use crate::backup::Saved;
use crate::backup::read::budget::Budget;
use crate::backup::read::{Bytes, ChunkId, Found, Results, Status};
use crate::backup::slice::Slice;
use crate::backup::store::{Added, Store};
use crate::backup::walk::Step;
use crate::error::{Error, Result};
use crate::format::content::{ContentBuilder, keep_holes};
use crate::format::keys::{BlobKind, Keys};
use crate::format::record::Totals;
use crate::format::tree::{Chunk, Content, Flags, Holes, Node, TreeBuilder};
use crate::observer::{Event, Fate, Observer};
use crate::path::join;

/// Builds trees; belongs to one thread.
pub(super) struct Assembly<'a, 's, 'r> {
    keys: &'a Keys,
    names: AccountNames,
    store: &'a mut Store<'s, 'r>,
    budget: &'a Budget,
    observer: &'a dyn Observer,
    /// The directories from the root down to the present one; the root has no node.
    levels: Vec<(Option<Node>, TreeBuilder)>,
    /// The chunks and holes of the file whose node is still to come.
    content: ContentBuilder,
    holes: Holes,
    pub(super) totals: Totals,
    /// What is to be said of the root.
    root_flags: Flags,
}

impl<'a, 's, 'r> Assembly<'a, 's, 'r> {
    pub(super) fn new(
        keys: &'a Keys,
        store: &'a mut Store<'s, 'r>,
        budget: &'a Budget,
        observer: &'a dyn Observer,
    ) -> Self {
        Self {
            keys,
            budget,
            observer,
            names: AccountNames::new(),
            store,
            levels: vec![(None, TreeBuilder::default())],
            content: ContentBuilder::default(),
            holes: Holes::default(),
            totals: Totals::default(),
            root_flags: Flags::default(),
        }
    }

    /// Takes every step of the walk; names the root tree.
    pub(super) fn run(mut self, steps: &Receiver<Step>) -> Result<Saved> {
        for step in steps {
            match step {
                Step::Enter(node) => self.levels.push((Some(*node), TreeBuilder::default())),
                Step::Take(node) => {
                    self.count(&node);
                    self.add(*node)?;
                }
                Step::Batch(number, results) => {
                    self.budget.turn_to(number);
                    let mut complete = false;
                    for results in &results {
                        complete |= matches!(results.found.last(), Some(Found::End));
                        self.take(results)?;
                    }
                    // A thread that stopped in the middle must not make a smaller snapshot.
                    if !complete {
                        return Err(Error::Interrupted);
                    }
                }
                Step::Incomplete => self.incomplete(),
                Step::Leave => self.leave()?,
            }
        }
        match (self.levels.pop(), self.levels.is_empty()) {
            (Some((None, root)), true) => {
                let store = self.store;
                let mut save = |bytes| store.add_made(BlobKind::Tree, bytes);
                let root = root.finish(&self.names, &mut save)?;
                Ok(Saved { root, root_flags: self.root_flags, totals: self.totals })
            }
            // The walk ended before its end; it has told why.
            _ => Err(Error::Interrupted),
        }
    }

    /// Marks the present directory.
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
        let mut save = |bytes| store.add_made(BlobKind::Tree, bytes);
        node.subtree = Some(tree.finish(&self.names, &mut save)?);
        self.totals.directories += 1;
        self.add(node)
    }

    fn add(&mut self, node: Node) -> Result<()> {
        let store = &mut *self.store;
        let mut save = |bytes| store.add_made(BlobKind::Tree, bytes);
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

    fn take(&mut self, results: Results) -> Result<()> {
        let Results { shared, found, bytes } = results;
        for found in found {
            match found {
                Found::Chunk(id, bytes) => {
                    let bytes = match (bytes, &shared) {
                        (Bytes::Own(bytes), _) => bytes,
                        (Bytes::Shared(range), Some(buffer)) => Slice::part(buffer, range),
                        (Bytes::Shared(_), None) => return Err(Error::Interrupted),
                    };
                    self.chunk(id, bytes)?;
                }
                Found::Holes(holes) => {
                    let store = &mut *self.store;
                    let mut save = |bytes| store.add_made(BlobKind::List, bytes);
                    self.holes = keep_holes(holes, &mut save)?;
                }
                Found::Again => {
                    self.content = ContentBuilder::default();
                    self.holes = Holes::default();
                }
                Found::Node(node, status) => self.file(*node, status)?,
                Found::Incomplete => self.incomplete(),
                Found::End => {}
            }
        }
        self.budget.give_back(bytes);
        Ok(())
    }

    fn chunk(&mut self, id: ChunkId, bytes: Slice) -> Result<()> {
        let id = match id {
            ChunkId::Known(id) => id,
            ChunkId::Later(named) => named.recv().map_err(|_| Error::Interrupted)?,
            ChunkId::WithOthers => return Err(Error::Interrupted),
        };
        let chunk = Chunk { id, length: bytes.len() as u32 };
        let _: Added = self.store.add(BlobKind::Data, id, bytes)?;
        let store = &mut *self.store;
        let mut save = |bytes| store.add_made(BlobKind::List, bytes);
        self.content.push(chunk, &mut save)
    }

    fn file(&mut self, mut node: Node, status: Status) -> Result<()> {
        let store = &mut *self.store;
        let mut save = |bytes| store.add_made(BlobKind::List, bytes);
        let content = std::mem::take(&mut self.content).finish(&mut save)?;
        if content != Content::Empty {
            node.content = content;
        }
        if !self.holes.is_empty() {
            node.holes = std::mem::take(&mut self.holes);
        }
        let fate = match status {
            Status::New => Fate::New,
            Status::Known(previous) => match is_same(&node, *previous) {
                true => Fate::Unchanged,
                false => Fate::Changed,
            },
            Status::Unchanged => Fate::Unchanged,
        };
        if node.kind == Kind::File {
            self.totals.new_files += u64::from(fate == Fate::New);
            self.totals.changed_files += u64::from(fate == Fate::Changed);
        }
        if self.observer.wants_files() {
            self.tell(&node, fate);
        }
        self.count(&node);
        self.add(node)
    }

    /// Tells what became of a file. Of one that could not be read, that was told already.
    fn tell(&self, node: &Node, fate: Fate) {
        if node.flags.contains(Flags::STALE) {
            return;
        }
        let above = self.levels.iter().filter_map(|(node, _)| node.as_ref());
        let above = above.fold(Vec::new(), |path, node| join(&path, &node.name));
        self.observer.event(Event::File { path: join(&above, &node.name), fate });
    }
}

/// Whether a file is what it was, whatever it is now called by the system.
fn is_same(node: &Node, previous: Node) -> bool {
    let Node { changed, inode, filesystem, .. } = *node;
    Node { changed, inode, filesystem, ..previous } == *node
}
