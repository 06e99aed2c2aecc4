//! Sealing: authenticated encryption of objects (FORMAT.md §2, §5).
//!
//! Each object has its own key, so the nonce is a counter. Name, kind, version, repository and position
//! are associated data, so objects and frames can't be swapped, renamed or spliced.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use subtle::ConstantTimeEq;

use crate::error::{Error, Refusal, Result};
use crate::format::keys::{Keys, PurposeKey, SIGNATURE, derive_committed};
use crate::format::object::{Kind, ObjectName};

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
/// The bytes before the body in a padded plaintext: codec, length of content, length of body.
const BODY_HEAD: usize = 9;
const MAGIC: &[u8; 4] = b"yore";
const VERSION: u8 = 1;

/// The nonce of one AEAD call under an object's key. It can't be copied, so that no call uses it twice.
pub(crate) struct Counter(u64);

impl Counter {
    /// The nonce of an object sealed whole, whose key seals nothing else.
    pub(crate) const WHOLE: Counter = Counter(0);
    /// The nonce of a pack's contents.
    pub(crate) const CONTENTS: Counter = Counter(u64::MAX);
    /// The nonce of a pack's trailer.
    pub(crate) const TRAILER: Counter = Counter(u64::MAX - 1);

    /// Returns the nonce of frame `number` of a pack.
    pub(crate) fn frame(number: u32) -> Self {
        Counter(u64::from(number) + 1)
    }

