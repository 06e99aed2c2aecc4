//! Small records: snapshots, sessions, verdicts, tombstones, generations (FORMAT.md §10, §11).

use yore_platform::Timestamp;

use crate::format::cbor::{self, EPOCH, MapWriter, Read};
use crate::format::id::{ObjectId, SnapshotId};

mod exclusion;
mod snapshot;

pub use exclusion::Exclusion;
pub use snapshot::{Snapshot, Totals};

/// Names one installation on one machine, over all its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub [u8; 16]);

/// Names one copy of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DestinationId(pub [u8; 16]);

fn bytes16(d: &mut minicbor::Decoder<'_>) -> Read<[u8; 16]> {
    cbor::required(d.bytes()?.try_into().ok())
}

fn write_ids(map: &mut MapWriter<'_>, key: u64, ids: &[SnapshotId]) {
    let mut writer = map.key(key);
    writer.array(ids.len() as u64);
    ids.iter().for_each(|id| {
        writer.bytes(&id.0);
    });
}

/// A writer began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The newest generation of prune that it saw; 0 for none.
    pub base: u64,
    /// When it began.
    pub time: Timestamp,
    /// On which machine.
    pub host: String,
    /// Which installation.
    pub client: ClientId,
    /// Which process of the machine, in the platform's words.
    pub process: String,
    /// Program and version.
    pub program: String,
    /// The copy of the repository that it writes to.
    pub destination: DestinationId,
}

impl Session {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).u64(self.base);
        map.key(2).time(self.time, EPOCH);
        map.key(3).str(&self.host);
        map.key(4).bytes(&self.client.0);
        map.key(5).str(&self.process);
        map.key(6).str(&self.program);
        map.key(9).bytes(&self.destination.0);
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut base, mut time, mut client, mut destination) = (None, None, None, None);
        let (mut host, mut process, mut program) = (String::new(), String::new(), String::new());
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => base = Some(d.u64()?),
                2 => time = Some(cbor::time(d, EPOCH)?),
                3 => host = d.str()?.into(),
                4 => client = Some(ClientId(bytes16(d)?)),
                5 => process = d.str()?.into(),
                6 => program = d.str()?.into(),
                9 => destination = Some(DestinationId(bytes16(d)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            base: cbor::required(base)?,
            time: cbor::required(time)?,
            host,
            client: cbor::required(client)?,
            process,
            program,
            destination: cbor::required(destination)?,
        })
    }
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These snapshots exist now.
    Commit(Vec<SnapshotId>),
    /// Nothing of it counts.
    Abort,
}

/// How a session ended, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub time: Timestamp,
    /// Program and version.
    pub program: String,
    /// The copy of the repository for which it counts.
    pub destination: DestinationId,
}

impl Verdict {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (number, snapshots) = match &self.outcome {
            Outcome::Commit(snapshots) => (1, snapshots.as_slice()),
            Outcome::Abort => (0, [].as_slice()),
        };
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).u64(number);
        write_ids(&mut map, 2, snapshots);
        map.key(3).time(self.time, EPOCH);
        map.key(4).str(&self.program);
        map.key(9).bytes(&self.destination.0);
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut number, mut snapshots, mut time) = (None, Vec::new(), None);
        let (mut program, mut destination) = (String::new(), None);
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => number = Some(d.u64()?),
                2 => snapshots = cbor::ids(d)?.into_iter().map(SnapshotId).collect(),
                3 => time = Some(cbor::time(d, EPOCH)?),
                4 => program = d.str()?.into(),
                9 => destination = Some(DestinationId(bytes16(d)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let outcome = match number {
            Some(1) => Outcome::Commit(snapshots),
            Some(0) => Outcome::Abort,
            _ => return cbor::refuse("a verdict that is none"),
        };
        let (time, destination) = (cbor::required(time)?, cbor::required(destination)?);
        Ok(Self { outcome, time, program, destination })
    }
}

