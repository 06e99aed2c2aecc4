//! Places: directories as they are reached, by name below a parent, and what each is at present.
//!
//! A place keeps its number while what its name means changes. The top of a chain of places that follow one
//! another carries a version; a place below it that has another version than its parent is resolved again
//! by its name when it is next used (see `follow`).

use std::sync::Arc;
use std::time::Duration;

use yore_platform::FOREVER;

use crate::inode::number::{PlaceNo, TreeNo};
use crate::inode::sharing::PathHash;
use crate::inode::tables::OriginNo;
use crate::tree::attributes::SOON;
use crate::tree::state_tree::State;
use crate::virtual_dir::dir::Made;

/// How long a host may keep what follows a name that can come to mean another state. Hosts are told when it
/// does, so this only bounds how long an answer stays that crossed with that message.
const MINUTE: Duration = Duration::from_secs(60);

/// Counts what names came to mean; a place below another one is current if it has its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version(pub(crate) u64);

/// What a place holds.
#[derive(Clone)]
pub(crate) enum Body {
    /// Something made by the drive; no backup has it.
    Made(Made),
    /// The top of a state, and its tree once it was entered.
    Top(Arc<State>, Option<Entered>),
    /// A directory of a state.
    Inside(Dir),
}

/// The top of a state, put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) origin: Option<OriginNo>,
    pub(crate) tree: Option<TreeNo>,
}

/// A directory of a state.
#[derive(Clone)]
pub(crate) struct Dir {
    pub(crate) state: Arc<State>,
    /// The snapshot that has it.
    pub(crate) origin: Option<OriginNo>,
    /// What it holds; `None` when it could not be read at its backup.
    pub(crate) tree: Option<TreeNo>,
    /// The directory above it, and its position there, where its node is.
    pub(crate) node: (TreeNo, u32),
}

impl Dir {
    /// Reports whether both are one directory of one state.
    pub(crate) fn is(&self, other: &Dir) -> bool {
        self.state.number == other.state.number
            && (self.origin, self.tree, self.node) == (other.origin, other.tree, other.node)
    }
}

/// How long what is below the top of a chain stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// For ever: it is one snapshot.
    Forever,
    /// Until the list of snapshots changes, which hosts are told of.
    Following,
    /// Until the name at the top is looked up when it means something else.
    Soon,
}

impl Lasting {
    /// Returns how long a host may keep an answer.
    pub(crate) fn ttl(self) -> Duration {
        match self {
            Lasting::Forever => FOREVER,
            Lasting::Following => MINUTE,
            Lasting::Soon => SOON,
        }
    }
}

/// A place, as it is at present.
#[derive(Clone)]
pub(crate) struct Place {
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
    pub(crate) lasting: Lasting,
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
            Body::Made(_) | Body::Top(..) => true,
            Body::Inside(_) => {
                self.flags.frozen
                    || parent.is_none_or(|parent| matches!(parent.body, Body::Made(_)))
            }
        }
    }
}
