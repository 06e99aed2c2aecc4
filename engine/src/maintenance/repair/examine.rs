//! Examining every index and every pack of a destination.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use yore_platform::ReadBuffer;

use super::parity::Healer;
use super::{DestinationRepair, Task};
use crate::error::{Error, Result};
use crate::format::id::{BlobId, ObjectId};
use crate::format::keys::BlobKind;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::pack::{self, PackInfo, PackKey, PackKind};
use crate::format::seal::PREFIX;
use crate::index;
use crate::maintenance::check::ReadData;
use crate::operation::observer::{Event, Unit};
use crate::repository::{State, decode_tombstones, load_sealed};

/// A blob of a pack that was read and has its name.
pub(super) struct IntactBlob {
    pub(super) kind: BlobKind,
    pub(super) id: BlobId,
    pub(super) bytes: Vec<u8>,
}

/// A pack of which something can't be used.
pub(super) struct DamagedPack {
    pub(super) id: ObjectId,
    /// Its contents, by itself or by an index; `None` when neither tells them.
    pub(super) info: Option<PackInfo>,
    /// For each frame, whether all of its blobs are intact.
    pub(super) intact: Vec<bool>,
}

impl DamagedPack {
    /// Returns the number of blobs that are lost.
    pub(super) fn lost_blobs(&self) -> u64 {
        let Some(info) = &self.info else { return 0 };
        let frames = info.contents.frames.iter().zip(&self.intact);
        frames.filter(|(_, intact)| !**intact).map(|(frame, _)| u64::from(frame.blobs)).sum()
    }
}

/// What was found at a destination.
#[derive(Default)]
pub(super) struct Examined {
    pub(super) damaged: Vec<DamagedPack>,
    pub(super) damaged_indexes: Vec<ObjectName>,
    /// Without them, snapshots that were forgotten may count again, and prune goes on.
    pub(super) damaged_tombstones: Vec<ObjectName>,
    /// The readable indexes that describe a damaged pack.
    pub(super) outdated_indexes: Vec<ObjectName>,
    /// Whole packs that no readable index describes: an index is damaged or lost.
    pub(super) undescribed: Vec<PackInfo>,
}

/// The packs that the indexes describe.
#[derive(Default)]
pub(super) struct Described {
    /// The index and the size, by pack.
    packs: HashMap<ObjectId, (ObjectName, u64)>,
    damaged: Vec<ObjectName>,
}

impl Examined {
    /// Reads everything, packs in several threads.
    pub(super) fn load(task: &Task<'_>, report: &mut DestinationRepair) -> Result<Self> {
        let Task { repository, destination, observer, .. } = *task;
        let backend = &**task.place().backend();
        let condemned = task.place().condemned(&repository.keys)?.packs;
        let described = Described::load(task)?;
        let healer = Healer::load(task, &described)?;
        healer.rebuild_missing(&condemned)?;
        let listed = backend.list(Area::Packs)?;
        let packs: Vec<(ObjectId, u64)> = listed
            .iter()
            .filter_map(|one| Some((ObjectId(one.name.id()?), one.size)))
            .filter(|(id, _)| !condemned.contains(id))
            .collect();
        observer.event(Event::Counting(Unit::Packs));
        let bytes = packs.iter().map(|(_, size)| size).sum();
        observer.event(Event::Expected { files: packs.len() as u64, bytes });
        let (next, found) = (AtomicUsize::new(0), Mutex::new((Self::default(), Vec::new())));
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some((id, size)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if observer.interrupted() {
                            return;
                        }
                        let outcome = healer.heal(*id, examine(task, &described, *id, *size));
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        match outcome {
                            Ok(Examination::Whole) => {}
                            Ok(Examination::Undescribed(info)) => found.0.undescribed.push(info),
                            Ok(Examination::Damaged(pack)) => found.0.damaged.push(pack),
                            // Whether it is damaged is not known: it stays.
                            Err(error) => found.1.push(error),
                        }
                        observer.event(Event::Done { files: 1, bytes: *size });
                    }
                });
            }
        });
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let (mut examined, problems) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.problems.extend(problems);
        healer.finish(report);
        report.destination = destination;
        examined.damaged.sort_unstable_by_key(|pack| pack.id);
        examined.undescribed.sort_unstable_by_key(|pack| pack.id);
        if described.damaged.is_empty() && has_open_sessions(task)? {
            // A backup that was interrupted, or that runs, wrote them: the next one takes them up.
            examined.undescribed.clear();
        }
        let outdated: HashSet<&ObjectName> = examined
            .damaged
            .iter()
            .filter_map(|pack| described.packs.get(&pack.id).map(|(index, _)| index))
            .collect();
        examined.outdated_indexes = outdated.into_iter().cloned().collect();
        examined.outdated_indexes.sort_unstable();
        examined.damaged_indexes = described.damaged;
        examined.damaged_tombstones = damaged_tombstones(task)?;
        Ok(examined)
    }

    /// Returns true if no pack and no index is damaged or missing.
    pub(super) fn is_whole(&self) -> bool {
        self.damaged.is_empty() && self.damaged_indexes.is_empty() && self.undescribed.is_empty()
    }

    /// Returns the names of what is damaged, packs first.
    pub(super) fn damaged_names(&self) -> Vec<ObjectName> {
        let packs = self.damaged.iter().map(|pack| ObjectName::pack(pack.id));
        let records = self.damaged_indexes.iter().chain(&self.damaged_tombstones);
        packs.chain(records.cloned()).collect()
    }
}

fn has_open_sessions(task: &Task<'_>) -> Result<bool> {
    let own = task.repository.only(task.destination);
    let (_, state) = own.list_state(&State::AREAS)?;
    Ok(state.sessions.list.values().any(|(_, verdict)| verdict.is_none()))
}

