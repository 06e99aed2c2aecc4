//! Objects of tombstones: one of a snapshot, or a list that prune has put together (FORMAT.md §11).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use yore_platform::Timestamp;

use crate::error::{Error, Result};
use crate::format::id::SnapshotId;
use crate::format::object::ObjectName;
use crate::format::record::{Tombstone, TombstoneList};

/// An object of tombstones that could be read.
#[derive(Debug, Clone)]
pub(crate) struct TombstoneObject {
    pub(crate) name: ObjectName,
    /// The snapshots that it names.
    pub(crate) snapshots: Vec<SnapshotId>,
    /// The time of a list; `None` for the tombstone of one snapshot.
    pub(crate) list_time: Option<Timestamp>,
    /// The length of its content.
    pub(crate) content_length: usize,
}

/// Decodes the content of an object of tombstones.
///
/// # Errors
/// [`Error::Damaged`] when it is no such object; a tombstone of another snapshot than that of its name is none.
pub(crate) fn decode(
    name: &ObjectName,
    content: &[u8],
) -> Result<(TombstoneObject, Vec<Tombstone>)> {
    let damaged = || Error::damaged(name.as_str(), "it is no tombstone of this repository");
    let (list_time, tombstones) = match name.level() {
        0 => {
            let tombstone = Tombstone::decode(content).map_err(|_| damaged())?;
            if name.id() != Some(tombstone.snapshot.0) {
                return Err(damaged());
            }
            (None, vec![tombstone])
        }
        _ => {
            let list = TombstoneList::decode(content).map_err(|_| damaged())?;
            (Some(list.time), list.tombstones().map_err(|_| damaged())?)
        }
    };
    let snapshots = tombstones.iter().map(|tombstone| tombstone.snapshot).collect();
    let object =
        TombstoneObject { name: name.clone(), snapshots, list_time, content_length: content.len() };
    Ok((object, tombstones))
}

/// Keeps one tombstone of each snapshot: until prune deletes it, one is also in a list. One that tells the snapshot's
/// client and number is better than one that does not.
pub(super) fn each_once(tombstones: impl Iterator<Item = Tombstone>) -> Vec<Tombstone> {
    let mut places: HashMap<SnapshotId, usize> = HashMap::new();
    let mut found: Vec<Tombstone> = Vec::new();
    for tombstone in tombstones {
        match places.entry(tombstone.snapshot) {
            Entry::Vacant(place) => {
                place.insert(found.len());
                found.push(tombstone);
            }
            Entry::Occupied(place) => {
                let known = &mut found[*place.get()];
                if known.client_sequence.is_none() && tombstone.client_sequence.is_some() {
                    *known = tombstone;
                }
            }
        }
    }
    found
}
