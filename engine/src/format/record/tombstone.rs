//! Tombstones, each alone or many in a list (FORMAT.md §11).

use yore_platform::Timestamp;

use super::{ClientId, Origin, bytes16, write_ids};
use crate::format::cbor::{self, EPOCH, MapWriter, Read};
use crate::format::id::SnapshotId;

/// The record that a snapshot was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The forgotten snapshot.
    pub snapshot: SnapshotId,
    /// The time of forgetting.
    pub time: Timestamp,
    /// The machine that forgot it.
    pub host: String,
    /// The person or account that forgot it.
    pub user: String,
    /// The reason: the policy.
    pub policy: String,
    /// The snapshot's client and sequence number; `None` if the snapshot could not be read.
    pub(crate) client_sequence: Option<(ClientId, u64)>,
    /// The heads that the snapshot names, unless a person gave its time; sorted.
    pub(crate) seen: Vec<SnapshotId>,
    /// The client's previous snapshot.
    pub(crate) previous: Option<SnapshotId>,
    /// The origin of the snapshot, so that it is not brought over again.
    pub(crate) origin: Option<Origin>,
}

impl Tombstone {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).bytes(&self.snapshot.0);
        map.key(2).time(self.time, EPOCH);
        map.key(3).str(&self.host);
        map.key(4).str(&self.user);
        map.key(5).str(&self.policy);
        if let Some((client, sequence)) = self.client_sequence {
            map.key(6).bytes(&client.0);
            map.key(7).u64(sequence);
        }
        if !self.seen.is_empty() {
            write_ids(&mut map, 8, &self.seen);
        }
        if let Some(previous) = self.previous {
            map.key(10).bytes(&previous.0);
        }
        if let Some(origin) = self.origin {
            origin.encode(&mut map, 11);
        }
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut snapshot, mut time) = (None, None);
        let (mut client, mut sequence) = (None, None);
        let (mut seen, mut previous, mut origin) = (Vec::new(), None, None);
        let (mut host, mut user, mut policy) = (String::new(), String::new(), String::new());
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => snapshot = Some(SnapshotId(cbor::bytes32(d)?)),
                2 => time = Some(cbor::time(d, EPOCH)?),
                3 => host = d.str()?.into(),
                4 => user = d.str()?.into(),
                5 => policy = d.str()?.into(),
                6 => client = Some(ClientId(bytes16(d)?)),
                7 => sequence = Some(d.u64()?),
                8 => seen = cbor::ids(d)?.into_iter().map(SnapshotId).collect(),
                10 => previous = Some(SnapshotId(cbor::bytes32(d)?)),
                11 => origin = Origin::decode(d)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            snapshot: cbor::required(snapshot)?,
            time: cbor::required(time)?,
            host,
            user,
            policy,
            client_sequence: client.zip(sequence),
            seen,
            previous,
            origin,
        })
    }
}

/// Tombstones that prune has put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TombstoneList {
    /// The time of putting them together.
    pub(crate) time: Timestamp,
    /// The tombstones, each as the content of its own object was, so that nothing of it is lost which a later version
    /// added.
    pub(crate) contents: Vec<Vec<u8>>,
}

impl TombstoneList {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).time(self.time, EPOCH);
        let mut contents = map.key(2);
        contents.array(self.contents.len() as u64);
        self.contents.iter().for_each(|content| {
            contents.bytes(content);
        });
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut time, mut contents) = (None, None);
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => time = Some(cbor::time(d, EPOCH)?),
                2 => {
                    let number = cbor::items(d)?;
                    let each = (0..number).map(|_| Ok(d.bytes()?.to_vec()));
                    contents = Some(each.collect::<Read<Vec<_>>>()?);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self { time: cbor::required(time)?, contents: cbor::required(contents)? })
    }

    /// Decodes the tombstones; one that does not decode makes all of the list unreadable.
    pub(crate) fn tombstones(&self) -> Read<Vec<Tombstone>> {
        self.contents.iter().map(|content| Tombstone::decode(content)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tombstones_round_trip() {
        let time = Timestamp { seconds: 1_800_000_000, nanos: 5 };
        let tombstone = Tombstone {
            snapshot: SnapshotId([1; 32]),
            time,
            host: "host".into(),
            user: "me".into(),
            policy: "7 daily".into(),
            client_sequence: Some((ClientId([2; 16]), 8)),
            seen: vec![SnapshotId([5; 32])],
            previous: Some(SnapshotId([6; 32])),
            origin: Some(Origin::Folder([7; 32])),
        };
        assert_eq!(Tombstone::decode(&tombstone.encode()).expect("reads"), tombstone);
        let other =
            Tombstone { snapshot: SnapshotId([2; 32]), seen: Vec::new(), ..tombstone.clone() };
        let contents = [&tombstone, &other].map(Tombstone::encode).to_vec();
        let list = TombstoneList { time, contents };
        assert_eq!(TombstoneList::decode(&list.encode()).expect("reads"), list);
        assert_eq!(list.tombstones().expect("reads"), [tombstone, other]);
        let broken = TombstoneList { contents: vec![b"x".to_vec()], ..list };
        assert!(broken.tombstones().is_err());
    }
}
