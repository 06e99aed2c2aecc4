//! A cache of sessions, verdicts, tombstones and snapshots.
//!
//! Such an object never changes, so its content, once read and authenticated, is saved in a file beside
//! the cached index: listing thousands of snapshots takes lists of names and one file, instead of three
//! objects for each snapshot. Truncated or damaged entries are read from the destination again. The cache
//! does not prove that an object exists: its name must be listed.

use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::tombstones::{self, TombstoneObject};
use super::{Destination, Repository, load_sealed};
use crate::error::{Error, Result};
use crate::format::id::{RepositoryId, SnapshotId};
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{Annotation, Session, Snapshot, Tombstone, Verdict};

/// The file in the cache folder of the repository; another format has another name.
const FILE: &str = "records-1";
/// Bytes of an entry's checksum.
const CHECKSUM: usize = 16;
/// The most requests at the same time.
const AT_ONCE: usize = 16;
/// The number of unused records that are kept, since they may be needed again.
const MAX_UNUSED: usize = 1000;

struct Record {
    content: Vec<u8>,
    /// It was used since the file was read.
    used: bool,
}

/// The holder of a record.
#[derive(Clone, Copy)]
pub(super) enum Holder<'d> {
    /// The destination to which it belongs.
    One(&'d Destination),
    /// Any destination, since it is the same everywhere.
    Any,
}

/// A record to be loaded.
pub(super) type Wanted<'d> = (Kind, ObjectName, Holder<'d>);

/// The cached records of a repository, and those that are loaded from its destinations.
pub(in crate::repository) struct Records<'r> {
    repository: &'r Repository,
    file: Option<PathBuf>,
    known: HashMap<ObjectName, Record>,
    /// Encoded entries that are not in the file yet.
    unsaved: Vec<u8>,
    /// All entries of the file could be decoded.
    intact: bool,
    /// The snapshots at any destination; `None` until they are listed.
    snapshots: Option<HashSet<ObjectName>>,
}

impl<'r> Records<'r> {
    /// Reads the cache file up to the first damaged entry; a missing file is an empty cache.
    pub(in crate::repository) fn open(repository: &'r Repository) -> Self {
        let file = repository.cache.as_ref().map(|folder| folder.join(FILE));
        let bytes = file.as_deref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let (known, intact) = decode(repository.id(), &bytes);
        Self { repository, file, known, unsaved: Vec::new(), intact, snapshots: None }
    }

    /// Gives the list of the snapshots at any destination, which is otherwise read when it is needed.
    pub(super) fn listed(mut self, snapshots: HashSet<ObjectName>) -> Self {
        self.snapshots = Some(snapshots);
        self
    }

    pub(super) fn session(&mut self, at: &Destination, name: &ObjectName) -> Result<Session> {
        let content = self.content(Kind::Session, name, Holder::One(at))?;
        Session::decode(&content).map_err(|_| undecodable(name))
    }

    pub(super) fn verdict(&mut self, at: &Destination, name: &ObjectName) -> Result<Verdict> {
        let content = self.content(Kind::Verdict, name, Holder::One(at))?;
        Verdict::decode(&content).map_err(|_| undecodable(name))
    }

    pub(super) fn snapshot(&mut self, id: SnapshotId) -> Result<Snapshot> {
        let name = ObjectName::snapshot(id);
        if self.known.contains_key(&name) && !self.exists(&name)? {
            return Err(Error::Missing { object: name.to_string() });
        }
        let content = self.content(Kind::Snapshot, &name, Holder::Any)?;
        Snapshot::decode(&content).map_err(|_| undecodable(&name))
    }

    /// Loads an object of tombstones. With one that is damaged, snapshots still count: too many are better than too few.
    pub(in crate::repository) fn tombstones(
        &mut self,
        name: &ObjectName,
    ) -> Result<(TombstoneObject, Vec<Tombstone>)> {
        let content = self.content(Kind::Tombstone, name, Holder::Any)?;
        tombstones::decode(name, &content)
    }

    /// Loads an annotation.
    pub(in crate::repository) fn annotation(&mut self, name: &ObjectName) -> Result<Annotation> {
        let content = self.content(Kind::Annotation, name, Holder::Any)?;
        let annotation = Annotation::decode(&content).map_err(|_| undecodable(name))?;
        match name.id() == Some(annotation.snapshot.0) {
            true => Ok(annotation),
            false => Err(Error::damaged(name.as_str(), "an object of another name")),
        }
    }

    /// Returns true if a destination has a snapshot, by a list that is read once.
    fn exists(&mut self, name: &ObjectName) -> Result<bool> {
        let listed = match self.snapshots.take() {
            Some(listed) => listed,
            None => self.repository.list(&[Area::Snapshots])?.set(Area::Snapshots),
        };
        let exists = listed.contains(name);
        self.snapshots = Some(listed);
        Ok(exists)
    }

