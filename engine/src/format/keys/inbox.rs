//! The keys of an inbox: the repository of a write-only machine, inside that of its owner (FORMAT.md §15).
//!
//! ```text
//! owner's master secret ─► root ─┬─► shared secret: every purpose key but that of data packs   the machine has it
//!                                ├─► X25519 key pair, to which data packs are sealed          it has the public half
//!                                └─► Ed25519 key pair that signs what removes or governs      it has the public half
//! drawn for the machine ─► Ed25519 key pair that signs its snapshots                          the owner has the public half
//! ```

use std::convert::Infallible;

use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::{Keys, MasterSecret, PurposeKey, expand, random};
use crate::error::{Error, Refusal, Result};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::object::{Kind, ObjectName};

/// The length of a signature in bytes.
pub(crate) const SIGNATURE: usize = 64;
/// The length of what a write-only machine has, in bytes.
pub(crate) const MACHINE_SECRET: usize = 160;

type PublicKey = [u8; 32];

/// The keys that an inbox has beside its purpose keys.
pub(crate) struct InboxKeys {
    /// The key to which data packs are sealed.
    packs: PublicKey,
    /// The key that verifies what its owner signed.
    owner: PublicKey,
    /// The key that verifies what its machine signed.
    machine: PublicKey,
    secrets: Secrets,
}

/// The halves of the key pairs that nobody else has.
enum Secrets {
    Owner { packs: PurposeKey, signs: PurposeKey },
    Machine { signs: PurposeKey },
}

/// The machine that a key slot of the owner describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MachineRecord {
    /// The id of its inbox.
    pub(crate) inbox: RepositoryId,
    /// The generation of the owner's master secret from which the keys of the inbox derive.
    pub(crate) generation: u8,
    /// The key that verifies its signatures.
    pub(crate) verifies: PublicKey,
}

impl MachineRecord {
    /// Draws a machine; returns it with the bytes of its secret.
    pub(crate) fn draw(owner: &Keys) -> (Self, Zeroizing<Vec<u8>>) {
        let inbox = RepositoryId(random());
        let signs = PurposeKey(random());
        let record = Self { inbox, generation: owner.in_force(), verifies: public_half(&signs) };
        let root = owner.inbox_root(record.generation, inbox).expect("it is in force");
        let InboxKeys { packs, owner, .. } = InboxKeys::of_owner(&root, record.verifies);
        let shared = part(&root, "shared");
        let parts = [&inbox.0, shared.bytes(), &packs, &owner, signs.bytes()];
        let mut secret = Zeroizing::new(Vec::with_capacity(MACHINE_SECRET));
        parts.into_iter().for_each(|part| secret.extend_from_slice(part));
        (record, secret)
    }

    /// Derives the keys of the machine's inbox for its owner; `None` if the generation is not known.
    pub(crate) fn keys(&self, owner: &Keys) -> Option<Keys> {
        let root = owner.inbox_root(self.generation, self.inbox)?;
        let inbox = InboxKeys::of_owner(&root, self.verifies);
        Some(Keys::of_inbox(&part(&root, "shared"), self.inbox, inbox))
    }
}

impl Keys {
    /// Takes the keys that a write-only machine has from the bytes of its secret; `None` if they are not as many.
    pub(crate) fn of_machine(secret: &[u8]) -> Option<Self> {
        let mut parts = secret.chunks_exact(32).map(|part| part.try_into().unwrap_or([0; 32]));
        let mut next = || parts.next().filter(|_| secret.len() == MACHINE_SECRET);
        let (repository, shared) = (RepositoryId(next()?), PurposeKey(next()?));
        let (packs, owner, signs) = (next()?, next()?, PurposeKey(next()?));
        let machine = public_half(&signs);
        let inbox = InboxKeys { packs, owner, machine, secrets: Secrets::Machine { signs } };
        Some(Self::of_inbox(&shared, repository, inbox))
    }

    fn of_inbox(shared: &PurposeKey, repository: RepositoryId, inbox: InboxKeys) -> Self {
        let master = MasterSecret(vec![shared.0]);
        Self { inbox: Some(inbox), ..Self::derive(&master, repository) }
    }

    /// Returns the secret from which the keys of an inbox derive.
    fn inbox_root(&self, generation: u8, inbox: RepositoryId) -> Option<PurposeKey> {
        let machines = &self.generation(generation)?.machines;
        Some(PurposeKey(machines.mac(&[b"yore/1 inbox", &[0], &inbox.0])))
    }
}

