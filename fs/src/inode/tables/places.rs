//! The places of the tables: numbering names, and following what they come to mean.

use std::sync::Arc;

use yore_engine::read::ResolvedNode;
use yore_platform::VolumeError;

use super::{Inner, Tables};
use crate::error::Answer;
use crate::inode::number::PlaceNo;
use crate::inode::place::{
    Body, Entry, Flags, Lifetime, Opaque, Place, StateDir, TopTree, Version,
};
use crate::inode::sharing::PathHash;
use crate::inode::state::State;

/// The next step to make a place current.
pub(crate) enum Step {
    /// Nothing.
    Current(Place),
    /// The place `below` must be found again by its name in its parent.
    Follow {
        /// The place to find.
        below: PlaceNo,
        /// Its name.
        name: Arc<[u8]>,
        /// The parent, which is current.
        parent: Place,
    },
}

/// A new place.
struct New {
    body: Body,
    version: Version,
    path: PathHash,
    lifetime: Lifetime,
}

impl Inner {
    fn add(&mut self, parent: PlaceNo, name: &[u8], new: New) -> PlaceNo {
        let New { body, version, path, lifetime } = new;
        let place = PlaceNo(self.counts.places);
        self.counts.places += 1;
        let (name, used): (Arc<[u8]>, u64) = (Arc::from(name), self.counts.tick());
        self.by_name.insert((parent, Arc::clone(&name)), place);
        let flags = Flags::default();
        let entry = Entry { parent, name, body, version, path, lifetime, held: 0, used, flags };
        self.places.insert(place, entry);
        self.sweep_if_due();
        place
    }

    fn named(&self, parent: PlaceNo, name: &[u8]) -> Option<PlaceNo> {
        self.by_name.get(&(parent, Arc::from(name))).copied()
    }

    /// Finds or adds the place of a name in a virtual directory, and makes it mean `body`.
    ///
    /// A directory keeps its place when the name comes to mean another directory; a file gets
    /// another one, since a host knows a number as a file or as a directory.
    fn place(&mut self, parent: PlaceNo, name: &[u8], body: Body, path: PathHash) -> PlaceNo {
        if let Some(place) = self.named(parent, name) {
            match self.places.get(&place).map(|entry| &entry.body) {
                Some(was) if was.is_same(&body) => return place,
                Some(was) if was.is_file() || body.is_file() => self.freeze(place),
                Some(_) => {
                    self.replace(place, body);
                    if let Some(entry) = self.places.get_mut(&place) {
                        entry.path = path;
                    }
                    return place;
                }
                None => {}
            }
        }
        let version = self.counts.next_version();
        let lifetime = Lifetime::UntilLookup;
        self.add(parent, name, New { body, version, path, lifetime })
    }

    /// Takes the name from a place, which stays what it was last.
    fn freeze(&mut self, place: PlaceNo) {
        let Some(entry) = self.places.get_mut(&place) else { return };
        entry.flags.frozen = true;
        let key = (entry.parent, Arc::clone(&entry.name));
        if self.by_name.get(&key) == Some(&place) {
            self.by_name.remove(&key);
        }
    }

    /// Gives a place another body at once.
    pub(super) fn replace(&mut self, place: PlaceNo, body: Body) {
        let version = self.counts.next_version();
        let before = self.places.get(&place).filter(|entry| entry.held > 0);
        let before = before.map(|entry| self.source(&entry.body));
        if let Some(before) = before {
            self.moved.entry(place).or_insert(before);
        }
        if let Some(entry) = self.places.get_mut(&place) {
            entry.replace(body, version);
        }
    }

    fn entry(&self, place: PlaceNo) -> Answer<&Entry> {
        self.places.get(&place).ok_or(VolumeError::Stale)
    }
}

impl Tables {
    /// Returns the next step to make a place current.
    pub(crate) fn step(&self, place: PlaceNo) -> Answer<Step> {
        let inner = &mut *self.lock();
        let used = inner.counts.tick();
        let mut chain = vec![place];
        let mut at = place;
        loop {
            let entry = inner.entry(at)?;
            let parent = entry.parent;
            let is_top = entry.is_top(inner.places.get(&parent));
            if let Some(entry) = inner.places.get_mut(&at) {
                entry.used = used;
            }
            if is_top {
                break;
            }
            chain.push(parent);
            at = parent;
        }
        let moving = inner.entry(at)?.flags.moving;
        let current = |number: PlaceNo, entry: &Entry| {
            let ttl = if moving { std::time::Duration::ZERO } else { entry.lifetime.ttl() };
            let (body, version, path) = (entry.body.clone(), entry.version, entry.path);
            Place { number, body, version, path, ttl }
        };
        for pair in chain.windows(2).rev() {
            let (entry, parent) = (inner.entry(pair[0])?, inner.entry(pair[1])?);
            if entry.version != parent.version {
                let name = Arc::clone(&entry.name);
                let parent = current(pair[1], parent);
                return Ok(Step::Follow { below: pair[0], name, parent });
            }
        }
        Ok(Step::Current(current(place, inner.entry(place)?)))
    }

