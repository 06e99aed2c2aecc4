//! The states of a name: what it was in each state of its directory.
//!
//! The first name is looked up in every tree, which costs nothing beyond the trees themselves. A
//! second name makes more names likely: the trees are then compared once, each with the one before
//! it on the same machine, and the index notes which names changed in which states. From then on a
//! name is looked up only in the trees in which it changed.
//!
//! Example: a directory in five snapshots of one machine. U is T with another `b`, and V is U
//! without `c`.
//!
//! ```text
//! state      0   1   2   3   4
//! tree       T   T   U   V   U
//! changed            b   c   c
//!
//! name a     T   =   =   =   =      one tree is read
//! name b     T   =   U   =   =      two
//! name c     T   =   =   V   U      three: T and U say the same, which the caller merges
//! ```

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yore_platform::Kind;

use super::Timeline;
use super::changed_names::{Listed, differences};
use super::dir_history::DirState;
use super::locate::{LocatedNode, locate_node};
use crate::error::{Error, Result};
use crate::format::id::BlobId;
use crate::format::tree::Node;
use crate::read::reader::Reader;

/// The most changes that are noted for one directory: 1 MiB. With more, every tree is searched.
const MOST_CHANGES: usize = 1 << 17;

/// The state of a name in one state of its directory.
#[derive(Debug, Clone)]
pub(super) enum NameState {
    /// The directory could not be read at the backup.
    Unreadable,
    /// The directory had no such name.
    Absent,
    /// The directory had it.
    Present(Arc<LocatedNode>),
}

impl NameState {
    /// Returns its node, if it was there.
    pub(super) fn node(&self) -> Option<&Node> {
        match self {
            NameState::Present(located) => Some(&located.node),
            NameState::Unreadable | NameState::Absent => None,
        }
    }

    /// Returns its tree, if it was a directory; `Some(None)` if that could not be read.
    pub(super) fn directory(&self) -> Option<Option<BlobId>> {
        let node = self.node().filter(|node| node.kind == Kind::Directory)?;
        Some(node.subtree)
    }
}

/// Looks `name` up in a tree, unless `by_tree` has the answer.
pub(super) fn lookup(
    reader: &Reader,
    tree: BlobId,
    name: &[u8],
    by_tree: &mut HashMap<BlobId, NameState>,
) -> Result<NameState> {
    if let Some(known) = by_tree.get(&tree) {
        return Ok(known.clone());
    }
    let located = locate_node(reader, &tree, name)?;
    let state = located.map_or(NameState::Absent, |node| NameState::Present(Arc::new(node)));
    by_tree.insert(tree, state.clone());
    Ok(state)
}

/// The names of a directory, as far as they have been looked up.
#[derive(Debug, Default)]
pub(super) struct NameIndex {
    /// Guards the comparison of the trees too: a second caller would only repeat it.
    known: Mutex<Known>,
}

impl NameIndex {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports whether no name was looked up yet.
    pub(super) fn is_empty(&self) -> bool {
        matches!(*self.lock(), Known::Nothing)
    }

    /// Estimates its memory in bytes, if nodes are small; 0 while another thread compares the
    /// trees.
    pub(super) fn memory(&self) -> usize {
        let Ok(known) = self.known.try_lock() else { return 0 };
        match &*known {
            Known::Nothing | Known::One(_, None) => 0,
            Known::One(_, Some(states)) => {
                states.len() * (size_of::<NameState>() + size_of::<LocatedNode>())
            }
            Known::Changes(changes) => match &**changes {
                Changes::Noted(changes) => size_of_val(changes.as_slice()),
                Changes::TooMany => 0,
            },
        }
    }

    /// Keeps the states of the first name.
    pub(super) fn set_first(&self, name: &[u8], states: Vec<NameState>) {
        let mut known = self.lock();
        if matches!(*known, Known::Nothing) {
            *known = Known::one(name, &states.into());
        }
    }
}

#[cfg(test)]
impl NameIndex {
    /// Reports whether the trees were compared.
    pub(super) fn is_compared(&self) -> bool {
        matches!(&*self.lock(), Known::Changes(changes) if matches!(**changes, Changes::Noted(_)))
    }
}

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    /// One name, with its states unless it ever was a directory: those are read once, on the way
    /// down.
    One(Vec<u8>, Option<Arc<[NameState]>>),
    Changes(Arc<Changes>),
}

