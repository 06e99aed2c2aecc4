//! Annotations: later facts about a snapshot, which itself never changes (FORMAT.md §10).

use std::collections::BTreeMap;

use yore_platform::Timestamp;

use crate::format::cbor::{self, EPOCH, MapWriter, Read};
use crate::format::id::SnapshotId;

/// The last key that this program knows.
const LAST_KNOWN: u64 = 7;

/// The facts about a snapshot that are in force as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// The time at which it was made.
    pub time: Timestamp,
    /// The machine on which it was made.
    pub host: String,
    /// The person or account that made it.
    pub user: String,
    /// No policy may forget the snapshot.
    pub pinned: bool,
    /// The tags, which replace those that the snapshot was made with.
    pub tags: Vec<String>,
    /// Labels of programs.
    pub labels: BTreeMap<String, String>,
    /// The keys that this program does not know, with their encoded values; in order.
    pub unknown: Vec<(u64, Vec<u8>)>,
}

impl Annotation {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        map.key(1).bytes(&self.snapshot.0);
        map.key(2).time(self.time, EPOCH);
        map.key(3).str(&self.host);
        map.key(4).str(&self.user);
        map.key(5).u64(u64::from(self.pinned));
        let mut tags = map.key(6);
        tags.array(self.tags.len() as u64);
        self.tags.iter().for_each(|tag| {
            tags.str(tag);
        });
        if !self.labels.is_empty() {
            let mut labels = map.key(7);
            labels.text_map(&self.labels);
        }
        for (key, value) in self.unknown.iter().filter(|(key, _)| *key > LAST_KNOWN) {
            map.key(*key).raw(value);
        }
        map.finish();
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let (mut snapshot, mut time, mut pinned) = (None, None, false);
        let (mut host, mut user) = (String::new(), String::new());
        let (mut tags, mut labels) = (Vec::new(), BTreeMap::new());
        let known = |key, d: &mut minicbor::Decoder<'_>| {
            match key {
                1 => snapshot = Some(SnapshotId(cbor::bytes32(d)?)),
                2 => time = Some(cbor::time(d, EPOCH)?),
                3 => host = d.str()?.into(),
                4 => user = d.str()?.into(),
                5 => pinned = d.u64()? != 0,
                6 => {
                    for _ in 0..cbor::items(d)? {
                        tags.push(d.str()?.into());
                    }
                }
                7 => labels = cbor::text_map(d)?,
                _ => return Ok(false),
            }
            Ok(true)
        };
        let mut unknown = Vec::new();
        cbor::whole_map_with(bytes, known, |key, value| unknown.push((key, value.to_vec())))?;
        Ok(Self {
            snapshot: cbor::required(snapshot)?,
            time: cbor::required(time)?,
            host,
            user,
            pinned,
            tags,
            labels,
            unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_round_trips() {
        let label = ("suspicious", "90 % changed");
        let annotation = Annotation {
            snapshot: SnapshotId([1; 32]),
            time: Timestamp { seconds: 7, nanos: 1 },
            host: "host".into(),
            user: "me".into(),
            pinned: true,
            tags: vec!["a".into(), "b".into()],
            labels: BTreeMap::from([(label.0.into(), label.1.into()), ("z".into(), String::new())]),
            unknown: vec![(8, vec![0x05]), (300, vec![0x61, 0x78])],
        };
        assert_eq!(Annotation::decode(&annotation.encode()).expect("reads"), annotation);
        let none =
            Annotation { pinned: false, tags: Vec::new(), labels: BTreeMap::new(), ..annotation };
        assert_eq!(Annotation::decode(&none.encode()).expect("reads"), none);
    }
}
