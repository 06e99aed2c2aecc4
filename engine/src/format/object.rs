//! Names and kinds of the objects of a repository (FORMAT.md §1).

use std::fmt;

use crate::format::id::{ObjectId, SnapshotId, encode_hex};

/// The kind of a sealed object; part of its key derivation and of its associated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A pack of chunks.
    DataPack = 1,
    /// A pack of trees and chunk lists.
    TreePack = 2,
    /// An index of the blobs in packs.
    Index = 3,
    /// A snapshot.
    Snapshot = 4,
    /// A tombstone of a forgotten snapshot.
    Tombstone = 5,
    /// A session of a writer.
    Session = 6,
    /// A verdict: the outcome of a session.
    Verdict = 7,
    /// A generation of prune.
    Generation = 8,
    /// The end of a generation of prune.
    GenerationEnd = 9,
    /// The id of one copy of the repository.
    Destination = 10,
    /// A heartbeat of a session.
    Heartbeat = 11,
    /// Later facts about a snapshot.
    Annotation = 13,
}

/// A top-level folder of objects, which a destination lists as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// Later headers.
    Headers,
    /// Key slots.
    Keys,
    /// Packs.
    Packs,
    /// Indexes.
    Index,
    /// Snapshots.
    Snapshots,
    /// Tombstones of snapshots.
    Forgotten,
    /// Sessions and their verdicts.
    Sessions,
    /// Generations of prune.
    Generations,
    /// Later facts about snapshots.
    Annotations,
    /// Data that repair packs; nothing depends on them.
    Parity,
}

impl Area {
    /// All areas, in the order in which a reader lists them.
    pub const ALL: [Area; 10] = [
        Area::Headers,
        Area::Keys,
        Area::Generations,
        Area::Sessions,
        Area::Snapshots,
        Area::Forgotten,
        Area::Annotations,
        Area::Index,
        Area::Packs,
        Area::Parity,
    ];

    /// Returns the area of an object; the first header is of that of the headers.
    pub(crate) fn of(name: &ObjectName) -> Option<Self> {
        if *name == ObjectName::header() {
            return Some(Area::Headers);
        }
        let (folder, _) = name.as_str().split_once('/')?;
        Self::ALL.into_iter().find(|area| area.folder() == folder)
    }

    /// Returns the name of the folder.
    pub fn folder(self) -> &'static str {
        match self {
            Area::Headers => "headers",
            Area::Keys => "keys",
            Area::Packs => "packs",
            Area::Index => "index",
            Area::Snapshots => "snapshots",
            Area::Forgotten => "forgotten",
            Area::Sessions => "sessions",
            Area::Generations => "gc",
            Area::Annotations => "annotations",
            Area::Parity => "parity",
        }
    }

    /// Returns true if the objects are in folders by the first two digits of their ids.
    pub(crate) fn has_subfolders(self) -> bool {
        matches!(self, Area::Packs | Area::Parity)
    }
}

/// The full name of an object, with `/` between its parts on every destination.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(String);

impl ObjectName {
    /// Returns the name of the first header.
    pub fn header() -> Self {
        Self("yore.cbor".into())
    }

    /// Returns the name of a later header.
    pub fn later_header(number: u64) -> Self {
        Self(format!("headers/{number:016x}"))
    }

    /// Returns the name of the object that holds the id of the copy.
    pub fn destination() -> Self {
        Self("destination".into())
    }

    /// Returns the name of a key slot.
    pub fn slot(id: ObjectId) -> Self {
        Self(format!("keys/{id}"))
    }

    /// Returns the name of a pack.
    pub fn pack(id: ObjectId) -> Self {
        Self(format!("packs/{}/{id}", encode_hex(&id.0[..1])))
    }

    /// Returns the name of the parity of a pack.
    pub fn parity(pack: ObjectId) -> Self {
        Self(format!("parity/{}/{pack}", encode_hex(&pack.0[..1])))
    }

    /// Returns true for the name of a pack.
    pub(crate) fn is_pack(&self) -> bool {
        self.0.starts_with("packs/")
    }

    /// Returns true if the name is an id that its writer drew at random: two writers never create the same one.
    pub(crate) fn is_drawn(&self) -> bool {
        let drawn = [Area::Packs, Area::Index, Area::Snapshots, Area::Sessions];
        self.suffix().is_none() && Area::of(self).is_some_and(|area| drawn.contains(&area))
    }

    /// Returns the name of an index of level 0.
    pub fn index(id: ObjectId) -> Self {
        Self(format!("index/{id}"))
    }

    /// Returns the name of an index that replaces others of lower levels.
    ///
    /// # Panics
    /// When `level` is not from 1 to 15.
    pub fn merged_index(id: ObjectId, level: u32) -> Self {
        assert!((1..16).contains(&level), "a level is one digit and not 0");
        Self(format!("index/{id}.{level:x}"))
    }

    /// Returns the name of a snapshot.
    pub fn snapshot(id: SnapshotId) -> Self {
        Self(format!("snapshots/{id}"))
    }

    /// Returns the name of the tombstone of a snapshot.
    pub fn tombstone(id: SnapshotId) -> Self {
        Self(format!("forgotten/{id}"))
    }

    /// Returns the name of a list of tombstones, which holds those of objects of lower levels.
    ///
    /// # Panics
    /// When `level` is not from 1 to 15.
    pub fn tombstone_list(id: ObjectId, level: u32) -> Self {
        assert!((1..16).contains(&level), "a level is one digit and not 0");
        Self(format!("forgotten/{id}.{level:x}"))
    }

