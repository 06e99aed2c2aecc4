//! Slots that hold no secret: their tag alone shows that somebody made them who could open the repository.

use super::Slot;
use crate::format::cbor::MapWriter;
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{Keys, random};
use crate::format::secret::SecretKind;

/// The first keys of the body of such a slot.
pub(super) struct Head<'a> {
    /// The number of its kind.
    pub(super) kind: u64,
    pub(super) label: &'a str,
    /// The time of creation, in seconds since 1970 UTC.
    pub(super) created: i64,
}

/// Creates a slot; `write_rest` writes the keys of its body after 6.
pub(super) fn create(
    keys: &Keys,
    repository: RepositoryId,
    head: &Head<'_>,
    write_rest: impl FnOnce(&mut MapWriter<'_>),
) -> Slot {
    let id = ObjectId(random());
    let commitment = [0; 32];
    let mut body = Vec::new();
    let mut map = MapWriter::new(&mut body);
    map.key(0).bytes(&id.0);
    map.key(1).u64(head.kind);
    map.key(2).bytes(&repository.0);
    map.key(3).i64(head.created);
    map.key(4).str(head.label);
    map.key(6).bytes(&commitment);
    write_rest(&mut map);
    map.finish();
    let mut slot = Slot {
        id,
        kind: SecretKind::from_number(head.kind),
        created: head.created,
        label: head.label.into(),
        removes: Vec::new(),
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

/// Creates a slot of a kind that this program does not know, with keys that mean something else there.
#[cfg(test)]
pub(crate) fn of_unknown_kind(keys: &Keys, repository: RepositoryId) -> Slot {
    create(keys, repository, &Head { kind: 77, label: "new", created: 3 }, |map| {
        map.key(7).str("no ids");
        map.key(8).u64(1);
    })
}
