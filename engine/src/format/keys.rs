//! The master secret and the keys that derive from it (FORMAT.md §2).
//!
//! Every key has exactly one purpose. Secrets are zeroed when they are dropped, and can't be printed,
//! cloned or compared.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::format::blob_hasher::BlobHasher;
use crate::format::id::{BlobId, RepositoryId};
use crate::format::object::Kind;

mod inbox;

pub(crate) use inbox::{InboxKeys, MACHINE_SECRET, MachineRecord, SIGNATURE};

/// The secrets from which every key of a repository derives: 32 random bytes for each generation, from the first.
#[derive(Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct MasterSecret(Vec<[u8; 32]>);

/// The most generations, which are numbered in a byte.
pub(crate) const MAX_GENERATIONS: usize = 255;

impl MasterSecret {
    /// Draws the first generation of a new repository.
    pub(crate) fn draw() -> Self {
        Self(vec![random()])
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(vec![bytes])
    }

    /// Takes the secret of each generation, from the first; `None` if there is none, or more than there may be.
    pub(crate) fn from_generations(generations: Vec<[u8; 32]>) -> Option<Self> {
        (1..=MAX_GENERATIONS).contains(&generations.len()).then_some(Self(generations))
    }

    /// Returns the secret with another generation; `None` if there can be no more.
    pub(crate) fn with_new_generation(&self) -> Option<Self> {
        let mut generations = self.0.clone();
        generations.push(random());
        Self::from_generations(generations)
    }

    /// Returns the secret without the generations above `newest`.
    pub(crate) fn up_to(&self, newest: u8) -> Self {
        Self(self.0[..self.0.len().min(usize::from(newest).max(1))].to_vec())
    }

    /// Returns the secret of each generation, from the first.
    pub(crate) fn generations(&self) -> &[[u8; 32]] {
        &self.0
    }

    /// Returns the number of the newest generation.
    pub(crate) fn newest(&self) -> u8 {
        self.0.len() as u8
    }
}

/// The kind of a blob. It is part of the hash that names the blob, so that no blob has two kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BlobKind {
    /// A chunk of a file.
    Data = 0,
    /// A directory, or a leaf of a large one.
    Tree = 1,
    /// A list of chunks.
    List = 2,
}

/// A 32-byte key for one purpose.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct PurposeKey([u8; 32]);

impl PurposeKey {
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns HMAC-SHA-256 of the concatenated parts.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac(&self.0);
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// All keys of one repository.
pub struct Keys {
    repository: RepositoryId,
    id: BlobHasher,
    pub(crate) chunker: PurposeKey,
    /// The keys of each generation of the master secret, from the first; at least one.
    generations: Vec<GenerationKeys>,
    /// The generation under which new objects are sealed; it only rises.
    in_force: AtomicU8,
    /// The further keys of the inbox of a write-only machine; `None` for any other repository.
    inbox: Option<InboxKeys>,
}

/// The keys that differ from generation to generation.
struct GenerationKeys {
    header: PurposeKey,
    data: PurposeKey,
    tree: PurposeKey,
    index: PurposeKey,
    snapshot: PurposeKey,
    annotation: PurposeKey,
    forget: PurposeKey,
    session: PurposeKey,
    prune: PurposeKey,
    salt: PurposeKey,
    machines: PurposeKey,
}

impl GenerationKeys {
    fn derive(secret: &[u8; 32], repository: RepositoryId) -> Self {
        let purpose = |name: &str| PurposeKey(purpose_key(secret, name, repository));
        Self {
            header: purpose("header"),
            data: purpose("data"),
            tree: purpose("tree"),
            index: purpose("index"),
            snapshot: purpose("snapshot"),
            annotation: purpose("annotation"),
            forget: purpose("forget"),
            session: purpose("session"),
            prune: purpose("gc"),
            salt: purpose("salt"),
            machines: purpose("machines"),
        }
    }

    /// Returns the purpose key for objects of a kind.
    fn sealing(&self, kind: Kind) -> &PurposeKey {
        match kind {
            Kind::DataPack => &self.data,
            Kind::TreePack => &self.tree,
            Kind::Index => &self.index,
            Kind::Snapshot => &self.snapshot,
            Kind::Annotation => &self.annotation,
            Kind::Tombstone => &self.forget,
            Kind::Session | Kind::Verdict | Kind::Destination | Kind::Heartbeat => &self.session,
            Kind::Generation | Kind::GenerationEnd => &self.prune,
        }
    }
}

impl Keys {
    /// Derives all keys of `repository`; new objects are sealed under the newest generation.
    pub(crate) fn derive(master: &MasterSecret, repository: RepositoryId) -> Self {
        let first = &master.generations()[0];
        let purpose = |name: &str| PurposeKey(purpose_key(first, name, repository));
        let derive = |secret: &[u8; 32]| GenerationKeys::derive(secret, repository);
        Self {
            repository,
            id: BlobHasher::new(&purpose("id").0),
            chunker: purpose("chunker"),
            generations: master.generations().iter().map(derive).collect(),
            in_force: AtomicU8::new(master.newest()),
            inbox: None,
        }
    }

    /// Returns the further keys of the inbox of a write-only machine; `None` for any other repository.
    pub(crate) fn inbox(&self) -> Option<&InboxKeys> {
        self.inbox.as_ref()
    }

