//! Packs: sealed frames of blobs, and sealed contents that list them (FORMAT.md §6).

use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use yore_platform::ReadBuffer;
use zstd::bulk::Decompressor;

use crate::error::{Error, Result};
use crate::format::cbor::{self, MapWriter, Read};
use crate::format::id::{BlobId, ObjectId};
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};
use crate::format::seal::{self, Counter, ObjectKey, PREFIX, TAG};

/// The most bytes of the blobs in a frame, and therefore of a blob.
pub const MAX_FRAME: u32 = 16 << 20;
/// The length of the trailer in bytes: the sealed range of the contents, and the magic.
pub(crate) const TRAILER: usize = 12 + TAG + TRAILER_MAGIC.len();
const TRAILER_MAGIC: &[u8; 4] = b"yend";
/// The frame number of the contents in their associated data.
const CONTENTS_NUMBER: u32 = u32::MAX;
/// The frame number of the trailer.
const TRAILER_NUMBER: u32 = u32::MAX - 1;

/// The kind of the blobs in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackKind {
    /// Chunks of files.
    Data,
    /// Trees and lists of chunks.
    Tree,
}

impl PackKind {
    pub(crate) fn object_kind(self) -> Kind {
        match self {
            PackKind::Data => Kind::DataPack,
            PackKind::Tree => Kind::TreePack,
        }
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [PackKind::Data, PackKind::Tree].into_iter().find(|k| k.object_kind() as u64 == number)
    }
}

/// The compression of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// The blobs, uncompressed.
    Raw = 0,
    /// One zstd frame of the blobs.
    Zstd = 1,
}

impl Codec {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Codec::Raw, Codec::Zstd].into_iter().find(|codec| *codec as u64 == number)
    }
}

/// The numbers that are needed to fetch and open a frame, without its offset and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameInfo {
    /// The length in the pack, with the tag.
    pub sealed: u32,
    /// The total length of the blobs.
    pub raw: u32,
    /// The compression.
    pub codec: Codec,
    /// The number of blobs.
    pub blobs: u32,
}

/// The frames and blobs of a pack, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// The frames.
    pub frames: Vec<FrameInfo>,
    /// The id and length of each blob of all frames.
    pub blobs: Vec<(BlobId, u32)>,
}

/// The description of a pack in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackInfo {
    /// The id of the pack.
    pub id: ObjectId,
    /// The kind of its blobs.
    pub kind: PackKind,
    /// The size in bytes.
    pub size: u64,
    /// The frames and blobs.
    pub contents: Contents,
}