impl InboxKeys {
    fn of_owner(root: &PurposeKey, machine: PublicKey) -> Self {
        let (packs, signs) = (part(root, "packs"), part(root, "signs"));
        let (_, public) = X25519HkdfSha256::derive_keypair(packs.bytes());
        let owner = public_half(&signs);
        let secrets = Secrets::Owner { packs, signs };
        Self { packs: public.to_bytes().into(), owner, machine, secrets }
    }

    /// Returns true if these are the keys of the machine, which opens no data pack.
    pub(crate) fn is_write_only(&self) -> bool {
        matches!(self.secrets, Secrets::Machine { .. })
    }

    /// Draws the id of a new data pack, and the secret from which its key derives; both depend on `seed` alone.
    ///
    /// The id is the encapsulated key of HPKE (RFC 9180, mode base, DHKEM(X25519, HKDF-SHA256), export only), so that
    /// a pack needs no longer prefix.
    pub(crate) fn encapsulate(
        &self,
        repository: RepositoryId,
        seed: [u8; 32],
    ) -> (ObjectId, PurposeKey) {
        let to = PublicKeyOfPacks::from_bytes(&self.packs).expect("a key has 32 bytes");
        let mut drawn = Stream { key: PurposeKey(seed), block: 0 };
        let (encapsulated, context) = hpke::setup_sender_with_rng::<
            ExportOnlyAead,
            HkdfSha256,
            X25519HkdfSha256,
        >(&OpModeS::Base, &to, &info(repository), &mut drawn)
        .expect("only a public key of a low order is refused");
        let mut secret = PurposeKey([0; 32]);
        context.export(EXPORT, &mut secret.0).expect("32 bytes are within HKDF's limit");
        (ObjectId(encapsulated.to_bytes().into()), secret)
    }

    /// Returns the secret from which the key of a data pack derives; `None` for the machine.
    pub(crate) fn decapsulate(
        &self,
        repository: RepositoryId,
        pack: &[u8; 32],
    ) -> Option<PurposeKey> {
        let Secrets::Owner { packs, .. } = &self.secrets else { return None };
        let (private, _) = X25519HkdfSha256::derive_keypair(packs.bytes());
        let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(pack).ok()?;
        let context = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            &info(repository),
        )
        .ok()?;
        let mut secret = PurposeKey([0; 32]);
        context.export(EXPORT, &mut secret.0).ok()?;
        Some(secret)
    }

    /// Returns the error of a data pack whose secret is not found.
    pub(crate) fn unopened(&self, name: &ObjectName) -> Error {
        match self.is_write_only() {
            true => Refusal::WriteOnly.into(),
            // Its id is no key that HPKE makes.
            false => Error::damaged(name.as_str(), "its id is none"),
        }
    }

    /// Signs something that only the owner may make.
    ///
    /// # Errors
    /// [`Refusal::WriteOnly`] for the machine.
    pub(crate) fn sign_as_owner(&self, parts: &[&[u8]]) -> Result<[u8; SIGNATURE]> {
        match &self.secrets {
            Secrets::Owner { signs, .. } => Ok(sign(signs, parts)),
            Secrets::Machine { .. } => Err(Refusal::WriteOnly.into()),
        }
    }

    /// Verifies what only the owner may make.
    pub(crate) fn is_of_owner(&self, parts: &[&[u8]], signature: &[u8]) -> bool {
        verifies(&self.owner, parts, signature)
    }

    /// Signs an object of a kind.
    ///
    /// # Errors
    /// [`Refusal::WriteOnly`] for the machine, of all kinds but a snapshot.
    pub(crate) fn sign(&self, kind: Kind, parts: &[&[u8]]) -> Result<[u8; SIGNATURE]> {
        match &self.secrets {
            Secrets::Machine { signs } if kind == Kind::Snapshot => Ok(sign(signs, parts)),
            Secrets::Owner { .. } | Secrets::Machine { .. } => self.sign_as_owner(parts),
        }
    }

    /// Verifies the signature of an object of a kind: the owner's, or of a snapshot the machine's.
    pub(crate) fn verify(&self, kind: Kind, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.is_of_owner(parts, signature)
            || (kind == Kind::Snapshot && verifies(&self.machine, parts, signature))
    }
}

type PublicKeyOfPacks = <X25519HkdfSha256 as Kem>::PublicKey;

/// The exporter context of HPKE.
const EXPORT: &[u8] = b"yore/1 pack";

/// Returns the information that HPKE binds to a key.
fn info(repository: RepositoryId) -> Vec<u8> {
    [b"yore/1 inbox\0".as_slice(), &repository.0].concat()
}

