//! Exclusion rules of a backup, as a snapshot records them (FORMAT.md §10, key 14).

use crate::format::cbor::{self, MapWriter, Read};

/// A rule by which a backup excluded files or directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exclusion {
    /// A pattern as in `.gitignore`, from the root where it has a slash.
    Pattern(String),
    /// Directories that hold a file of this name.
    IfPresent(Vec<u8>),
    /// Files of more than this many bytes.
    LargerThan(u64),
    /// Directories on which another file system is mounted.
    OtherFileSystems,
    /// Directories that are marked as caches.
    Caches,
    /// A rule of a later version, by its number.
    Unknown(u64),
}

impl Exclusion {
    /// Returns the patterns among rules, in order.
    pub fn patterns(rules: &[Self]) -> impl Iterator<Item = &str> {
        rules.iter().filter_map(|rule| match rule {
            Exclusion::Pattern(pattern) => Some(pattern.as_str()),
            _ => None,
        })
    }
}

const PATTERN: u64 = 0;
const IF_PRESENT: u64 = 1;
const LARGER_THAN: u64 = 2;
const OTHER_FILE_SYSTEMS: u64 = 3;
const CACHES: u64 = 4;

pub(super) fn encode(map: &mut MapWriter<'_>, key: u64, exclusions: &[Exclusion]) {
    let mut rules = map.key(key);
    rules.array(exclusions.len() as u64);
    for exclusion in exclusions {
        match exclusion {
            Exclusion::Pattern(pattern) => rules.array(2).u64(PATTERN).str(pattern),
            Exclusion::IfPresent(name) => rules.array(2).u64(IF_PRESENT).bytes(name),
            Exclusion::LargerThan(bytes) => rules.array(2).u64(LARGER_THAN).u64(*bytes),
            Exclusion::OtherFileSystems => rules.array(1).u64(OTHER_FILE_SYSTEMS),
            Exclusion::Caches => rules.array(1).u64(CACHES),
            Exclusion::Unknown(kind) => rules.array(1).u64(*kind),
        };
    }
}

pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Vec<Exclusion>> {
    let items = cbor::items(d)?;
    (0..items).map(|_| decode_one(d)).collect()
}

fn decode_one(d: &mut minicbor::Decoder<'_>) -> Read<Exclusion> {
    let items = cbor::items(d)?;
    if items == 0 {
        return cbor::refuse("a rule that is none");
    }
    let kind = d.u64()?;
    match (kind, items) {
        (PATTERN, 2) => Ok(Exclusion::Pattern(d.str()?.to_owned())),
        (IF_PRESENT, 2) => Ok(Exclusion::IfPresent(d.bytes()?.to_vec())),
        (LARGER_THAN, 2) => Ok(Exclusion::LargerThan(d.u64()?)),
        (OTHER_FILE_SYSTEMS, 1) => Ok(Exclusion::OtherFileSystems),
        (CACHES, 1) => Ok(Exclusion::Caches),
        (PATTERN..=CACHES, _) => cbor::refuse("a rule of another length"),
        _ => {
            (1..items).try_for_each(|_| cbor::skip(d))?;
            Ok(Exclusion::Unknown(kind))
        }
    }
}
