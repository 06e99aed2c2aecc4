//! Key slots: the master secret, encrypted with a passphrase, a key file or the recovery key
//! (FORMAT.md §4).

use aes_gcm::aead::{AeadInOut, Nonce};
use aes_gcm::{Aes256Gcm, KeyInit};
use argon2::{Algorithm, Argon2, Params, Version};
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

pub(crate) mod machine;
pub(crate) mod removal;
#[cfg(test)]
mod tests;

/// The size limit of a slot in bytes.
pub(crate) const MAX_SLOT: u64 = 64 << 10;

/// The cost parameters of argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes, which may run in parallel.
    pub lanes: u32,
}

impl Cost {
    /// The cost of new slots: 256 MiB, 3 passes, 2 lanes.
    pub const STANDARD: Cost = Cost { memory: 256 << 10, passes: 3, lanes: 2 };

    /// Returns true if the cost is within the bounds of FORMAT.md §4, which protect from hostile slots.
    fn is_within_bounds(self) -> bool {
        (8 << 10..=1 << 20).contains(&self.memory)
            && (1..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
            && self.memory * self.passes <= 4 << 20
    }
}

/// A key slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The id in its name, which is also its salt.
    pub id: ObjectId,
    /// The kind of the secret that opens it; `None` for an unknown kind.
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

fn stretch(passphrase: &[u8], salt: ObjectId, cost: Cost) -> Zeroizing<Vec<u8>> {
    let params = Params::new(cost.memory, cost.passes, cost.lanes, Some(32))
        .expect("the cost was compared with its bounds");
    let mut out = Zeroizing::new(vec![0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, &salt.0, &mut out)
        .expect("argon2 takes a passphrase of any length and a salt of 32 bytes");
    out
}

fn parse(bytes: &[u8]) -> Read<(Slot, RepositoryId)> {
    let mut d = minicbor::Decoder::new(bytes);
    cbor::expect_items(&mut d, 3)?;
    let (body, sealed, tag) = (d.bytes()?, d.bytes()?, cbor::bytes32(&mut d)?);
    if d.position() != bytes.len() {
        return cbor::refuse("trailing bytes");
    }
    let (mut id, mut kind, mut repository, mut created) = (None, None, None, None);
    let (mut label, mut cost, mut commitment) = (String::new(), None, None);
    let (mut removes, mut machine) = (Vec::new(), None);
    cbor::whole_map(body, |key, d| {
        match key {
            0 => id = Some(ObjectId(cbor::bytes32(d)?)),
            1 => kind = Some(d.u64()?),
            2 => repository = Some(RepositoryId(cbor::bytes32(d)?)),
            3 => created = Some(d.i64()?),
            4 => label = d.str()?.into(),
            5 => {
                cbor::expect_items(d, 3)?;
                cost = Some(Cost { memory: d.u32()?, passes: d.u32()?, lanes: d.u32()? });
            }
            6 => commitment = Some(cbor::bytes32(d)?),
            7 => removes = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
            8 => machine = machine::decode(d)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let number = cbor::required(kind)?;
    let kind = SecretKind::from_number(number);
    if number != removal::KIND {
        removes.clear();
    }
    if machine.is_some() != (kind == Some(SecretKind::WriteOnly)) {
        return cbor::refuse("a machine where there is none, or none where there is one");
    }
    if cost.is_some() != (kind == Some(SecretKind::Passphrase)) && kind.is_some() {
        return cbor::refuse("a cost where there is none, or none where there is one");
    }
    let slot = Slot {
        id: cbor::required(id)?,
        kind,
        created: cbor::required(created)?,
        label,
        removes,
        machine,
        cost,
        commitment: cbor::required(commitment)?,
        body: body.to_vec(),
        sealed: sealed.to_vec(),
        tag,
    };
    Ok((slot, cbor::required(repository)?))
}
