//! The origin of a snapshot that was not backed up but brought over (FORMAT.md §10, key 23).

use sha2::{Digest, Sha256};

use crate::format::cbor::{self, MapWriter, Read};
use crate::format::id::{RepositoryId, SnapshotId};

const SNAPSHOT: u64 = 1;
const FOLDER: u64 = 2;

/// The thing of which a snapshot was made, by which a second copy or import of it is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A snapshot of another repository.
    Snapshot {
        /// The repository in which it was made.
        repository: RepositoryId,
        /// Its id there.
        snapshot: SnapshotId,
    },
    /// A dated folder, by the digest of its machine, path and time.
    Folder([u8; 32]),
}

impl Origin {
    /// Returns the origin of a dated folder: the machine and path that its snapshot gets, and its time in seconds.
    pub fn folder(host: &str, path: &[u8], seconds: i64) -> Self {
        let seconds = seconds.to_string();
        let mut digest = Sha256::new();
        for part in [b"yore/1 import".as_slice(), host.as_bytes(), path, seconds.as_bytes()] {
            digest.update(part);
            digest.update([0]);
        }
        Origin::Folder(digest.finalize().into())
    }

    pub(super) fn encode(self, map: &mut MapWriter<'_>, key: u64) {
        let mut parts = map.key(key);
        match self {
            Origin::Snapshot { repository, snapshot } => {
                parts.array(3).u64(SNAPSHOT).bytes(&repository.0).bytes(&snapshot.0)
            }
            Origin::Folder(digest) => parts.array(2).u64(FOLDER).bytes(&digest),
        };
    }

    /// Reads an origin; returns `None` for a kind of a later version.
    pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Option<Self>> {
        let items = cbor::items(d)?;
        if items == 0 {
            return cbor::refuse("an origin without a kind");
        }
        match (d.u64()?, items) {
            (SNAPSHOT, 3) => {
                let repository = RepositoryId(cbor::bytes32(d)?);
                let snapshot = SnapshotId(cbor::bytes32(d)?);
                Ok(Some(Origin::Snapshot { repository, snapshot }))
            }
            (FOLDER, 2) => Ok(Some(Origin::Folder(cbor::bytes32(d)?))),
            (SNAPSHOT | FOLDER, _) => cbor::refuse("an origin of another length"),
            _ => (1..items).try_for_each(|_| cbor::skip(d)).map(|()| None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(origin: Origin) -> Option<Origin> {
        let mut out = Vec::new();
        let mut map = MapWriter::new(&mut out);
        origin.encode(&mut map, 23);
        map.finish();
        decode(&out).expect("it decodes")
    }

    fn decode(bytes: &[u8]) -> Read<Option<Origin>> {
        let mut found = None;
        cbor::whole_map(bytes, |_, d| {
            found = Origin::decode(d)?;
            Ok(true)
        })?;
        Ok(found)
    }

    #[test]
    fn an_origin_round_trips_and_one_of_a_later_version_is_ignored() {
        let repository = RepositoryId([1; 32]);
        let copied = Origin::Snapshot { repository, snapshot: SnapshotId([2; 32]) };
        assert_eq!(round_trip(copied), Some(copied));
        let imported = Origin::folder("host", b"home/me", 1_700_000_000);
        assert_eq!(round_trip(imported), Some(imported));
        assert_eq!(decode(&[0xa1, 23, 0x83, 9, 0x41, 7, 0x80]).ok(), Some(None));
        for damaged in [&[0xa1, 23, 0x80][..], &[0xa1, 23, 0x82, 1, 0x40], &[0xa1, 23, 0x81, 2]] {
            assert!(decode(damaged).is_err(), "{damaged:?}");
        }
    }

    #[test]
    fn machine_path_and_time_each_make_another_origin() {
        let origin = Origin::folder("a", b"b", 1);
        assert_eq!(origin, Origin::folder("a", b"b", 1));
        for other in [("ab", "", 1), ("", "ab", 1), ("b", "b", 1), ("a", "c", 1), ("a", "b", 11)] {
            assert_ne!(origin, Origin::folder(other.0, other.1.as_bytes(), other.2), "{other:?}");
        }
    }
}
