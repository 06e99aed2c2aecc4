//! The record of a snapshot (FORMAT.md §10).

use yore_platform::Timestamp;

use super::exclusion::{self, Exclusion};
use super::foreign::{self, ForeignKind, ForeignSource};
use super::origin::Origin;
use super::{ClientId, Totals, UnknownParts, bytes16, write_ids};
use crate::format::cbor::{self, EPOCH, MapWriter, Read};
use crate::format::id::{BlobId, ObjectId, SnapshotId};
use crate::format::tree::Flags;

/// The flag of a snapshot whose time a person gave.
const TIME_GIVEN: u64 = 1;
/// The flag of a snapshot whose writer found the change since the one before suspicious.
const SUSPICIOUS: u64 = 2;
/// The flag of a snapshot that was collected from a write-only machine, which is not trusted.
const COLLECTED: u64 = 4;
/// The flag of a part of a backup.
const PARTIAL: u64 = 8;

/// The record of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The start of the backup, or the time that a person gave.
    pub time: Timestamp,
    /// A person gave `time`; it is not that of the machine's clock.
    pub time_given: bool,
    /// The writer found the change since the snapshot before suspicious.
    pub suspicious: bool,
    /// It was collected from a write-only machine, which is not trusted.
    pub collected: bool,
    /// It is a part of a backup: only files that were to be saved first were read; the whole snapshot follows it.
    pub partial: bool,
    /// The end of the backup.
    pub end: Timestamp,
    /// The writer's offset from UTC then, in seconds.
    pub utc_offset: i64,
    /// The machine.
    pub host: String,
    /// The person or account.
    pub user: String,
    /// Absolute paths of the sources: components joined by `/`, without a leading one.
    pub sources: Vec<Vec<u8>>,
    /// The root tree.
    pub root: BlobId,
    /// The flags of the root directory, which has no node.
    pub root_flags: Flags,
    /// Tags that the person gave.
    pub tags: Vec<String>,
    /// The installation that wrote it.
    pub client: ClientId,
    /// The sequence number among the installation's snapshots, from 1.
    pub sequence: u64,
    /// The installation's previous snapshot.
    pub previous: Option<SnapshotId>,
    /// The heads: newest snapshots of other clients that no other snapshot the writer saw comes after; sorted.
    pub seen: Vec<SnapshotId>,
    /// The counts of nodes and bytes.
    pub totals: Totals,
    /// The program and its version.
    pub program: String,
    /// The exclusion rules, in order.
    pub excludes: Vec<Exclusion>,
    /// Sources of earlier snapshots that lie inside its own sources and that it excluded; sorted.
    pub uncovered: Vec<Vec<u8>>,
    /// The session that wrote it first.
    pub session: ObjectId,
    /// The sources that are no files of the machine that wrote it.
    pub foreign: Vec<ForeignSource>,
    /// The thing of which it was made, if it was brought over; `None` for a backup.
    pub origin: Option<Origin>,
    /// The parts that this program does not know.
    pub unknown: UnknownParts,
}

impl Snapshot {
    /// Returns the machine whose files it has, if that is another than the one that wrote it.
    pub fn machine(&self) -> Option<&str> {
        let mut machines = self.foreign.iter().filter(|one| one.kind == ForeignKind::Machine);
        machines.next().map(|one| one.text.as_str())
    }

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
        self.totals.encode(&mut map, 12);
        map.key(13).str(&self.program);
        if !self.excludes.is_empty() {
            exclusion::encode(&mut map, 14, &self.excludes);
        }
        map.key(15).bytes(&self.session.0);
        if self.root_flags != Flags::default() {
            map.key(17).u64(self.root_flags.0);
        }
        if !self.seen.is_empty() {
            write_ids(&mut map, 18, &self.seen);
        }
        if self.flags() != 0 {
            map.key(19).u64(self.flags());
        }
        if !self.uncovered.is_empty() {
            write_paths(&mut map, 20, &self.uncovered);
        }
        if !self.foreign.is_empty() {
            foreign::encode(&mut map, 21, &self.foreign);
        }
        if let Some(origin) = self.origin {
            origin.encode(&mut map, 23);
        }
        self.unknown.encode(&mut map);
        map.finish();
        out
    }

    fn flags(&self) -> u64 {
        [
            (self.time_given, TIME_GIVEN),
            (self.suspicious, SUSPICIOUS),
            (self.collected, COLLECTED),
            (self.partial, PARTIAL),
        ]
        .into_iter()
        .filter_map(|(is_set, flag)| is_set.then_some(flag))
        .sum()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut time, mut end, mut root, mut client) = (None, None, None, None);
        let (mut root_flags, mut seen, mut flags) = (Flags::default(), Vec::new(), 0);
        let (mut sequence, mut session, mut previous, mut origin) = (None, None, None, None);
        let (mut utc_offset, mut host, mut user, mut program) = (0, None, None, String::new());
        let (mut sources, mut tags, mut excludes) = (None, Vec::new(), Vec::new());
        let (mut totals, mut uncovered, mut foreign) = (Totals::default(), Vec::new(), Vec::new());
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
                12 => totals = Totals::decode(d)?,
                13 => program = d.str()?.to_owned(),
                14 => excludes = exclusion::decode(d)?,
                15 => session = Some(ObjectId(cbor::bytes32(d)?)),
                17 => root_flags = Flags(d.u64()?),
                18 => seen = cbor::ids(d)?.into_iter().map(SnapshotId).collect(),
                19 => flags = d.u64()?,
                20 => uncovered = read_paths(d)?,
                21 => foreign = foreign::decode(d)?,
                23 => origin = Origin::decode(d)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            time: cbor::required(time)?,
            time_given: flags & TIME_GIVEN != 0,
            suspicious: flags & SUSPICIOUS != 0,
            collected: flags & COLLECTED != 0,
            partial: flags & PARTIAL != 0,
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
            foreign,
            origin,
            unknown: UnknownParts::read(bytes)?,
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
