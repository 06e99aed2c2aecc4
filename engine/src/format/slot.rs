//! Key slots: the master secret, encrypted with a passphrase, a key file or the recovery key
//! (FORMAT.md §4).

use aes_gcm::aead::{AeadInOut, Nonce};
use aes_gcm::{Aes256Gcm, KeyInit};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::format::cbor::{self, MapWriter, Read, Writer};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::{
    Keys, MAX_GENERATIONS, MachineRecord, MasterSecret, PurposeKey, derive_committed, random,
};
use crate::format::object::ObjectName;
use crate::format::secret::{Secret, SecretKind};

mod cost;
pub(crate) mod machine;
mod parse;
pub(crate) mod removal;
#[cfg(test)]
mod tests;
mod unsealed;

pub use cost::Cost;
use cost::stretch;
use parse::parse;
#[cfg(test)]
pub(crate) use unsealed::of_unknown_kind;

/// The size limit of a slot in bytes.
pub(crate) const MAX_SLOT: u64 = 64 << 10;

/// A key slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The id in its name, which is also its salt.
    pub id: ObjectId,
    /// The kind of its secret; `None` for a removal, and for a kind that this program does not know.
    pub kind: Option<SecretKind>,
    /// The time of creation, in seconds since 1970 UTC.
    pub created: i64,
    /// The label that the person gave.
    pub label: String,
    /// The slots that were removed, if this is a removal; verify the tag before it counts.
    pub(crate) removes: Vec<ObjectId>,
    /// The machine that may write, if it is the slot of one; verify the tag before it counts.
    pub(crate) machine: Option<MachineRecord>,
    cost: Option<Cost>,
    commitment: [u8; 32],
    body: Vec<u8>,
    sealed: Vec<u8>,
    tag: [u8; 32],
}

/// Creates a slot that holds the master secret, encrypted with a key from `secret`.
pub(crate) fn create(
    master: &MasterSecret,
    repository: RepositoryId,
    secret: &Secret,
    label: &str,
    created: i64,
    cost: Cost,
) -> Slot {
    let id = ObjectId(random());
    let kind = secret.kind();
    let cost = (kind == SecretKind::Passphrase).then_some(cost);
    let (key, commitment) = slot_key(secret, id, repository, cost);
    let mut body = Vec::new();
    let mut map = MapWriter::new(&mut body);
    map.key(0).bytes(&id.0);
    map.key(1).u64(kind as u64);
    map.key(2).bytes(&repository.0);
    map.key(3).i64(created);
    map.key(4).str(label);
    if let Some(Cost { memory, passes, lanes }) = cost {
        map.key(5).array(3).u64(memory.into()).u64(passes.into()).u64(lanes.into());
    }
    map.key(6).bytes(&commitment);
    map.finish();
    let mut sealed = Vec::with_capacity(64);
    let generations = master.generations();
    let mut plain = Writer::new(&mut sealed);
    plain.map(1).u64(1).array(generations.len() as u64);
    for (number, secret) in (1..).zip(generations) {
        plain.array(2).u64(number).bytes(secret);
    }
    let tag = Aes256Gcm::new((&*key).into())
        .encrypt_inout_detached(&Nonce::<Aes256Gcm>::default(), &body, sealed.as_mut_slice().into())
        .expect("a secret is far below the limit of AES-GCM");
    sealed.extend_from_slice(&tag);
    Slot {
        id,
        kind: Some(kind),
        created,
        label: label.into(),
        removes: Vec::new(),
        machine: None,
        cost,
        commitment,
        body,
        sealed,
        tag: [0; 32],
    }
}

impl Slot {
    /// Returns true for a kind that this program does not know: a newer one made it, and knows what it is for.
    pub fn is_of_unknown_kind(&self) -> bool {
        self.kind.is_none() && self.removes.is_empty()
    }