/// Says that a snapshot was forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Which.
    pub snapshot: SnapshotId,
    /// When.
    pub time: Timestamp,
    /// On which machine.
    pub host: String,
    /// By whom.
    pub user: String,
    /// Under which policy.
    pub policy: String,
    /// The client that wrote the snapshot, and its sequence number; `None` where the snapshot could not be read.
    pub(crate) client_sequence: Option<(ClientId, u64)>,
    /// The snapshots of other clients that it names as seen by its writer, unless a person gave its time; sorted.
    pub(crate) seen: Vec<SnapshotId>,
    /// The client's snapshot before it.
    pub(crate) previous: Option<SnapshotId>,
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
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut snapshot, mut time) = (None, None);
        let (mut client, mut sequence) = (None, None);
        let (mut seen, mut previous) = (Vec::new(), None);
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
        })
    }
}

/// A step of prune, or what became of it: its number, and packs that it condemned or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) packs: Vec<ObjectId>,
    pub(crate) destination: DestinationId,
}

impl Generation {
    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut number, mut packs, mut destination) = (None, Vec::new(), None);
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => number = Some(d.u64()?),
                2 => packs = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
                9 => destination = Some(DestinationId(bytes16(d)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let (number, destination) = (cbor::required(number)?, cbor::required(destination)?);
        Ok(Self { number, packs, destination })
    }
}

/// Names one copy of a repository.
pub(crate) fn encode_destination(id: DestinationId, created: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut map = MapWriter::new(&mut out);
    map.key(1).bytes(&id.0);
    map.key(2).time(created, EPOCH);
    map.finish();
    out
}

/// Reads what [`encode_destination`] wrote.
pub(crate) fn decode_destination(bytes: &[u8]) -> Read<DestinationId> {
    let mut id = None;
    cbor::whole_map(bytes, |key, d| {
        match key {
            1 => id = Some(DestinationId(bytes16(d)?)),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    cbor::required(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::BlobId;
    use crate::format::tree::Flags;

    #[test]
    fn records_round_trip() {
        let time = Timestamp { seconds: 1_800_000_000, nanos: 5 };
        let snapshot = Snapshot {
            time,
            time_given: true,
            end: time,
            utc_offset: -3600,
            host: "host".into(),
            user: "me".into(),
            sources: vec![b"home/me".to_vec(), b"\xff".to_vec()],
            root: BlobId([1; 32]),
            root_flags: Flags::INCOMPLETE,
            tags: vec!["a".into()],
            client: ClientId([2; 16]),
            sequence: 9,
            previous: Some(SnapshotId([3; 32])),
            seen: vec![SnapshotId([5; 32]), SnapshotId([6; 32])],
            totals: Totals { files: 1, unreadable: u64::MAX, ..Totals::default() },
            program: "yore 1".into(),
            excludes: vec![
                Exclusion::Pattern("*.o".into()),
                Exclusion::IfPresent(b".nobackup".to_vec()),
                Exclusion::LargerThan(1 << 40),
                Exclusion::OtherFileSystems,
                Exclusion::Caches,
                Exclusion::Unknown(77),
            ],
            uncovered: vec![b"home/me/x".to_vec()],
            session: ObjectId([4; 32]),
        };
        assert_eq!(Snapshot::decode(&snapshot.encode()).expect("reads"), snapshot);
        let destination = DestinationId([7; 16]);
        for outcome in [Outcome::Abort, Outcome::Commit(vec![SnapshotId([1; 32])])] {
            let verdict = Verdict { outcome, time, program: "yore".into(), destination };
            assert_eq!(Verdict::decode(&verdict.encode()).expect("reads"), verdict);
        }
        let session = Session {
            base: 4,
            time,
            host: "host".into(),
            client: ClientId([1; 16]),
            process: "1".into(),
            program: "yore".into(),
            destination,
        };
        assert_eq!(Session::decode(&session.encode()).expect("reads"), session);
        let tombstone = Tombstone {
            snapshot: SnapshotId([1; 32]),
            time,
            host: "host".into(),
            user: "me".into(),
            policy: "7 daily".into(),
            client_sequence: Some((ClientId([2; 16]), 8)),
            seen: vec![SnapshotId([5; 32])],
            previous: Some(SnapshotId([6; 32])),
        };
        assert_eq!(Tombstone::decode(&tombstone.encode()).expect("reads"), tombstone);
    }
}
