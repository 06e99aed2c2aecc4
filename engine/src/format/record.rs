//! Records: snapshots, sessions, verdicts, tombstones, generations (FORMAT.md §10, §11).

use yore_platform::Timestamp;

use crate::format::cbor::{self, EPOCH, MapWriter, Read};
use crate::format::id::{ObjectId, SnapshotId};

mod annotation;
mod exclusion;
mod foreign;
mod origin;
mod snapshot;
mod tombstone;
mod totals;
mod unknown;

pub use annotation::Annotation;
pub use exclusion::Exclusion;
pub use foreign::{ForeignKind, ForeignSource};
pub use origin::Origin;
pub use snapshot::Snapshot;
pub use tombstone::Tombstone;
pub(crate) use tombstone::TombstoneList;
pub use totals::Totals;
pub use unknown::UnknownParts;

/// The id of one installation on one machine, the same for all its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub [u8; 16]);

/// The id of one copy of a repository.
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

/// The record of a session, which a writer creates before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The newest generation of prune that the writer saw; 0 for none.
    pub base: u64,
    /// The time of its start.
    pub time: Timestamp,
    /// The machine.
    pub host: String,
    /// The installation.
    pub client: ClientId,
    /// The process, unique on its machine, as the platform identifies it.
    pub process: String,
    /// The program and its version.
    pub program: String,
    /// The copy of the repository to which the session belongs.
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

/// The outcome of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The session committed these snapshots.
    Commit(Vec<SnapshotId>),
    /// The session was aborted; none of its snapshots counts.
    Abort,
}

/// The record of a session's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The time of the verdict.
    pub time: Timestamp,
    /// The program and its version.
    pub program: String,
    /// The copy of the repository on which it is valid.
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

/// A generation of prune with the packs it condemned, or its end with the packs it kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) packs: Vec<ObjectId>,
    /// The generations below this number are void; 0 in an end.
    pub(crate) floor: u64,
    pub(crate) time: Timestamp,
    /// The program and its version.
    pub(crate) program: String,
    pub(crate) destination: DestinationId,
}

impl Generation {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).u64(self.number);
        let mut packs = map.key(2);
        packs.array(self.packs.len() as u64);
        self.packs.iter().for_each(|id| {
            packs.bytes(&id.0);
        });
        map.key(3).time(self.time, EPOCH);
        map.key(4).str(&self.program);
        if self.floor > 0 {
            map.key(5).u64(self.floor);
        }
        map.key(9).bytes(&self.destination.0);
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut number, mut packs, mut destination) = (None, Vec::new(), None);
        let (mut time, mut program, mut floor) = (None, String::new(), 0);
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => number = Some(d.u64()?),
                2 => packs = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
                3 => time = Some(cbor::time(d, EPOCH)?),
                4 => program = d.str()?.into(),
                5 => floor = d.u64()?,
                9 => destination = Some(DestinationId(bytes16(d)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let (number, destination) = (cbor::required(number)?, cbor::required(destination)?);
        Ok(Self { number, packs, floor, time: cbor::required(time)?, program, destination })
    }
}

/// A sign of life of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heartbeat {
    /// The number among the heartbeats of the session, from 0.
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) destination: DestinationId,
}

impl Heartbeat {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).u64(self.number);
        map.key(2).time(self.time, EPOCH);
        map.key(9).bytes(&self.destination.0);
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut number, mut time, mut destination) = (None, None, None);
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => number = Some(d.u64()?),
                2 => time = Some(cbor::time(d, EPOCH)?),
                9 => destination = Some(DestinationId(bytes16(d)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let (number, time) = (cbor::required(number)?, cbor::required(time)?);
        Ok(Self { number, time, destination: cbor::required(destination)? })
    }
}

/// Encodes the record of a destination's id.
pub(crate) fn encode_destination(id: DestinationId, created: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut map = MapWriter::new(&mut out);
    map.key(1).bytes(&id.0);
    map.key(2).time(created, EPOCH);
    map.finish();
    out
}

/// Decodes the output of [`encode_destination`].
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
            suspicious: true,
            collected: true,
            partial: true,
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
            foreign: vec![
                ForeignSource {
                    position: 0,
                    kind: ForeignKind::Machine,
                    text: "sftp://nas".into(),
                },
                ForeignSource { position: 1, kind: ForeignKind::Unknown(9), text: "x".into() },
            ],
            origin: Some(Origin::folder("host", b"home/me", -1)),
            unknown: UnknownParts::default(),
        };
        assert_eq!(Snapshot::decode(&snapshot.encode()).expect("reads"), snapshot);
    }

    #[test]
    fn records_of_sessions_and_of_prune_round_trip() {
        let time = Timestamp { seconds: 1_800_000_000, nanos: 5 };
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
        let beat = Heartbeat { number: 7, time, destination };
        assert_eq!(Heartbeat::decode(&beat.encode()).expect("reads"), beat);
        let generation = Generation {
            number: 3,
            packs: vec![ObjectId([5; 32]), ObjectId([6; 32])],
            floor: 2,
            time,
            program: "yore".into(),
            destination,
        };
        assert_eq!(Generation::decode(&generation.encode()).expect("reads"), generation);
    }
}