    /// Loads the records that are not known, several at once where a request costs a round trip.
    ///
    /// An error is left to the call that needs the record.
    pub(super) fn load(&mut self, wanted: &[Wanted<'_>]) {
        let unknown: Vec<_> =
            wanted.iter().filter(|(_, name, _)| !self.known.contains_key(name)).collect();
        let is_remote = self
            .repository
            .destinations
            .iter()
            .all(|destination| !destination.backend().capabilities().cheap_requests);
        if unknown.len() < 2 || !is_remote {
            return;
        }
        let (next, loaded) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let repository = self.repository;
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE.min(unknown.len()) {
                scope.spawn(|| {
                    while let Some((kind, name, holder)) =
                        unknown.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if let Ok(content) = load_from(repository, *kind, name, *holder) {
                            let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
                            loaded.push((name.clone(), content));
                        }
                    }
                });
            }
        });
        for (name, content) in loaded.into_inner().unwrap_or_else(PoisonError::into_inner) {
            encode(self.repository.id(), &name, &content, &mut self.unsaved);
            self.known.insert(name, Record { content, used: false });
        }
    }

    fn content(&mut self, kind: Kind, name: &ObjectName, holder: Holder<'_>) -> Result<Vec<u8>> {
        if let Some(record) = self.known.get_mut(name) {
            record.used = true;
            return Ok(record.content.clone());
        }
        let content = load_from(self.repository, kind, name, holder)?;
        encode(self.repository.id(), name, &content, &mut self.unsaved);
        let record = Record { content: content.clone(), used: true };
        self.known.insert(name.clone(), record);
        Ok(content)
    }

    /// Saves the records that were loaded from destinations.
    pub(super) fn save(self) {
        if let Some(file) = self.file.as_deref()
            && !self.unsaved.is_empty()
        {
            // After an error the next run loads the records from the destination again.
            let _ = match self.intact {
                true => append(file, &self.unsaved),
                false => self.rewrite(file),
            };
        }
    }

    /// Saves the loaded records, and removes unused ones beyond [`MAX_UNUSED`]. The caller has used every record
    /// of the repository.
    pub(super) fn save_used(mut self) {
        let used = self.known.values().filter(|record| record.used).count();
        if self.known.len() > 2 * used + MAX_UNUSED
            && let Some(file) = self.file.as_deref()
        {
            self.known.retain(|_, record| record.used);
            // After an error the old file takes more space, nothing else.
            let _ = self.rewrite(file);
            return;
        }
        self.save();
    }

    fn rewrite(&self, file: &Path) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for (name, record) in &self.known {
            encode(self.repository.id(), name, &record.content, &mut bytes);
        }
        let temporary = file.with_extension(std::process::id().to_string());
        fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, file))
    }
}

impl Repository {
    /// Adds a record that this process has written to the cache, so that it is never loaded.
    pub(crate) fn remember(&self, name: &ObjectName, content: &[u8]) {
        let Some(folder) = &self.cache else { return };
        let mut entry = Vec::new();
        encode(self.id(), name, content, &mut entry);
        // Without the entry the record is loaded from the destination.
        let _ = append(&folder.join(FILE), &entry);
    }
}

/// Loads a record from a destination that holds it.
fn load_from(
    repository: &Repository,
    kind: Kind,
    name: &ObjectName,
    holder: Holder<'_>,
) -> Result<Vec<u8>> {
    let keys = &repository.keys;
    match holder {
        Holder::One(destination) => load_sealed(&**destination.backend(), keys, kind, name),
        Holder::Any => {
            repository.mirrors.read(name, |backend| load_sealed(backend, keys, kind, name))
        }
    }
}

fn undecodable(name: &ObjectName) -> Error {
    Error::damaged(name.as_str(), "it does not decode")
}

/// Appends entries in one call, so that those of several processes do not mix.
fn append(file: &Path, entries: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(entries)
}

/// Encodes an entry: length of the next three fields, length of the name, name, content; then a checksum.
fn encode(repository: RepositoryId, name: &ObjectName, content: &[u8], out: &mut Vec<u8>) {
    let text = name.as_str().as_bytes();
    let lengths = (u8::try_from(text.len()), u32::try_from(1 + text.len() + content.len()));
    // No name and no record is longer.
    let (Ok(name_length), Ok(length)) = lengths else { return };
    out.extend_from_slice(&length.to_le_bytes());
    let start = out.len();
    out.push(name_length);
    out.extend_from_slice(text);
    out.extend_from_slice(content);
    let sum = checksum(repository, &out[start..]);
    out.extend_from_slice(&sum);
}

fn checksum(repository: RepositoryId, body: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::new().chain_update(repository.0).chain_update(body).finalize();
    let mut sum = [0; CHECKSUM];
    sum.iter_mut().zip(digest).for_each(|(byte, digest)| *byte = digest);
    sum
}

