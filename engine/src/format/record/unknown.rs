//! The parts of a snapshot that this program does not know: a newer one wrote them (FORMAT.md §10).

use super::origin::Origin;
use crate::error::{Error, Result};
use crate::format::cbor::{self, MapWriter, Read};
use crate::format::id::SnapshotId;

/// The last key of the record that this program knows, but for the origin.
const LAST_KNOWN: u64 = 21;
/// The key of the origin, which may be of an unknown kind.
const ORIGIN: u64 = 23;
/// The first key that a snapshot which is made of another one has as the other has it.
const FIRST_KEPT: u64 = 64;

/// The parts of a snapshot that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnknownParts {
    /// The keys that hold for each snapshot that is made of this one, with their encoded values; in order.
    kept: Vec<(u64, Vec<u8>)>,
    /// The first key that holds for this snapshot alone: what it means for another one is not known.
    binding: Option<u64>,
}

impl UnknownParts {
    /// Finds them in the record of a snapshot.
    pub(super) fn read(record: &[u8]) -> Read<Self> {
        let (mut parts, mut binding) = (Self::default(), None);
        let known = |key, d: &mut minicbor::Decoder<'_>| {
            match key {
                0 => return Ok(false),
                1..=LAST_KNOWN => cbor::skip(d)?,
                ORIGIN => binding = Origin::decode(d)?.is_none().then_some(ORIGIN),
                _ => return Ok(false),
            }
            Ok(true)
        };
        cbor::whole_map_with(record, known, |key, value| match key < FIRST_KEPT {
            true => drop(parts.binding.get_or_insert(key)),
            false => parts.kept.push((key, value.to_vec())),
        })?;
        parts.binding = parts.binding.or(binding);
        Ok(parts)
    }

    /// Writes the keys that are kept; they come after all others.
    pub(super) fn encode(&self, map: &mut MapWriter<'_>) {
        for (key, value) in &self.kept {
            map.key(*key).raw(value);
        }
    }

    /// Fails for a snapshot of which this program can't make another one, as a copy or without some of its files.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub(crate) fn allow_another(&self, location: &str, id: SnapshotId) -> Result<()> {
        match self.binding {
            None => Ok(()),
            Some(key) => {
                let feature = format!("a part of snapshot {id:.8} (key {key})");
                Err(Error::Unsupported { location: location.to_owned(), feature })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::record::Snapshot;
    use crate::snapshots::order::tests::snapshot;
    use crate::testing::forge::with_keys;

    fn read(keys: &[(u64, u64)]) -> Snapshot {
        let (_, known) = snapshot(1, 1, 1);
        Snapshot::decode(&with_keys(known.encode(), keys)).expect("it decodes")
    }

    fn binding(snapshot: &Snapshot) -> Option<u64> {
        assert_eq!(snapshot.unknown.allow_another("here", SnapshotId([1; 32])).is_ok(), {
            snapshot.unknown.binding.is_none()
        });
        snapshot.unknown.binding
    }

    #[test]
    fn keys_from_64_on_are_kept_and_those_below_bind_a_snapshot() {
        let known = read(&[]);
        assert_eq!(known.unknown, UnknownParts::default());
        let kept = read(&[(64, 1), (99, 70_000)]);
        assert_eq!(binding(&kept), None);
        let again = Snapshot::decode(&kept.encode()).expect("it decodes");
        assert_eq!((again.unknown.kept.len(), &again), (2, &kept));
        let bound = read(&[(22, 1), (63, 2), (64, 3)]);
        assert_eq!((binding(&bound), bound.unknown.kept.len()), (Some(22), 1));
        // What the number of the header was then says nothing of another snapshot.
        assert_eq!(binding(&read(&[(16, 4)])), None);
    }

    #[test]
    fn an_origin_of_an_unknown_kind_binds_a_snapshot() {
        let (_, mut known) = snapshot(1, 1, 1);
        known.origin = Some(Origin::Folder([7; 32]));
        let mut record = known.encode();
        let at = record.len() - 34 - 3;
        assert_eq!(record[at..at + 3], [ORIGIN as u8, 0x82, 2], "key, array of two, kind");
        record[at + 2] = 9;
        let read = Snapshot::decode(&record).expect("it decodes");
        assert_eq!((binding(&read), read.origin), (Some(ORIGIN), None));
    }
}
