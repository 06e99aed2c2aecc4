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
use crate::repository::{Behind, BehindCause, Repository};

/// The result of forgetting snapshots.
#[derive(Debug, Default)]
pub struct ForgetReport {
    /// The snapshots that this call forgot.
    pub forgotten: Vec<SnapshotId>,
    /// The snapshots that had a tombstone before.
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
    let (forgotten, in_lists) = forgotten(&mut records, &listing);
    for id in ids {
        let is_known = known.contains(&ObjectName::snapshot(*id))
            || forgotten.contains(id)
            || in_lists.contains(id);
        if !is_known {
            return Err(Error::NotFound { what: format!("there is no snapshot {id}") });
        }
    }
    let mut report = ForgetReport::default();
    for &snapshot in ids {
        if in_lists.contains(&snapshot) {
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
        match save_everywhere(repository, &name, &object, &mut report.behind)? {
            Published::Created => report.forgotten.push(snapshot),
            Published::Exists => report.already.push(snapshot),
        }
    }
    Ok(report)
}

/// Returns the snapshots that have a tombstone of their own, and those that lists of tombstones name.
fn forgotten(
    records: &mut Records<'_>,
    listing: &Listing,
) -> (HashSet<SnapshotId>, HashSet<SnapshotId>) {
    let (mut own, mut in_lists) = (HashSet::new(), HashSet::new());
    for name in listing.union(Area::Forgotten) {
        match name.level() {
            0 => own.extend(name.id().map(SnapshotId)),
            // One that can't be read forgets nothing.
            _ => in_lists
                .extend(records.tombstones(&name).into_iter().flat_map(|(list, _)| list.snapshots)),
        }
    }
    (own, in_lists)
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
