//! What a name of a directory stood for in each of the directory's states.
//!
//! The first name that is asked about is looked up in every tree. Who asks about a second one will ask
//! about more: then each tree is compared with the one before it on the same machine, once, and which
//! names changed where is noted. From then on a name is looked up only in the trees in which it changed.

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

/// Changes that are noted of one directory: 1 MiB. Where there are more, every tree is looked into.
const MOST_CHANGES: usize = 1 << 17;

/// What a name stood for in one state.
#[derive(Debug, Clone)]
pub(super) enum Stood {
    /// The directory could not be read then.
    Unreadable,
    Absent,
    There(Arc<LocatedNode>),
}

impl Stood {
    /// Its node, if it was there.
    pub(super) fn node(&self) -> Option<&Node> {
        match self {
            Stood::There(seen) => Some(&seen.node),
            Stood::Unreadable | Stood::Absent => None,
        }
    }

    /// Its tree, if it was a directory; none if that could not be read.
    pub(super) fn directory(&self) -> Option<Option<BlobId>> {
        let node = self.node().filter(|node| node.kind == Kind::Directory)?;
        Some(node.subtree)
    }
}

/// Looks `name` up in a tree, unless that was done before.
pub(super) fn look(
    reader: &Reader,
    tree: BlobId,
    name: &[u8],
    by_tree: &mut HashMap<BlobId, Stood>,
) -> Result<Stood> {
    if let Some(stood) = by_tree.get(&tree) {
        return Ok(stood.clone());
    }
    let seen = locate_node(reader, &tree, name)?;
    let stood = seen.map_or(Stood::Absent, |seen| Stood::There(Arc::new(seen)));
    by_tree.insert(tree, stood.clone());
    Ok(stood)
}

/// What is known of the names of a directory.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Guards the work too: who asks meanwhile would do the same.
    known: Mutex<Known>,
}

impl Looked {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody asked yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(*self.lock(), Known::Nothing)
    }

    /// How much memory it takes, in bytes, if nodes are small; nothing while it is worked out, which is
    /// not waited for.
    pub(super) fn memory(&self) -> usize {
        let Ok(known) = self.known.try_lock() else { return 0 };
        match &*known {
            Known::Nothing | Known::One(_, None) => 0,
            Known::One(_, Some(stood)) => {
                stood.len() * (size_of::<Stood>() + size_of::<LocatedNode>())
            }
            Known::Changes(changes) => match &**changes {
                Changes::Noted(changes) => size_of_val(changes.as_slice()),
                Changes::TooMany => 0,
            },
        }
    }

    /// Takes what the first name stood for.
    pub(super) fn learn(&self, name: &[u8], stood: Vec<Stood>) {
        let mut known = self.lock();
        if matches!(*known, Known::Nothing) {
            *known = Known::one(name, &stood.into());
        }
    }
}

#[cfg(test)]
impl Looked {
    /// Whether it is known which names changed where.
    pub(super) fn is_compared(&self) -> bool {
        matches!(&*self.lock(), Known::Changes(changes) if matches!(**changes, Changes::Noted(_)))
    }
}

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    /// One name, and what it stood for unless it ever was a directory, of which nobody asks again.
    One(Vec<u8>, Option<Arc<[Stood]>>),
    Changes(Arc<Changes>),
}

impl Known {
    fn one(name: &[u8], stood: &Arc<[Stood]>) -> Self {
        let ever_directory = stood.iter().any(|stood| stood.directory().is_some());
        Known::One(name.to_vec(), (!ever_directory).then(|| Arc::clone(stood)))
    }
}

/// Which names changed in which states.
#[derive(Debug)]
enum Changes {
    /// The digest of each name with the places of the states, in order. Two names of one digest have
    /// each other's places too: then some trees are looked into for nothing.
    Noted(Vec<(u32, u32)>),
    TooMany,
}

impl Changes {
    /// Whether a name may have changed in a state.
    fn may_include(&self, digest: u32, state: usize) -> bool {
        match self {
            Changes::Noted(changes) => {
                u32::try_from(state).is_ok_and(|at| changes.binary_search(&(digest, at)).is_ok())
            }
            Changes::TooMany => true,
        }
    }
}

/// A directory as machines backed it up.
pub(super) struct Directory<'a> {
    pub(super) timeline: &'a Timeline,
    pub(super) states: &'a [DirState],
    pub(super) looked: &'a Looked,
}

impl Directory<'_> {
    /// What `name` stood for in each state.
    ///
    /// # Errors
    /// A tree that can't be read.
    pub(super) fn stood(&self, reader: &Reader, name: &[u8]) -> Result<Arc<[Stood]>> {
        let mut known = self.looked.lock();
        let changes = match &*known {
            Known::Nothing => {
                let stood = self.look_up(reader, name, &Changes::TooMany)?;
                *known = Known::one(name, &stood);
                return Ok(stood);
            }
            Known::One(last, Some(stood)) if last == name => return Ok(Arc::clone(stood)),
            Known::One(..) => match self.changes(reader).map(Arc::new) {
                Ok(changes) => {
                    *known = Known::Changes(Arc::clone(&changes));
                    changes
                }
                // What is damaged concerns those names alone that are in it.
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

    fn look_up(&self, reader: &Reader, name: &[u8], changes: &Changes) -> Result<Arc<[Stood]>> {
        let digest = digest(name);
        let mut by_host: HashMap<&str, Stood> = HashMap::new();
        let mut by_tree: HashMap<BlobId, Stood> = HashMap::new();
        let mut all = Vec::with_capacity(self.states.len());
        for (number, state) in self.states.iter().enumerate() {
            let Some(tree) = state.tree else {
                all.push(Stood::Unreadable);
                continue;
            };
            let host = self.host(state);
            if !changes.may_include(digest, number)
                && let Some(before) = by_host.get(host)
            {
                all.push(before.clone());
                continue;
            }
            let stood = look(reader, tree, name, &mut by_tree)?;
            by_host.insert(host, stood.clone());
            all.push(stood);
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
            if let (Some(old), Ok(at)) = (old, u32::try_from(number)) {
                differences(reader, old, &mut new, |name| changes.push((digest(name), at)))?;
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
