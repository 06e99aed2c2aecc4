//! Parity of packs: data beside a pack from which unreadable or wrong parts of it are rebuilt (FORMAT.md §14).
//!
//! ```text
//! packs/3f/3f…    shard 0 │ shard 1 │ … │ shard k-1                          sealed, as everywhere
//! parity/3f/3f…   head │ recovery shard 0 │ … │ recovery shard m-1 │ head    in the clear: it derives from sealed bytes
//! ```
//!
//! Any `k` whole shards of all `k + m` give the others. The head has a digest of every shard, so that damaged ones are
//! located, and is stored twice. Parity proves nothing, since whoever writes a destination may write it: what is
//! rebuilt replaces nothing before it is authentic as a pack.

use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::keys::Keys;
use crate::format::object::ObjectName;
use crate::format::pack::PackInfo;
use crate::format::seal::PREFIX;
use crate::index;

mod code;
mod digest;
mod head;
mod rebuild;
#[cfg(test)]
mod tests;

use head::{Head, Layout};

pub(crate) use head::{Copies, MAX_PARITY_OBJECT, load_head};
pub(crate) use rebuild::{Rebuilt, rebuild};

/// Returns the parity object of a pack, with recovery shards for `percent` of its shards, rounded up.
pub(crate) fn parity_of(id: ObjectId, pack: &[u8], percent: u32) -> Vec<u8> {
    let layout = Layout::for_pack(pack.len() as u64, percent);
    let recovery = code::encode(&layout, pack);
    let shards = layout.originals(pack).chain(recovery.chunks(layout.shard as usize));
    let head = Head { pack: id, layout, digests: digest::all(&shards.collect::<Vec<_>>()) };
    let mut object = head.encode_first();
    object.extend_from_slice(&recovery);
    object.extend_from_slice(&head.encode_last());
    object
}

/// Verifies a whole parity object of the pack `id`: both heads and every recovery shard.
///
/// Returns the size of the pack that it repairs, and its recovery shards in per cent of the pack's.
///
/// # Errors
/// [`Error::Damaged`].
pub(crate) fn verify_parity(id: ObjectId, object: &[u8]) -> Result<(u64, u32)> {
    let name = ObjectName::parity(id);
    let damaged = |reason| Error::damaged(name.as_str(), reason);
    let head = Head::decode_first(id, object).ok_or_else(|| damaged("its head was altered"))?;
    let layout = head.layout;
    if layout.object_size() != object.len() as u64 {
        return Err(damaged("its size is not what its head says"));
    }
    if !object.ends_with(&head.encode_last()) {
        return Err(damaged("the copy of its head was altered"));
    }
    let start = layout.head_bytes() as usize;
    let recovery = object.get(start..object.len() - start).unwrap_or_default();
    let shards: Vec<&[u8]> = recovery.chunks(layout.shard as usize).collect();
    match digest::all(&shards) == head.digests[layout.k as usize..] {
        true => Ok((layout.pack_size, layout.percent())),
        false => Err(damaged("a recovery shard was altered")),
    }
}

/// Authenticates every byte of a pack.
///
/// # Errors
/// [`Error::Damaged`].
pub(crate) fn verify_pack(keys: &Keys, id: ObjectId, pack: &[u8]) -> Result<PackInfo> {
    let name = ObjectName::pack(id);
    let damaged = || Error::damaged(name.as_str(), "its bytes were altered");
    let (info, key) = index::contents_of(keys, id, pack.len() as u64, |range| {
        let part = pack.get(range.start as usize..range.end as usize).ok_or_else(damaged)?;
        let mut bytes = yore_platform::ReadBuffer::default();
        bytes.fit(part.len());
        bytes.copy_from_slice(part);
        Ok(bytes)
    })?;
    let mut rest = pack.get(PREFIX..).ok_or_else(damaged)?;
    let mut sealed = Vec::new();
    for (number, frame) in (0..).zip(&info.contents.frames) {
        let (bytes, after) = rest.split_at_checked(frame.sealed as usize).ok_or_else(damaged)?;
        rest = after;
        sealed.clear();
        sealed.extend_from_slice(bytes);
        key.open_frame(number, frame, &mut sealed).ok_or_else(damaged)?;
    }
    Ok(info)
}
