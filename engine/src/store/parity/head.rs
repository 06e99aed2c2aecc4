//! The head of a parity object: its pack, the shards, and a digest of each (FORMAT.md §14).

use sha2::{Digest, Sha256};

use super::digest::DIGEST;
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::ObjectName;

/// The first bytes of the fixed part: the format's magic and version, and the kind 14.
const MAGIC: [u8; 8] = *b"yore\x01\x0e\0\0";
/// The length of the fixed part.
const FIXED: usize = MAGIC.len() + 32 + 8 + 3 * 4;
const CHECKSUM: usize = 32;

/// The bytes of a disk's sector, and so of the smallest shard of a pack that is not smaller.
const SECTOR: u64 = 4096;
/// The bytes of the code's smallest unit.
const UNIT: u64 = 64;
/// The shards into which a large pack is cut at most: 32 KiB each in a pack of 64 MiB.
const SHARDS: u64 = 2048;

/// Bounds on reading.
const MAX_SHARDS: u32 = 4096;
const MAX_SHARD: u32 = 4 << 20;
const MAX_PACK: u64 = 2 << 30;
/// The most bytes of a head.
const MAX_HEAD: u64 = (FIXED + 2 * MAX_SHARDS as usize * DIGEST + CHECKSUM) as u64;
/// The most bytes of a parity object.
pub(crate) const MAX_PARITY_OBJECT: u64 = MAX_PACK + 2 * MAX_HEAD;
/// The bytes that are read first: the heads of most packs are smaller.
const READ: u64 = 64 << 10;

/// The shards of a pack and of its parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The size of the pack.
    pub(super) pack_size: u64,
    /// The length of a shard in bytes; the last one of the pack may be shorter, and counts as padded with zeros.
    pub(super) shard: u32,
    /// The number of shards of the pack.
    pub(super) k: u32,
    /// The number of recovery shards.
    pub(super) m: u32,
}

impl Layout {
    /// Chooses the shards of a pack with parity of so many per cent: the smallest power of two of bytes from a sector
    /// on that gives few enough shards; a pack that is smaller than a sector is one shard.
    pub(super) fn for_pack(pack_size: u64, percent: u32) -> Self {
        let size = pack_size.max(1);
        let shard = match size < SECTOR {
            true => size.next_multiple_of(UNIT),
            false => size.div_ceil(SHARDS).next_power_of_two().max(SECTOR),
        };
        let k = size.div_ceil(shard);
        let m = (k * u64::from(percent)).div_ceil(100).clamp(1, k);
        Self { pack_size, shard: shard as u32, k: k as u32, m: m as u32 }
    }

    fn is_within_bounds(&self) -> bool {
        (1..=MAX_PACK).contains(&self.pack_size)
            && (1..=MAX_SHARD).contains(&self.shard)
            && self.shard.is_multiple_of(UNIT as u32)
            && (1..=MAX_SHARDS).contains(&self.k)
            && (1..=self.k).contains(&self.m)
            && self.pack_size.div_ceil(self.shard.into()) == u64::from(self.k)
    }

    /// Returns the length of the head.
    pub(super) fn head_bytes(&self) -> u64 {
        (FIXED + CHECKSUM) as u64 + u64::from(self.k + self.m) * DIGEST as u64
    }

    /// Returns the size of the parity object.
    pub(super) fn object_size(&self) -> u64 {
        2 * self.head_bytes() + u64::from(self.m) * u64::from(self.shard)
    }

    /// Returns the recovery shards in per cent of the pack's, rounded down, but at least 1.
    pub(super) fn percent(&self) -> u32 {
        (u64::from(self.m) * 100 / u64::from(self.k).max(1)).max(1) as u32
    }

    /// Returns the shards of a pack.
    pub(super) fn originals<'p>(&self, pack: &'p [u8]) -> impl Iterator<Item = &'p [u8]> + use<'p> {
        pack.chunks(self.shard as usize)
    }

    fn decode(fixed: &[u8], pack: ObjectId) -> Option<Self> {
        let rest = fixed.strip_prefix(&MAGIC)?.strip_prefix(&pack.0)?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (shard, rest) = rest.split_first_chunk::<4>()?;
        let (k, rest) = rest.split_first_chunk::<4>()?;
        let m: &[u8; 4] = rest.try_into().ok()?;
        let number = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
        let layout = Self {
            pack_size: u64::from_be_bytes(*size),
            shard: number(shard),
            k: number(k),
            m: number(m),
        };
        layout.is_within_bounds().then_some(layout)
    }
}

/// The content of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(super) pack: ObjectId,
    pub(super) layout: Layout,
    /// The digests of the shards of the pack, then of the recovery shards.
    pub(super) digests: Vec<[u8; DIGEST]>,
}

