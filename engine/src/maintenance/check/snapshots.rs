//! Snapshots and tombstones: every one decodes, each client's chain has no holes, and nothing is missing that
//! another client saw.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::records::{Sessions, list, load};
use super::report::Findings;
use crate::backend::ListedObject;
use crate::error::Error;
use crate::format::id::SnapshotId;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::{Snapshot, Tombstone};
use crate::repository::{Repository, decode_tombstones, load_sealed};

/// Checks snapshots, given the tombstones; returns those that count.
pub(super) fn check(
    repository: &Repository,
    sessions: &Sessions,
    forgotten: &BTreeMap<SnapshotId, Tombstone>,
    elsewhere: &HashSet<SnapshotId>,
    findings: &mut Findings,
) -> Vec<(SnapshotId, Snapshot)> {
    let mut known = BTreeMap::new();
    let mut listed = HashSet::new();
    for ListedObject { name, .. } in list(repository, Area::Snapshots, findings) {
        let Some(id) = name.id().map(SnapshotId) else { continue };
        listed.insert(id);
        let read = load(repository, Kind::Snapshot, &name, Snapshot::decode);
        if let Some(snapshot) = findings.take(name.as_str(), read) {
            known.insert(id, snapshot);
        }
        if !sessions.committed.contains(&id) && !forgotten.contains_key(&id) {
            findings.note(format!("{name} does not count: no verdict commits it"));
        }
    }
    let named = sessions.committed.iter().chain(witnessed(&known, forgotten));
    let missing: BTreeSet<SnapshotId> =
        named.filter(|id| !listed.contains(id) && !forgotten.contains_key(id)).copied().collect();
    for id in missing {
        if elsewhere.contains(&id) {
            findings.note(format!("snapshot {id:.8} is not here yet: another destination has it"));
            continue;
        }
        let object = ObjectName::snapshot(id).to_string();
        findings.problem(describe_missing(id, &known, forgotten), Error::Missing { object });
    }
    check_sequences(&known, findings);
    let counts = |id: &SnapshotId| sessions.committed.contains(id) && !forgotten.contains_key(id);
    known.into_iter().filter(|(id, _)| counts(id)).collect()
}

/// Yields the snapshots that others name as earlier: the one before, and those that their writer saw.
fn witnessed<'a>(
    known: &'a BTreeMap<SnapshotId, Snapshot>,
    forgotten: &'a BTreeMap<SnapshotId, Tombstone>,
) -> impl Iterator<Item = &'a SnapshotId> {
    let by_snapshots = known.values().flat_map(|one| one.seen.iter().chain(&one.previous));
    by_snapshots.chain(forgotten.values().flat_map(|one| one.seen.iter().chain(&one.previous)))
}

/// Names a missing snapshot by one that names it.
fn describe_missing(
    id: SnapshotId,
    known: &BTreeMap<SnapshotId, Snapshot>,
    forgotten: &BTreeMap<SnapshotId, Tombstone>,
) -> String {
    let object = ObjectName::snapshot(id);
    if let Some((next, _)) = known.iter().find(|(_, snapshot)| snapshot.previous == Some(id)) {
        return format!("{object}, the one before snapshot {next:.8}");
    }
    if let Some((witness, saw)) = known.iter().find(|(_, snapshot)| snapshot.seen.contains(&id)) {
        return format!("{object}, which {} saw when it made snapshot {witness:.8}", saw.host);
    }
    let names =
        |tombstone: &&Tombstone| tombstone.previous == Some(id) || tombstone.seen.contains(&id);
    match forgotten.values().find(names) {
        Some(Tombstone { snapshot, .. }) => {
            format!("{object}, which came before the forgotten snapshot {snapshot:.8}")
        }
        None => object.to_string(),
    }
}

/// Checks that the snapshots of each client are numbered in their order.
fn check_sequences(known: &BTreeMap<SnapshotId, Snapshot>, findings: &mut Findings) {
    for (id, snapshot) in known {
        let name = ObjectName::snapshot(*id);
        let expected = match snapshot.previous {
            None => Some(1),
            Some(previous) => {
                known.get(&previous).map(|previous| previous.sequence.saturating_add(1))
            }
        };
        if expected.is_some_and(|expected| expected > snapshot.sequence) {
            findings.damaged(name.as_str(), "its number is not after that of the one before");
        } else if expected.is_some_and(|expected| expected < snapshot.sequence) {
            findings.note(format!(
                "{name} is number {} of its client, but not the next after the one before",
                snapshot.sequence
            ));
        }
    }
}

/// Reads the tombstones, of each snapshot the first.
pub(super) fn tombstones(
    repository: &Repository,
    findings: &mut Findings,
) -> BTreeMap<SnapshotId, Tombstone> {
    let mut forgotten = BTreeMap::new();
    for ListedObject { name, .. } in list(repository, Area::Forgotten, findings) {
        let backend = &**repository.backend();
        let read = load_sealed(backend, &repository.keys, Kind::Tombstone, &name)
            .and_then(|content| decode_tombstones(&name, &content));
        let Some((_, tombstones)) = findings.take(name.as_str(), read) else { continue };
        for tombstone in tombstones {
            forgotten.entry(tombstone.snapshot).or_insert(tombstone);
        }
    }
    forgotten
}
