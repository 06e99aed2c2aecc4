//! Virtual directories: the traits by which they answer, and the numbers of their children.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use yore_engine::format::{BlobId, Content, Node};
use yore_engine::read::ResolvedNode;
use yore_engine::repository::Repository;
use yore_platform::{Entry, Kind, ListControl, Listed, Timestamp, VolumeError};

use crate::error::Answer;
use crate::history::path_history::PathHistories;
use crate::inode::number::{PlaceNo, SearchNo, SnapshotNo};
use crate::inode::place::{Body, Lifetime, NodeSpot, Opaque, SOON, StateDir};
use crate::inode::sharing::PathHash;
use crate::inode::state::State;
use crate::options::VolumeOptions;
use crate::snapshot_list::list::SnapshotList;
use crate::snapshot_list::registry::SnapshotLists;
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::core::Core;
use crate::tree::follow::current;
use crate::tree::listing::Each;
use crate::tree::node::{ino_of, node_at};

/// The state that all virtual directories share.
pub(crate) struct Context {
    pub(crate) core: Core,
    pub(crate) lists: SnapshotLists,
    pub(crate) histories: PathHistories,
    pub(crate) links: NumberedLinks,
    /// The folders at the top, in the order in which they are listed.
    pub(crate) folders: Vec<Box<dyn Folder>>,
    pub(crate) repository: Arc<Repository>,
    pub(crate) options: Arc<VolumeOptions>,
    /// The time at which the volume was opened.
    pub(crate) opened: Timestamp,
}

/// A folder at the top of the drive, or of a machine or a tag.
pub(crate) trait Folder: Send + Sync {
    fn name(&self) -> &'static [u8];

    /// The tops that have it.
    fn extent(&self) -> Extent {
        Extent::EveryTop
    }

    /// Returns its place below the top of a scope, which has this list.
    fn place(&self, top: &Dir<'_>, list: &SnapshotList) -> PlaceNo;
}

/// The tops that have a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The drive's, and those of machines and tags.
    EveryTop,
    /// The drive's alone.
    Drive,
}

/// A directory that no backup has. Two that are equal are the same directory.
pub(crate) trait VirtualDir: Same + Send + Sync {
    /// The time of its last change.
    fn modified(&self, context: &Context) -> Answer<Timestamp>;

    /// Finds a name in it.
    fn find(&self, dir: &Dir<'_>, name: &[u8]) -> Answer<Entry>;

    /// Lists it.
    fn list(&self, dir: &Dir<'_>, from: u64, each: &mut Each<'_>) -> Answer<()>;
}

/// Compares with a value of any type.
pub(crate) trait Same: Any {
    fn is_same(&self, other: &dyn Any) -> bool;
}

impl<T: PartialEq + Any> Same for T {
    fn is_same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>() == Some(self)
    }
}

/// A virtual directory, as the inode tables keep it.
struct Kept(Box<dyn VirtualDir>);

impl Opaque for Kept {
    fn is_same(&self, other: &dyn Opaque) -> bool {
        let other = (other as &dyn Any).downcast_ref::<Kept>();
        other.is_some_and(|other| (*self.0).is_same(&*other.0 as &dyn Any))
    }
}

/// Makes a virtual directory into what the inode tables keep.
pub(crate) fn keep(dir: impl VirtualDir) -> Arc<dyn Opaque> {
    Arc::new(Kept(Box::new(dir)))
}

/// Returns the virtual directory that the inode tables kept.
pub(crate) fn kept(dir: &dyn Opaque) -> Answer<&dyn VirtualDir> {
    let kept = (dir as &dyn Any).downcast_ref::<Kept>();
    kept.map(|kept| &*kept.0).ok_or(VolumeError::Stale)
}

/// A virtual directory at its place.
#[derive(Clone, Copy)]
pub(crate) struct Dir<'c> {
    pub(crate) context: &'c Context,
    pub(crate) place: PlaceNo,
}

/// A node that a snapshot has.
pub(crate) struct BackedUp<'n> {
    pub(crate) state: &'n Arc<State>,
    pub(crate) origin: SnapshotNo,
    /// Its path in the state.
    pub(crate) path: &'n [u8],
    /// The tree, or the leaf of a large one, that holds the node, and the position there.
    pub(crate) tree: BlobId,
    pub(crate) position: usize,
    pub(crate) node: &'n Node,
}

