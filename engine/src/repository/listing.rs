//! The names at the destinations, listed at the same time.
//!
//! A list may cost a round trip, so an operation makes all its lists at once. Objects are written in an order (packs,
//! index, snapshot, verdict), and the lists of one moment may show a later object without an earlier one: such an
//! object counts as absent, which is right for the moment before it was written.

use std::collections::{HashMap, HashSet};

use super::{Destination, Repository};
use crate::backend::{Backend, ListedObject};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};

/// The lists of each destination, in the order of the destinations.
pub(crate) struct Listing {
    destinations: Vec<Result<Listed>>,
}

/// The lists of one destination.
#[derive(Default)]
pub(crate) struct Listed {
    names: HashMap<Area, Vec<ObjectName>>,
    /// The sizes of packs by their ids.
    pub(crate) packs: HashMap<ObjectId, u64>,
}

impl Listed {
    /// Returns the names in an area; none if it was not listed.
    pub(crate) fn names(&self, area: Area) -> &[ObjectName] {
        self.names.get(&area).map_or(&[], Vec::as_slice)
    }

    /// Adds what a later list shows.
    fn merge(&mut self, later: Listed) {
        self.packs.extend(later.packs);
        for (area, later) in later.names {
            let names = self.names.entry(area).or_default();
            names.extend(later);
            names.sort_unstable();
            names.dedup();
        }
    }

    fn add(&mut self, list: AreaList) {
        match list {
            AreaList::Packs(packs) => self.packs = packs,
            AreaList::Names(area, names) => drop(self.names.insert(area, names)),
        }
    }
}

/// The list of one area.
enum AreaList {
    Packs(HashMap<ObjectId, u64>),
    Names(Area, Vec<ObjectName>),
}

impl AreaList {
    fn load(backend: &dyn Backend, area: Area) -> Result<Self> {
        match area {
            Area::Packs => Ok(Self::of(area, backend.list(area)?)),
            _ => Ok(AreaList::Names(area, backend.names(area)?)),
        }
    }

    fn of(area: Area, list: Vec<ListedObject>) -> Self {
        let objects = list.into_iter();
        match area {
            Area::Packs => {
                let size = |pack: ListedObject| Some((ObjectId(pack.name.id()?), pack.size));
                AreaList::Packs(objects.filter_map(size).collect())
            }
            _ => AreaList::Names(area, objects.map(|object| object.name).collect()),
        }
    }
}

impl Listing {
    /// Lists areas at every destination.
    ///
    /// # Errors
    /// The first error, when no destination could be listed.
    pub(crate) fn load(destinations: &[&Destination], areas: &[Area]) -> Result<Self> {
        let list = |destination: &Destination| list(&**destination.backend(), areas);
        let mut destinations: Vec<Result<Listed>> = match destinations {
            [only] => vec![Ok(list(only)?)],
            several => std::thread::scope(|scope| {
                let threads: Vec<_> =
                    several.iter().map(|one| scope.spawn(move || list(one))).collect();
                threads.into_iter().map(joined).collect()
            }),
        };
        if destinations.iter().all(Result::is_err) {
            destinations.swap_remove(0)?;
        }
        Ok(Self { destinations })
    }

    /// Lists areas again at the destinations that could be listed, and adds what is new; returns the errors.
    pub(crate) fn list_again(&mut self, repository: &Repository, areas: &[Area]) -> Vec<Error> {
        let mut errors = Vec::new();
        for (number, first) in self.destinations.iter_mut().enumerate() {
            let Ok(first) = first else { continue };
            match list(&**repository.destinations[number].backend(), areas) {
                Ok(listed) => first.merge(listed),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Returns the lists of a destination, or the reason why it has none.
    pub(crate) fn of(&self, number: usize) -> std::result::Result<&Listed, &Error> {
        self.destinations[number].as_ref()
    }

    /// Takes the reason why a destination has no lists, if it has none.
    pub(crate) fn take_error(&mut self, number: usize) -> Option<Error> {
        let error = self.destinations[number].as_mut().err()?;
        Some(std::mem::replace(error, Error::Interrupted))
    }

    /// Iterates over the destinations that could be listed, by their numbers.
    pub(crate) fn reached(&self) -> impl Iterator<Item = (usize, &Listed)> {
        let numbered = self.destinations.iter().enumerate();
        numbered.filter_map(|(number, listed)| Some((number, listed.as_ref().ok()?)))
    }

    /// Returns the names in an area at any destination, sorted, each once.
    pub(crate) fn union(&self, area: Area) -> Vec<ObjectName> {
        let mut names: Vec<ObjectName> =
            self.reached().flat_map(|(_, listed)| listed.names(area)).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Returns the names in an area at any destination.
    pub(crate) fn set(&self, area: Area) -> HashSet<ObjectName> {
        self.reached().flat_map(|(_, listed)| listed.names(area)).cloned().collect()
    }
}

/// Lists areas of one destination, at the same time where each list costs a round trip.
pub(super) fn list(backend: &dyn Backend, areas: &[Area]) -> Result<Listed> {
    let mut listed = Listed::default();
    if areas.len() == 1 || backend.capabilities().cheap_requests {
        for area in areas {
            listed.add(AreaList::load(backend, *area)?);
        }
        return Ok(listed);
    }
    if let Some(lists) = backend.list_areas(areas)? {
        for (area, list) in areas.iter().zip(lists) {
            listed.add(AreaList::of(*area, list));
        }
        return Ok(listed);
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            areas.iter().map(|area| scope.spawn(|| AreaList::load(backend, *area))).collect();
        for thread in threads {
            listed.add(joined(thread)?);
        }
        Ok(listed)
    })
}

pub(super) fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Repository {
    /// Lists areas at every destination.
    pub(crate) fn list(&self, areas: &[Area]) -> Result<Listing> {
        Listing::load(&self.destinations.iter().collect::<Vec<_>>(), areas)
    }
}
