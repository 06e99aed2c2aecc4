//! The places of the tables: numbering names, and what becomes of them.

use std::sync::Arc;

use yore_platform::VolumeError;

use super::{Inner, Tables};
use crate::inode::number::PlaceNo;
use crate::inode::place::{Body, Dir, Entered, Entry, Flags, Lasting, Place, Version};
use crate::inode::sharing::PathHash;
use crate::tree::state_tree::State;
use crate::virtual_dir::dir::Made;

/// What is to be done before a place is current.
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
        parent: (PlaceNo, Place),
    },
}

impl Inner {
    fn add(
        &mut self,
        parent: PlaceNo,
        name: &[u8],
        like: (Body, Version, PathHash, Lasting),
    ) -> PlaceNo {
        let (body, version, path, lasting) = like;
        let place = PlaceNo(self.counts.places);
        self.counts.places += 1;
        let (name, used): (Arc<[u8]>, u64) = (Arc::from(name), self.counts.tick());
        self.by_name.insert((parent, Arc::clone(&name)), place);
        let flags = Flags::default();
        let entry = Entry { parent, name, body, version, path, lasting, held: 0, used, flags };
        self.places.insert(place, entry);
        self.sweep_if_due();
        place
    }

    fn named(&self, parent: PlaceNo, name: &[u8]) -> Option<PlaceNo> {
        self.by_name.get(&(parent, Arc::from(name))).copied()
    }

    /// Takes a name from a place, which stays what it was last.
    fn freeze(&mut self, place: PlaceNo) {
        let Some(entry) = self.places.get_mut(&place) else { return };
        entry.flags.frozen = true;
        let key = (entry.parent, Arc::clone(&entry.name));
        if self.by_name.get(&key) == Some(&place) {
            self.by_name.remove(&key);
        }
    }

    /// Makes a place mean something else at once.
    pub(super) fn turn(&mut self, place: PlaceNo, body: Body) {
        let version = self.counts.next_version();
        let before = self.places.get(&place).filter(|entry| entry.held > 0);
        let before = before.map(|entry| self.source(&entry.body));
        if let Some(before) = before {
            self.moved.entry(place).or_insert(before);
        }
        if let Some(entry) = self.places.get_mut(&place) {
            entry.become_(body, version);
        }
    }

    fn entry(&self, place: PlaceNo) -> Result<&Entry, VolumeError> {
        self.places.get(&place).ok_or(VolumeError::Stale)
    }
}

impl Tables {
    /// Tells what is to be done before a place is current.
    pub(crate) fn step(&self, place: PlaceNo) -> Result<Step, VolumeError> {
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
        let current = |entry: &Entry| {
            let ttl = if moving { std::time::Duration::ZERO } else { entry.lasting.ttl() };
            Place { body: entry.body.clone(), version: entry.version, path: entry.path, ttl }
        };
        for pair in chain.windows(2).rev() {
            let (entry, parent) = (inner.entry(pair[0])?, inner.entry(pair[1])?);
            if entry.version != parent.version {
                let name = Arc::clone(&entry.name);
                return Ok(Step::Follow {
                    below: pair[0],
                    name,
                    parent: (pair[1], current(parent)),
                });
            }
        }
        Ok(Step::Current(current(inner.entry(place)?)))
    }

    /// Makes a place what its name stands for in its parent at that version; what is not there any more
    /// stays what it was.
    pub(crate) fn follow(&self, place: PlaceNo, version: Version, found: Option<Dir>) {
        let inner = &mut *self.lock();
        let Some(dir) = found else { return inner.freeze(place) };
        let Some(entry) = inner.places.get_mut(&place).filter(|entry| entry.version < version)
        else {
            return;
        };
        match &entry.body {
            Body::Inside(was) if was.is(&dir) => entry.version = version,
            _ => entry.become_(Body::Inside(dir), version),
        }
    }

    /// Numbers the directory `name` of another of the same state.
    pub(crate) fn place_inside(
        &self,
        (parent, version): (PlaceNo, Version),
        name: &[u8],
        dir: impl FnOnce() -> Result<Dir, VolumeError>,
    ) -> Result<PlaceNo, VolumeError> {
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
        let (path, lasting) = (above.path.child(name), above.lasting);
        Ok(inner.add(parent, name, (Body::Inside(dir), version, path, lasting)))
    }

    /// Numbers something made by the drive, by its name in a directory that is made as well. A directory
    /// keeps its number when the name comes to mean another one; a file has another number then.
    pub(crate) fn place_named(&self, parent: PlaceNo, name: &[u8], made: Made) -> PlaceNo {
        let inner = &mut *self.lock();
        if let Some(place) = inner.named(parent, name) {
            match inner.places.get(&place).map(|entry| &entry.body) {
                Some(Body::Made(was)) if was.is(&made) => return place,
                Some(Body::Made(was)) if was.is_file() || made.is_file() => inner.freeze(place),
                Some(Body::Top(..) | Body::Inside(_)) if made.is_file() => inner.freeze(place),
                Some(_) => {
                    inner.turn(place, Body::Made(made));
                    return place;
                }
                None => {}
            }
        }
        let version = inner.counts.next_version();
        inner.add(parent, name, (Body::Made(made), version, PathHash::TOP, Lasting::Soon))
    }

    /// Numbers a directory of a state that stands in a made directory.
    pub(crate) fn place_of_tree(
        &self,
        parent: PlaceNo,
        name: &[u8],
        (dir, path): (Dir, PathHash),
    ) -> PlaceNo {
        let inner = &mut *self.lock();
        if let Some(place) = inner.named(parent, name) {
            match inner.places.get(&place).map(|entry| &entry.body) {
                Some(Body::Inside(was)) if was.is(&dir) => return place,
                Some(Body::Made(was)) if was.is_file() => inner.freeze(place),
                Some(_) => {
                    inner.turn(place, Body::Inside(dir));
                    if let Some(entry) = inner.places.get_mut(&place) {
                        entry.path = path;
                    }
                    return place;
                }
                None => {}
            }
        }
        let version = inner.counts.next_version();
        inner.add(parent, name, (Body::Inside(dir), version, path, Lasting::Soon))
    }

    /// Numbers the top of a state under a name of a made directory. The name keeps its number when it comes
    /// to stand for another state: at once, or after hosts were told if they hold it and are told of such.
    pub(crate) fn place_state(
        &self,
        parent: PlaceNo,
        name: &[u8],
        (state, lasting): (&Arc<State>, Lasting),
    ) -> PlaceNo {
        let inner = &mut *self.lock();
        if let Some(place) = inner.named(parent, name) {
            inner.lead(place, state);
            return place;
        }
        let version = inner.counts.next_version();
        let body = Body::Top(Arc::clone(state), None);
        inner.add(parent, name, (body, version, PathHash::TOP, lasting))
    }

    /// Keeps the top of a state, put together, unless it is another state's top by now.
    pub(crate) fn keep_entered(&self, place: PlaceNo, version: Version, entered: Entered) {
        if let Some(entry) = self.lock().places.get_mut(&place)
            && entry.version == version
            && let Body::Top(_, top) = &mut entry.body
        {
            *top = Some(entered);
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
    pub(crate) fn parent(&self, place: PlaceNo) -> Result<PlaceNo, VolumeError> {
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
