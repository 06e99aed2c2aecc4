//! The counts of a backup (FORMAT.md §10, key 12).

use crate::format::cbor::{self, MapWriter, Read};

/// The counts of nodes and bytes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Files, hard links each counted.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Other nodes.
    pub others: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that are not in the previous snapshot.
    pub new_files: u64,
    /// Files that differ from the previous snapshot.
    pub changed_files: u64,
    /// Bytes of new blobs.
    pub new_bytes: u64,
    /// Bytes of the new blobs as stored.
    pub stored_bytes: u64,
    /// Nodes that could not be read.
    pub unreadable: u64,
}

impl Totals {
    pub(super) fn encode(&self, map: &mut MapWriter<'_>, key: u64) {
        let mut totals = map.key(key);
        totals.map(9);
        let numbers = [
            self.files,
            self.directories,
            self.others,
            self.bytes,
            self.new_files,
            self.changed_files,
            self.new_bytes,
            self.stored_bytes,
            self.unreadable,
        ];
        (1..).zip(numbers).for_each(|(key, number)| {
            totals.u64(key).u64(number);
        });
    }

    pub(super) fn decode(d: &mut minicbor::Decoder<'_>) -> Read<Self> {
        let mut t = Self::default();
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
}