impl Contents {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapWriter::new(out);
        let mut frames = map.key(1);
        frames.array(self.frames.len() as u64 * 4);
        for frame in &self.frames {
            let numbers = [frame.sealed, frame.raw, frame.codec as u32, frame.blobs];
            numbers.into_iter().for_each(|number| {
                frames.u64(number.into());
            });
        }
        let ids: Vec<u8> = self.blobs.iter().flat_map(|(id, _)| id.0).collect();
        map.key(2).bytes(&ids);
        let mut lengths = map.key(3);
        lengths.array(self.blobs.len() as u64);
        self.blobs.iter().for_each(|(_, length)| {
            lengths.u64(u64::from(*length));
        });
        map.finish();
    }

    /// Decodes contents; refuses them if counts or lengths are inconsistent.
    pub(crate) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Self> {
        let (mut numbers, mut ids, mut lengths) = (Vec::new(), &[][..], Vec::new());
        let input = d.input().len();
        let known = |key, d: &mut minicbor::Decoder<'_>| {
            match key {
                // Checked before allocating: every frame has a blob, and every blob 33 bytes after this.
                1 => numbers = cbor::numbers_if(d, |items, left| items / 4 <= left / 37)?,
                3 => lengths = cbor::numbers_if(d, |items, _| items <= input / 33)?,
                _ => return Ok(false),
            }
            Ok(true)
        };
        // Key 2 borrows from the input, which the closure above can't return.
        cbor::map(d, known, |key, value| {
            if key == 2 {
                ids = value;
            }
        })?;
        let ids = minicbor::Decoder::new(ids).bytes()?;
        if ids.len() != lengths.len() * 32 || !numbers.len().is_multiple_of(4) {
            return cbor::refuse("counts do not agree");
        }
        let frames = numbers.chunks_exact(4).map(frame_info).collect::<Option<Vec<_>>>();
        let frames = cbor::required(frames)?;
        let mut blobs = Vec::with_capacity(lengths.len());
        for (id, length) in ids.chunks_exact(32).zip(lengths) {
            let length = u32::try_from(length).ok().filter(|&length| length <= MAX_FRAME);
            blobs.push((cbor::required(BlobId::from_slice(id))?, cbor::required(length)?));
        }
        let contents = Self { frames, blobs };
        if contents.is_consistent() { Ok(contents) } else { cbor::refuse("lengths do not agree") }
    }

    /// Returns true if the blobs of every frame have its length in total, and every blob is in a frame.
    fn is_consistent(&self) -> bool {
        let mut blobs = self.blobs.iter();
        let frames_agree = self.frames.iter().all(|frame| {
            let taken = blobs.by_ref().take(frame.blobs as usize);
            taken.map(|(_, length)| u64::from(*length)).sum::<u64>() == u64::from(frame.raw)
        });
        let counted: u64 = self.frames.iter().map(|frame| u64::from(frame.blobs)).sum();
        frames_agree && counted == self.blobs.len() as u64
    }

    /// Returns the bytes of all frames in the pack.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.frames.iter().map(|frame| u64::from(frame.sealed)).sum()
    }
}

fn frame_info(numbers: &[u64]) -> Option<FrameInfo> {
    let number = |at: usize| u32::try_from(*numbers.get(at)?).ok();
    let frame = FrameInfo {
        sealed: number(0)?,
        raw: number(1)?,
        codec: Codec::from_number(*numbers.get(2)?)?,
        blobs: number(3)?,
    };
    let bound = MAX_FRAME + TAG as u32;
    (frame.raw <= MAX_FRAME && (TAG as u32..=bound).contains(&frame.sealed)).then_some(frame)
}

impl PackInfo {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut map = MapWriter::new(out);
        map.key(1).bytes(&self.id.0);
        map.key(2).u64(self.kind.object_kind() as u64);
        map.key(3).u64(self.size);
        let mut contents = Vec::new();
        self.contents.encode(&mut contents);
        map.key(4).raw(&contents);
        map.finish();
    }

    pub(crate) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Self> {
        let (mut id, mut kind, mut size, mut contents) = (None, None, None, None);
        let known = |key, d: &mut minicbor::Decoder<'_>| {
            match key {
                1 => id = Some(ObjectId(cbor::bytes32(d)?)),
                2 => kind = PackKind::from_number(d.u64()?),
                3 => size = Some(d.u64()?),
                4 => contents = Some(Contents::decode(d)?),
                _ => return Ok(false),
            }
            Ok(true)
        };
        cbor::map(d, known, |_, _| {})?;
        Ok(Self {
            id: cbor::required(id)?,
            kind: cbor::required(kind)?,
            size: cbor::required(size)?,
            contents: cbor::required(contents)?,
        })
    }
}

fn position(number: u32, sealed: u32, raw: u32, codec: u8) -> [u8; 13] {
    let mut position = [0; 13];
    position[..4].copy_from_slice(&number.to_be_bytes());
    position[4..8].copy_from_slice(&sealed.to_be_bytes());
    position[8..12].copy_from_slice(&raw.to_be_bytes());
    position[12] = codec;
    position
}

fn trailer_position() -> [u8; 13] {
    position(TRAILER_NUMBER, 0, 0, u8::MAX - 1)
}

