//! Packs: each is stored as its index says, and, for those that are read whole, every byte is right.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};
use yore_platform::ReadBuffer;

use super::read_log::ReadLog;
use super::records::list;
use super::report::Findings;
use super::{ReadData, Sizes};
use crate::backend::Backend;
use crate::error::{Error, Refusal, Result};
use crate::format::id::ObjectId;
use crate::format::keys::{BlobKind, Keys};
use crate::format::object::{Area, ObjectName};
use crate::format::pack::{self, PackInfo, PackKey, PackKind};
use crate::format::seal::PREFIX;
use crate::index::{self, BlobIndex};
use crate::operation::observer::{Event, Observer, Unit};
use crate::repository::Repository;

/// The entry of an index about a pack, in short.
struct Described {
    size: u64,
    kind: PackKind,
    digest: [u8; 32],
}

/// The packs that are listed, and those that indexes describe.
pub(super) struct Packs {
    listed: Sizes,
    described: BTreeMap<ObjectId, Described>,
    condemned: HashSet<ObjectId>,
    /// Packs that an index describes and that are not here.
    absent: u64,
}

fn digest(pack: &PackInfo) -> [u8; 32] {
    let mut encoded = Vec::new();
    pack.contents.encode(&mut encoded);
    Sha256::digest(&encoded).into()
}

impl Packs {
    pub(super) fn list(
        repository: &Repository,
        condemned: HashSet<ObjectId>,
        findings: &mut Findings,
    ) -> Self {
        let stored = list(repository, Area::Packs, findings);
        let listed = stored.iter().filter_map(|s| Some((ObjectId(s.name.id()?), s.size))).collect();
        Self { listed, described: BTreeMap::new(), condemned, absent: 0 }
    }

    /// Returns true if a pack is stored, in whatever length.
    pub(super) fn is_listed(&self, id: &ObjectId) -> bool {
        self.listed.contains_key(id)
    }

    /// Returns whether a pack is stored in its full length.
    pub(super) fn is_there(&self, id: &ObjectId) -> bool {
        let size = self.described.get(id).map(|described| described.size);
        size.is_some() && self.listed.get(id).copied() == size
    }

    /// Returns the size that a pack should have, if it is stored: what an index says, or what is stored.
    pub(super) fn right_size(&self, id: &ObjectId) -> Option<u64> {
        let stored = self.listed.get(id)?;
        Some(self.described.get(id).map_or(*stored, |described| described.size))
    }

    /// Returns the packs that are stored and that prune has not condemned.
    pub(super) fn in_use(&self) -> impl Iterator<Item = &ObjectId> {
        self.listed.keys().filter(|id| !self.condemned.contains(id))
    }

    /// Chooses the packs that are read whole.
    pub(super) fn choose(&self, read_data: ReadData, log: &mut ReadLog) -> HashSet<ObjectId> {
        let mut ids: Vec<ObjectId> = self.listed.keys().copied().collect();
        ids.sort_unstable();
        match read_data {
            ReadData::None => HashSet::new(),
            ReadData::All => {
                log.begin(false);
                ids.into_iter().collect()
            }
            ReadData::Rest => {
                let read = log.begin(true);
                ids.into_iter().filter(|id| !read.contains(id)).collect()
            }
            ReadData::Share(share) => {
                // Not one more for the last digit of a fraction.
                let count = (ids.len() as f64 * share.clamp(0.0, 1.0) - 1e-9).ceil();
                log.oldest(&ids, count as usize)
            }
        }
    }

    /// Reads every index object into `index`.
    pub(super) fn take_index(
        &mut self,
        repository: &Repository,
        index: &mut BlobIndex,
        findings: &mut Findings,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut names = self.names(repository, findings);
        let mut taken = HashSet::new();
        while let Some(name) = names.pop() {
            if observer.interrupted() {
                return Err(Error::Interrupted);
            }
            if !taken.insert(name.clone()) {
                continue;
            }
            let read = index::load(&**repository.backend(), &repository.keys, &name);
            if matches!(read, Err(Error::Missing { .. })) {
                let again = self.names(repository, findings);
                if !again.contains(&name) {
                    // Prune has put it together with others, which are durable before.
                    names = again;
                    continue;
                }
            }
            let Some(described) = findings.take(name.as_str(), read) else { continue };
            let covers: Vec<_> = name.id().map(ObjectId).into_iter().collect();
            for pack in &described.packs {
                self.add_description(pack, &name, findings);
            }
            index.add(&described.packs, &covers, None);
        }
        findings.report.packs = self.described.len() as u64;
        if self.absent > 0 {
            findings.note(format!("an index describes {} packs that are not here", self.absent));
        }
        Ok(())
    }

    /// Lists the index objects, the last first.
    fn names(&self, repository: &Repository, findings: &mut Findings) -> Vec<ObjectName> {
        let listed = list(repository, Area::Index, findings).into_iter();
        listed.rev().map(|stored| stored.name).collect()
    }

    fn add_description(&mut self, pack: &PackInfo, index: &ObjectName, findings: &mut Findings) {
        let described = Described { size: pack.size, kind: pack.kind, digest: digest(pack) };
        if let Some(known) = self.described.get(&pack.id) {
            let alike = known.size == described.size
                && known.kind == described.kind
                && known.digest == described.digest;
            if !alike {
                findings
                    .damaged(index.as_str(), "it describes a pack otherwise than another index");
            }
            return;
        }
        let name = ObjectName::pack(pack.id);
        match self.listed.get(&pack.id) {
            None if self.condemned.contains(&pack.id) => {}
            // It counts as absent (FORMAT.md §7); what needs it is found in the trees.
            None => self.absent += 1,
            Some(size) if *size != pack.size => {
                findings.damaged(name.as_str(), "its size is not what the index says");
            }
            Some(_) => {}
        }
        self.described.insert(pack.id, described);
    }

