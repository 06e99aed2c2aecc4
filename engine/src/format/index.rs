//! Index objects: which packs there are, each with its contents (FORMAT.md §7).

use crate::format::cbor::{self, MapWriter, Read};
use crate::format::pack::PackInfo;

/// Encodes the content of an index object.
pub(crate) fn encode(packs: &[PackInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut map = MapWriter::new(&mut out);
    map.key(1).array(packs.len() as u64);
    map.finish();
    packs.iter().for_each(|pack| pack.encode(&mut out));
    out
}

/// Decodes the content of an index object.
pub(crate) fn decode(content: &[u8]) -> Read<Vec<PackInfo>> {
    let mut packs = Vec::new();
    cbor::whole_map(content, |key, d| {
        if key != 1 {
            return Ok(false);
        }
        for _ in 0..cbor::items(d)? {
            packs.push(PackInfo::decode(d)?);
        }
        Ok(true)
    })?;
    Ok(packs)
}
