//! The header: identity, parameters and required features of a repository (FORMAT.md §3).

use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::format::cbor::{self, MapWriter, Read, Writer};
use crate::format::id::RepositoryId;
use crate::format::keys::Keys;

/// The format version that this program reads and writes.
pub const FORMAT_VERSION: u64 = 1;
/// The size limit of a header in bytes.
pub(crate) const MAX_HEADER: u64 = 64 << 10;
const IDENTIFICATION: &str = "yore repository";
/// The feature of the inbox of a write-only machine (FORMAT.md §15).
pub(crate) const INBOX: &str = "inbox";
/// What the owner of an inbox signs together with the body of a header.
const SIGNED: &[u8] = b"yore/1 header\0";

/// The sizes that every writer of a repository uses, so that equal data deduplicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// The smallest chunk of content-defined chunking, in bytes.
    pub chunk_min: u32,
    /// The average chunk, a power of two.
    pub chunk_average: u32,
    /// The largest chunk.
    pub chunk_max: u32,
    /// The target size of a frame, in bytes of blobs.
    pub frame: u32,
    /// The target size of a pack in bytes.
    pub pack: u64,
    /// The largest file whose content is stored in its node.
    pub inline: u32,
    /// The parity of a new pack, in per cent of its size; 0 for none.
    pub parity: u32,
}

/// The most parity of a pack, in per cent of its size.
pub const MAX_PARITY: u32 = 100;

impl Default for Parameters {
    fn default() -> Self {
        Self {
            chunk_min: 128 << 10,
            chunk_average: 512 << 10,
            chunk_max: 2 << 20,
            frame: 512 << 10,
            pack: 64 << 20,
            inline: 512,
            parity: 0,
        }
    }
}

impl Parameters {
    fn is_within_bounds(&self) -> bool {
        self.chunk_average.is_power_of_two()
            && (64..=1 << 20).contains(&self.chunk_min)
            && (self.chunk_min..=4 << 20).contains(&self.chunk_average)
            && (self.chunk_average..=16 << 20).contains(&self.chunk_max)
            && (4 << 10..=8 << 20).contains(&self.frame)
            && (64 << 10..=1 << 30).contains(&self.pack)
            && self.inline <= 64 << 10
            && self.parity <= MAX_PARITY
    }
}

/// The content of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The id of the repository.
    pub repository: RepositoryId,
    /// The sizes for writers.
    pub parameters: Parameters,
    /// The time of creation, in seconds since 1970 UTC.
    pub created: i64,
    /// The number of the header: 0 for `yore.cbor`, from 1 for `headers/`.
    pub number: u64,
    /// The generation of the master secret under which new objects are sealed, from 1.
    pub generation: u8,
    /// It is the inbox of a write-only machine: the feature `inbox`.
    pub is_inbox: bool,
    /// An unknown feature that writers must support; with one, this program only reads.
    pub unknown_to_writers: Option<String>,
}

impl Header {
    /// Encodes the header with its tag; that of an inbox is its owner's signature.
    ///
    /// # Errors
    /// [`Refusal::WriteOnly`](crate::Refusal::WriteOnly) for the machine of an inbox.
    pub(crate) fn encode(&self, keys: &Keys) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut map = MapWriter::new(&mut body);
        map.key(0).str(IDENTIFICATION);
        map.key(1).u64(FORMAT_VERSION);
        map.key(2).bytes(&self.repository.0);
        let p = &self.parameters;
        let sizes = [p.chunk_min, p.chunk_average, p.chunk_max, p.frame].map(u64::from);
        let mut parameters = map.key(3);
        parameters.map(6 + u64::from(p.parity > 0));
        for (key, size) in (1..).zip(sizes.into_iter().chain([p.pack, u64::from(p.inline)])) {
            parameters.u64(key).u64(size);
        }
        if p.parity > 0 {
            parameters.u64(7).u64(p.parity.into());
        }
        let mut features = map.key(4);
        features.array(u64::from(self.is_inbox));
        if self.is_inbox {
            features.str(INBOX);
        }
        map.key(5).array(0);
        map.key(6).i64(self.created);
        if self.number > 0 {
            map.key(7).u64(self.number);
        }
        if self.generation > 1 {
            map.key(8).u64(self.generation.into());
        }
        map.finish();
        let tag = match keys.inbox() {
            Some(inbox) => inbox.sign_as_owner(&[SIGNED, &body])?.to_vec(),
            None => {
                let key = keys.header(self.generation).expect("a writer knows the generation");
                key.mac(&[&body]).to_vec()
            }
        };
        let mut out = Vec::new();
        Writer::new(&mut out).array(2).bytes(&body).bytes(&tag);
        Ok(out)
    }
}

/// A header whose tag is not verified yet, since the keys are not known.
pub(crate) struct Unverified {
    pub(crate) header: Header,
    location: String,
    body: Vec<u8>,
    tag: Vec<u8>,
}

impl Unverified {
    /// Decodes a header found at `location`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names the first version or feature that this program does not know.
    pub(crate) fn decode(location: &str, bytes: &[u8]) -> Result<Self> {
        let parsed = parse(bytes).map_err(|_| Error::damaged("yore.cbor", "it does not decode"))?;
        let unsupported = |feature| Error::Unsupported { location: location.into(), feature };
        if parsed.version != FORMAT_VERSION {
            return Err(unsupported(format!("repository format {}", parsed.version)));
        }
        if let Some(feature) = parsed.features.into_iter().find(|feature| feature != INBOX) {
            return Err(unsupported(format!("the feature {feature:?}")));
        }
        let Some(header) = parsed.header.filter(|header| header.parameters.is_within_bounds())
        else {
            return Err(Error::damaged("yore.cbor", "it lacks a part or holds impossible sizes"));
        };
        Ok(Self { header, location: location.into(), body: parsed.body, tag: parsed.tag })
    }

