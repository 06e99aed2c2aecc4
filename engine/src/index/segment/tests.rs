//! Segments of made-up packs.

use std::sync::Arc;

use super::*;
use crate::format::pack::{Contents, PackInfo};
use crate::format::seal::PREFIX;

fn pack(seed: u8, blobs: u32) -> PackInfo {
    let id = |n: u32| BlobId(Sha256::digest([&[seed][..], &n.to_be_bytes()].concat()).into());
    let blobs: Vec<_> = (0..blobs).map(|n| (id(n), n % 100 + 1)).collect();
    let frames = blobs
        .chunks(7)
        .map(|part| FrameInfo {
            sealed: 100,
            raw: part.iter().map(|(_, length)| length).sum(),
            codec: if part.len() == 7 { Codec::Zstd } else { Codec::Raw },
            blobs: part.len() as u32,
        })
        .collect();
    let contents = Contents { frames, blobs };
    PackInfo { id: ObjectId([seed; 32]), kind: PackKind::Tree, size: 1 << 20, contents }
}

fn assert_finds(segment: &Segment, pack: &PackInfo) {
    let mut n = 0usize;
    for (number, frame) in pack.contents.frames.iter().enumerate() {
        let mut at = 0;
        for _ in 0..frame.blobs {
            let (id, length) = pack.contents.blobs[n];
            let found: Vec<_> = segment.find(&id).collect();
            assert_eq!(found.len(), 1);
            assert_eq!((found[0].pack, found[0].number), (pack.id, number as u32));
            assert_eq!((found[0].at, found[0].length), (at, length));
            assert_eq!((found[0].frame.raw, found[0].frame.codec), (frame.raw, frame.codec));
            assert_eq!(found[0].offset, (PREFIX + number * 100) as u64);
            at += length;
            n += 1;
        }
        assert_follows(segment, pack, n - frame.blobs as usize, frame.blobs as usize);
    }
}

/// Asserts that the frame after the first blob's holds `blobs` blobs from `first` on.
fn assert_follows(segment: &Segment, pack: &PackInfo, first: usize, blobs: usize) {
    let after = (first / 7) as u32;
    let found = segment.frame_after(&pack.contents.blobs[0].0, after).expect("a frame");
    assert_eq!((found.location.pack, found.location.number), (pack.id, after));
    let mut found = found.blobs;
    found.sort_by_key(|blob| blob.at);
    let found: Vec<_> = found.into_iter().map(|blob| (blob.id, blob.length)).collect();
    assert_eq!(found, pack.contents.blobs[first..first + blobs]);
    let frames = pack.contents.frames.len() as u32;
    assert!(segment.frame_after(&pack.contents.blobs[0].0, frames).is_none());
}

#[test]
fn every_blob_is_found_and_no_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for cache in [None, Some(folder.path())] {
        let packs = [pack(1, 5000), pack(2, 1), pack(3, 0)];
        let built = Segment::build(&packs, &[ObjectId([9; 32])]);
        let segment = Segment::keep(built, cache);
        packs.iter().for_each(|pack| assert_finds(&segment, pack));
        for foreign in [[0; 32], [0xff; 32], [0x80; 32]] {
            assert_eq!(segment.find(&BlobId(foreign)).count(), 0);
        }
    }
}

#[test]
fn merged_segments_find_what_each_found() {
    let packs = [pack(1, 3000), pack(2, 2000), pack(3, 10)];
    let segments: Vec<_> = packs
        .iter()
        .map(|pack| {
            let built = Segment::build(std::slice::from_ref(pack), &[pack.id]);
            Arc::new(Segment::keep(built, None))
        })
        .collect();
    let merged = Segment::merge(&segments, None);
    assert_eq!(merged.covers().count(), 3);
    packs.iter().for_each(|pack| assert_finds(&merged, pack));
}

#[test]
fn a_damaged_segment_is_not_used() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bytes = Segment::build(&[pack(1, 20)], &[ObjectId([9; 32])]);
    let path = folder.path().join("a.segment");
    for at in (0..bytes.len()).step_by(13) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        std::fs::write(&path, &altered).expect("a file");
        assert!(Segment::open(&path).is_none(), "byte {at}");
    }
    std::fs::write(&path, &bytes).expect("a file");
    assert!(Segment::open(&path).is_some());
}

proptest::proptest! {
    /// Ids of this program spread evenly; those of a hostile index may not.
    #[test]
    fn ids_that_do_not_spread_evenly_are_found(
        leads in proptest::collection::vec((0u8..4, 0u8..3, proptest::num::u8::ANY), 1..300),
    ) {
        let id = |&(first, middle, last): &(u8, u8, u8)| {
            let mut id = [[0, 1, 0x7f, 0xff][usize::from(first)]; 32];
            (id[7], id[31]) = (middle, last);
            BlobId(id)
        };
        let mut ids: Vec<BlobId> = leads.iter().map(id).collect();
        ids.sort_unstable_by_key(|id| id.0);
        ids.dedup();
        let frame = FrameInfo { sealed: 9, raw: ids.len() as u32, codec: Codec::Raw, blobs: ids.len() as u32 };
        let contents = Contents { frames: vec![frame], blobs: ids.iter().map(|id| (*id, 1)).collect() };
        let pack = PackInfo { id: ObjectId([1; 32]), kind: PackKind::Data, size: 1 << 20, contents };
        let segment = Segment::keep(Segment::build(&[pack], &[]), None);
        for first in 0..4 {
            for middle in 0..3 {
                for last in [0, 77, 255] {
                    let wanted = id(&(first, middle, last));
                    let place = ids.partition_point(|id| id.0 < wanted.0);
                    proptest::prop_assert_eq!(segment.first(&wanted), place);
                }
            }
        }
        for (place, id) in ids.iter().enumerate() {
            proptest::prop_assert_eq!(segment.first(id), place);
        }
    }
}
