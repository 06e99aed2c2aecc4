//! Removals: slots that no secret opens, and that name slots which were removed (FORMAT.md §4).
//!
//! A removal is copied to every destination like any slot, so a destination that was away when a slot was removed
//! does not bring it back.

use super::Slot;
use crate::format::cbor::MapWriter;
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{Keys, random};

/// The number of the kind.
pub(super) const KIND: u64 = 0;
/// The most slots that one removal names: they fit its size limit.
pub(crate) const MAX_REMOVED: usize = 1024;

/// Creates a removal of slots; its tag shows that it was made by somebody who could open the repository.
pub(crate) fn create(
    keys: &Keys,
    repository: RepositoryId,
    removed: &[ObjectId],
    created: i64,
) -> Slot {
    let id = ObjectId(random());
    let commitment = [0; 32];
    let mut body = Vec::new();
    let mut map = MapWriter::new(&mut body);
    map.key(0).bytes(&id.0);
    map.key(1).u64(KIND);
    map.key(2).bytes(&repository.0);
    map.key(3).i64(created);
    map.key(4).str("");
    map.key(6).bytes(&commitment);
    let mut list = map.key(7);
    list.array(removed.len() as u64);
    for id in removed {
        list.bytes(&id.0);
    }
    map.finish();
    let mut slot = Slot {
        id,
        kind: None,
        created,
        label: String::new(),
        removes: removed.to_vec(),
        machine: None,
        cost: None,
        commitment,
        body,
        sealed: Vec::new(),
        tag: [0; 32],
    };
    slot.tag = slot.tag(keys);
    slot
}