/// The key of one pack.
///
/// A reader of single frames does not know under which generation of the master secret a pack is sealed: it tries the
/// generations, the one in force first, until one opens a frame, and uses that from then on.
pub(crate) struct PackKey {
    id: ObjectId,
    /// The keys of the generations that are tried; of one that is known, only that.
    keys: Vec<ObjectKey>,
    /// The place of the one that has opened something.
    known: AtomicUsize,
}

/// The value of `known` before anything was opened.
const NOT_KNOWN: usize = usize::MAX;

impl PackKey {
    /// Draws the key of a new pack; `first` is hashed into the salt, such as the ids of the first frame's blobs.
    pub(crate) fn draw(keys: &Keys, kind: PackKind, first: &[u8]) -> Self {
        let (salt, object_kind) = (keys.draw_salt(first), kind.object_kind());
        match keys.inbox() {
            Some(inbox) if kind == PackKind::Data => {
                let (id, secret) = inbox.encapsulate(keys.repository(), salt);
                let name = ObjectName::pack(id);
                Self::one(id, ObjectKey::of_secret(keys, object_kind, &name, id.0, &secret))
            }
            _ => {
                let (id, name) = (ObjectId(salt), ObjectName::pack(ObjectId(salt)));
                Self::one(id, ObjectKey::for_writing(keys, object_kind, &name, salt))
            }
        }
    }

    /// Derives the key of the pack `id` without its prefix.
    ///
    /// # Errors
    /// [`Refusal::WriteOnly`] for a data pack, when these are the keys of a write-only machine.
    pub(crate) fn derive(keys: &Keys, kind: PackKind, id: ObjectId) -> Result<Self> {
        let name = ObjectName::pack(id);
        let of_generation = |generation: u8| {
            ObjectKey::of_generation(keys, kind.object_kind(), &name, id.0, generation)
        };
        let found: Vec<ObjectKey> = keys.all_generations().filter_map(of_generation).collect();
        let known = match found.len() {
            0 => {
                let unknown = || Error::damaged(name.as_str(), "its key is not known");
                return Err(keys.inbox().map_or_else(unknown, |inbox| inbox.unopened(&name)));
            }
            1 => 0,
            _ => NOT_KNOWN,
        };
        Ok(Self { id, keys: found, known: AtomicUsize::new(known) })
    }

    fn one(id: ObjectId, key: ObjectKey) -> Self {
        Self { id, keys: vec![key], known: AtomicUsize::new(0) }
    }

    /// Returns the key of the generation that is known, or else of the one in force.
    fn key(&self) -> &ObjectKey {
        let known = self.known.load(Ordering::Relaxed);
        self.keys.get(known).unwrap_or(&self.keys[0])
    }

