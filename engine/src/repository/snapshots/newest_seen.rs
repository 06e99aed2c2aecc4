//! The newest snapshots that each destination was seen to have, so that a destination that was put back to an earlier
//! state is noticed.
//!
//! A file in the cache folder of the repository has a line for each destination and client: the ids of both, the
//! sequence number and the id of the client's newest snapshot. A snapshot that a destination committed stays committed
//! there until a tombstone names it (FORMAT.md §11), and tombstones stay. So one that is neither committed nor forgotten
//! any more was removed by somebody else than this program; its line stays until it is there again, or until a person
//! accepts the loss. The file is a cache: without it nothing is wrong but that a change before is not noticed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use yore_platform::DurableFile;

use crate::error::{Error, Result};
use crate::format::id::{SnapshotId, decode_hex, encode_hex};
use crate::format::record::ClientId;
use crate::repository::{Behind, Repository, Snapshots};

/// The file in the cache folder; another format has another name.
const FILE: &str = "newest-1";

/// A snapshot that a destination had and has no more, although nobody forgot it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolledBack {
    /// The number of the destination.
    pub destination: usize,
    /// The snapshot.
    pub snapshot: SnapshotId,
}

/// A line of the file: a snapshot that was the newest of its client when it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Newest {
    destination: [u8; 16],
    client: [u8; 16],
    sequence: u64,
    snapshot: SnapshotId,
}

impl Newest {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let mut id = || {
            let mut id = [0; 16];
            decode_hex(fields.next()?, &mut id).then_some(id)
        };
        let (destination, client) = (id()?, id()?);
        let (sequence, snapshot) = (fields.next()?.parse().ok()?, fields.next()?);
        Some(Self { destination, client, sequence, snapshot: SnapshotId::from_hex(snapshot)? })
    }

    fn line(&self) -> String {
        let Self { destination, client, sequence, snapshot } = self;
        let (destination, client) = (encode_hex(destination), encode_hex(client));
        format!("{destination} {client} {sequence} {snapshot}\n")
    }
}

/// What was seen before destinations were listed.
///
/// Another process may remember what it commits meanwhile: that is in no list that was made before.
pub(in crate::repository) struct SeenBefore(BTreeSet<Newest>);

impl SeenBefore {
    /// Reads it.
    pub(in crate::repository) fn load(repository: &Repository) -> Self {
        Self(path(repository).map(|path| read(&path)).unwrap_or_default())
    }

    /// Compares the committed snapshots of each destination with what was seen there before, and remembers the newest
    /// ones; returns what is missing. Destinations without a set were not read whole.
    pub(in crate::repository) fn compare(
        &self,
        repository: &Repository,
        found: &Snapshots,
        committed: &[Option<&HashSet<SnapshotId>>],
    ) -> Vec<RolledBack> {
        let Some(path) = path(repository) else { return Vec::new() };
        let forgotten: HashSet<SnapshotId> =
            found.forgotten.iter().map(|one| one.snapshot).collect();
        let (mut outdated, mut newest, mut missing) =
            (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (number, destination) in repository.destinations().iter().enumerate() {
            let Some(committed) = committed.get(number).copied().flatten() else { continue };
            let destination = destination.id().0;
            for one in self.0.iter().filter(|one| one.destination == destination) {
                match committed.contains(&one.snapshot) || forgotten.contains(&one.snapshot) {
                    true => drop(outdated.insert(*one)),
                    false => {
                        missing.push(RolledBack { destination: number, snapshot: one.snapshot });
                    }
                }
            }
            newest.extend(newest_at(destination, found, committed));
        }
        let known = read(&path);
        let mut next: BTreeSet<Newest> = known.difference(&outdated).copied().collect();
        next.extend(newest);
        if next != known {
            save(&path, &next);
        }
        missing
    }
}

/// Returns the newest committed snapshot of each client at a destination.
fn newest_at(
    destination: [u8; 16],
    found: &Snapshots,
    committed: &HashSet<SnapshotId>,
) -> impl Iterator<Item = Newest> {
    let mut newest: BTreeMap<[u8; 16], Newest> = BTreeMap::new();
    for entry in found.list.iter().filter(|entry| committed.contains(&entry.id)) {
        let (client, sequence) = (entry.snapshot.client.0, entry.snapshot.sequence);
        let one = Newest { destination, client, sequence, snapshot: entry.id };
        let known = newest.entry(client).or_insert(one);
        *known = one.max(*known);
    }
    newest.into_values()
}

impl Repository {
    /// Remembers a snapshot that was just committed as the newest of its client, where it is not behind.
    pub(crate) fn remember_newest(
        &self,
        (client, sequence, snapshot): (ClientId, u64, SnapshotId),
        behind: &[Behind],
    ) {
        let Some(path) = path(self) else { return };
        let mut known = read(&path);
        for (number, destination) in self.destinations().iter().enumerate() {
            if behind.iter().any(|behind| behind.destination == number) {
                continue;
            }
            let (destination, client) = (destination.id().0, client.0);
            known.insert(Newest { destination, client, sequence, snapshot });
        }
        save(&path, &known);
    }

    /// Accepts that destinations have lost snapshots: they are expected no more. Returns those that were missing.
    ///
    /// # Errors
    /// Those of [`Repository::snapshots`]; [`Error::Local`] when it can't be remembered.
    pub fn accept_lost_snapshots(&self) -> Result<Vec<RolledBack>> {
        let missing = self.snapshots()?.rolled_back;
        let Some(path) = path(self).filter(|_| !missing.is_empty()) else { return Ok(missing) };
        let mut known = read(&path);
        known.retain(|one| {
            let is_meant = |lost: &RolledBack| {
                lost.snapshot == one.snapshot
                    && self.destinations()[lost.destination].id().0 == one.destination
            };
            !missing.iter().any(is_meant)
        });
        write(&path, &known).map_err(|error| Error::local(path, error))?;
        Ok(missing)
    }
}

fn path(repository: &Repository) -> Option<PathBuf> {
    repository.cache.as_ref().map(|folder| folder.join(FILE))
}

fn read(path: &Path) -> BTreeSet<Newest> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(Newest::parse).collect()
}

/// Stores the lines; where that fails, what is new is remembered the next time.
fn save(path: &Path, lines: &BTreeSet<Newest>) {
    let _ = write(path, lines);
}

fn write(path: &Path, lines: &BTreeSet<Newest>) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut file = DurableFile::create(folder, FILE)?;
    file.append(lines.iter().map(Newest::line).collect::<String>().as_bytes())?;
    file.replace()
}
