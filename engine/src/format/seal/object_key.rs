//! The key of one object, and the calls of AES-GCM under it.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use subtle::ConstantTimeEq;

use super::wrapping::Wrapping;
use super::{PREFIX, TAG};
use crate::error::{Error, Result};
use crate::format::keys::{Keys, PurposeKey, derive_committed};
use crate::format::object::{Kind, ObjectName};

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
        let pair = key_pair(keys, kind, &salt, generation)?;
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
            key_pair(keys, kind, &salt, generation).ok_or_else(|| match keys.inbox() {
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
    pub(super) fn signed<'a>(&'a self, sealed: &'a [u8]) -> [&'a [u8]; 3] {
        [b"yore/1 signature\0", &self.associated_prefix, sealed]
    }

    pub(super) fn associated(&self, position: &[u8]) -> Vec<u8> {
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
pub(super) fn key_pair(
    keys: &Keys,
    kind: Kind,
    salt: &[u8; 32],
    generation: u8,
) -> Option<KeyPair> {
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
