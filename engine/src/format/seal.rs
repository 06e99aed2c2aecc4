//! Sealing: authenticated encryption of objects (FORMAT.md §2, §5).
//!
//! Each object has its own key, so the nonce is a counter. Name, kind, version, repository and position
//! are associated data, so objects and frames can't be swapped, renamed or spliced.

use crate::error::{Error, Refusal, Result};
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};

mod object_key;
mod padding;
#[cfg(test)]
mod tests;
mod wrapping;

pub(crate) use object_key::{Counter, ObjectKey};
pub(crate) use padding::{append_padded, read_padded};
use wrapping::Wrapping;

/// The length of the prefix of every sealed object.
pub(crate) const PREFIX: usize = 72;
/// The length of an authentication tag.
pub(crate) const TAG: usize = 16;
/// The largest object that is sealed whole.
pub(crate) const MAX_OBJECT: usize = 64 << 20;
/// The largest content of an object that is sealed whole.
pub(crate) const MAX_CONTENT: usize = 256 << 20;
/// The largest content of a record, such as a snapshot (FORMAT.md §5).
pub(crate) const MAX_RECORD: usize = 4 << 20;

/// Seals an object whole that every writer may make, a write-only machine, too.
///
/// # Panics
/// For a kind of which a write-only machine may not make objects.
pub(crate) fn seal_by_any(
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    salt: [u8; 32],
    content: &[u8],
) -> Vec<u8> {
    seal_whole(keys, kind, name, salt, content).expect("every writer makes objects of this kind")
}

/// Seals an object whole; `salt` is the id in its name for the kinds whose salt it is (§2).
///
/// # Errors
/// [`Refusal::WriteOnly`] when a write-only machine may not make such objects; [`Refusal::RecordTooLarge`].
pub(crate) fn seal_whole(
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    salt: [u8; 32],
    content: &[u8],
) -> Result<Vec<u8>> {
    // Nobody could read it.
    if content.len() > max_content(kind) {
        return Err(Refusal::RecordTooLarge { limit: max_content(kind) }.into());
    }
    let key = ObjectKey::for_writing(keys, kind, name, salt);
    let wrapping = Wrapping::of(keys, kind);
    let mut object = key.prefix().to_vec();
    append_padded(&mut object, content, TAG + wrapping.signature());
    key.seal(Counter::WHOLE, &[], &mut object, PREFIX);
    if let (Wrapping::Signed, Some(inbox)) = (wrapping, keys.inbox()) {
        let signature = inbox.sign(kind, &key.signed(&object[PREFIX..]))?;
        object.extend_from_slice(&signature);
    }
    Ok(object)
}

/// Decrypts an object that was sealed whole, in place, and returns its content.
pub(crate) fn open_whole(
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    object: &mut [u8],
) -> Result<Vec<u8>> {
    let key = ObjectKey::for_reading(keys, kind, name, object)?;
    let altered = || Error::damaged(name.as_str(), "its bytes were altered");
    let signature = Wrapping::of(keys, kind).signature();
    let length = (object.len() - PREFIX).checked_sub(signature).ok_or_else(altered)?;
    let (sealed, signature) = object[PREFIX..].split_at_mut(length);
    if let (false, Some(inbox)) = (signature.is_empty(), keys.inbox())
        && !inbox.verify(kind, &key.signed(sealed), signature)
    {
        return Err(Error::damaged(name.as_str(), "nobody signed it who may make it"));
    }
    let plain = key.open(Counter::WHOLE, &[], sealed).ok_or_else(altered)?;
    read_padded(plain, max_content(kind))
        .ok_or_else(|| Error::damaged(name.as_str(), "it does not decode"))
}

/// Returns the largest content of an object of a kind. Records have a lower limit, since a few megabytes of small
/// texts take gigabytes once decoded.
fn max_content(kind: Kind) -> usize {
    match kind {
        Kind::Snapshot
        | Kind::Tombstone
        | Kind::Session
        | Kind::Verdict
        | Kind::Destination
        | Kind::Annotation => MAX_RECORD,
        Kind::DataPack
        | Kind::TreePack
        | Kind::Index
        | Kind::Generation
        | Kind::GenerationEnd
        | Kind::Heartbeat => MAX_CONTENT,
    }
}