/// The copies of a head that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copies {
    /// The first, which must be whole.
    First,
    /// The first, or the last if it is damaged.
    Any,
}

impl Head {
    /// Returns the size of the pack.
    pub(crate) fn pack_size(&self) -> u64 {
        self.layout.pack_size
    }

    /// Returns the size of the parity object.
    pub(crate) fn object_size(&self) -> u64 {
        self.layout.object_size()
    }

    /// Returns the recovery shards in per cent of the pack's.
    pub(crate) fn percent(&self) -> u32 {
        self.layout.percent()
    }

    fn fixed(&self) -> Vec<u8> {
        let Layout { pack_size, shard, k, m } = self.layout;
        let mut fixed = MAGIC.to_vec();
        fixed.extend_from_slice(&self.pack.0);
        fixed.extend_from_slice(&pack_size.to_be_bytes());
        [shard, k, m].iter().for_each(|number| fixed.extend_from_slice(&number.to_be_bytes()));
        fixed
    }

    /// Encodes the head as it is at the front: fixed part, digests, checksum.
    pub(super) fn encode_first(&self) -> Vec<u8> {
        let (fixed, table) = (self.fixed(), self.digests.as_flattened());
        [&fixed, table, &checksum(&fixed, table)].concat()
    }

    /// Encodes the head as it is at the end, where the fixed part is found from the end: checksum, digests, fixed part.
    pub(super) fn encode_last(&self) -> Vec<u8> {
        let (fixed, table) = (self.fixed(), self.digests.as_flattened());
        [&checksum(&fixed, table), table, &fixed].concat()
    }

    /// Decodes a head from the bytes at the front of an object.
    pub(super) fn decode_first(pack: ObjectId, bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        let layout = Layout::decode(fixed, pack)?;
        let table = layout.head_bytes() as usize - FIXED - CHECKSUM;
        let (table, rest) = rest.split_at_checked(table)?;
        Self::verified(pack, layout, (fixed, table, rest.get(..CHECKSUM)?))
    }

    /// Decodes a head from the bytes at the end of an object.
    fn decode_last(pack: ObjectId, bytes: &[u8]) -> Option<Self> {
        let (rest, fixed) = bytes.split_at_checked(bytes.len().checked_sub(FIXED)?)?;
        let layout = Layout::decode(fixed, pack)?;
        let length = layout.head_bytes() as usize - FIXED;
        let head = rest.get(rest.len().checked_sub(length)?..)?;
        let (sum, table) = head.split_at_checked(CHECKSUM)?;
        Self::verified(pack, layout, (fixed, table, sum))
    }

    fn verified(
        pack: ObjectId,
        layout: Layout,
        (fixed, table, sum): (&[u8], &[u8], &[u8]),
    ) -> Option<Self> {
        let (digests, _) = table.as_chunks::<DIGEST>();
        let is_whole = checksum(fixed, table) == sum;
        is_whole.then(|| Self { pack, layout, digests: digests.to_vec() })
    }
}

fn checksum(fixed: &[u8], table: &[u8]) -> [u8; CHECKSUM] {
    Sha256::new().chain_update(fixed).chain_update(table).finalize().into()
}

/// Loads the head of a parity object of `size` bytes.
///
/// # Errors
/// [`Error::Damaged`] when no copy that `copies` allows is whole; the error of the destination.
pub(crate) fn load_head(
    backend: &dyn Backend,
    pack: ObjectId,
    size: u64,
    copies: Copies,
) -> Result<Head> {
    let name = ObjectName::parity(pack);
    let first =
        load_at(backend, &name, size, |length| 0..length, |bytes| Head::decode_first(pack, bytes));
    if copies == Copies::First {
        return first;
    }
    match first {
        Ok(head) => Ok(head),
        Err(Error::Interrupted) => Err(Error::Interrupted),
        // The first copy may lie in an unreadable sector.
        Err(first) => load_at(
            backend,
            &name,
            size,
            |length| size - length..size,
            |bytes| Head::decode_last(pack, bytes),
        )
        .map_err(|_| first),
    }
}

/// Reads a head at one end of an object: most of them in one request, larger ones in another.
fn load_at(
    backend: &dyn Backend,
    name: &ObjectName,
    size: u64,
    range: impl Fn(u64) -> std::ops::Range<u64>,
    decode: impl Fn(&[u8]) -> Option<Head>,
) -> Result<Head> {
    for length in [READ, MAX_HEAD] {
        let length = length.min(size);
        if let Some(head) = decode(&backend.read(name, range(length))?) {
            return Ok(head);
        }
        if length == size {
            break;
        }
    }
    Err(Error::damaged(name.as_str(), "its head was altered"))
}