    /// Encodes the slot as an object. Its tag lets everybody who can open the repository verify it.
    pub(crate) fn encode(&self, keys: &Keys) -> Vec<u8> {
        let mut out = Vec::new();
        let tag = self.tag(keys);
        Writer::new(&mut out).array(3).bytes(&self.body).bytes(&self.sealed).bytes(&tag);
        out
    }

    /// Verifies the tag of a slot that was decoded.
    pub(crate) fn verify(&self, keys: &Keys) -> Result<()> {
        let mut tags = keys.all_generations().filter_map(|number| keys.header(number));
        if tags.any(|key| bool::from(self.tag_of(key).ct_eq(&self.tag))) {
            return Ok(());
        }
        Err(Error::damaged(ObjectName::slot(self.id).as_str(), "its bytes were altered"))
    }

    /// Returns the tag under the generation in force.
    fn tag(&self, keys: &Keys) -> [u8; 32] {
        self.tag_of(keys.header(keys.in_force()).expect("the generation in force is known"))
    }

    fn tag_of(&self, key: &PurposeKey) -> [u8; 32] {
        let mut pair = Vec::new();
        Writer::new(&mut pair).array(2).bytes(&self.body).bytes(&self.sealed);
        key.mac(&[b"yore slot", &pair])
    }

    /// Decodes the slot of the object `name`.
    pub(crate) fn decode(
        name: &ObjectName,
        repository: RepositoryId,
        bytes: &[u8],
    ) -> Result<Self> {
        let (slot, owner) =
            parse(bytes).map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
        if name.id() != Some(slot.id.0) {
            return Err(Error::damaged(name.as_str(), "an object of another name"));
        }
        if owner != repository {
            return Err(Error::damaged(name.as_str(), "a slot of another repository"));
        }
        if slot.cost.is_some_and(|cost| !cost.is_within_bounds()) {
            return Err(Error::damaged(
                name.as_str(),
                "its key derivation costs too much or too little",
            ));
        }
        Ok(slot)
    }

    /// Decrypts the slot with a secret of its kind; `None` when the secret is wrong.
    pub(crate) fn open(&self, repository: RepositoryId, secret: &Secret) -> Option<MasterSecret> {
        let (key, commitment) = slot_key(secret, self.id, repository, self.cost);
        if !bool::from(commitment.ct_eq(&self.commitment)) {
            return None;
        }
        let (sealed, tag) = self.sealed.split_last_chunk::<16>()?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        Aes256Gcm::new((&*key).into())
            .decrypt_inout_detached(
                &Nonce::<Aes256Gcm>::default(),
                &self.body,
                plain.as_mut_slice().into(),
                &(*tag).into(),
            )
            .ok()?;
        master_secret(&plain).ok()
    }
}

/// Decodes the master secret from a decrypted slot: all generations from the first.
fn master_secret(plain: &[u8]) -> Read<MasterSecret> {
    let mut generations: Zeroizing<Vec<[u8; 32]>> = Zeroizing::default();
    cbor::whole_map(plain, |key, d| {
        if key != 1 {
            return Ok(false);
        }
        for _ in 0..cbor::items(d)? {
            cbor::expect_items(d, 2)?;
            if d.u64()? != generations.len() as u64 + 1 || generations.len() == MAX_GENERATIONS {
                return cbor::refuse("generations that do not follow one another");
            }
            generations.push(cbor::bytes32(d)?);
        }
        Ok(true)
    })?;
    cbor::required(MasterSecret::from_generations(std::mem::take(&mut *generations)))
}

fn slot_key(
    secret: &Secret,
    id: ObjectId,
    repository: RepositoryId,
    cost: Option<Cost>,
) -> (Zeroizing<[u8; 32]>, [u8; 32]) {
    let stretched = match cost {
        None => secret.bytes().to_vec().into(),
        Some(cost) => stretch(secret.bytes(), id, cost),
    };
    let info: [&[u8]; 4] = [b"yore/1 slot", &[0], &[secret.kind() as u8], &repository.0];
    derive_committed(&stretched, &id.0, &info)
}