    /// Checks the packs that are there, in parallel.
    pub(super) fn check(
        &self,
        repository: &Repository,
        (chosen, log): (&HashSet<ObjectId>, &mut ReadLog),
        findings: &mut Findings,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut packs: Vec<(ObjectId, u64)> = self.listed.iter().map(|(id, n)| (*id, *n)).collect();
        packs.sort_unstable();
        let bytes = packs.iter().filter(|(id, _)| chosen.contains(id)).map(|(_, size)| size).sum();
        observer.event(Event::Counting(Unit::Packs));
        observer.event(Event::Expected { files: packs.len() as u64, bytes });
        let next = AtomicUsize::new(0);
        let shared = Mutex::new((findings, log));
        let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(&(id, size)) = packs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if observer.interrupted() {
                            return;
                        }
                        let found = self.check_pack(repository, id, size, chosen.contains(&id));
                        let read = found.read;
                        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                        if found.is_whole {
                            shared.1.add(id, found.problems.is_empty());
                        }
                        found.add_to(id, shared.0);
                        drop(shared);
                        observer.event(Event::Done { files: 1, bytes: read });
                    }
                });
            }
        });
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    fn check_pack(
        &self,
        repository: &Repository,
        id: ObjectId,
        size: u64,
        whole: bool,
    ) -> PackResult {
        let (backend, keys) = (&**repository.backend(), &*repository.keys);
        let mut found =
            PackResult { is_orphan: !self.described.contains_key(&id), ..PackResult::default() };
        match index::load_contents(backend, keys, id, size) {
            Ok(info) => {
                let differs = self.described.get(&id).is_some_and(|described| {
                    described.kind != info.kind || described.digest != digest(&info)
                });
                if differs {
                    found.problems.push(damaged(id, "it holds something else than the index says"));
                }
                if whole {
                    found.read_frames(backend, keys, &info);
                }
            }
            // Prune has deleted it since the list; what needs it is found in the trees.
            Err(Error::Missing { .. }) if !self.is_stored(backend, id) => found.is_orphan = false,
            // Only the owner of an inbox opens it.
            Err(Error::Refused(Refusal::WriteOnly)) => {}
            Err(error) => found.problems.push(error),
        }
        found
    }

    /// Returns false if a destination answers that it does not have a pack that prune condemned or no index describes.
    fn is_stored(&self, backend: &dyn Backend, id: ObjectId) -> bool {
        let is_used = self.described.contains_key(&id) && !self.condemned.contains(&id);
        is_used || !matches!(backend.size(&ObjectName::pack(id)), Ok(None))
    }
}

fn damaged(id: ObjectId, reason: &'static str) -> Error {
    Error::damaged(ObjectName::pack(id).as_str(), reason)
}

/// The result of checking one pack.
#[derive(Default)]
struct PackResult {
    problems: Vec<Error>,
    is_orphan: bool,
    is_whole: bool,
    read: u64,
}

impl PackResult {
    /// Reads every frame, opens it, decodes it and computes the ids of its blobs.
    fn read_frames(&mut self, backend: &dyn Backend, keys: &Keys, pack: &PackInfo) {
        let key = match PackKey::derive(keys, pack.kind, pack.id) {
            Ok(key) => key,
            Err(error) => return self.problems.push(error),
        };
        let name = ObjectName::pack(pack.id);
        let (mut sealed, mut raw) = (ReadBuffer::default(), ReadBuffer::default());
        let (mut offset, mut blobs) = (PREFIX as u64, pack.contents.blobs.iter());
        for (number, frame) in (0..).zip(&pack.contents.frames) {
            let end = offset + u64::from(frame.sealed);
            sealed.fit(frame.sealed as usize + ReadBuffer::MARGIN);
            let read = backend.read_into(&name, offset..end, &mut sealed);
            offset = end;
            let mine = blobs.by_ref().take(frame.blobs as usize);
            if let Err(error) = read {
                mine.for_each(drop);
                self.problems.push(error);
                continue;
            }
            let opened = key
                .open_frame(number, frame, &mut sealed)
                .and_then(|stored| pack::decode_frame(frame, stored, &mut raw));
            if opened.is_none() {
                mine.for_each(drop);
                self.problems.push(damaged(pack.id, "the bytes of a frame were altered"));
                continue;
            }
            let mut rest = &*raw;
            for (id, length) in mine {
                let (blob, after) = rest.split_at(rest.len().min(*length as usize));
                rest = after;
                let named = |kind| keys.blob_id(kind, blob) == *id;
                let fits = match pack.kind {
                    PackKind::Data => named(BlobKind::Data),
                    PackKind::Tree => named(BlobKind::Tree) || named(BlobKind::List),
                };
                if !fits {
                    self.problems
                        .push(damaged(pack.id, "it does not hold the blob that it should"));
                }
            }
        }
        self.read = pack.size;
        self.is_whole = true;
    }

    fn add_to(self, id: ObjectId, findings: &mut Findings) {
        let name = ObjectName::pack(id);
        self.problems.into_iter().for_each(|error| findings.problem(name.as_str(), error));
        if self.is_orphan {
            findings.note(format!("{name} is in no index: an interrupted backup left it"));
        }
        findings.report.bytes_read += self.read;
        findings.report.packs_read += u64::from(self.is_whole);
    }
}
