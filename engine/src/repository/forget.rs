//! Forgetting snapshots: a snapshot with a tombstone no longer counts.

use std::collections::HashSet;

use yore_platform::Timestamp;

use crate::backend::{self, Published};
use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::{Area, Kind, ObjectName};
use crate::format::record::Tombstone;
use crate::format::seal;
use crate::repository::listing::Listing;
use crate::repository::records::Records;
use crate::repository::session::Writer;
use crate::repository::{Behind, BehindCause, Repository, State};

/// The result of forgetting snapshots.
#[derive(Debug, Default)]
pub struct ForgetReport {
    /// The snapshots that no destination knew as forgotten.
    pub forgotten: Vec<SnapshotId>,
    /// The snapshots that had a tombstone at a destination before.
    pub already: Vec<SnapshotId>,
    /// The destinations that did not get the tombstones; `sync` copies them.
    pub behind: Vec<Behind>,
}

/// Forgets snapshots by one tombstone each, which records `policy` as the reason. Prune frees their space.
///
/// # Errors
/// [`Error::NotFound`], before anything is written, when one of them does not exist.
pub fn forget(
    repository: &Repository,
    ids: &[SnapshotId],
    writer: &Writer,
    now: Timestamp,
    policy: &str,
) -> Result<ForgetReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    let listing = repository.list(&[Area::Snapshots, Area::Forgotten])?;
    let known = listing.set(Area::Snapshots);
    let mut records = Records::open(repository).listed(known.clone());
    let forgotten = forgotten_at_each(&mut records, &listing);
    for id in ids {
        let is_known = known.contains(&ObjectName::snapshot(*id))
            || forgotten.iter().any(|at_one| at_one.contains(id));
        if !is_known {
            return Err(Error::NotFound { what: format!("there is no snapshot {id}") });
        }
    }
    write(repository, &mut records, ids, &forgotten, (writer, now, policy))
}

/// Returns the snapshots that verdicts commit and of which no destination has a record: they were lost, or forgotten and
/// deleted before their tombstones were lost. Prune refuses to work beside them.
///
/// # Errors
/// The error of a destination that can't be listed, since it may have them.
pub fn missing_snapshots(repository: &Repository) -> Result<Vec<SnapshotId>> {
    let (mut listing, state) = repository.list_state(&State::AREAS)?;
    if let Some(error) =
        (0..repository.destinations().len()).find_map(|number| listing.take_error(number))
    {
        return Err(error);
    }
    let stored = listing.set(Area::Snapshots);
    let mut missing: Vec<SnapshotId> = state.counting().into_iter().collect();
    missing.retain(|id| !stored.contains(&ObjectName::snapshot(*id)));
    missing.sort_unstable();
    Ok(missing)
}

/// Forgets the [`missing_snapshots`].
///
/// # Errors
/// As of those.
pub fn forget_missing(
    repository: &Repository,
    writer: &Writer,
    now: Timestamp,
) -> Result<ForgetReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    let missing = missing_snapshots(repository)?;
    let mut records = Records::open(repository);
    write(repository, &mut records, &missing, &[], (writer, now, "its record is missing"))
}

/// Writes the tombstones that a destination lacks, given the snapshots that each one's tombstones name.
fn write(
    repository: &Repository,
    records: &mut Records<'_>,
    ids: &[SnapshotId],
    forgotten: &[HashSet<SnapshotId>],
    (writer, now, policy): (&Writer, Timestamp, &str),
) -> Result<ForgetReport> {
    let mut report = ForgetReport::default();
    for &snapshot in ids {
        if !forgotten.is_empty() && forgotten.iter().all(|at_one| at_one.contains(&snapshot)) {
            report.already.push(snapshot);
            continue;
        }
        // A snapshot that can't be read can still be forgotten.
        let known = records.snapshot(snapshot).ok();
        let tombstone = Tombstone {
            snapshot,
            time: now,
            host: writer.host.clone(),
            user: writer.user.clone(),
            policy: policy.into(),
            client_sequence: known.as_ref().map(|known| (known.client, known.sequence)),
            previous: known.as_ref().and_then(|known| known.previous),
            origin: known.as_ref().and_then(|known| known.origin),
            // A snapshot whose time a person gave does not order others.
            seen: known.filter(|known| !known.time_given).map_or_else(Vec::new, |known| known.seen),
        };
        let name = ObjectName::tombstone(snapshot);
        let content = tombstone.encode();
        let salt = repository.keys.draw_salt(&content);
        let object = seal::seal_whole(&repository.keys, Kind::Tombstone, &name, salt, &content)?;
        let saved = save_everywhere(repository, &name, &object, &mut report.behind)?;
        let was_forgotten = forgotten.iter().any(|at_one| at_one.contains(&snapshot));
        match saved == Published::Created && !was_forgotten {
            true => report.forgotten.push(snapshot),
            false => report.already.push(snapshot),
        }
    }
    Ok(report)
}

/// Returns the snapshots that the tombstones of each reached destination name.
fn forgotten_at_each(records: &mut Records<'_>, listing: &Listing) -> Vec<HashSet<SnapshotId>> {
    let mut at_each = Vec::new();
    for (_, listed) in listing.reached() {
        let mut here = HashSet::new();
        for name in listed.names(Area::Forgotten) {
            match name.level() {
                0 => here.extend(name.id().map(SnapshotId)),
                // A list that can't be read forgets nothing.
                _ => here.extend(
                    records.tombstones(name).into_iter().flat_map(|(list, _)| list.snapshots),
                ),
            }
        }
        at_each.push(here);
    }
    at_each
}

/// Saves an object at each destination; one that fails is behind.
///
/// # Errors
/// When no destination has it.
pub(in crate::repository) fn save_everywhere(
    repository: &Repository,
    name: &ObjectName,
    object: &[u8],
    behind: &mut Vec<Behind>,
) -> Result<Published> {
    let (mut saved, mut failed) = (None, Vec::new());
    for (destination, place) in repository.destinations().iter().enumerate() {
        let current = repository.must_have_keys(place);
        match current.and_then(|()| backend::save(&**place.backend(), name, object)) {
            Ok(Published::Created) => saved = Some(Published::Created),
            Ok(Published::Exists) => drop(saved.get_or_insert(Published::Exists)),
            Err(error) => failed.push(Behind { destination, cause: BehindCause::Failed(error) }),
        }
    }
    match (saved, failed.pop()) {
        (None, Some(Behind { cause: BehindCause::Failed(error), .. })) => Err(error),
        (saved, last) => {
            let failed = failed.into_iter().chain(last);
            for one in failed {
                if behind.iter().all(|known| known.destination != one.destination) {
                    behind.push(one);
                }
            }
            Ok(saved.unwrap_or(Published::Exists))
        }
    }
}