/// Returns the objects of tombstones that can't be read.
fn damaged_tombstones(task: &Task<'_>) -> Result<Vec<ObjectName>> {
    let (backend, keys) = (&**task.place().backend(), &task.repository.keys);
    let mut damaged = Vec::new();
    for name in backend.names(Area::Forgotten)? {
        let read = load_sealed(backend, keys, Kind::Tombstone, &name)
            .and_then(|content| decode_tombstones(&name, &content));
        match read {
            // Prune has put it together with others.
            Ok(_) | Err(Error::Missing { .. }) => {}
            Err(Error::Damaged { .. }) => damaged.push(name),
            Err(error) => return Err(error),
        }
    }
    Ok(damaged)
}

impl Described {
    fn load(task: &Task<'_>) -> Result<Self> {
        let backend = &**task.place().backend();
        let mut described = Self::default();
        for name in backend.names(Area::Index)? {
            if task.observer.interrupted() {
                return Err(Error::Interrupted);
            }
            match index::load(backend, &task.repository.keys, &name) {
                Ok(object) => {
                    let packs = object.packs.into_iter();
                    described.packs.extend(packs.map(|pack| (pack.id, (name.clone(), pack.size))));
                }
                Err(Error::Damaged { .. }) => described.damaged.push(name),
                // Prune has put it together with others.
                Err(Error::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(described)
    }

    /// Returns the packs that an index describes, with their sizes.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (ObjectId, u64)> + '_ {
        self.packs.iter().map(|(id, (_, size))| (*id, *size))
    }

    /// Returns the size of a pack, if an index describes it.
    pub(super) fn size(&self, id: ObjectId) -> Option<u64> {
        self.packs.get(&id).map(|(_, size)| *size)
    }

    /// Finds what an index tells of a pack.
    fn info(&self, task: &Task<'_>, id: ObjectId) -> Option<PackInfo> {
        let (name, _) = self.packs.get(&id)?;
        let object = index::load(&**task.place().backend(), &task.repository.keys, name).ok()?;
        object.packs.into_iter().find(|pack| pack.id == id)
    }
}

/// The outcome of examining a pack.
pub(super) enum Examination {
    Whole,
    /// It is whole, and no readable index describes it.
    Undescribed(PackInfo),
    Damaged(DamagedPack),
}

/// Examines a pack of which `size` bytes are there.
pub(super) fn examine(
    task: &Task<'_>,
    described: &Described,
    id: ObjectId,
    size: u64,
) -> Result<Examination> {
    let backend = &**task.place().backend();
    let by_index = described.packs.get(&id).map(|(_, size)| *size);
    let own = match index::load_contents(backend, &task.repository.keys, id, size) {
        Ok(info) if by_index.is_none_or(|known| known == size) => Some(info),
        Ok(_) | Err(Error::Damaged { .. }) => None,
        Err(error) => return Err(error),
    };
    let has_own = own.is_some();
    let info = own.or_else(|| described.info(task, id));
    let Some(info) = info else {
        return Ok(Examination::Damaged(DamagedPack { id, info: None, intact: Vec::new() }));
    };
    let reads = task.options.read_data != ReadData::None || !has_own;
    let mut intact = vec![true; info.contents.frames.len()];
    if reads {
        for (frame, intact) in intact.iter_mut().enumerate() {
            *intact = match read_frame(task, &info, frame) {
                Ok(_) => true,
                Err(Error::Damaged { .. }) => false,
                Err(error) => return Err(error),
            };
        }
    }
    Ok(match has_own && intact.iter().all(|intact| *intact) {
        true if by_index.is_some() => Examination::Whole,
        true => Examination::Undescribed(info),
        false => Examination::Damaged(DamagedPack { id, info: Some(info), intact }),
    })
}

/// Reads a frame of a pack and verifies each blob in it.
///
/// # Errors
/// [`Error::Damaged`] when not all of it is what it was.
pub(super) fn read_frame(
    task: &Task<'_>,
    info: &PackInfo,
    number: usize,
) -> Result<Vec<IntactBlob>> {
    let (keys, name) = (&task.repository.keys, ObjectName::pack(info.id));
    let damaged = || Error::damaged(name.as_str(), "the bytes of a frame were altered");
    let frames = &info.contents.frames;
    let frame = frames.get(number).ok_or_else(damaged)?;
    let before = &frames[..number];
    let start = PREFIX as u64 + before.iter().map(|one| u64::from(one.sealed)).sum::<u64>();
    let first: usize = before.iter().map(|one| one.blobs as usize).sum();
    let range = start..start + u64::from(frame.sealed);
    let mut sealed = task.place().backend().read(&name, range)?;
    let mut raw = ReadBuffer::default();
    PackKey::derive(keys, info.kind, info.id)?
        .open_frame(u32::try_from(number).map_err(|_| damaged())?, frame, &mut sealed)
        .and_then(|stored| pack::decode_frame(frame, stored, &mut raw))
        .ok_or_else(damaged)?;
    let kinds: &[BlobKind] = match info.kind {
        PackKind::Data => &[BlobKind::Data],
        PackKind::Tree => &[BlobKind::Tree, BlobKind::List],
    };
    let (mut blobs, mut rest) = (Vec::new(), &*raw);
    for (id, length) in info.contents.blobs.iter().skip(first).take(frame.blobs as usize) {
        let (bytes, after) = rest.split_at(rest.len().min(*length as usize));
        rest = after;
        let kind = kinds.iter().find(|kind| keys.blob_id(**kind, bytes) == *id);
        let kind = *kind.ok_or_else(damaged)?;
        blobs.push(IntactBlob { kind, id: *id, bytes: bytes.to_vec() });
    }
    Ok(blobs)
}
