//! Objects of any size, read in any pieces.

use yore_engine::Error;
use yore_engine::backend::{Backend, Published};
use yore_engine::format::Area;
use yore_platform::ReadBuffer;

use super::calls::{list, load, name, read, read_again, read_all, size, write_new};
use crate::machine::{Random, noise};

/// Writes objects around the sizes of pages and blocks, in odd pieces, and reads them whole.
pub fn objects_of_any_size_keep_their_bytes(backend: &dyn Backend) {
    let sizes = [0, 1, 511, 512, 513, 4_095, 4_096, 4_097, 65_537, (1 << 20) - 1, (3 << 20) + 1];
    for (number, length) in sizes.into_iter().enumerate() {
        let (name, bytes) = (name(Area::Packs, number as u64), noise(length, number as u64));
        let mut object = backend.create(&name).expect("an object can be begun");
        let mut rest = &bytes[..];
        for piece in [0, 1, 7, 4_096, 100_000].into_iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(piece));
            object.append(now).expect("bytes can be appended");
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(object.publish().expect("it can be published"), Published::Created);
        assert_eq!(size(backend, &name), Some(length as u64));
        assert!(read_all(backend, &name) == bytes, "{length} bytes");
    }
    let mut listed: Vec<_> = list(backend, Area::Packs).into_iter().map(|(_, size)| size).collect();
    listed.sort_unstable();
    assert_eq!(listed, sizes.map(|length| length as u64));
}

/// Writes 256 MiB as one object and reads it in pieces that end nowhere in particular.
pub fn two_hundred_and_fifty_six_mebibytes_keep_their_bytes(backend: &dyn Backend) {
    const PIECE: usize = 1 << 20;
    const PIECES: u64 = 256;
    let piece = noise(PIECE, 3);
    // Each piece begins with its number, so that none can take another's place.
    let numbered = |number: u64| [&number.to_le_bytes()[..], &piece[8..]].concat();
    let name = name(Area::Packs, 1);
    let mut object = backend.create(&name).expect("an object can be begun");
    for number in 0..PIECES {
        object.append(&numbered(number)).expect("bytes can be appended");
    }
    assert_eq!(object.publish().expect("it can be published"), Published::Created);
    let whole = PIECES * PIECE as u64;
    assert_eq!(size(backend, &name), Some(whole));
    for number in 0..PIECES {
        let start = number * PIECE as u64;
        let end = (start + PIECE as u64 + 5).min(whole);
        let read = read(backend, &name, start..end).expect("it is there");
        assert_eq!(read.len() as u64, end - start);
        assert!(read.starts_with(&numbered(number)), "piece {number}");
    }
}

/// Reads ranges of an object at random and at its ends, into new buffers and into two used ones.
pub fn any_range_of_an_object_can_be_read(backend: &dyn Backend) {
    let (name, bytes) = (name(Area::Packs, 1), noise(300_001, 1));
    write_new(backend, &name, &bytes);
    let length = bytes.len() as u64;
    let mut ranges = vec![0..0, 0..1, 0..length, length - 1..length, length..length, 4_096..8_192];
    let mut random = Random(5);
    for _ in 0..300 {
        let start = random.below(length);
        ranges.push(start..start + random.below(length - start + 1));
    }
    let (mut small, mut large) = (ReadBuffer::default(), ReadBuffer::new(1 << 20));
    for range in ranges {
        let expected = &bytes[range.start as usize..range.end as usize];
        let found = read(backend, &name, range.clone()).expect("the range is there");
        assert!(found == expected, "{range:?}");
        for buffer in [&mut small, &mut large] {
            assert!(read_again(backend, &name, range.clone(), buffer) == expected, "{range:?}");
        }
    }
}

/// Reads an object that does not exist, and past the end of one that does.
pub fn what_is_not_there_is_missing_and_what_is_too_short_is_damaged(backend: &dyn Backend) {
    for area in [Area::Packs, Area::Index] {
        let (here, absent) = (name(area, 1), name(area, 2));
        write_new(backend, &here, &noise(5_000, 1));
        let missing = read(backend, &absent, 0..1);
        assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
        assert_eq!(size(backend, &absent), None);
        let missing = load(backend, &absent, 1 << 20);
        assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
        for limit in [5_000, 5_001, 1 << 30] {
            assert_eq!(load(backend, &here, limit).expect("it is there"), noise(5_000, 1));
        }
        for limit in [0, 1, 4_999] {
            let large = load(backend, &here, limit);
            assert!(matches!(large, Err(Error::Damaged { .. })), "{limit}: {large:?}");
        }
        for range in [4_999..5_001, 5_000..5_001, 0..1 << 20, 1 << 40..(1 << 40) + 1] {
            let short = read(backend, &here, range.clone());
            assert!(matches!(short, Err(Error::Damaged { .. })), "{range:?}: {short:?}");
        }
        assert_eq!(read_all(backend, &here), noise(5_000, 1), "after the errors");
    }
}
