//! The Reed-Solomon code over GF(2^16) (FORMAT.md §14), by the crate `reed-solomon-simd`.
//!
//! Each position in the shards is coded by itself, so a pack is coded in columns of its shards: the memory is that of
//! some columns, not a second copy of the pack.

use reed_solomon_simd::engine::DefaultEngine;
use reed_solomon_simd::rate::{HighRateDecoder, HighRateEncoder, RateDecoder, RateEncoder};

use super::head::Layout;

/// Bytes of each shard that are coded at once: a multiple of the 64 bytes that hold 32 elements.
const COLUMN: usize = 4096;
/// The reason why the code takes every layout.
const BOUNDED: &str = "a layout is within the bounds of the code";

/// A range of each shard, by its start and length.
fn columns(layout: &Layout) -> Vec<(usize, usize)> {
    let shard = layout.shard as usize;
    (0..shard).step_by(COLUMN).map(|start| (start, COLUMN.min(shard - start))).collect()
}

/// Returns the recovery shards of a pack, one after the other.
///
/// The columns are coded by several threads: a writer has one pack at a time, and its other threads wait for it.
pub(super) fn encode(layout: &Layout, pack: &[u8]) -> Vec<u8> {
    let shard = layout.shard as usize;
    let columns = columns(layout);
    let share = columns.len().div_ceil(threads());
    let coded: Vec<Vec<Vec<u8>>> = std::thread::scope(|scope| {
        let start = |columns| scope.spawn(move || encode_columns(layout, pack, columns));
        let threads: Vec<_> = columns.chunks(share).map(start).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        joined.collect()
    });
    let mut recovery = vec![0; layout.m as usize * shard];
    for ((start, width), column) in columns.into_iter().zip(coded.iter().flatten()) {
        for (number, part) in column.chunks(width).enumerate() {
            recovery[number * shard + start..][..width].copy_from_slice(part);
        }
    }
    recovery
}

/// Returns the number of threads that code and hash a pack.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(4)
}

/// Returns the recovery shards in some columns: for each column, its part of each shard, one after the other.
fn encode_columns(layout: &Layout, pack: &[u8], columns: &[(usize, usize)]) -> Vec<Vec<u8>> {
    let (k, m, shard) = (layout.k as usize, layout.m as usize, layout.shard as usize);
    let mut padded = vec![0; COLUMN];
    let mut coder: Option<HighRateEncoder<DefaultEngine>> = None;
    let encode = |&(start, width): &(usize, usize)| {
        let coder = match &mut coder {
            Some(coder) => {
                coder.reset(k, m, width).expect(BOUNDED);
                coder
            }
            none => none.insert(
                HighRateEncoder::new(k, m, width, DefaultEngine::new(), None).expect(BOUNDED),
            ),
        };
        for number in 0..k {
            let part = part(pack, number * shard + start, width, &mut padded);
            coder.add_original_shard(part).expect(BOUNDED);
        }
        let mut column = Vec::with_capacity(m * width);
        let coded = coder.encode().expect(BOUNDED);
        coded.recovery_iter().for_each(|part| column.extend_from_slice(part));
        column
    };
    columns.iter().map(encode).collect()
}

/// Returns a part of a pack, which ends with zeros beyond its end.
fn part<'p>(pack: &'p [u8], at: usize, width: usize, padded: &'p mut [u8]) -> &'p [u8] {
    if let Some(part) = pack.get(at..at + width) {
        return part;
    }
    let rest = pack.get(at..).unwrap_or_default();
    let padded = &mut padded[..width];
    padded.fill(0);
    padded[..rest.len()].copy_from_slice(rest);
    padded
}

/// Rebuilds the shards `erased` of `shards`, which are the padded shards of a pack one after the other; `recovery` has
/// as many recovery shards, with their numbers.
pub(super) fn decode(
    layout: &Layout,
    shards: &mut [u8],
    erased: &[usize],
    recovery: &[(usize, Vec<u8>)],
) {
    let (k, m, shard) = (layout.k as usize, layout.m as usize, layout.shard as usize);
    let mut is_erased = vec![false; k];
    erased.iter().for_each(|number| is_erased[*number] = true);
    let mut coder: Option<HighRateDecoder<DefaultEngine>> = None;
    for (start, width) in columns(layout) {
        let coder = match &mut coder {
            Some(coder) => {
                coder.reset(k, m, width).expect(BOUNDED);
                coder
            }
            none => none.insert(
                HighRateDecoder::new(k, m, width, DefaultEngine::new(), None).expect(BOUNDED),
            ),
        };
        for number in (0..k).filter(|number| !is_erased[*number]) {
            let part = &shards[number * shard + start..][..width];
            coder.add_original_shard(number, part).expect(BOUNDED);
        }
        for (number, bytes) in recovery {
            coder.add_recovery_shard(*number, &bytes[start..][..width]).expect(BOUNDED);
        }
        let decoded = coder.decode().expect(BOUNDED);
        for (number, part) in decoded.restored_original_iter() {
            shards[number * shard + start..][..width].copy_from_slice(part);
        }
    }
}
