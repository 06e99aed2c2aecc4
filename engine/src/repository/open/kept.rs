//! The objects that opening a repository needs, kept in the cache for destinations whose requests cost round trips.
//!
//! Header and key slots never change, so one file for each destination keeps those with which it was opened. They count
//! only if they are still in force: the next opening lists the later headers and the key slots, so that a removed slot
//! opens nothing, and loads the destination's own object, which opens only in this repository. These three requests
//! are made at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use yore_platform::DurableFile;

use crate::backend::{self, Backend, IdentityChecked};
use crate::error::Result;
use crate::format::header::{Header, Unverified};
use crate::format::id::{ObjectId, encode_hex};
use crate::format::keys::Keys;
use crate::format::object::{Area, ObjectName};
use crate::format::seal::MAX_OBJECT;
use crate::format::secret::Secret;
use crate::format::slot::Slot;
use crate::repository::{Destination, listing};

/// The folder in the cache folder of all repositories; another layout has another name.
const FOLDER: &str = "opened-1";
/// The most bytes of a file; no slots of a repository that a person uses are longer.
const MAX_FILE: u64 = 1 << 20;
/// The most slots: one for each secret that is used on a machine.
const MAX_SLOTS: usize = 4;
const DIGEST: usize = 32;

/// The header in force and some key slots of a repository.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) header: Vec<u8>,
    /// `None` for the first header.
    pub(super) header_number: Option<u64>,
    pub(super) slots: Vec<(ObjectName, Vec<u8>)>,
}

/// The parts of an opened repository.
pub(super) struct Opened {
    pub(super) keys: Keys,
    pub(super) header: Header,
    pub(super) destination: Destination,
    /// The key slot that the secret opened.
    pub(super) slot: Option<ObjectId>,
}

impl Kept {
    /// Loads what the cache keeps of a destination; `None` without it, or if it is damaged.
    pub(super) fn load(cache: &Path, location: &str) -> Option<Self> {
        let file = file(cache, location);
        std::fs::metadata(&file).ok().filter(|metadata| metadata.len() <= MAX_FILE)?;
        let bytes = std::fs::read(file).ok()?;
        let (content, digest) = bytes.split_last_chunk::<DIGEST>()?;
        (Sha256::digest(content).as_slice() == digest).then_some(())?;
        let mut kept = Self::default();
        let mut rest = content;
        while !rest.is_empty() {
            let (name, after) = take(rest)?;
            let (object, after) = take(after)?;
            let name = std::str::from_utf8(name).ok()?;
            match ObjectName::parse(Area::Keys, name) {
                Some(slot) => kept.slots.push((slot, object.to_vec())),
                None => {
                    kept.header_number =
                        ObjectName::parse(Area::Headers, name).and_then(|name| name.number());
                    kept.header = object.to_vec();
                }
            }
            rest = after;
        }
        Some(kept)
    }

    /// Adds the slots that were kept before, which other secrets open.
    pub(super) fn add_slots(&mut self, before: Option<Self>) {
        for (name, slot) in before.unwrap_or_default().slots {
            if self.slots.len() < MAX_SLOTS && self.slots.iter().all(|(known, _)| *known != name) {
                self.slots.push((name, slot));
            }
        }
    }

    /// Keeps this for the next opening; after an error that takes more requests.
    pub(super) fn save(&self, cache: &Path, location: &str) {
        let mut bytes = Vec::new();
        let header = self.header_number.map_or_else(ObjectName::header, ObjectName::later_header);
        let slots = self.slots.iter().map(|(name, slot)| (name, slot));
        for (name, object) in std::iter::once((&header, &self.header)).chain(slots) {
            append(&mut bytes, name.as_str().as_bytes());
            append(&mut bytes, object);
        }
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        let file = file(cache, location);
        if let (Some(folder), Some(name)) = (file.parent(), file.file_name())
            && yore_platform::create_private_dir(folder).is_ok()
            && let Some(name) = name.to_str()
        {
            let _ = std::fs::remove_file(&file);
            let _ = DurableFile::create(folder, name).and_then(|mut file| {
                file.append(&bytes)?;
                file.publish()
            });
        }
    }

    /// Opens the repository; `None` if what is kept does not suffice, for whatever reason.
    ///
    /// Slots that the destination does not list any more are dropped from the file in `cache`, too.
    pub(super) fn open(
        &mut self,
        backend: &Arc<dyn Backend>,
        secret: &Secret,
        cache: &Path,
    ) -> Option<Opened> {
        let unverified = Unverified::decode(&backend.location(), &self.header).ok()?;
        let id = unverified.header.repository;
        let backend: Arc<dyn Backend> = Arc::new(IdentityChecked::new(Arc::clone(backend), id));
        let (listed, object) = load_at_once(&*backend);
        let (listed, mut object) = (listed.ok()?, object.ok()?);
        let known = self.slots.len();
        self.slots.retain(|(name, _)| listed.names(Area::Keys).contains(name));
        if self.slots.len() < known {
            self.save(cache, &backend.location());
        }
        let newest = listed.names(Area::Headers).iter().filter_map(ObjectName::number).max();
        (newest == self.header_number).then_some(())?;
        let in_force = self.slots.iter();
        let (slot, master) = in_force
            .filter_map(|(name, bytes)| Slot::decode(name, id, bytes).ok())
            .filter(|slot| slot.kind == Some(secret.kind()))
            .find_map(|slot| slot.open(id, secret).map(|master| (slot.id, master)))?;
        let keys = Keys::derive(&master, id);
        let header = unverified.verify(&keys).ok()?;
        keys.put_in_force(header.generation);
        let destination = Destination::of(backend, &keys, &header, &mut object).ok()?;
        Some(Opened { keys, header, destination, slot: Some(slot) })
    }
}

/// Lists the later headers and the key slots, and loads the object of the destination.
fn load_at_once(
    backend: &dyn Backend,
) -> (Result<listing::Listed>, Result<yore_platform::ReadBuffer>) {
    std::thread::scope(|scope| {
        let object =
            scope.spawn(|| backend::load(backend, &ObjectName::destination(), MAX_OBJECT as u64));
        let listed = listing::list(backend, &[Area::Headers, Area::Keys]);
        (listed, listing::joined(object))
    })
}

/// Returns the file for a destination, by a hash of the name that it has in messages.
fn file(cache: &Path, location: &str) -> PathBuf {
    cache.join(FOLDER).join(encode_hex(&Sha256::digest(location)[..16]))
}

fn append(out: &mut Vec<u8>, part: &[u8]) {
    // No object that is kept is longer.
    let length = u32::try_from(part.len()).unwrap_or(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&part[..length as usize]);
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests;