/// Decodes entries up to the first damaged one; returns them, and true if none is damaged.
fn decode(repository: RepositoryId, bytes: &[u8]) -> (HashMap<ObjectName, Record>, bool) {
    let mut known = HashMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some((name, content, after)) = decode_entry(repository, rest) else {
            return (known, false);
        };
        known.insert(name, Record { content: content.to_vec(), used: false });
        rest = after;
    }
    (known, true)
}

fn decode_entry(repository: RepositoryId, bytes: &[u8]) -> Option<(ObjectName, &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (sum, rest) = rest.split_first_chunk::<CHECKSUM>()?;
    if checksum(repository, body) != *sum {
        return None;
    }
    let (name_length, body) = body.split_first()?;
    let (name, content) = body.split_at_checked(usize::from(*name_length))?;
    let name = std::str::from_utf8(name).ok()?;
    let areas = [Area::Sessions, Area::Snapshots, Area::Forgotten, Area::Annotations];
    let name = areas.iter().find_map(|area| ObjectName::parse(*area, name))?;
    Some((name, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Sample;

    /// Returns a repository of three snapshots, opened with a cache that holds them.
    fn cached() -> (Sample, Repository, PathBuf) {
        let sample = Sample::new();
        let source = sample.folder.path().join("source");
        fs::create_dir(&source).expect("a folder");
        for number in 0..3 {
            fs::write(source.join("file"), format!("content {number}")).expect("a file");
            sample.back_up(&source, 1_000_000 + number);
        }
        let cache = sample.folder.path().join("cache");
        let repository = sample.reopen_with(Some(cache));
        assert_eq!(ids(&repository).len(), 3);
        let file = repository.cache.as_ref().expect("a cache").join(FILE);
        assert!(file.exists());
        (sample, repository, file)
    }

    fn ids(repository: &Repository) -> Vec<SnapshotId> {
        let found = repository.snapshots().expect("snapshots");
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        found.list.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn cached_records_are_not_read_again() {
        let (sample, repository, _) = cached();
        let before = ids(&repository);
        // The objects are listed, but their content can't be read.
        for folder in ["sessions", "snapshots"] {
            for entry in fs::read_dir(sample.path().join(folder)).expect("a folder") {
                let path = entry.expect("an entry").path();
                fs::remove_file(&path).expect("removed");
                fs::write(&path, "").expect("written");
            }
        }
        assert_eq!(ids(&repository), before);
    }

    #[test]
    fn a_record_that_is_not_listed_is_not_taken_from_the_cache() {
        let (sample, repository, _) = cached();
        let before = ids(&repository);
        let removed = sample.path().join(ObjectName::snapshot(before[1]).as_str());
        fs::remove_file(removed).expect("removed");
        let found = repository.snapshots().expect("snapshots");
        assert_eq!(found.list.len(), 2);
        assert!(matches!(found.problems[..], [Error::Missing { .. }]), "{:?}", found.problems);
        for entry in fs::read_dir(sample.path().join("sessions")).expect("a folder") {
            fs::remove_file(entry.expect("an entry").path()).expect("removed");
        }
        assert!(ids(&repository).is_empty());
    }

    #[test]
    fn a_truncated_damaged_or_foreign_cache_is_ignored_and_rewritten() {
        let (_sample, repository, file) = cached();
        let before = ids(&repository);
        let bytes = fs::read(&file).expect("the cache");
        let mut broken: Vec<Vec<u8>> =
            (0..bytes.len()).step_by(97).map(|length| bytes[..length].to_vec()).collect();
        for at in (0..bytes.len()).step_by(61) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x20;
            broken.push(flipped);
        }
        broken.push(vec![0xff; 300]);
        for bytes in broken {
            fs::write(&file, bytes).expect("written");
            assert_eq!(ids(&repository), before);
            // The file was rewritten.
            let (known, intact) = decode(repository.id(), &fs::read(&file).expect("the cache"));
            assert!(intact);
            assert_eq!(known.len(), 9, "three of each");
        }
        let other = RepositoryId([9; 32]);
        assert_eq!(decode(other, &bytes).0.len(), 0);
        fs::remove_file(&file).expect("removed");
        fs::create_dir(&file).expect("a folder in its place");
        assert_eq!(ids(&repository), before);
    }

    #[test]
    fn unused_records_beyond_the_limit_are_dropped() {
        let (_sample, repository, file) = cached();
        let mut stale = Vec::new();
        for number in 0..MAX_UNUSED + 20 {
            let mut id = [7; 32];
            id[..8].copy_from_slice(&(number as u64).to_le_bytes());
            let name = ObjectName::session(crate::format::id::ObjectId(id));
            encode(repository.id(), &name, b"stale", &mut stale);
        }
        append(&file, &stale).expect("appended");
        assert_eq!(ids(&repository).len(), 3);
        let (known, intact) = decode(repository.id(), &fs::read(&file).expect("the cache"));
        assert_eq!((known.len(), intact), (9, true));
    }
}