    fn nonce(self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[4..].copy_from_slice(&self.0.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

/// How the key of an object is found, and who may make the object: byte 6 of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Wrapping {
    /// Its key derives from a purpose key.
    PurposeKey = 0,
    /// Its key derives from a secret that is encapsulated to a public key; the id is the encapsulated key.
    PublicKey = 1,
    /// As by a purpose key, and followed by a signature.
    Signed = 2,
}

impl Wrapping {
    /// Returns the wrapping of objects of a kind; in an inbox a machine may not make all of them (FORMAT.md §15).
    fn of(keys: &Keys, kind: Kind) -> Self {
        if keys.inbox().is_none() {
            return Wrapping::PurposeKey;
        }
        match kind {
            Kind::DataPack => Wrapping::PublicKey,
            Kind::Snapshot
            | Kind::Tombstone
            | Kind::Annotation
            | Kind::Generation
            | Kind::GenerationEnd => Wrapping::Signed,
            Kind::TreePack
            | Kind::Index
            | Kind::Session
            | Kind::Verdict
            | Kind::Destination
            | Kind::Heartbeat => Wrapping::PurposeKey,
        }
    }

    /// Returns the bytes after the tag of an object that is sealed whole.
    fn signature(self) -> usize {
        if self == Wrapping::Signed { SIGNATURE } else { 0 }
    }
}

/// The key of one object, with the associated data that all calls under it share.
pub(crate) struct ObjectKey {
    cipher: LessSafeKey,
    /// Prefix, repository id, name and a zero byte.
    associated_prefix: Vec<u8>,
}

impl ObjectKey {
    /// Derives the key of a new object with `salt`.
    pub(crate) fn for_writing(keys: &Keys, kind: Kind, name: &ObjectName, salt: [u8; 32]) -> Self {
        let in_force = Self::of_generation(keys, kind, name, salt, keys.in_force());
        in_force.expect("the generation in force is known")
    }

    /// Derives the key of an object with `salt` that is sealed under a generation; `None` if that is not known.
    pub(crate) fn of_generation(
        keys: &Keys,
        kind: Kind,
        name: &ObjectName,
        salt: [u8; 32],
        generation: u8,
    ) -> Option<Self> {
        let pair = object_key(keys, kind, &salt, generation)?;
        Some(Self::of_pair(keys, kind, name, (salt, generation), &pair))
    }

    /// Derives the key of a new object with `salt` from a secret of its own.
    pub(crate) fn of_secret(
        keys: &Keys,
        kind: Kind,
        name: &ObjectName,
        salt: [u8; 32],
        secret: &PurposeKey,
    ) -> Self {
        let pair = derive_committed(secret.bytes(), &salt, &derivation(keys, &[kind as u8]));
        Self::of_pair(keys, kind, name, (salt, keys.in_force()), &pair)
    }

    fn of_pair(
        keys: &Keys,
        kind: Kind,
        name: &ObjectName,
        (salt, generation): ([u8; 32], u8),
        (key, commitment): &KeyPair,
    ) -> Self {
        let mut prefix = [0; PREFIX];
        prefix[..4].copy_from_slice(MAGIC);
        prefix[4] = VERSION;
        prefix[5] = kind as u8;
        prefix[6] = Wrapping::of(keys, kind) as u8;
        prefix[7] = generation;
        prefix[8..40].copy_from_slice(&salt);
        prefix[40..].copy_from_slice(commitment);
        let associated_prefix = associated_prefix(&prefix, keys, name);
        Self { cipher: cipher(key), associated_prefix }
    }

    /// Derives the key of an object from its prefix, and verifies the prefix.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the prefix is not that of `name`, [`Error::Unsupported`] when its version
    /// or wrapping is unknown.
    pub(crate) fn for_reading(
        keys: &Keys,
        kind: Kind,
        name: &ObjectName,
        object: &[u8],
    ) -> Result<Self> {
        let damaged = |reason| Error::damaged(name.as_str(), reason);
        let prefix: &[u8; PREFIX] = object.first_chunk().ok_or_else(|| damaged("truncated"))?;
        if &prefix[..4] != MAGIC {
            return Err(damaged("not an object of a repository"));
        }
        let [version, wrapping, generation] = [prefix[4], prefix[6], prefix[7]];
        let unsupported = || {
            let feature =
                format!("format {version}, wrapping {wrapping}, secret generation {generation}");
            Error::Unsupported { location: name.to_string(), feature }
        };
        let expected = Wrapping::of(keys, kind);
        if [version, wrapping] != [VERSION, expected as u8] {
            return Err(unsupported());
        }
        if prefix[5] != kind as u8 {
            return Err(damaged("an object of another kind"));
        }
        let salt: [u8; 32] = prefix[8..40].try_into().expect("a prefix holds a salt");
        if salt_is_id(kind) && name.id() != Some(salt) {
            return Err(damaged("an object of another name"));
        }
        let (key, commitment) =
            object_key(keys, kind, &salt, generation).ok_or_else(|| match keys.inbox() {
                Some(inbox) if expected == Wrapping::PublicKey => inbox.unopened(name),
                _ => unsupported(),
            })?;
        if !bool::from(commitment.ct_eq(&prefix[40..])) {
            return Err(damaged("sealed with another key"));
        }
        Ok(Self { cipher: cipher(&key), associated_prefix: associated_prefix(prefix, keys, name) })
    }

    /// Returns the prefix of the object.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.associated_prefix[..PREFIX]
    }

    /// Encrypts `buffer[from..]` in place and appends the tag.
    pub(crate) fn seal(
        &self,
        counter: Counter,
        position: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) {
        let associated = Aad::from(self.associated(position));
        let tag = self
            .cipher
            .seal_in_place_separate_tag(counter.nonce(), associated, &mut buffer[from..])
            .expect("a frame is far below the limit of AES-GCM");
        buffer.extend_from_slice(tag.as_ref());
    }

    /// Decrypts `sealed` in place and returns the plaintext, or `None` when it is not authentic.
    pub(crate) fn open<'a>(
        &self,
        counter: Counter,
        position: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a mut [u8]> {
        let length = sealed.len().checked_sub(TAG)?;
        let (body, tag) = sealed.split_at_mut(length);
        let tag = Tag::try_from(&*tag).ok()?;
        let associated = Aad::from(self.associated(position));
        self.cipher.open_in_place_separate_tag(counter.nonce(), associated, tag, body, 0..).ok()
    }

    /// Returns what is signed of an object that is sealed whole.
    fn signed<'a>(&'a self, sealed: &'a [u8]) -> [&'a [u8]; 3] {
        [b"yore/1 signature\0", &self.associated_prefix, sealed]
    }

    fn associated(&self, position: &[u8]) -> Vec<u8> {
        let mut data = Vec::with_capacity(self.associated_prefix.len() + position.len());
        data.extend_from_slice(&self.associated_prefix);
        data.extend_from_slice(position);
        data
    }
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes");
    LessSafeKey::new(key)
}

