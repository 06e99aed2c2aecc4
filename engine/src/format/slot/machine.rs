//! The slots of write-only machines, which open nothing: each names an inbox and its machine's key (FORMAT.md §15).

use super::Slot;
use crate::format::cbor::{self, MapWriter, Read};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{Keys, MachineRecord, random};
use crate::format::secret::SecretKind;

/// Creates the slot of a machine; its tag shows that it was made by somebody who could open the repository.
pub(crate) fn create(
    keys: &Keys,
    repository: RepositoryId,
    machine: MachineRecord,
    name: &str,
    created: i64,
) -> Slot {
    let id = ObjectId(random());
    let commitment = [0; 32];
    let mut body = Vec::new();
    let mut map = MapWriter::new(&mut body);
    map.key(0).bytes(&id.0);
    map.key(1).u64(SecretKind::WriteOnly as u64);
    map.key(2).bytes(&repository.0);
    map.key(3).i64(created);
    map.key(4).str(name);
    map.key(6).bytes(&commitment);
    let mut parts = map.key(8);
    parts.array(3).bytes(&machine.inbox.0).u64(machine.generation.into()).bytes(&machine.verifies);
    map.finish();
    let mut slot = Slot {
        id,
        kind: Some(SecretKind::WriteOnly),
        created,
        label: name.into(),
        removes: Vec::new(),
        machine: Some(machine),
        cost: None,
        commitment,
        body,
        sealed: Vec::new(),
        tag: [0; 32],
    };
    slot.tag = slot.tag(keys);
    slot
}

/// Decodes the machine of a slot; `None` where the key has another meaning.
pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Option<MachineRecord>> {
    cbor::expect_items(d, 3)?;
    let inbox = RepositoryId(cbor::bytes32(d)?);
    let generation = cbor::required(u8::try_from(d.u64()?).ok())?;
    Ok(Some(MachineRecord { inbox, generation, verifies: cbor::bytes32(d)? }))
}