    /// Returns the name of an annotation of a snapshot.
    pub fn annotation(id: SnapshotId, number: u32) -> Self {
        Self(format!("annotations/{id}.{number:08x}"))
    }

    /// Returns the name of a session.
    pub fn session(id: ObjectId) -> Self {
        Self(format!("sessions/{id}"))
    }

    /// Returns the name of the verdict of a session.
    pub fn verdict(id: ObjectId) -> Self {
        Self(format!("sessions/{id}.end"))
    }

    /// Returns the name of a heartbeat of a session.
    pub fn heartbeat(session: ObjectId, number: u32) -> Self {
        Self(format!("sessions/{session}.{number:08x}"))
    }

    /// Returns the name of a generation of prune.
    pub fn generation(number: u64) -> Self {
        Self(format!("gc/{number:016x}"))
    }

    /// Returns the name of the end of a generation.
    pub fn generation_end(number: u64) -> Self {
        Self(format!("gc/{number:016x}.end"))
    }

    /// Returns the name under which a damaged object is put aside.
    pub(crate) fn quarantined(name: &Self) -> Self {
        Self(format!("quarantine/{}", name.0.replace('/', "-")))
    }

    /// Parses a name as a destination lists it; `None` if it is not that of an object of the area.
    pub fn parse(area: Area, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(area.folder())?.strip_prefix('/')?;
        let well_formed = match area {
            Area::Keys | Area::Snapshots => is_hex(rest, 64),
            Area::Index | Area::Forgotten => match rest.split_once('.') {
                None => is_hex(rest, 64),
                Some((id, level)) => is_hex(id, 64) && is_hex(level, 1) && level != "0",
            },
            Area::Packs | Area::Parity => rest
                .split_once('/')
                .is_some_and(|(two, id)| is_hex(id, 64) && id.get(..2) == Some(two)),
            Area::Annotations => {
                rest.split_once('.').is_some_and(|(id, number)| is_hex(id, 64) && is_hex(number, 8))
            }
            Area::Headers => is_hex(rest, 16),
            Area::Sessions => match rest.split_once('.') {
                None => is_hex(rest, 64),
                Some((id, end)) => is_hex(id, 64) && (end == "end" || is_hex(end, 8)),
            },
            Area::Generations => is_hex(rest.strip_suffix(".end").unwrap_or(rest), 16),
        };
        well_formed.then(|| Self(name.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the id in the name; `None` for headers and generations.
    pub(crate) fn id(&self) -> Option<[u8; 32]> {
        let last = self.0.rsplit('/').next()?;
        ObjectId::from_hex(last.split('.').next()?).map(|id| id.0)
    }

    /// Returns the number in the name of a generation, its end or a later header.
    pub(crate) fn number(&self) -> Option<u64> {
        u64::from_str_radix(self.0.split_once('/')?.1.split('.').next()?, 16).ok()
    }

    /// Returns the level of an index or of tombstones: 0 for what a backup or `forget` wrote, from 1 for one that holds
    /// what others held.
    pub(crate) fn level(&self) -> u32 {
        self.suffix().and_then(|level| u32::from_str_radix(level, 16).ok()).unwrap_or(0)
    }

    /// Returns the text after the dot, such as `end` for verdicts and ends of generations.
    pub(crate) fn suffix(&self) -> Option<&str> {
        self.0.split_once('.').map(|(_, suffix)| suffix)
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_format_are_objects() {
        let id = ObjectId([0xab; 32]);
        assert!(ObjectName::parse(Area::Packs, ObjectName::pack(id).as_str()).is_some());
        assert!(ObjectName::parse(Area::Sessions, ObjectName::verdict(id).as_str()).is_some());
        assert!(ObjectName::parse(Area::Index, "index/.tmp-1").is_none());
        assert!(ObjectName::parse(Area::Packs, &format!("packs/00/{id}")).is_none());
        assert!(ObjectName::parse(Area::Index, ObjectName::pack(id).as_str()).is_none());
        assert!(ObjectName::parse(Area::Parity, ObjectName::parity(id).as_str()).is_some());
        assert!(ObjectName::parse(Area::Parity, ObjectName::pack(id).as_str()).is_none());
        for (suffix, level) in
            [("", Some(0)), (".1", Some(1)), (".f", Some(15)), (".0", None), (".10", None)]
        {
            let name = ObjectName::parse(Area::Index, &format!("index/{id}{suffix}"));
            assert_eq!(name.map(|name| (name.id(), name.level())), level.map(|l| (Some(id.0), l)));
        }
        let list = ObjectName::tombstone_list(id, 3);
        let parsed = ObjectName::parse(Area::Forgotten, list.as_str()).expect("a name");
        assert_eq!((parsed.level(), parsed.id()), (3, Some(id.0)));
        assert!(ObjectName::session(id).is_drawn() && ObjectName::pack(id).is_drawn());
        assert!(!ObjectName::verdict(id).is_drawn() && !ObjectName::generation(1).is_drawn());
        assert!(!ObjectName::tombstone(crate::format::id::SnapshotId(id.0)).is_drawn());
        assert_eq!(ObjectName::generation_end(17).number(), Some(17));
        assert_eq!(ObjectName::generation_end(17).suffix(), Some("end"));
    }
}