    /// Returns the generation under which new objects are sealed.
    pub(crate) fn in_force(&self) -> u8 {
        self.in_force.load(Ordering::Relaxed)
    }

    /// Seals new objects under a generation from now on, if it is known.
    pub(crate) fn put_in_force(&self, generation: u8) {
        if self.generation(generation).is_some() {
            self.in_force.store(generation, Ordering::Relaxed);
        }
    }

    /// Returns true if both seal under the same key now.
    pub(crate) fn agrees_with(&self, other: &Keys) -> bool {
        let header = |keys: &Keys| keys.header(self.in_force()).map(|key| key.0);
        self.repository == other.repository && header(self) == header(other)
    }

    /// Returns the numbers of all generations, the one in force first, and then from the newest.
    pub(crate) fn all_generations(&self) -> impl Iterator<Item = u8> + '_ {
        let newest = self.generations.len() as u8;
        let in_force = self.in_force();
        let others = (1..=newest).rev().filter(move |number| *number != in_force);
        std::iter::once(in_force).chain(others)
    }

    fn generation(&self, number: u8) -> Option<&GenerationKeys> {
        self.generations.get(usize::from(number).checked_sub(1)?)
    }

    /// Returns the key for tags of headers and key slots of a generation.
    pub(crate) fn header(&self, generation: u8) -> Option<&PurposeKey> {
        self.generation(generation).map(|keys| &keys.header)
    }

    /// Returns the bytes of the id of the repository.
    pub(crate) fn repository_bytes(&self) -> &[u8; 32] {
        &self.repository.0
    }

    /// Returns the id of the repository of these keys.
    pub(crate) fn repository(&self) -> RepositoryId {
        self.repository
    }

    /// Returns the id of a blob of a kind.
    pub(crate) fn blob_id(&self, kind: BlobKind, bytes: &[u8]) -> BlobId {
        BlobId(self.id.one(kind as u8, bytes))
    }

    /// Returns the ids of several blobs of a kind, faster than one by one.
    pub(crate) fn blob_ids(&self, kind: BlobKind, blobs: &[&[u8]]) -> Vec<BlobId> {
        self.id.many(kind as u8, blobs).into_iter().map(BlobId).collect()
    }

    /// Returns the number of blobs from which [`blob_ids`](Self::blob_ids) is much faster than one by one.
    pub(crate) fn hash_batch(&self) -> usize {
        self.id.hash_batch()
    }

    /// Returns the hash of a name that decides if it ends a leaf of a large directory (FORMAT.md §8).
    pub(crate) fn leaf_number(&self, name: &[u8]) -> u16 {
        let bytes = self.id.one(3, name);
        u16::from_be_bytes([bytes[30], bytes[31]])
    }

    /// Draws the salt of a new object.
    ///
    /// The random bytes are hashed with time, process, counter and content, so that a broken random source
    /// alone repeats no key.
    pub(crate) fn draw_salt(&self, content: &[u8]) -> [u8; 32] {
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let salt = &self.generations[usize::from(self.in_force()) - 1].salt;
        salt.mac(&[
            &random::<32>(),
            &now.to_be_bytes(),
            &std::process::id().to_be_bytes(),
            &DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes(),
            content,
        ])
    }

    /// Returns the purpose key of a generation for objects of a kind; `None` for a generation that is not known.
    pub(crate) fn sealing(&self, kind: Kind, generation: u8) -> Option<&PurposeKey> {
        self.generation(generation).map(|keys| keys.sealing(kind))
    }
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn purpose_key(secret: &[u8; 32], purpose: &str, repository: RepositoryId) -> [u8; 32] {
    let hkdf = Hkdf::<Sha256>::from_prk(secret).expect("32 bytes are a pseudo-random key");
    let mut key = [0; 32];
    hkdf.expand_multi_info(
        &[b"yore/1 purpose ", purpose.as_bytes(), &[0], &repository.0],
        &mut key,
    )
    .expect("32 bytes are within HKDF's limit");
    key
}

/// Derives a key of 32 bytes and its key commitment of 32 bytes.
pub(crate) fn derive_committed(
    secret: &[u8],
    salt: &[u8; 32],
    info: &[&[u8]],
) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let hkdf = Hkdf::<Sha256>::new(Some(salt), secret);
    let mut both = Zeroizing::new([0; 64]);
    hkdf.expand_multi_info(info, &mut *both).expect("64 bytes are within HKDF's limit");
    let (mut key, mut commitment) = (Zeroizing::new([0; 32]), [0; 32]);
    key.copy_from_slice(&both[..32]);
    commitment.copy_from_slice(&both[32..]);
    (key, commitment)
}

/// Expands a purpose key into `out` by HKDF.
///
/// # Panics
/// When `out` is longer than 8,160 bytes.
pub(crate) fn expand(key: &PurposeKey, info: &str, out: &mut [u8]) {
    Hkdf::<Sha256>::from_prk(&key.0)
        .expect("32 bytes are a pseudo-random key")
        .expand(info.as_bytes(), out)
        .expect("the table is within HKDF's limit");
}

/// Draws random bytes from the system.
///
/// # Panics
/// When the system returns none, since nothing can be sealed without them.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}