    /// Decrypts something of the pack in place, with the key that is known or with one after the other.
    fn open<'a>(
        &self,
        counter: impl Fn() -> Counter,
        position: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        if self.known.load(Ordering::Relaxed) != NOT_KNOWN {
            return self.key().open(counter(), position, sealed);
        }
        // A key that is wrong leaves other bytes behind.
        let original = sealed.to_vec();
        let found = self.keys.iter().position(|key| {
            sealed.copy_from_slice(&original);
            key.open(counter(), position, sealed).is_some()
        })?;
        self.known.store(found, Ordering::Relaxed);
        let length = sealed.len().checked_sub(TAG)?;
        sealed.get_mut(..length)
    }

    /// Derives the key of a pack from its prefix, and verifies the prefix.
    pub(crate) fn from_prefix(
        keys: &Keys,
        kind: PackKind,
        id: ObjectId,
        prefix: &[u8],
    ) -> Result<Self> {
        let name = ObjectName::pack(id);
        Ok(Self::one(id, ObjectKey::for_reading(keys, kind.object_kind(), &name, prefix)?))
    }

    pub(crate) fn id(&self) -> ObjectId {
        self.id
    }

    /// Returns the prefix of the pack.
    pub(crate) fn prefix(&self) -> &[u8] {
        self.key().prefix()
    }

    /// Encrypts a frame's stored bytes in place and appends the tag.
    pub(crate) fn seal_frame(&self, number: u32, raw: u32, codec: Codec, stored: &mut Vec<u8>) {
        let sealed = (stored.len() + TAG) as u32;
        self.key().seal(
            Counter::frame(number),
            &position(number, sealed, raw, codec as u8),
            stored,
            0,
        );
    }

    /// Decrypts a frame in place and returns its stored bytes; `None` when it is not authentic.
    pub(crate) fn open_frame<'a>(
        &self,
        number: u32,
        frame: &FrameInfo,
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let position = position(number, frame.sealed, frame.raw, frame.codec as u8);
        self.open(|| Counter::frame(number), &position, sealed)
    }

    /// Seals the contents of a pack whose frames end at `offset`; returns the bytes from there to the end of the pack.
    pub(crate) fn seal_end(&self, contents: &Contents, offset: u64) -> Vec<u8> {
        let mut encoded = Vec::new();
        contents.encode(&mut encoded);
        let after = offset as usize + TAG + TRAILER;
        let mut end = Vec::new();
        seal::append_padded(&mut end, &encoded, after);
        let length = (end.len() + TAG) as u32;
        let position = position(CONTENTS_NUMBER, length, 0, u8::MAX);
        self.key().seal(Counter::CONTENTS, &position, &mut end, 0);
        let trailer = end.len();
        end.extend_from_slice(&offset.to_be_bytes());
        end.extend_from_slice(&length.to_be_bytes());
        self.key().seal(Counter::TRAILER, &trailer_position(), &mut end, trailer);
        end.extend_from_slice(TRAILER_MAGIC);
        end
    }

    /// Decrypts the trailer of a pack of `size` bytes; returns the range of the sealed contents, or `None` when the
    /// trailer is not authentic.
    ///
    /// The range is sealed, since its offset is the total length of all frames, which padding hides.
    pub(crate) fn open_trailer(&self, size: u64, trailer: &mut [u8]) -> Option<Range<u64>> {
        let sealed = trailer.len().checked_sub(TRAILER_MAGIC.len())?;
        let (sealed, magic) = trailer.split_at_mut(sealed);
        if magic != TRAILER_MAGIC {
            return None;
        }
        let range = self.open(|| Counter::TRAILER, &trailer_position(), sealed)?;
        let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
        let (offset, length) = range.split_at_checked(8)?;
        let (offset, length) = (number(offset), number(length));
        let end = size.checked_sub(TRAILER as u64)?;
        let fits = offset.checked_add(length) == Some(end) && offset >= PREFIX as u64;
        (fits && length <= seal::MAX_OBJECT as u64).then_some(offset..end)
    }

    pub(crate) fn open_contents(&self, length: u32, sealed: &mut [u8]) -> Option<Contents> {
        let position = position(CONTENTS_NUMBER, length, 0, u8::MAX);
        let plain = self.open(|| Counter::CONTENTS, &position, sealed)?;
        let content = seal::read_padded(plain, seal::MAX_CONTENT)?;
        let mut d = minicbor::Decoder::new(&content);
        let contents = Contents::decode(&mut d).ok()?;
        (d.position() == content.len()).then_some(contents)
    }
}

thread_local! {
    /// The decompressor of this thread, since creating one costs more than decoding a small frame.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> =
        RefCell::new(Decompressor::new().ok());
}

/// Decodes a decrypted frame into the bytes of its blobs; `None` when the length is wrong.
pub(crate) fn decode_frame(frame: &FrameInfo, stored: &[u8], out: &mut ReadBuffer) -> Option<()> {
    out.fit(frame.raw as usize);
    let length = match frame.codec {
        Codec::Raw => {
            out.get_mut(..stored.len())?.copy_from_slice(stored);
            stored.len()
        }
        Codec::Zstd => DECOMPRESSOR.with_borrow_mut(|decompressor| {
            decompressor.as_mut()?.decompress_to_buffer(stored, &mut **out).ok()
        })?,
    };
    (length == out.len()).then_some(())
}
