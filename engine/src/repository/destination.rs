//! One destination of a repository, with its own sessions, verdicts and generations.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::records::{Holder, Records, Wanted};
use super::{Problems, load_sealed};
use crate::backend::{self, Backend};
use crate::error::{Error, Result};
use crate::format::header::Header;
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::keys::Keys;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{
    DestinationId, Generation, Outcome, Session, Verdict, decode_destination,
};
use crate::format::seal::{self, MAX_OBJECT};

/// A destination that holds a copy of a repository.
///
/// Packs, indexes, snapshots, slots, headers and tombstones are the same objects on every destination.
/// Sessions, verdicts and generations of prune belong to one destination, so each is consistent by itself.
#[derive(Clone)]
pub struct Destination {
    backend: Arc<dyn Backend>,
    id: DestinationId,
    /// The generation of the keys that its header puts in force, and its key slots hold.
    generation: Arc<AtomicU8>,
}

/// The packs that prune has condemned at a destination, up to its newest generation.
pub(crate) struct Condemned {
    /// The number of the newest generation; 0 if there is none.
    pub(crate) generation: u64,
    pub(crate) packs: HashSet<ObjectId>,
}

/// Sessions with their verdicts, and the errors of those that could not be read.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) list: BTreeMap<ObjectId, (Session, Option<Verdict>)>,
    pub(crate) problems: Problems,
}

impl Sessions {
    /// Iterates over the snapshots that these sessions committed.
    pub(crate) fn committed(&self) -> impl Iterator<Item = SnapshotId> + '_ {
        let verdicts = self.list.values();
        verdicts.flat_map(|(session, verdict)| {
            verdict
                .as_ref()
                .map_or(&[][..], |verdict| committed_by(session, verdict))
                .iter()
                .copied()
        })
    }
}

/// Returns the snapshots that a session committed (FORMAT.md §11): none if it was aborted, or if its verdict
/// belongs to another destination.
pub(crate) fn committed_by<'v>(session: &Session, verdict: &'v Verdict) -> &'v [SnapshotId] {
    match &verdict.outcome {
        Outcome::Commit(snapshots) if session.destination == verdict.destination => snapshots,
        Outcome::Commit(_) | Outcome::Abort => &[],
    }
}

impl Destination {
    /// Loads the id by which sessions name the destination, whose header is `header`.
    pub(super) fn load(backend: Arc<dyn Backend>, keys: &Keys, header: &Header) -> Result<Self> {
        let mut object = backend::load(&*backend, &ObjectName::destination(), MAX_OBJECT as u64)?;
        Self::of(backend, keys, header, &mut object)
    }

    /// Takes the id from the object of a destination, whose header is `header`.
    pub(super) fn of(
        backend: Arc<dyn Backend>,
        keys: &Keys,
        header: &Header,
        object: &mut [u8],
    ) -> Result<Self> {
        let name = ObjectName::destination();
        let content = seal::open_whole(keys, Kind::Destination, &name, object)?;
        let id = decode_destination(&content)
            .map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
        let generation = Arc::new(AtomicU8::new(header.generation));
        Ok(Self { backend, id, generation })
    }

    /// Returns the name of the destination for messages.
    pub fn location(&self) -> String {
        self.backend.location()
    }

    /// Returns the backend of the destination.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Returns the generation of the keys that its header puts in force.
    pub(crate) fn generation(&self) -> u8 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Notes that it has the key slots and the header of a generation.
    pub(crate) fn put_in_force(&self, generation: u8) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Returns the id by which sessions name the destination.
    pub(crate) fn id(&self) -> DestinationId {
        self.id
    }

    /// Loads the sessions of this destination among those listed there, with their verdicts.
    pub(super) fn sessions(
        &self,
        records: &mut Records<'_>,
        listed: &[ObjectName],
        sessions: &mut Sessions,
    ) {
        let names: HashSet<&ObjectName> = listed.iter().collect();
        for name in listed.iter().filter(|name| name.suffix().is_none()) {
            let Some(id) = name.id().map(ObjectId) else { continue };
            let end = ObjectName::verdict(id);
            let verdict = match names.contains(&end) {
                true => match records.verdict(self, &end) {
                    Ok(verdict) => Some(verdict),
                    Err(error) => {
                        sessions.problems.push(error);
                        continue;
                    }
                },
                false => None,
            };
            match records.session(self, name) {
                Ok(session) if session.destination == self.id => {
                    let verdict = verdict.filter(|verdict| verdict.destination == self.id);
                    sessions.list.insert(id, (session, verdict));
                }
                Ok(_) => {}
                Err(error) => sessions.problems.push(error),
            }
        }
    }

    /// Returns the listed sessions and verdicts, to be loaded at once.
    pub(super) fn wanted<'d>(&'d self, listed: &[ObjectName]) -> Vec<Wanted<'d>> {
        let wanted = listed.iter().filter_map(|name| {
            let kind = match name.suffix() {
                None => Kind::Session,
                Some("end") => Kind::Verdict,
                Some(_) => return None,
            };
            Some((kind, name.clone(), Holder::One(self)))
        });
        wanted.collect()
    }

    /// Loads a verdict.
    pub(crate) fn verdict(&self, keys: &Keys, name: &ObjectName) -> Result<Verdict> {
        let content = load_sealed(&*self.backend, keys, Kind::Verdict, name)?;
        Verdict::decode(&content).map_err(|_| Error::damaged(name.as_str(), "it does not decode"))
    }

    /// Loads the newest generation of prune and the packs condemned up to it.
    pub(crate) fn condemned(&self, keys: &Keys) -> Result<Condemned> {
        self.condemned_by(keys, &self.backend.names(Area::Generations)?)
    }

    /// Loads the listed generations.
    pub(crate) fn condemned_by(&self, keys: &Keys, listed: &[ObjectName]) -> Result<Condemned> {
        let (mut newest, mut condemned, mut kept) = (0, HashSet::new(), HashSet::new());
        for (generation, is_end) in self.generations(keys, listed)? {
            if !is_end {
                newest = newest.max(generation.number);
            }
            let packs = generation.packs.into_iter().map(|pack| (generation.number, pack));
            if is_end { kept.extend(packs) } else { condemned.extend(packs) }
        }
        let packs = condemned.difference(&kept).map(|(_, pack)| *pack).collect();
        Ok(Condemned { generation: newest, packs })
    }

    /// Loads the listed generations of this destination that are in force, and their ends, which are marked.
    ///
    /// Those below the floor of the newest are void (FORMAT.md §11).
    pub(crate) fn generations(
        &self,
        keys: &Keys,
        listed: &[ObjectName],
    ) -> Result<Vec<(Generation, bool)>> {
        let mut found = Vec::new();
        for name in listed {
            let is_end = name.suffix().is_some();
            let kind = if is_end { Kind::GenerationEnd } else { Kind::Generation };
            let content = match load_sealed(&*self.backend, keys, kind, name) {
                // Another run has deleted it after its packs.
                Err(Error::Missing { .. }) => continue,
                content => content?,
            };
            let generation = Generation::decode(&content)
                .map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
            if name.number() != Some(generation.number) {
                return Err(Error::damaged(name.as_str(), "an object of another name"));
            }
            if generation.destination == self.id {
                found.push((generation, is_end));
            }
        }
        let generations = found.iter().filter(|(_, is_end)| !is_end);
        let newest = generations.max_by_key(|(generation, _)| generation.number);
        let floor = newest.map_or(0, |(generation, _)| generation.floor);
        found.retain(|(generation, _)| generation.number >= floor);
        Ok(found)
    }
}
