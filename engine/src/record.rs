//! Small records: snapshots, sessions, verdicts, tombstones, generations (FORMAT.md §10, §11).

use yore_platform::Timestamp;

use crate::cbor::{self, EPOCH, MapWriter, Read};
use crate::id::{BlobId, ObjectId, SnapshotId};
use crate::tree::Flags;

/// Names one installation on one machine, over all its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId(pub [u8; 16]);

/// Names one copy of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DestinationId(pub [u8; 16]);

/// What a backup saw and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Files, hard links each counted.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that the previous snapshot did not have.
    pub new_files: u64,
    /// Files that the previous snapshot had otherwise.
    pub changed_files: u64,
    /// Bytes of blobs that the repository did not have.
    pub new_bytes: u64,
    /// Bytes that those take in the repository.
    pub stored_bytes: u64,
    /// What could not be read.
    pub unreadable: u64,
}

/// The flag of a snapshot whose time a person gave.
const TIME_GIVEN: u64 = 1;

/// A moment that was backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the backup began.
    pub time: Timestamp,
    /// A person gave the time; it was not read from the machine's clock.
    pub time_given: bool,
    /// When it ended.
    pub end: Timestamp,
    /// The writer's offset from UTC then, in seconds.
    pub utc_offset: i64,
    /// The machine.
    pub host: String,
    /// The person or account.
    pub user: String,
    /// Absolute paths: components joined by `/`, without a leading one.
    pub sources: Vec<Vec<u8>>,
    /// The root tree.
    pub root: BlobId,
    /// What a node of the root would say of it, if it had one.
    pub root_flags: Flags,
    /// Words by which it can be found.
    pub tags: Vec<String>,
    /// Which installation made it.
    pub client: ClientId,
    /// Counts that installation's snapshots, from 1.
    pub sequence: u64,
    /// That installation's previous snapshot.
    pub previous: Option<SnapshotId>,
    /// The newest snapshot of each other installation that the writer saw, sorted.
    pub seen: Vec<SnapshotId>,
    /// What was seen and stored.
    pub totals: Totals,
    /// Program and version.
    pub program: String,
    /// The exclude patterns in force.
    pub excludes: Vec<String>,
    /// Sources of earlier snapshots, inside of its own sources, of which it says nothing: it left them out. Sorted.
    pub uncovered: Vec<Vec<u8>>,
    /// The session that wrote it first.
    pub session: ObjectId,
}

