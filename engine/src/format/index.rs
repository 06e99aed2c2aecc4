//! Index objects: lists of packs with their contents (FORMAT.md §7).

use crate::format::cbor::{self, MapWriter, Read};
use crate::format::id::ObjectId;
use crate::format::pack::PackInfo;

/// The content of an index object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct IndexObject {
    pub(crate) packs: Vec<PackInfo>,
    /// The index objects of lower levels that this one replaces, so a reader skips them.
    pub(crate) replaces: Vec<ObjectId>,
    /// The sessions of the writer that wrote the packs; none where prune put indexes together.
    pub(crate) sessions: Vec<ObjectId>,
}

/// Encodes the content of an index object.
pub(crate) fn encode(packs: &[PackInfo], replaces: &[ObjectId], sessions: &[ObjectId]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut map = MapWriter::new(&mut out);
    let mut encoded = Vec::new();
    packs.iter().for_each(|pack| pack.encode(&mut encoded));
    map.key(1).array(packs.len() as u64).raw(&encoded);
    for (key, ids) in [(2, replaces), (3, sessions)] {
        if !ids.is_empty() {
            let mut array = map.key(key);
            array.array(ids.len() as u64);
            ids.iter().for_each(|id| {
                array.bytes(&id.0);
            });
        }
    }
    map.finish();
    out
}

impl IndexObject {
    /// Decodes the content of an index object.
    pub(crate) fn decode(content: &[u8]) -> Read<Self> {
        let mut index = Self::default();
        cbor::whole_map(content, |key, d| {
            match key {
                1 => {
                    for _ in 0..cbor::items(d)? {
                        index.packs.push(PackInfo::decode(d)?);
                    }
                }
                2 => index.replaces = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
                3 => index.sessions = cbor::ids(d)?.into_iter().map(ObjectId).collect(),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(index)
    }
}