/// An object's key, and its key commitment.
type KeyPair = (zeroize::Zeroizing<[u8; 32]>, [u8; 32]);

/// Derives the key of an object with its commitment; `None` when the secret from which it derives is not known.
fn object_key(keys: &Keys, kind: Kind, salt: &[u8; 32], generation: u8) -> Option<KeyPair> {
    let kind_byte = [kind as u8];
    let info = derivation(keys, &kind_byte);
    let derive = |secret: &PurposeKey| derive_committed(secret.bytes(), salt, &info);
    match keys.inbox() {
        Some(inbox) if Wrapping::of(keys, kind) == Wrapping::PublicKey => {
            inbox.decapsulate(keys.repository(), salt).as_ref().map(derive)
        }
        _ => keys.sealing(kind, generation).map(derive),
    }
}

/// Returns the information from which the key of an object of a kind derives.
fn derivation<'k>(keys: &'k Keys, kind: &'k [u8; 1]) -> [&'k [u8]; 4] {
    [b"yore/1 object", &[0], kind, keys.repository_bytes()]
}

fn associated_prefix(prefix: &[u8; PREFIX], keys: &Keys, name: &ObjectName) -> Vec<u8> {
    [prefix, keys.repository().0.as_slice(), name.as_str().as_bytes(), &[0]].concat()
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

/// Returns true if the salt of objects of a kind is the id in their name.
fn salt_is_id(kind: Kind) -> bool {
    match kind {
        Kind::DataPack | Kind::TreePack | Kind::Index | Kind::Snapshot | Kind::Session => true,
        Kind::Tombstone
        | Kind::Verdict
        | Kind::Generation
        | Kind::GenerationEnd
        | Kind::Destination
        | Kind::Annotation
        | Kind::Heartbeat => false,
    }
}

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

/// Seals an object whole; `salt` is the id in its name for the kinds of which [`salt_is_id`].
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

/// Appends codec, lengths, body and zero bytes, so that `object` and `after` further bytes together have
/// a Padmé length.
pub(crate) fn append_padded(object: &mut Vec<u8>, content: &[u8], after: usize) {
    let packed =
        zstd::bulk::compress(content, 3).ok().filter(|packed| packed.len() < content.len());
    let (codec, body) = packed.as_deref().map_or((0, content), |packed| (1, packed));
    object.push(codec);
    object.extend_from_slice(&(content.len() as u32).to_be_bytes());
    object.extend_from_slice(&(body.len() as u32).to_be_bytes());
    object.extend_from_slice(body);
    let total = object.len() + after;
    object.resize(object.len() + (padme(total as u64) as usize - total), 0);
}

/// Decodes the output of [`append_padded`]; `None` when it is malformed, or its content is longer than `max`.
pub(crate) fn read_padded(plain: &[u8], max: usize) -> Option<Vec<u8>> {
    let (head, rest) = plain.split_first_chunk::<BODY_HEAD>()?;
    let number = |at: usize| {
        head[at..at + 4].iter().fold(0usize, |number, &byte| number << 8 | usize::from(byte))
    };
    let (content, body) = (number(1), number(5));
    if content > max || body > rest.len() || rest[body..].iter().any(|&byte| byte != 0) {
        return None;
    }
    match head[0] {
        0 => (content == body).then(|| rest[..body].to_vec()),
        1 => {
            let bytes = zstd::bulk::decompress(&rest[..body], content).ok()?;
            (bytes.len() == content).then_some(bytes)
        }
        _ => None,
    }
}

/// Rounds a length up so that it reveals little, by at most 12 % (Nikitin et al., *PURBs*, 2019).
pub(crate) fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let kept = exponent.checked_ilog2().unwrap_or(0) + 1;
    let mask = (1u64 << exponent.saturating_sub(kept)) - 1;
    (length + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use yore_platform::Timestamp;

    use crate::format::id::{ObjectId, RepositoryId, encode_hex};
    use crate::format::keys::{BlobKind, MasterSecret};
    use crate::format::record::{DestinationId, encode_destination};

    fn keys(seed: u8) -> Keys {
        Keys::derive(&MasterSecret::from_bytes([seed; 32]), RepositoryId([7; 32]))
    }

    #[test]
    fn an_object_opens_only_under_its_own_name_kind_and_key() {
        let (keys, id) = (keys(1), ObjectId([3; 32]));
        let name = ObjectName::session(id);
        let object = seal_whole(&keys, Kind::Session, &name, id.0, b"content").unwrap();
        let open = |keys: &Keys, kind, name: &ObjectName| {
            open_whole(keys, kind, name, &mut object.clone()).ok()
        };
        assert_eq!(open(&keys, Kind::Session, &name).as_deref(), Some(b"content".as_slice()));
        assert_eq!(open(&keys, Kind::Verdict, &name), None);
        assert_eq!(open(&keys, Kind::Session, &ObjectName::session(ObjectId([4; 32]))), None);
        assert_eq!(open(&self::keys(2), Kind::Session, &name), None);
    }

    #[test]
    fn the_example_of_the_format_page_is_what_is_written() {
        let counted = |from: u8| std::array::from_fn::<u8, 32, _>(|at| from + at as u8);
        let repository = RepositoryId(counted(0x20));
        let keys = Keys::derive(&MasterSecret::from_bytes(counted(0)), repository);
        let destination = DestinationId(std::array::from_fn(|at| 0x60 + at as u8));
        let created = Timestamp { seconds: 1_800_000_000, nanos: 0 };
        let content = encode_destination(destination, created);
        let name = ObjectName::destination();
        let object = seal_whole(&keys, Kind::Destination, &name, counted(0x40), &content).unwrap();
        let page: String = include_str!("../../FORMAT.md").split_whitespace().collect();
        assert!(page.contains(&encode_hex(&object)), "{}", encode_hex(&object));
        let blob = keys.blob_id(BlobKind::Data, b"hello");
        assert!(page.contains(&blob.to_string()), "{blob}");
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_detected() {
        let (keys, id) = (keys(1), ObjectId([3; 32]));
        let name = ObjectName::index(id);
        let object = seal_whole(&keys, Kind::Index, &name, id.0, &[5; 300]).unwrap();
        for byte in 0..object.len() {
            let mut altered = object.clone();
            altered[byte] ^= 1 << (byte % 8);
            assert!(open_whole(&keys, Kind::Index, &name, &mut altered).is_err(), "byte {byte}");
            let mut shorter = object[..byte].to_vec();
            assert!(open_whole(&keys, Kind::Index, &name, &mut shorter).is_err(), "length {byte}");
        }
    }

    #[test]
    fn another_implementation_opens_what_is_sealed() {
        use aes_gcm::aead::{AeadInOut, KeyInit};
        let (keys, id) = (keys(1), ObjectId([3; 32]));
        let key = ObjectKey::for_writing(&keys, Kind::DataPack, &ObjectName::pack(id), id.0);
        let (bytes, _) = object_key(&keys, Kind::DataPack, &id.0, 1).expect("it is known");
        for length in [0, 1, 15, 16, 17, 255, 256, 257, 4095, 100_000] {
            let plain: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
            let mut sealed = plain.clone();
            key.seal(Counter::frame(length), b"position", &mut sealed, 0);
            let mut opened = sealed.clone();
            let opened = key.open(Counter::frame(length), b"position", &mut opened);
            assert_eq!(opened.as_deref(), Some(plain.as_slice()));
            let mut nonce = [0; 12];
            nonce[4..].copy_from_slice(&(u64::from(length) + 1).to_be_bytes());
            let (body, tag) = sealed.split_at_mut(plain.len());
            aes_gcm::Aes256Gcm::new((&*bytes).into())
                .decrypt_inout_detached(
                    &nonce.into(),
                    &key.associated(b"position"),
                    (&mut *body).into(),
                    (&*tag).try_into().unwrap(),
                )
                .unwrap();
            assert_eq!(body, plain);
        }
    }

    #[test]
    fn padme_hides_the_low_bits_of_a_length() {
        assert_eq!(padme(9), 10);
        assert_eq!(padme(1000), 1024);
        assert_eq!(padme(1 << 26), 1 << 26);
        assert_eq!(padme((1 << 26) + 1), (1 << 26) + (1 << 21));
        for length in 0..100_000u64 {
            let padded = padme(length);
            assert!(
                padded >= length && padded <= length + length / 8 + 1 && padme(padded) == padded
            );
        }
    }
}