impl Known {
    fn one(name: &[u8], states: &Arc<[NameState]>) -> Self {
        let ever_directory = states.iter().any(|state| state.directory().is_some());
        Known::One(name.to_vec(), (!ever_directory).then(|| Arc::clone(states)))
    }
}

/// The states in which names changed.
#[derive(Debug)]
enum Changes {
    /// Sorted. Two names of one digest share their changes, and some trees are searched in vain.
    Noted(Vec<NameChange>),
    TooMany,
}

/// A change of a name from one state to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct NameChange {
    digest: u32,
    /// The number of the later state.
    state: u32,
}

impl Changes {
    /// Reports whether a name may have changed in a state.
    fn may_include(&self, digest: u32, state: usize) -> bool {
        match self {
            Changes::Noted(changes) => u32::try_from(state)
                .is_ok_and(|state| changes.binary_search(&NameChange { digest, state }).is_ok()),
            Changes::TooMany => true,
        }
    }
}

/// A directory as machines backed it up.
pub(super) struct Directory<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) states: &'a [DirState],
    pub(super) index: &'a NameIndex,
}

impl Directory<'_> {
    /// Returns the state of `name` in each state of the directory.
    ///
    /// # Errors
    /// A tree that can't be read.
    pub(super) fn states_of(&self, reader: &Reader, name: &[u8]) -> Result<Arc<[NameState]>> {
        let mut known = self.index.lock();
        let changes = match &*known {
            Known::Nothing => {
                let states = self.look_up(reader, name, &Changes::TooMany)?;
                *known = Known::one(name, &states);
                return Ok(states);
            }
            Known::One(last, Some(states)) if last == name => return Ok(Arc::clone(states)),
            Known::One(..) => match self.changes(reader).map(Arc::new) {
                Ok(changes) => {
                    *known = Known::Changes(Arc::clone(&changes));
                    changes
                }
                // A damaged tree fails the names that are looked up in it, and no others.
                Err(Error::Damaged { .. } | Error::Missing { .. }) => Arc::new(Changes::TooMany),
                Err(error) => return Err(error),
            },
            Known::Changes(changes) => Arc::clone(changes),
        };
        drop(known);
        self.look_up(reader, name, &changes)
    }

    fn host(&self, state: &DirState) -> &str {
        self.timeline.get(state.snapshot).map_or("", |entry| &entry.snapshot.host)
    }

    fn look_up(&self, reader: &Reader, name: &[u8], changes: &Changes) -> Result<Arc<[NameState]>> {
        let digest = digest(name);
        let mut by_host: HashMap<&str, NameState> = HashMap::new();
        let mut by_tree: HashMap<BlobId, NameState> = HashMap::new();
        let mut all = Vec::with_capacity(self.states.len());
        for (number, state) in self.states.iter().enumerate() {
            let Some(tree) = state.tree else {
                all.push(NameState::Unreadable);
                continue;
            };
            let host = self.host(state);
            if !changes.may_include(digest, number)
                && let Some(before) = by_host.get(host)
            {
                all.push(before.clone());
                continue;
            }
            let found = lookup(reader, tree, name, &mut by_tree)?;
            by_host.insert(host, found.clone());
            all.push(found);
        }
        Ok(all.into())
    }

    /// Compares each tree with the one before it of the same machine.
    fn changes(&self, reader: &Reader) -> Result<Changes> {
        let mut before: HashMap<&str, Listed> = HashMap::new();
        let mut changes = Vec::new();
        for (number, state) in self.states.iter().enumerate() {
            let Some(tree) = state.tree else { continue };
            let host = self.host(state);
            let old = match before.remove(host) {
                Some(old) if old.tree == tree => {
                    before.insert(host, old);
                    continue;
                }
                old => old,
            };
            let mut new = Listed::read(reader, tree)?;
            if let (Some(old), Ok(state)) = (old, u32::try_from(number)) {
                let note = |name: &[u8]| changes.push(NameChange { digest: digest(name), state });
                differences(reader, old, &mut new, note)?;
            }
            if changes.len() > MOST_CHANGES {
                return Ok(Changes::TooMany);
            }
            before.insert(host, new);
        }
        changes.sort_unstable();
        changes.dedup();
        changes.shrink_to_fit();
        Ok(Changes::Noted(changes))
    }
}

fn digest(name: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() as u32
}
