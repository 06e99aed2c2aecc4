//! The contents of a pack, read from the pack itself (FORMAT.md §6).

use std::ops::Range;

use yore_platform::ReadBuffer;

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::keys::Keys;
use crate::format::object::ObjectName;
use crate::format::pack::{PackInfo, PackKey, PackKind, TRAILER};
use crate::format::seal::{PREFIX, TAG};

/// Reads what a pack holds from the pack itself, by its trailer.
pub(crate) fn load_contents(
    backend: &dyn Backend,
    keys: &Keys,
    id: ObjectId,
    size: u64,
) -> Result<PackInfo> {
    let name = ObjectName::pack(id);
    contents_of(keys, id, size, |range| backend.read(&name, range)).map(|(info, _)| info)
}

/// Reads what a pack of `size` bytes holds; returns it with the key of the pack.
pub(crate) fn open_pack(
    backend: &dyn Backend,
    keys: &Keys,
    id: ObjectId,
    size: u64,
) -> Result<(PackInfo, PackKey)> {
    let name = ObjectName::pack(id);
    contents_of(keys, id, size, |range| backend.read(&name, range))
}

/// Reads what a pack of `size` bytes holds; `read` returns ranges of it.
pub(crate) fn contents_of(
    keys: &Keys,
    id: ObjectId,
    size: u64,
    mut read: impl FnMut(Range<u64>) -> Result<ReadBuffer>,
) -> Result<(PackInfo, PackKey)> {
    let name = ObjectName::pack(id);
    let damaged = |reason| Error::damaged(name.as_str(), reason);
    if size < (PREFIX + TAG + TRAILER) as u64 {
        return Err(damaged("truncated"));
    }
    let prefix = read(0..PREFIX as u64)?;
    let kind = PackKind::from_number(prefix[5].into()).ok_or_else(|| damaged("not a pack"))?;
    let key = PackKey::from_prefix(keys, kind, id, &prefix)?;
    let mut trailer = read(size - TRAILER as u64..size)?;
    let range = key.open_trailer(size, &mut trailer).ok_or_else(|| damaged("it has no end"))?;
    let start = range.start;
    let mut sealed = read(range)?;
    let contents = key
        .open_contents(sealed.len() as u32, &mut sealed)
        .ok_or_else(|| damaged("its contents were altered"))?;
    if PREFIX as u64 + contents.sealed_bytes() != start {
        return Err(damaged("its frames do not fill it"));
    }
    Ok((PackInfo { id, kind, size, contents }, key))
}