impl<'c> Dir<'c> {
    pub(crate) fn core(&self) -> &'c Core {
        &self.context.core
    }

    /// Returns the list of a scope.
    pub(crate) fn snapshots(&self, scope: ScopeNo) -> Answer<Arc<SnapshotList>> {
        self.context.lists.get(scope)
    }

    /// Numbers a virtual directory under a name.
    pub(crate) fn place(&self, name: &[u8], dir: impl VirtualDir) -> PlaceNo {
        self.core().tables.place_virtual(self.place, name, keep(dir))
    }

    /// Returns the entry of a virtual directory under a name.
    pub(crate) fn enter(&self, name: &[u8], dir: impl VirtualDir) -> Answer<Entry> {
        self.context.entry(self.place(name, dir))
    }

    /// Returns the entry of a node that is in no tree.
    pub(crate) fn file(&self, name: &[u8], node: ResolvedNode) -> Answer<Entry> {
        let place = self.core().tables.place_file(self.place, name, Arc::new(node));
        self.context.entry(place)
    }

    /// Returns the entry of a text that the drive itself writes.
    pub(crate) fn text(&self, name: &[u8], text: String, modified: Timestamp) -> Answer<Entry> {
        self.file(name, text_node(name, text, modified))
    }

    /// Returns the entry of a state under a name.
    pub(crate) fn state(
        &self,
        name: &[u8],
        state: &Arc<State>,
        lifetime: Lifetime,
    ) -> Answer<Entry> {
        self.context.entry(self.core().tables.place_state(self.place, name, state, lifetime))
    }

    /// Returns the entry of a node of a snapshot under a name: of a directory, as the snapshot has it; of a
    /// file, by the number by which snapshots show it.
    pub(crate) fn backed_up(&self, name: &[u8], backed_up: &BackedUp<'_>) -> Answer<Entry> {
        let BackedUp { state, origin, path, tree, position, node } = *backed_up;
        let core = self.core();
        let holder = core.tables.tree_of_blob(tree, origin)?;
        if node.kind != Kind::Directory {
            return Ok(core.presentation.node(ino_of(core, holder, position)?, node, SOON));
        }
        let tree = node.subtree.map(|id| core.tables.tree_of_blob(id, origin)).transpose()?;
        let index = u32::try_from(position).map_err(|_| VolumeError::Damaged)?;
        let hash = path.split(|byte| *byte == b'/').fold(PathHash::TOP, PathHash::child);
        let node_spot = NodeSpot { tree: holder, index };
        let state = Arc::clone(state);
        let dir = StateDir { state, origin: Some(origin), tree, node: node_spot };
        let place = core.tables.place_tree(self.place, name, dir, hash);
        Ok(core.presentation.node(place.ino(), node, SOON))
    }
}

impl Context {
    /// Returns the entry of a place, as it is at present.
    pub(crate) fn entry(&self, place: PlaceNo) -> Answer<Entry> {
        let (now, presentation) = (current(&self.core, place)?, &self.core.presentation);
        let ino = place.ino();
        match now.body {
            Body::Virtual(dir) => Ok(presentation.virtual_dir(ino, kept(&*dir)?.modified(self)?)),
            Body::File(seen) => Ok(presentation.node(ino, &seen.node, SOON)),
            Body::StateTop(state, _) => Ok(presentation.virtual_dir(ino, state.modified)),
            Body::StateDir(dir) => {
                let handle = node_at(&self.core, dir.node.tree, dir.node.index as usize)?;
                Ok(presentation.node(ino, handle.node()?, now.ttl))
            }
        }
    }
}

/// Returns the node of a text that the drive itself writes.
pub(crate) fn text_node(name: &[u8], text: String, modified: Timestamp) -> ResolvedNode {
    let content = text.into_bytes();
    let mut node = Node::new(name, Kind::File, modified);
    node.mode = Some(0o444);
    node.size = content.len() as u64;
    node.content = Content::Inline(content);
    ResolvedNode::of(node)
}

/// Lists names at fixed positions, from a position.
pub(crate) fn list_names<N: AsRef<[u8]>>(
    names: &[N],
    from: u64,
    each: &mut Each<'_>,
    entry: impl Fn(&[u8]) -> Answer<Entry>,
) -> Answer<()> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    for (next, name) in (1..).zip(names).skip(from) {
        let name = name.as_ref();
        let entry = match entry(name) {
            Ok(entry) => entry,
            // It went while the directory was listed.
            Err(VolumeError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        if each(Listed { name, next, entry }) == ListControl::Stop {
            break;
        }
    }
    Ok(())
}

/// Links that are numbered by their positions among those of one search.
pub(crate) trait Links: Send + Sync {
    fn entry(&self, context: &Context, position: usize) -> Answer<Entry>;

    fn target(&self, context: &Context, position: usize) -> Answer<Vec<u8>>;
}

/// The links that have numbers, as long as their search is remembered.
#[derive(Default)]
pub(crate) struct NumberedLinks {
    /// Guards the searches.
    searches: Mutex<Searches>,
}

#[derive(Default)]
struct Searches {
    links: HashMap<SearchNo, Weak<dyn Links>>,
    next: u64,
}

impl NumberedLinks {
    fn lock(&self) -> MutexGuard<'_, Searches> {
        self.searches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers the links of a search.
    pub(crate) fn add(&self, links: Weak<dyn Links>) -> SearchNo {
        let mut searches = self.lock();
        searches.links.retain(|_, links| links.strong_count() > 0);
        let number = SearchNo(searches.next);
        searches.next += 1;
        searches.links.insert(number, links);
        number
    }

    /// Returns the links of a search.
    ///
    /// # Errors
    /// Stale when the search is not remembered any more: the host looks the link up again.
    pub(crate) fn get(&self, number: SearchNo) -> Answer<Arc<dyn Links>> {
        let links = self.lock().links.get(&number).and_then(Weak::upgrade);
        links.ok_or(VolumeError::Stale)
    }
}
