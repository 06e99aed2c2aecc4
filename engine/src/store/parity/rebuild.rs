//! Rebuilding a pack, parts of which are unreadable, wrong or absent.

use std::ops::Range;

use super::head::{Copies, Head, load_head};
use super::{code, digest, verify_pack};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::keys::Keys;
use crate::format::object::ObjectName;

/// Bytes that are read at once where everything is readable.
const READ: u64 = 4 << 20;

/// The outcome of rebuilding a pack.
pub(crate) enum Rebuilt {
    /// The pack as it was written, authenticated.
    Whole(Vec<u8>),
    /// There is no usable parity of it.
    WithoutParity,
    /// More of it is damaged than its parity covers.
    TooDamaged,
}

/// Rebuilds a pack of which at most as many shards are damaged as its parity has whole ones; `size` is its size, if an
/// index tells it.
///
/// Memory is taken only for bytes that were read, and for damaged shards of which there are few enough.
///
/// # Errors
/// The error of a destination that does not answer; [`Error::Damaged`] when the result is not authentic: the parity is not that of the pack.
pub(crate) fn rebuild(
    backend: &dyn Backend,
    keys: &Keys,
    id: ObjectId,
    size: Option<u64>,
    interrupted: &dyn Fn() -> bool,
) -> Result<Rebuilt> {
    let (pack, parity) = (ObjectName::pack(id), ObjectName::parity(id));
    let Some(parity_size) = backend.size(&parity)? else { return Ok(Rebuilt::WithoutParity) };
    let head = match load_head(backend, id, parity_size, Copies::Any) {
        Ok(head) if size.is_none_or(|size| size == head.layout.pack_size) => head,
        Err(Error::Interrupted) => return Err(Error::Interrupted),
        Ok(_) | Err(_) => return Ok(Rebuilt::WithoutParity),
    };
    let stored = backend.size(&pack)?.unwrap_or(0);
    let reader = ShardReader { backend, head: &head, parity_size, interrupted };
    let Some(mut read) = reader.read_pack(&pack, stored)? else { return Ok(Rebuilt::TooDamaged) };
    if !read.damaged.is_empty() {
        let recovery = reader.read_recovery(&parity, read.damaged.len())?;
        if recovery.len() < read.damaged.len() {
            return Ok(Rebuilt::TooDamaged);
        }
        code::decode(&head.layout, &mut read.shards, &read.damaged, &recovery);
    }
    read.shards.truncate(head.layout.pack_size as usize);
    verify_pack(keys, id, &read.shards)?;
    Ok(Rebuilt::Whole(read.shards))
}

/// The shards of a pack, one after the other; the damaged ones are zeros.
struct ReadPack {
    shards: Vec<u8>,
    damaged: Vec<usize>,
}

struct ShardReader<'a> {
    backend: &'a dyn Backend,
    head: &'a Head,
    /// The bytes of the parity object that are there.
    parity_size: u64,
    interrupted: &'a dyn Fn() -> bool,
}

impl ShardReader<'_> {
    /// Returns the number of recovery shards that are there, whole or not: more damaged shards are not rebuilt, nor
    /// given memory.
    fn most_damaged(&self) -> usize {
        let layout = &self.head.layout;
        let there = self.parity_size.saturating_sub(layout.head_bytes());
        layout.m.min((there / u64::from(layout.shard)) as u32) as usize
    }

    /// Reads the shards of a pack of which `stored` bytes are there; `None` when more are damaged than parity covers.
    fn read_pack(&self, name: &ObjectName, stored: u64) -> Result<Option<ReadPack>> {
        let layout = &self.head.layout;
        let (shard, k) = (u64::from(layout.shard), layout.k as usize);
        let (at_once, most_damaged) = ((READ / shard).max(1) as usize, self.most_damaged());
        let mut read = ReadPack { shards: Vec::new(), damaged: Vec::new() };
        let range = |numbers: &Range<usize>| {
            let end = (numbers.end as u64 * shard).min(layout.pack_size);
            numbers.start as u64 * shard..end
        };
        for start in (0..k).step_by(at_once) {
            let numbers = start..k.min(start + at_once);
            let together = self.read_stored(name, range(&numbers), stored)?;
            for number in numbers.clone() {
                let own = range(&(number..number + 1));
                let bytes = match &together {
                    Some(bytes) => {
                        let from = (own.start - range(&numbers).start) as usize;
                        bytes.get(from..from + (own.end - own.start) as usize).map(<[u8]>::to_vec)
                    }
                    None => self.read_stored(name, own, stored)?,
                };
                let digest = self.head.digests.get(number);
                match bytes.filter(|bytes| Some(&digest::one(bytes)) == digest) {
                    Some(bytes) => read.shards.extend_from_slice(&bytes),
                    None if read.damaged.len() == most_damaged => return Ok(None),
                    None => read.damaged.push(number),
                }
                read.shards.resize((number + 1) * shard as usize, 0);
            }
        }
        Ok(Some(read))
    }

    /// Reads whole recovery shards until there are `wanted`; returns fewer when there are not as many.
    fn read_recovery(&self, name: &ObjectName, wanted: usize) -> Result<Vec<(usize, Vec<u8>)>> {
        let layout = &self.head.layout;
        let (k, shard) = (layout.k as usize, u64::from(layout.shard));
        let mut found = Vec::new();
        for (number, digest) in self.head.digests.iter().skip(k).enumerate() {
            if found.len() == wanted {
                break;
            }
            let start = layout.head_bytes() + number as u64 * shard;
            let bytes = self.read_stored(name, start..start + shard, self.parity_size)?;
            found.extend(bytes.filter(|bytes| digest::one(bytes) == *digest).map(|b| (number, b)));
        }
        Ok(found)
    }

    /// Reads a range of an object of `stored` bytes; `None` when it can't be read at a destination that answers.
    fn read_stored(
        &self,
        name: &ObjectName,
        range: Range<u64>,
        stored: u64,
    ) -> Result<Option<Vec<u8>>> {
        if (self.interrupted)() {
            return Err(Error::Interrupted);
        }
        if range.end > stored {
            return Ok(None);
        }
        match self.backend.read(name, range) {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            // Without an answer nothing is known of the pack.
            Err(_) => self.backend.size(name).map(|_| None),
        }
    }
}
