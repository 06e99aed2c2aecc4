//! Removals: slots that no secret opens, and that name slots which were removed (FORMAT.md §4).
//!
//! A removal is copied to every destination like any slot, so a destination that was away when a slot was removed
//! does not bring it back.

use super::Slot;
use super::unsealed::{self, Head};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::Keys;

/// The number of the kind.
pub(super) const KIND: u64 = 0;
/// The most slots that one removal names: they fit its size limit.
pub(crate) const MAX_REMOVED: usize = 1024;

/// Creates a removal of slots; its tag shows that it was made by somebody who could open the repository.
///
/// # Panics
/// With no slots, or more than [`MAX_REMOVED`]: the rest would stay removed nowhere.
pub(crate) fn create(
    keys: &Keys,
    repository: RepositoryId,
    removed: &[ObjectId],
    created: i64,
) -> Slot {
    assert!((1..=MAX_REMOVED).contains(&removed.len()), "a removal names 1 to {MAX_REMOVED} slots");
    let head = Head { kind: KIND, label: "", created };
    let slot = unsealed::create(keys, repository, &head, |map| {
        let mut list = map.key(7);
        list.array(removed.len() as u64);
        for id in removed {
            list.bytes(&id.0);
        }
    });
    Slot { removes: removed.to_vec(), ..slot }
}
