//! Places: directories as they are reached, by name below a parent, and what each is at present.
//!
//! A place keeps its number while what its name means changes. The top of a chain of places that follow one
//! another carries a version; a place below it that has another version than its parent is resolved again
//! by its name when it is next used (see `tree::follow`).

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use yore_engine::SeenNode;
use yore_platform::FOREVER;

use crate::inode::number::{PlaceNo, SnapshotNo, TreeNo};
use crate::inode::sharing::PathHash;
use crate::inode::state::State;

/// How long a host may keep what can change without a message.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// How long a host may keep what follows a name that can come to mean another state. Hosts are told when it
/// does, so this only bounds how long an answer stays that crossed with that message.
const MINUTE: Duration = Duration::from_secs(60);

/// Counts what names came to mean; a place below another one is current if it has its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version(pub(crate) u64);

/// A directory that no backup has. The tables only compare it.
pub(crate) trait Opaque: Any + Send + Sync {
    /// Reports whether both are the same, so that a name that stood for one stands for the other.
    fn is_same(&self, other: &dyn Opaque) -> bool;
}

/// What a place holds.
#[derive(Clone)]
pub(crate) enum Body {
    /// A directory that no backup has.
    Virtual(Arc<dyn Opaque>),
    /// A file, or a node of another kind, that stands in such a directory and in no tree.
    File(Arc<SeenNode>),
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

/// Where a directory's own node is: in the tree of the directory above, at an index.
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

/// How long what is below the top of a chain stays what it is.
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
    /// Where it is within its state.
    pub(crate) path: PathHash,
    /// How long a host may keep answers about what is in it.
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
    /// How often hosts hold it.
    pub(crate) held: u64,
    /// When it was used last.
    pub(crate) used: u64,
    pub(crate) flags: Flags,
}

/// What else is known of a place.
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
    /// Makes it mean something else.
    pub(crate) fn become_(&mut self, body: Body, version: Version) {
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