    /// Verifies the tag with the keys of the repository.
    ///
    /// # Errors
    /// [`Error::OutdatedSecret`] when the keys lack the generation of the header.
    pub(crate) fn verify(self, keys: &Keys) -> Result<Header> {
        match self.verifies(keys) {
            Some(true) => Ok(self.header),
            Some(false) => Err(Error::damaged("yore.cbor", "its bytes were altered")),
            None => Err(Error::OutdatedSecret { location: self.location }),
        }
    }

    /// Returns whether the tag is right; `None` if the keys lack the generation of the header.
    pub(crate) fn verifies(&self, keys: &Keys) -> Option<bool> {
        match keys.inbox() {
            Some(inbox) => {
                let is_signed = inbox.is_of_owner(&[SIGNED, &self.body], &self.tag);
                Some(is_signed && self.header.is_inbox)
            }
            None if self.header.is_inbox => Some(false),
            None => {
                let tag = keys.header(self.header.generation)?.mac(&[&self.body]);
                Some(tag.as_slice().ct_eq(&self.tag).into())
            }
        }
    }
}

struct Parsed {
    version: u64,
    features: Vec<String>,
    header: Option<Header>,
    body: Vec<u8>,
    tag: Vec<u8>,
}

fn parse(bytes: &[u8]) -> Read<Parsed> {
    let (body, tag) = body_and_tag(bytes)?;
    let (mut identified, mut version, mut features) = (false, None, Vec::new());
    let (mut repository, mut parameters, mut created, mut number) = (None, None, None, 0);
    let (mut generation, mut unknown_to_writers) = (1, None);
    cbor::whole_map(body, |key, d| {
        match key {
            0 => identified = d.str()? == IDENTIFICATION,
            1 => version = Some(d.u64()?),
            2 => repository = Some(RepositoryId(cbor::bytes32(d)?)),
            3 => parameters = Some(parse_parameters(d)?),
            4 => features.extend(cbor::texts(d)?),
            5 => unknown_to_writers = cbor::texts(d)?.into_iter().next(),
            6 => created = Some(d.i64()?),
            7 => number = d.u64()?,
            8 => generation = d.u64()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if !identified {
        return cbor::refuse("not a header");
    }
    let generation = u8::try_from(generation).ok().filter(|generation| *generation > 0);
    let generation = cbor::required(generation)?;
    let is_inbox = features.iter().any(|feature| feature == INBOX);
    let header = match (repository, parameters, created) {
        (Some(repository), Some(parameters), Some(created)) => Some(Header {
            repository,
            parameters,
            created,
            number,
            generation,
            is_inbox,
            unknown_to_writers,
        }),
        _ => None,
    };
    let version = cbor::required(version)?;
    Ok(Parsed { version, features, header, body: body.to_vec(), tag: tag.to_vec() })
}

fn parse_parameters(d: &mut minicbor::Decoder<'_>) -> Read<Parameters> {
    let mut p = Parameters {
        chunk_min: 0,
        chunk_average: 0,
        chunk_max: 0,
        frame: 0,
        pack: 0,
        inline: 0,
        parity: 0,
    };
    let known = |key, d: &mut minicbor::Decoder<'_>| {
        match key {
            1 => p.chunk_min = d.u32()?,
            2 => p.chunk_average = d.u32()?,
            3 => p.chunk_max = d.u32()?,
            4 => p.frame = d.u32()?,
            5 => p.pack = d.u64()?,
            6 => p.inline = d.u32()?,
            7 => p.parity = d.u32()?,
            _ => return Ok(false),
        }
        Ok(true)
    };
    cbor::map(d, known, |_, _| {})?;
    Ok(p)
}

/// Splits an array of two byte strings into body and tag.
fn body_and_tag(bytes: &[u8]) -> Read<(&[u8], &[u8])> {
    let mut d = minicbor::Decoder::new(bytes);
    cbor::expect_items(&mut d, 2)?;
    let pair = (d.bytes()?, d.bytes()?);
    if d.position() == bytes.len() { Ok(pair) } else { cbor::refuse("trailing bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::keys::MasterSecret;

    fn sample() -> (Header, Keys) {
        let repository = RepositoryId([9; 32]);
        let keys = Keys::derive(&MasterSecret::from_bytes([1; 32]), repository);
        (
            Header {
                repository,
                parameters: Parameters::default(),
                created: -5,
                number: 3,
                generation: 1,
                is_inbox: false,
                unknown_to_writers: None,
            },
            keys,
        )
    }

    #[test]
    fn a_header_round_trips() {
        let (mut header, keys) = sample();
        for parity in [0, 5, MAX_PARITY] {
            header.parameters.parity = parity;
            let bytes = header.encode(&keys).expect("a tag");
            let read = Unverified::decode("here", &bytes).and_then(|read| read.verify(&keys));
            assert_eq!(read.expect("it is whole"), header);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_detected() {
        let (header, keys) = sample();
        let bytes = header.encode(&keys).expect("a tag");
        for byte in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[byte] ^= 1 << (byte % 8);
            let read = Unverified::decode("here", &altered).and_then(|read| read.verify(&keys));
            assert!(read.is_err(), "byte {byte}");
        }
    }
}
