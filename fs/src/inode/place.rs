//! Places: directories as they are reached, by name below a parent, with what each is at present.
//!
//! A place keeps its number while its name comes to mean another directory. The top of a chain of places that follow one
//! another carries a version; a place below it that has another version than its parent is resolved again
//! by its name when it is next used (see `tree::follow`).

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use yore_engine::read::ResolvedNode;
use yore_platform::FOREVER;

use crate::inode::number::{PlaceNo, SnapshotNo, TreeNo};
use crate::inode::sharing::PathHash;
use crate::inode::state::State;

/// The time for which a host may keep answers that can change without a message.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// The time for which a host may keep answers about a name that follows the list of snapshots. Hosts are told
/// when it comes to mean another state, so this only bounds the life of an answer that crossed with that
/// message.
const MINUTE: Duration = Duration::from_secs(60);

/// Counts what names came to mean; a place below another one is current if it has its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version(pub(crate) u64);

/// A directory that no backup has. The tables only compare it.
pub(crate) trait Opaque: Any + Send + Sync {
    /// Reports whether both are the same, so that a name that meant one still means it.
    fn is_same(&self, other: &dyn Opaque) -> bool;
}

/// The content of a place.
#[derive(Clone)]
pub(crate) enum Body {
    /// A directory that no backup has.
    Virtual(Arc<dyn Opaque>),
    /// A file, or a node of another kind, in such a directory and in no tree.
    File(Arc<ResolvedNode>),
    /// The top of a state, and its tree once it was entered.
    StateTop(Arc<State>, Option<TopTree>),
    /// A directory of a state.
    StateDir(StateDir),
}

/// The tree of the top of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopTree {
    pub(crate) origin: Option<SnapshotNo>,
    pub(crate) tree: Option<TreeNo>,
}

/// A directory of a state.
#[derive(Clone)]
pub(crate) struct StateDir {
    pub(crate) state: Arc<State>,
    /// The snapshot that has it.
    pub(crate) origin: Option<SnapshotNo>,
    /// Its tree; `None` when it could not be read at its backup.
    pub(crate) tree: Option<TreeNo>,
    pub(crate) node: NodeSpot,
}

/// The spot of a directory's own node: the tree of the directory above, and an index in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeSpot {
    pub(crate) tree: TreeNo,
    pub(crate) index: u32,
}

impl Body {
    /// Reports whether both are the same, so that the place is as it was. Tops of states are compared by
    /// their states instead.
    pub(crate) fn is_same(&self, other: &Body) -> bool {
        match (self, other) {
            (Body::Virtual(one), Body::Virtual(other)) => one.is_same(&**other),
            (Body::File(one), Body::File(other)) => one.node == other.node,
            (Body::StateDir(one), Body::StateDir(other)) => one.is_same(other),
            _ => false,
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Body::File(_))
    }
}

impl StateDir {
    /// Reports whether both are one directory of one state.
    pub(crate) fn is_same(&self, other: &StateDir) -> bool {
        self.state.number == other.state.number
            && (self.origin, self.tree, self.node) == (other.origin, other.tree, other.node)
    }
}

/// The time for which everything below the top of a chain stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// For ever: it is one snapshot.
    Forever,
    /// Until the list of snapshots changes, which hosts are told of.
    UntilRefresh,
    /// Until the name at the top is looked up when it means something else.
    UntilLookup,
}

impl Lifetime {
    /// Returns how long a host may keep an answer.
    pub(crate) fn ttl(self) -> Duration {
        match self {
            Lifetime::Forever => FOREVER,
            Lifetime::UntilRefresh => MINUTE,
            Lifetime::UntilLookup => SOON,
        }
    }
}

/// A place, as it is at present.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) number: PlaceNo,
    pub(crate) body: Body,
    pub(crate) version: Version,
    /// Its path within its state.
    pub(crate) path: PathHash,
    /// The time for which a host may keep answers about its children.
    pub(crate) ttl: Duration,
}

/// A place in the table.
pub(crate) struct Entry {
    pub(crate) parent: PlaceNo,
    pub(crate) name: Arc<[u8]>,
    pub(crate) body: Body,
    pub(crate) version: Version,
    pub(crate) path: PathHash,
    pub(crate) lifetime: Lifetime,
    /// The number of times that hosts hold it.
    pub(crate) held: u64,
    /// The tick of its last use.
    pub(crate) used: u64,
    pub(crate) flags: Flags,
}

/// Further facts about a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// It is never forgotten.
    pub(crate) pinned: bool,
    /// Its name does not lead to it any more; it stays what it was last.
    pub(crate) frozen: bool,
    /// It is about to come to mean something else: hosts must not keep what is below it.
    pub(crate) moving: bool,
    /// It has names that can't be presented.
    pub(crate) incomplete: bool,
}

impl Entry {
    /// Gives it another body.
    pub(crate) fn replace(&mut self, body: Body, version: Version) {
        self.body = body;
        self.version = version;
        self.flags.incomplete = false;
        self.flags.moving = false;
    }

    /// Reports whether it has a version of its own, rather than its parent's.
    pub(crate) fn is_top(&self, parent: Option<&Entry>) -> bool {
        match self.body {
            Body::Virtual(_) | Body::File(_) | Body::StateTop(..) => true,
            Body::StateDir(_) => {
                self.flags.frozen
                    || parent.is_none_or(|parent| matches!(parent.body, Body::Virtual(_)))
            }
        }
    }
}
