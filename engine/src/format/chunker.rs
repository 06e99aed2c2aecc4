//! Content-defined chunking (FORMAT.md §12).
//!
//! Gear hash with normalised chunking (Xia et al., *FastCDC*, 2016 and 2020). The table derives from
//! the repository's key; SECURITY.md lists what lengths of chunks reveal nevertheless.

use crate::format::header::Parameters;
use crate::format::keys::{Keys, expand};

/// The gear table and chunk sizes of one repository.
pub(crate) struct Gear {
    table: [u64; 256],
    min: usize,
    max: usize,
    /// The length from which a cut is more likely: three quarters of the average.
    normal_size: usize,
    /// The bound below which the hash ends a chunk shorter than `normal_size`.
    below_early: u64,
    /// The bound for longer chunks.
    below_late: u64,
}

impl Gear {
    pub(crate) fn new(keys: &Keys, parameters: &Parameters) -> Self {
        let mut bytes = [0; 2048];
        expand(&keys.chunker, "yore/1 gear", &mut bytes);
        let mut table = [0; 256];
        for (entry, bytes) in table.iter_mut().zip(bytes.chunks_exact(8)) {
            *entry = bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        }
        let bits = parameters.chunk_average.ilog2();
        Self {
            table,
            min: parameters.chunk_min as usize,
            max: parameters.chunk_max as usize,
            normal_size: parameters.chunk_average as usize / 4 * 3,
            below_early: 1 << (64 - (bits + 2)),
            below_late: 1 << (64 - (bits - 2)),
        }
    }

    /// Returns the smallest chunk size; a file of at most this size is always one chunk.
    pub(crate) fn min(&self) -> usize {
        self.min
    }

    /// Returns the largest chunk size.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Returns a cutter for one file.
    pub(crate) fn cutter(&self) -> Cutter<'_> {
        Cutter { gear: self, length: 0, hash: 0 }
    }
}

/// Finds the ends of chunks in a stream of bytes.
pub(crate) struct Cutter<'g> {
    gear: &'g Gear,
    /// Bytes of the current chunk so far.
    length: usize,
    hash: u64,
}

impl Cutter<'_> {
    /// Consumes bytes up to the end of the current chunk; returns their number, and whether the
    /// chunk ends after them.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> (usize, End) {
        let gear = self.gear;
        let mut taken = gear.min.saturating_sub(self.length).min(bytes.len());
        self.length += taken;
        for (until, below) in
            [(gear.normal_size - 1, gear.below_early), (gear.max, gear.below_late)]
        {
            let stop = bytes.len().min(taken + until.saturating_sub(self.length));
            if let Some(at) = self.find(&bytes[taken..stop], below) {
                (self.length, self.hash) = (0, 0);
                return (taken + at + 1, End::Here);
            }
            self.length += stop - taken;
            taken = stop;
        }
        if self.length >= gear.max {
            (self.length, self.hash) = (0, 0);
            return (taken, End::Here);
        }
        (taken, End::Later)
    }

    /// Finds the first byte after which the hash is below a bound.
    ///
    /// Handles four bytes at a time: their table entries are added up first, so that no hash depends on
    /// the one before it.
    fn find(&mut self, bytes: &[u8], below: u64) -> Option<usize> {
        let (fours, rest) = bytes.as_chunks::<4>();
        for (n, four) in fours.iter().enumerate() {
            let [a, b, c, d] = four.map(|byte| self.gear.table[usize::from(byte)]);
            let ab = (a << 1).wrapping_add(b);
            let abc = (ab << 1).wrapping_add(c);
            let abcd = (abc << 1).wrapping_add(d);
            let hash = self.hash;
            let hashes = [
                (hash << 1).wrapping_add(a),
                (hash << 2).wrapping_add(ab),
                (hash << 3).wrapping_add(abc),
                (hash << 4).wrapping_add(abcd),
            ];
            self.hash = hashes[3];
            if hashes.iter().any(|&hash| hash < below) {
                return hashes.iter().position(|&hash| hash < below).map(|at| n * 4 + at);
            }
        }
        let start = fours.len() * 4;
        for (at, &byte) in rest.iter().enumerate() {
            self.hash = (self.hash << 1).wrapping_add(self.gear.table[usize::from(byte)]);
            if self.hash < below {
                return Some(start + at);
            }
        }
        None
    }
}

/// The position of a chunk's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The chunk ends after the consumed bytes.
    Here,
    /// The chunk ends in later bytes, or at the end of the file.
    Later,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::id::RepositoryId;
    use crate::format::keys::MasterSecret;

    fn gear() -> Gear {
        let keys = Keys::derive(&MasterSecret::from_bytes([1; 32]), RepositoryId([2; 32]));
        let sizes = Parameters {
            chunk_min: 1024,
            chunk_average: 4096,
            chunk_max: 16384,
            ..Parameters::default()
        };
        Gear::new(&keys, &sizes)
    }

    fn random_bytes(length: usize) -> Vec<u8> {
        let mut state = 1u64;
        let next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn cuts(gear: &Gear, bytes: &[u8], piece: usize) -> Vec<usize> {
        let (mut cutter, mut cuts, mut at) = (gear.cutter(), Vec::new(), 0);
        for part in bytes.chunks(piece) {
            let mut rest = part;
            while !rest.is_empty() {
                let (taken, end) = cutter.take(rest);
                at += taken;
                rest = &rest[taken..];
                if end == End::Here {
                    cuts.push(at);
                }
            }
        }
        cuts
    }

    #[test]
    fn cuts_do_not_depend_on_the_sizes_of_the_pieces() {
        let (gear, bytes) = (gear(), random_bytes(1 << 20));
        let whole = cuts(&gear, &bytes, bytes.len());
        for piece in [1, 7, 1000, 4096, 100_000] {
            assert_eq!(cuts(&gear, &bytes, piece), whole, "pieces of {piece}");
        }
    }

    #[test]
    fn chunk_sizes_are_within_bounds_and_near_the_average() {
        let (gear, bytes) = (gear(), random_bytes(4 << 20));
        let ends = cuts(&gear, &bytes, bytes.len());
        let sizes: Vec<usize> =
            ends.iter().scan(0, |last, &end| Some(end - std::mem::replace(last, end))).collect();
        assert!(sizes.iter().all(|size| (1025..=16384).contains(size)));
        let average = bytes.len() / sizes.len();
        assert!((3600..4200).contains(&average), "average {average}");
        // The mean size of the chunk around a random byte.
        let around = sizes.iter().map(|size| size * size).sum::<usize>() / bytes.len();
        assert!(around < average * 9 / 8, "{around} around a byte, average {average}");
        assert_eq!(cuts(&gear, &vec![0; 100_000], 100_000).len(), 6);
    }

    #[test]
    fn an_inserted_byte_moves_few_cuts() {
        let (gear, mut bytes) = (gear(), random_bytes(1 << 20));
        let before = cuts(&gear, &bytes, bytes.len());
        bytes.insert(500_000, 7);
        let after = cuts(&gear, &bytes, bytes.len());
        let kept = after.iter().filter(|&&c| before.contains(&if c > 500_000 { c - 1 } else { c }));
        assert!(kept.count() + 6 >= before.len());
    }
}