fn part(root: &PurposeKey, what: &str) -> PurposeKey {
    let mut key = PurposeKey([0; 32]);
    expand(root, &format!("yore/1 inbox {what}"), &mut key.0);
    key
}

fn key_pair(seed: &PurposeKey) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed.bytes()).expect("a seed has 32 bytes")
}

fn public_half(seed: &PurposeKey) -> PublicKey {
    key_pair(seed).public_key().as_ref().try_into().expect("a public key has 32 bytes")
}

fn sign(seed: &PurposeKey, parts: &[&[u8]]) -> [u8; SIGNATURE] {
    let signature = key_pair(seed).sign(&parts.concat());
    signature.as_ref().try_into().expect("a signature has 64 bytes")
}

fn verifies(key: &PublicKey, parts: &[&[u8]], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(&parts.concat(), signature).is_ok()
}

/// Pseudo-random bytes from a seed, so that the salt of a pack is hedged as that of any other object.
struct Stream {
    key: PurposeKey,
    block: u64,
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> std::result::Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            let block = Zeroizing::new(self.key.mac(&[&self.block.to_be_bytes()]));
            chunk.copy_from_slice(&block[..chunk.len()]);
            self.block += 1;
        }
        Ok(())
    }
}

impl TryCryptoRng for Stream {}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> (Keys, Keys, Keys) {
        let main = Keys::derive(&MasterSecret::from_bytes([1; 32]), RepositoryId([7; 32]));
        let (record, secret) = MachineRecord::draw(&main);
        let owner = record.keys(&main).expect("the generation is known");
        (main, owner, Keys::of_machine(&secret).expect("it is whole"))
    }

    #[test]
    fn what_a_machine_seals_to_its_owner_it_can_not_open_itself() {
        let (_, owner, machine) = both();
        let (owner_keys, machine_keys) = (owner.inbox().unwrap(), machine.inbox().unwrap());
        let id = machine.repository();
        let (pack, secret) = machine_keys.encapsulate(id, [3; 32]);
        let (again, same) = machine_keys.encapsulate(id, [3; 32]);
        assert_eq!((pack, secret.bytes()), (again, same.bytes()));
        assert_ne!(machine_keys.encapsulate(id, [4; 32]).0, pack);
        assert!(machine_keys.decapsulate(id, &pack.0).is_none());
        let opened = owner_keys.decapsulate(id, &pack.0).expect("the owner has the key");
        assert_eq!(opened.bytes(), secret.bytes());
        let elsewhere = owner_keys.decapsulate(RepositoryId([9; 32]), &pack.0);
        assert!(elsewhere.is_none_or(|other| other.bytes() != secret.bytes()));
    }

    #[test]
    fn a_machine_signs_snapshots_alone() {
        let (_, owner, machine) = both();
        let (owner, machine) = (owner.inbox().unwrap(), machine.inbox().unwrap());
        let parts: [&[u8]; 2] = [b"one", b"two"];
        for kind in [Kind::Tombstone, Kind::Generation, Kind::GenerationEnd, Kind::Annotation] {
            assert!(machine.sign(kind, &parts).is_err(), "{kind:?}");
            let signature = owner.sign(kind, &parts).expect("the owner signs everything");
            assert!(machine.verify(kind, &parts, &signature), "{kind:?}");
            let of_machine = machine.sign(Kind::Snapshot, &parts).expect("it signs snapshots");
            assert!(!owner.verify(kind, &parts, &of_machine), "{kind:?}");
            assert!(owner.verify(Kind::Snapshot, &parts, &of_machine));
            assert!(!owner.verify(Kind::Snapshot, &[b"other"], &of_machine));
        }
        assert!(machine.sign_as_owner(&parts).is_err());
    }

    #[test]
    fn a_machine_has_no_key_of_its_owner_nor_of_another_machine() {
        let (main, owner, machine) = both();
        let (record, _) = MachineRecord::draw(&main);
        let other = record.keys(&main).expect("the generation is known");
        for kind in
            [Kind::DataPack, Kind::TreePack, Kind::Snapshot, Kind::Session, Kind::Generation]
        {
            let key = |keys: &Keys| *keys.sealing(kind, 1).expect("the first").bytes();
            assert_eq!(key(&machine), key(&owner), "{kind:?}");
            assert_ne!(key(&machine), key(&main), "{kind:?}");
            assert_ne!(key(&machine), key(&other), "{kind:?}");
        }
    }
}
