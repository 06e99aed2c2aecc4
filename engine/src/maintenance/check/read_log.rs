//! The times at which the packs of a destination were read whole, so that partial checks take turns until all were read,
//! and an interrupted check goes on where it was.
//!
//! A file in the cache folder of the repository has entries of 40 bytes: the id of a pack, and the time as nanoseconds
//! since 1970, big-endian, negative if the pack was damaged. Two ids that no pack has mark the begin and the end of a check
//! that reads everything. An entry is written after its pack was read. Without the file all packs count as never read.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use yore_platform::{DurableFile, Timestamp};

use crate::format::id::{ObjectId, encode_hex};
use crate::operation::clock::now;
use crate::repository::Repository;

/// Bytes of an entry.
const ENTRY: usize = 40;
/// The marks of a check that reads everything.
const BEGIN: ObjectId = ObjectId([0; 32]);
const END: ObjectId = ObjectId([0xff; 32]);
/// Seconds of a day.
const DAY: i64 = 86400;

/// The times at which packs were read whole.
#[derive(Default)]
pub(super) struct ReadLog {
    /// Nanoseconds since 1970, by pack; negative for a damaged one.
    times: HashMap<ObjectId, i64>,
    /// The begin of a check of everything that did not end.
    begun: Option<i64>,
    /// The file to which entries are appended; `None` where there is no cache.
    file: Option<File>,
}

impl ReadLog {
    /// Reads what is known of the packs of a destination, and forgets those that are not listed any more.
    pub(super) fn open(
        repository: &Repository,
        destination: usize,
        listed: impl Fn(&ObjectId) -> bool,
    ) -> Self {
        let id = encode_hex(&repository.destinations()[destination].id().0);
        let Some(folder) = repository.cache.as_ref() else { return Self::default() };
        let name = format!("read-packs-1-{id}");
        let bytes = std::fs::read(folder.join(&name)).unwrap_or_default();
        let mut log = Self::default();
        let present = nanoseconds();
        for (id, time) in bytes.chunks_exact(ENTRY).filter_map(decode) {
            match id {
                BEGIN => log.begun = Some(time),
                END => log.begun = None,
                // A clock that was ahead must not keep a pack from being read.
                _ if listed(&id) && time.abs() <= present => drop(log.times.insert(id, time)),
                _ => {}
            }
        }
        log.file = log.rewrite(folder.clone(), &name).ok();
        log
    }

    /// Writes a file of what is known, and opens it for more.
    fn rewrite(&self, folder: PathBuf, name: &str) -> std::io::Result<File> {
        let mut file = DurableFile::create(&folder, name)?;
        let begun = self.begun.map(|time| (BEGIN, time));
        let times = self.times.iter().map(|(id, time)| (*id, *time));
        let entries: Vec<u8> = begun.into_iter().chain(times).flat_map(encode).collect();
        file.append(&entries)?;
        file.replace()?;
        OpenOptions::new().append(true).open(folder.join(name))
    }

    /// Chooses some packs: those that were not read for the longest time, never read ones first. `packs` are sorted.
    ///
    /// Where nothing can be remembered, the day chooses a stretch of the packs.
    pub(super) fn oldest(&self, packs: &[ObjectId], count: usize) -> HashSet<ObjectId> {
        if self.file.is_none() {
            let first = (now().seconds / DAY).unsigned_abs() as usize;
            let first = first.wrapping_mul(count) % packs.len().max(1);
            return packs.iter().cycle().skip(first).take(count).copied().collect();
        }
        let age = |id: &ObjectId| self.times.get(id).map(|time| time.abs());
        let mut aged: Vec<(Option<i64>, ObjectId)> =
            packs.iter().map(|id| (age(id), *id)).collect();
        aged.sort_unstable();
        aged.into_iter().take(count).map(|(_, id)| id).collect()
    }

    /// Begins a check of everything; returns the packs that an interrupted one has found whole, if it is to be resumed.
    pub(super) fn begin(&mut self, resume: bool) -> HashSet<ObjectId> {
        if let Some(begun) = self.begun.filter(|_| resume) {
            let read = self.times.iter().filter(|(_, time)| **time >= begun);
            return read.map(|(id, _)| *id).collect();
        }
        self.append(BEGIN, nanoseconds());
        HashSet::new()
    }

    /// Records that a check of everything has ended.
    pub(super) fn end(&mut self) {
        self.append(END, nanoseconds());
    }

    /// Records that a pack was read now, and whether it is whole.
    pub(super) fn add(&mut self, pack: ObjectId, is_whole: bool) {
        let time = nanoseconds();
        self.append(pack, if is_whole { time } else { -time });
    }

    fn append(&mut self, id: ObjectId, time: i64) {
        // What can't be remembered is read again.
        if let Some(file) = &mut self.file {
            let _ = file.write_all(&encode((id, time)));
        }
    }
}

fn nanoseconds() -> i64 {
    let Timestamp { seconds, nanos } = now();
    seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanos))
}

fn encode((id, time): (ObjectId, i64)) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..32].copy_from_slice(&id.0);
    entry[32..].copy_from_slice(&time.to_be_bytes());
    entry
}

fn decode(entry: &[u8]) -> Option<(ObjectId, i64)> {
    let (id, time) = entry.split_first_chunk::<32>()?;
    Some((ObjectId(*id), i64::from_be_bytes(time.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(numbers: impl IntoIterator<Item = u8>) -> Vec<ObjectId> {
        numbers.into_iter().map(|n| ObjectId([n; 32])).collect()
    }

    #[test]
    fn parts_without_a_memory_take_turns_by_days() {
        let packs = ids(1..=10);
        let chosen = ReadLog::default().oldest(&packs, 3);
        assert_eq!(chosen.len(), 3);
        assert!(ReadLog::default().oldest(&packs, 10).len() == 10);
        assert!(ReadLog::default().oldest(&[], 0).is_empty());
    }

    #[test]
    fn what_was_never_read_comes_first_and_then_what_was_read_longest_ago() {
        let packs = ids(1..=4);
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = ReadLog::default();
        log.times = HashMap::from([(packs[0], 50), (packs[1], 10), (packs[3], 70)]);
        log.file = Some(log.rewrite(folder.path().to_owned(), "log").expect("a file"));
        assert_eq!(log.oldest(&packs, 1), HashSet::from([packs[2]]));
        assert_eq!(log.oldest(&packs, 2), HashSet::from([packs[2], packs[1]]));
        assert_eq!(log.oldest(&packs, 3), HashSet::from([packs[2], packs[1], packs[0]]));
    }
}
