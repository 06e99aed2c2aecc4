//! The generations of prune at a destination, and their ends.

use std::collections::{BTreeMap, HashMap, HashSet};

use yore_platform::Timestamp;

use super::Task;
use crate::backend::Published;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::Generation;
use crate::repository::save_sealed;

/// A generation: the packs that it condemns, and its end.
pub(super) struct GenerationState {
    pub(super) packs: HashSet<ObjectId>,
    pub(super) time: Timestamp,
    /// The packs that it keeps after all; `None` while writers that began before may commit.
    pub(super) kept: Option<HashSet<ObjectId>>,
}

impl GenerationState {
    /// Iterates over the packs that are condemned and not kept.
    pub(super) fn doomed(&self) -> impl Iterator<Item = &ObjectId> {
        self.packs.iter().filter(|id| !self.kept.as_ref().is_some_and(|kept| kept.contains(id)))
    }
}

/// All generations of a destination.
#[derive(Default)]
pub(super) struct Generations {
    list: BTreeMap<u64, GenerationState>,
    /// The packs that some generation condemns and does not keep.
    condemned: HashSet<ObjectId>,
    /// The listed objects of generations that are void.
    void: Vec<ObjectName>,
    /// The highest number of any listed generation.
    highest: u64,
}

impl Generations {
    /// Loads the listed generations.
    pub(super) fn load(task: &Task<'_>, names: &[ObjectName]) -> Result<Self> {
        let place = task.place();
        let (mut list, mut ends, mut floor) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (generation, is_end) in place.generations(&task.repository.keys, names)? {
            let Generation { number, packs, time, .. } = generation;
            floor = floor.max(generation.floor);
            let packs: HashSet<ObjectId> = packs.into_iter().collect();
            match is_end {
                true => drop(ends.insert(number, packs)),
                false => drop(list.insert(number, GenerationState { packs, time, kept: None })),
            }
        }
        let is_void = |name: &&ObjectName| name.number().is_some_and(|number| number < floor);
        let void = names.iter().filter(is_void).cloned().collect();
        // A folder that was copied as a whole has the generations of another destination, too.
        let highest = names.iter().filter_map(|name| name.number()).max().unwrap_or(0);
        let mut loaded = Self { list, condemned: HashSet::new(), void, highest };
        for (number, kept) in ends {
            loaded.set_end(number, kept);
        }
        loaded.count();
        Ok(loaded)
    }

    fn set_end(&mut self, number: u64, kept: HashSet<ObjectId>) {
        if let Some(generation) = self.list.get_mut(&number) {
            generation.kept = Some(kept);
        }
    }

    fn count(&mut self) {
        self.condemned = self.list.values().flat_map(GenerationState::doomed).copied().collect();
    }

    /// Returns the objects of generations that are void, which nobody reads any more.
    pub(super) fn void(&self) -> &[ObjectName] {
        &self.void
    }

    /// Returns the number of the newest; 0 if there is none.
    pub(super) fn newest(&self) -> u64 {
        self.list.keys().next_back().copied().unwrap_or(0)
    }

    /// Returns true if some generation condemns a pack and does not keep it.
    pub(super) fn condemns(&self, pack: &ObjectId) -> bool {
        self.condemned.contains(pack)
    }

    /// Iterates over the generations in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &GenerationState)> {
        self.list.iter().map(|(number, generation)| (*number, generation))
    }

    /// Returns a generation.
    pub(super) fn get(&self, number: u64) -> Option<&GenerationState> {
        self.list.get(&number)
    }

    /// Returns the numbers of those without an end.
    pub(super) fn without_end(&self) -> Vec<u64> {
        let open = self.iter().filter(|(_, generation)| generation.kept.is_none());
        open.map(|(number, _)| number).collect()
    }

    /// Publishes the generation after the newest. Those before the oldest that has something left to do become void.
    ///
    /// A slow run may create a number anew after it was used and deleted: it is below the floor then, and void.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when another run has published it.
    pub(super) fn publish(
        &self,
        task: &Task<'_>,
        packs: Vec<ObjectId>,
        stored: &HashMap<ObjectId, u64>,
    ) -> Result<u64> {
        let number = self.highest + 1;
        let unfinished = self.iter().filter(|(_, generation)| {
            generation.kept.is_none() || generation.doomed().any(|id| stored.contains_key(id))
        });
        let floor = unfinished.map(|(number, _)| number).next().unwrap_or(number);
        match save(task, number, Kind::Generation, packs, floor)? {
            Published::Created => Ok(number),
            Published::Exists => Err(Error::Overtaken),
        }
    }

    /// Publishes the end of a generation, with the packs that are kept.
    ///
    /// # Errors
    /// [`Error::Overtaken`] when another run has published it: that one is in force.
    pub(super) fn end(
        &mut self,
        task: &Task<'_>,
        number: u64,
        kept: HashSet<ObjectId>,
    ) -> Result<()> {
        let mut packs: Vec<ObjectId> = kept.iter().copied().collect();
        packs.sort_unstable();
        match save(task, number, Kind::GenerationEnd, packs, 0)? {
            Published::Created => {}
            Published::Exists => return Err(Error::Overtaken),
        }
        self.set_end(number, kept);
        self.count();
        Ok(())
    }
}

fn save(
    task: &Task<'_>,
    number: u64,
    kind: Kind,
    packs: Vec<ObjectId>,
    floor: u64,
) -> Result<Published> {
    let place = task.place();
    let name = match kind {
        Kind::GenerationEnd => ObjectName::generation_end(number),
        _ => ObjectName::generation(number),
    };
    let (time, program) = (task.now, task.writer.program.clone());
    let destination = place.id();
    let generation = Generation { number, packs, floor, time, program, destination };
    save_sealed(&**place.backend(), &task.repository.keys, kind, &name, &generation.encode())
}
