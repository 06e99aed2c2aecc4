//! The slots of write-only machines, which open nothing: each names an inbox and its machine's key (FORMAT.md §15).

use super::Slot;
use super::unsealed::{self, Head};
use crate::format::cbor::{self, Read};
use crate::format::id::RepositoryId;
use crate::format::keys::{Keys, MachineRecord};
use crate::format::secret::SecretKind;

/// Creates the slot of a machine; its tag shows that it was made by somebody who could open the repository.
pub(crate) fn create(
    keys: &Keys,
    repository: RepositoryId,
    machine: MachineRecord,
    name: &str,
    created: i64,
) -> Slot {
    let head = Head { kind: SecretKind::WriteOnly as u64, label: name, created };
    let slot = unsealed::create(keys, repository, &head, |map| {
        let MachineRecord { inbox, generation, verifies } = &machine;
        map.key(8).array(3).bytes(&inbox.0).u64((*generation).into()).bytes(verifies);
    });
    Slot { machine: Some(machine), ..slot }
}

/// Decodes the machine of a slot.
pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<MachineRecord> {
    cbor::expect_items(d, 3)?;
    let inbox = RepositoryId(cbor::bytes32(d)?);
    let generation = cbor::required(u8::try_from(d.u64()?).ok())?;
    Ok(MachineRecord { inbox, generation, verifies: cbor::bytes32(d)? })
}