    /// Makes a place the directory that its name means in its parent at that version; a place whose name is not
    /// there any more stays what it was.
    pub(crate) fn follow(&self, place: PlaceNo, version: Version, found: Option<StateDir>) {
        let inner = &mut *self.lock();
        let Some(dir) = found else { return inner.freeze(place) };
        let Some(entry) = inner.places.get_mut(&place).filter(|entry| entry.version < version)
        else {
            return;
        };
        match &entry.body {
            Body::StateDir(was) if was.is_same(&dir) => entry.version = version,
            _ => entry.replace(Body::StateDir(dir), version),
        }
    }

    /// Numbers the directory `name` of another one of the same state, which is current at `version`.
    pub(crate) fn place_below(
        &self,
        parent: PlaceNo,
        version: Version,
        name: &[u8],
        dir: impl FnOnce() -> Answer<StateDir>,
    ) -> Answer<PlaceNo> {
        {
            let inner = &mut *self.lock();
            if let Some(place) = inner.named(parent, name) {
                let used = inner.counts.tick();
                if let Some(entry) = inner.places.get_mut(&place)
                    && entry.version >= version
                {
                    entry.used = used;
                    return Ok(place);
                }
            }
        }
        let dir = dir()?;
        let known = self.lock().named(parent, name);
        if let Some(place) = known {
            self.follow(place, version, Some(dir));
            return Ok(place);
        }
        let inner = &mut *self.lock();
        // Another thread may have been faster.
        if let Some(place) = inner.named(parent, name) {
            return Ok(place);
        }
        let above = inner.entry(parent)?;
        let (path, lifetime) = (above.path.child(name), above.lifetime);
        let body = Body::StateDir(dir);
        Ok(inner.add(parent, name, New { body, version, path, lifetime }))
    }

    /// Numbers a virtual directory, by its name in another one. The name keeps its number when it comes to
    /// mean another directory.
    pub(crate) fn place_virtual(
        &self,
        parent: PlaceNo,
        name: &[u8],
        dir: Arc<dyn Opaque>,
    ) -> PlaceNo {
        self.lock().place(parent, name, Body::Virtual(dir), PathHash::TOP)
    }

    /// Numbers a file in a virtual directory. Another file of that name has another number.
    pub(crate) fn place_file(
        &self,
        parent: PlaceNo,
        name: &[u8],
        node: Arc<ResolvedNode>,
    ) -> PlaceNo {
        self.lock().place(parent, name, Body::File(node), PathHash::TOP)
    }

    /// Numbers a directory of a state in a virtual directory; `path` is where it is in the state.
    pub(crate) fn place_tree(
        &self,
        parent: PlaceNo,
        name: &[u8],
        dir: StateDir,
        path: PathHash,
    ) -> PlaceNo {
        self.lock().place(parent, name, Body::StateDir(dir), path)
    }

    /// Numbers the top of a state under a name of a virtual directory. When the name comes to mean
    /// another state, it keeps its number and changes at once; where hosts hold it and are told of such changes,
    /// after they know.
    pub(crate) fn place_state(
        &self,
        parent: PlaceNo,
        name: &[u8],
        state: &Arc<State>,
        lifetime: Lifetime,
    ) -> PlaceNo {
        let inner = &mut *self.lock();
        if let Some(place) = inner.named(parent, name) {
            inner.point_to(place, state);
            return place;
        }
        let body = Body::StateTop(Arc::clone(state), None);
        let version = inner.counts.next_version();
        inner.add(parent, name, New { body, version, path: PathHash::TOP, lifetime })
    }

    /// Keeps the tree of the top of a state, unless the place is another state's top by now.
    pub(crate) fn keep_top(&self, place: PlaceNo, version: Version, tree: TopTree) {
        if let Some(entry) = self.lock().places.get_mut(&place)
            && entry.version == version
            && let Body::StateTop(_, top) = &mut entry.body
        {
            *top = Some(tree);
        }
    }

    /// Finds the place of a name that has one.
    pub(crate) fn known(&self, parent: PlaceNo, name: &[u8]) -> Option<PlaceNo> {
        self.lock().named(parent, name)
    }

    /// Reports whether a host holds a place.
    pub(crate) fn is_held(&self, place: PlaceNo) -> bool {
        self.lock().places.get(&place).is_some_and(|entry| entry.held > 0)
    }

    /// Never forgets a place.
    pub(crate) fn pin(&self, place: PlaceNo) {
        if let Some(entry) = self.lock().places.get_mut(&place) {
            entry.flags.pinned = true;
        }
    }

    /// Returns the directory above a place; the top has itself.
    pub(crate) fn parent(&self, place: PlaceNo) -> Answer<PlaceNo> {
        self.lock().entry(place).map(|entry| entry.parent)
    }

    /// Remembers that a directory holds names that can't be presented.
    pub(crate) fn mark_incomplete(&self, place: PlaceNo) {
        if let Some(entry) = self.lock().places.get_mut(&place) {
            entry.flags.incomplete = true;
        }
    }

    pub(crate) fn is_incomplete(&self, place: PlaceNo) -> bool {
        self.lock().places.get(&place).is_some_and(|entry| entry.flags.incomplete)
    }
}
