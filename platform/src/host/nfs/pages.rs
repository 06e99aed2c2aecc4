//! Listings in pages, where a client names the last entry that it has by that entry's number.
//!
//! The server's library knows an entry by one number: its file, its place in the listing and its
//! handle. So a second name of one file in the same directory (a hard link) gets a number of its
//! own, an alias of the file.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::metadata::Kind;
use crate::volume::{Attr, Ino, ListControl, Listed, Volume, VolumeError};

/// The number of positions after entries that are remembered; others are searched for.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1 << 14).expect("not zero");

/// An entry of a directory.
pub(super) struct Named {
    pub(super) id: u64,
    pub(super) name: Vec<u8>,
    pub(super) attr: Attr,
    /// The listing did not have all attributes.
    incomplete: bool,
}

/// A part of a listing.
pub(super) struct Page {
    pub(super) names: Vec<Named>,
    /// Nothing comes after it.
    pub(super) end: bool,
}

/// A later name of a file in a directory: the directory, the file, how many names came before.
type LaterName = (u64, Ino, usize);

#[derive(Default)]
struct Aliases {
    by_name: HashMap<LaterName, u64>,
    by_number: HashMap<u64, LaterName>,
}

pub(super) struct Pages {
    /// Guards the numbers given to later names.
    aliases: Mutex<Aliases>,
    /// Guards the positions after entries of directories.
    places: Mutex<LruCache<(u64, u64), u64>>,
}

impl Pages {
    pub(super) fn new() -> Pages {
        Pages {
            aliases: Mutex::new(Aliases::default()),
            places: Mutex::new(LruCache::new(REMEMBERED)),
        }
    }

    /// Returns the file that a number stands for.
    pub(super) fn ino(&self, id: u64) -> Ino {
        lock(&self.aliases).by_number.get(&id).map_or(Ino(id), |(_, ino, _)| *ino)
    }

    /// Lists at most `most` names after the one with the number `after` (0: from the beginning);
    /// `None` when there is no such name.
    pub(super) fn list(
        &self,
        volume: &dyn Volume,
        directory: u64,
        after: u64,
        most: usize,
    ) -> Result<Option<Page>, VolumeError> {
        let Some(from) = self.place(volume, directory, after)? else { return Ok(None) };
        let mut found: Vec<(Named, u64)> = Vec::new();
        let mut end = true;
        volume.list(self.ino(directory), from, &mut |listed| {
            if found.len() == most {
                end = false;
                return ListControl::Stop;
            }
            let (name, attr) = (listed.name.to_vec(), listed.entry.attr);
            let incomplete = listed.entry.ttl.is_zero();
            found.push((Named { id: attr.ino.0, name, attr, incomplete }, listed.next));
            ListControl::Continue
        })?;
        for (named, _) in found.iter_mut().filter(|(named, _)| named.incomplete) {
            named.attr = volume.attr(named.attr.ino)?.attr;
        }
        self.number(volume, directory, from, &mut found)?;
        let mut places = lock(&self.places);
        for (named, next) in &found {
            places.put((directory, named.id), *next);
        }
        Ok(Some(Page { names: found.into_iter().map(|(named, _)| named).collect(), end }))
    }

    /// Returns the position after the entry with the number `after`.
    fn place(
        &self,
        volume: &dyn Volume,
        directory: u64,
        after: u64,
    ) -> Result<Option<u64>, VolumeError> {
        if after == 0 {
            return Ok(Some(0));
        }
        if let Some(place) = lock(&self.places).get(&(directory, after)) {
            return Ok(Some(*place));
        }
        let later_name = lock(&self.aliases).by_number.get(&after).copied();
        let (ino, mut before) =
            later_name.map_or((Ino(after), 0), |(_, ino, before)| (ino, before));
        let mut place = None;
        volume.list(self.ino(directory), 0, &mut |listed| {
            if listed.entry.attr.ino != ino {
                return ListControl::Continue;
            }
            if before > 0 {
                before -= 1;
                return ListControl::Continue;
            }
            place = Some(listed.next);
            ListControl::Stop
        })?;
        Ok(place)
    }

    /// Gives later names of a file numbers of their own.
    fn number(
        &self,
        volume: &dyn Volume,
        directory: u64,
        from: u64,
        found: &mut [(Named, u64)],
    ) -> Result<(), VolumeError> {
        let several = |attr: &Attr| attr.links > 1 && attr.kind != Kind::Directory;
        if !found.iter().any(|(named, _)| several(&named.attr)) {
            return Ok(());
        }
        let mut names: HashMap<Ino, usize> = HashMap::new();
        if from > 0 {
            volume.list(self.ino(directory), 0, &mut |listed: Listed<'_>| {
                if several(&listed.entry.attr) {
                    *names.entry(listed.entry.attr.ino).or_default() += 1;
                }
                if listed.next == from { ListControl::Stop } else { ListControl::Continue }
            })?;
        }
        for (named, _) in found.iter_mut().filter(|(named, _)| several(&named.attr)) {
            let before = names.entry(named.attr.ino).or_default();
            if *before > 0 {
                named.id = lock(&self.aliases).number_of((directory, named.attr.ino, *before));
            }
            *before += 1;
        }
        Ok(())
    }
}

impl Aliases {
    /// Numbers go down from the largest; those of files go up from the smallest.
    fn number_of(&mut self, later_name: LaterName) -> u64 {
        let next = u64::MAX - self.by_name.len() as u64;
        let id = *self.by_name.entry(later_name).or_insert(next);
        self.by_number.insert(id, later_name);
        id
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic leaves nothing half done: each change is one insertion.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