impl Snapshot {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).time(self.time, EPOCH);
        map.key(2).time(self.end, EPOCH);
        map.key(3).i64(self.utc_offset);
        map.key(4).str(&self.host);
        map.key(5).str(&self.user);
        write_paths(&mut map, 6, &self.sources);
        map.key(7).bytes(&self.root.0);
        write_texts(&mut map, 8, &self.tags);
        map.key(9).bytes(&self.client.0);
        map.key(10).u64(self.sequence);
        if let Some(previous) = self.previous {
            map.key(11).bytes(&previous.0);
        }
        let t = &self.totals;
        let mut totals = map.key(12);
        totals.map(9);
        let numbers = [
            t.files,
            t.directories,
            t.others,
            t.bytes,
            t.new_files,
            t.changed_files,
            t.new_bytes,
            t.stored_bytes,
            t.unreadable,
        ];
        (1..).zip(numbers).for_each(|(key, number)| {
            totals.u64(key).u64(number);
        });
        map.key(13).str(&self.program);
        write_texts(&mut map, 14, &self.excludes);
        map.key(15).bytes(&self.session.0);
        if self.root_flags != Flags::default() {
            map.key(17).u64(self.root_flags.0);
        }
        if !self.seen.is_empty() {
            let mut seen = map.key(18);
            seen.array(self.seen.len() as u64);
            self.seen.iter().for_each(|id| {
                seen.bytes(&id.0);
            });
        }
        if self.time_given {
            map.key(19).u64(TIME_GIVEN);
        }
        if !self.uncovered.is_empty() {
            write_paths(&mut map, 20, &self.uncovered);
        }
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut time, mut end, mut root, mut client) = (None, None, None, None);
        let (mut root_flags, mut seen, mut flags) = (Flags::default(), Vec::new(), 0);
        let (mut sequence, mut session, mut previous) = (None, None, None);
        let (mut utc_offset, mut host, mut user, mut program) = (0, None, None, String::new());
        let (mut sources, mut tags, mut excludes) = (None, Vec::new(), Vec::new());
        let (mut totals, mut uncovered) = (Totals::default(), Vec::new());
        cbor::whole_map(bytes, |key, d| {
            match key {
                1 => time = Some(cbor::time(d, EPOCH)?),
                2 => end = Some(cbor::time(d, EPOCH)?),
                3 => utc_offset = d.i64()?,
                4 => host = Some(d.str()?.to_owned()),
                5 => user = Some(d.str()?.to_owned()),
                6 => sources = Some(read_paths(d)?),
                7 => root = Some(BlobId(cbor::bytes32(d)?)),
                8 => tags = cbor::texts(d)?,
                9 => client = Some(ClientId(bytes16(d)?)),
                10 => sequence = Some(d.u64()?),
                11 => previous = Some(SnapshotId(cbor::bytes32(d)?)),
                12 => totals = decode_totals(d)?,
                13 => program = d.str()?.to_owned(),
                14 => excludes = cbor::texts(d)?,
                15 => session = Some(ObjectId(cbor::bytes32(d)?)),
                17 => root_flags = Flags(d.u64()?),
                18 => seen = cbor::ids(d)?.into_iter().map(SnapshotId).collect(),
                19 => flags = d.u64()?,
                20 => uncovered = read_paths(d)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            time: cbor::required(time)?,
            time_given: flags & TIME_GIVEN != 0,
            end: cbor::required(end)?,
            utc_offset,
            host: cbor::required(host)?,
            user: cbor::required(user)?,
            sources: cbor::required(sources)?,
            root: cbor::required(root)?,
            root_flags,
            tags,
            client: cbor::required(client)?,
            sequence: cbor::required(sequence)?,
            previous,
            seen,
            totals,
            program,
            excludes,
            uncovered,
            session: cbor::required(session)?,
        })
    }
}

fn write_paths(map: &mut MapWriter<'_>, key: u64, paths: &[Vec<u8>]) {
    let mut items = map.key(key);
    items.array(paths.len() as u64);
    paths.iter().for_each(|path| {
        items.bytes(path);
    });
}

fn read_paths(d: &mut minicbor::Decoder<'_>) -> Read<Vec<Vec<u8>>> {
    let items = cbor::items(d)?;
    (0..items).map(|_| d.bytes().map(<[u8]>::to_vec)).collect()
}

fn write_texts(map: &mut MapWriter<'_>, key: u64, texts: &[String]) {
    let mut writer = map.key(key);
    writer.array(texts.len() as u64);
    texts.iter().for_each(|text| {
        writer.str(text);
    });
}

fn decode_totals(d: &mut minicbor::Decoder<'_>) -> Read<Totals> {
    let mut t = Totals::default();
    let known = |key, d: &mut minicbor::Decoder<'_>| {
        let number = match key {
            1 => &mut t.files,
            2 => &mut t.directories,
            3 => &mut t.others,
            4 => &mut t.bytes,
            5 => &mut t.new_files,
            6 => &mut t.changed_files,
            7 => &mut t.new_bytes,
            8 => &mut t.stored_bytes,
            9 => &mut t.unreadable,
            _ => return Ok(false),
        };
        *number = d.u64()?;
        Ok(true)
    };
    cbor::map(d, known, |_, _| {})?;
    Ok(t)
}

fn bytes16(d: &mut minicbor::Decoder<'_>) -> Read<[u8; 16]> {
    cbor::required(d.bytes()?.try_into().ok())
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
        let mut writer = map.key(2);
        writer.array(snapshots.len() as u64);
        snapshots.iter().for_each(|id| {
            writer.bytes(&id.0);
        });
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
    /// Whose snapshot it was, and its sequence number; `None` where nobody noted it.
    pub(crate) numbered: Option<(ClientId, u64)>,
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
        if let Some((client, sequence)) = self.numbered {
            map.key(6).bytes(&client.0);
            map.key(7).u64(sequence);
        }
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut snapshot, mut time) = (None, None);
        let (mut client, mut sequence) = (None, None);
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
            numbered: client.zip(sequence),
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

    #[test]
    fn records_go_there_and_back() {
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
            excludes: vec!["*.o".into()],
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
    }
}
