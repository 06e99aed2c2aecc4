//! Decoding a key slot.

use super::{Cost, Slot, machine, removal};
use crate::format::cbor::{self, Read};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::secret::SecretKind;

/// Decodes a slot; returns it with the repository of which it is.
///
/// Of a kind that this program does not know, only the keys that all kinds have are read.
pub(super) fn parse(bytes: &[u8]) -> Read<(Slot, RepositoryId)> {
    let mut d = minicbor::Decoder::new(bytes);
    cbor::expect_items(&mut d, 3)?;
    let (body, sealed, tag) = (d.bytes()?, d.bytes()?, cbor::bytes32(&mut d)?);
    if d.position() != bytes.len() {
        return cbor::refuse("trailing bytes");
    }
    let number = kind_number(body)?;
    let kind = SecretKind::from_number(number);
    let is_known = kind.is_some() || number == removal::KIND;
    let (mut id, mut repository, mut created) = (None, None, None);
    let (mut label, mut cost, mut commitment) = (String::new(), None, None);
    let (mut removes, mut machine) = (Vec::new(), None);
    cbor::whole_map(body, |key, d| {
        match key {
            0 => id = Some(ObjectId(cbor::bytes32(d)?)),
            1 => drop(d.u64()?),
            2 => repository = Some(RepositoryId(cbor::bytes32(d)?)),
            3 => created = Some(d.i64()?),
            4 => label = d.str()?.into(),
            _ if !is_known => return Ok(false),
            5 => {
                cbor::expect_items(d, 3)?;
                cost = Some(Cost { memory: d.u32()?, passes: d.u32()?, lanes: d.u32()? });
            }
            6 => commitment = Some(cbor::bytes32(d)?),
            7 => removes = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
            8 => machine = Some(machine::decode(d)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if number != removal::KIND {
        removes.clear();
    } else if removes.is_empty() {
        return cbor::refuse("a removal of nothing");
    }
    if machine.is_some() != (kind == Some(SecretKind::WriteOnly)) {
        return cbor::refuse("a machine where there is none, or none where there is one");
    }
    if cost.is_some() != (kind == Some(SecretKind::Passphrase)) && kind.is_some() {
        return cbor::refuse("a cost where there is none, or none where there is one");
    }
    let commitment = if is_known { cbor::required(commitment)? } else { [0; 32] };
    let slot = Slot {
        id: cbor::required(id)?,
        kind,
        created: cbor::required(created)?,
        label,
        removes,
        machine,
        cost,
        commitment,
        body: body.to_vec(),
        sealed: sealed.to_vec(),
        tag,
    };
    Ok((slot, cbor::required(repository)?))
}

/// Reads the number of a slot's kind, on which the meaning of its other keys depends.
fn kind_number(body: &[u8]) -> Read<u64> {
    let mut number = None;
    cbor::whole_map(body, |key, d| {
        match key {
            1 => number = Some(d.u64()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    cbor::required(number)
}
