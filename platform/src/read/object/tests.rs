use std::fs;

use super::*;

#[test]
fn ranges_are_read_exactly_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    fs::write(&path, b"0123456789").expect("written");
    let (file, mut buffer) = (ObjectFile::open(&path).expect("a file"), ReadBuffer::new(3));
    file.read_into(2..5, &mut buffer).expect("read");
    assert_eq!(buffer.bytes(), b"234");
    file.read_into(10..10, &mut buffer).expect("read");
    assert_eq!(buffer.bytes(), b"");
    let error = file.read_into(5..11, &mut buffer).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = file.read_into(0..u64::MAX, &mut buffer).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(file.len(), 10);
    assert!(ObjectFile::open(folder.path()).is_err());
}

/// Tells whether the file system lets a file be read past the page cache.
fn can_be_read_directly(path: &Path) -> bool {
    let (file, _) = PositionedFile::open(path).expect("a file");
    let mut page = ReadBuffer::new(DIRECT_ALIGNMENT);
    file.open_direct().is_ok_and(|file| file.read_at(&mut page, 0).is_ok())
}

#[test]
fn large_ranges_are_read_past_the_page_cache_where_there_is_room_for_pages() {
    for place in ["/var/tmp", "/dev/shm"] {
        let folder = tempfile::tempdir_in(place).expect("a folder");
        let path = folder.path().join("large");
        let bytes: Vec<u8> = (0..1_300_000_u32).map(|n| (n ^ (n >> 9)) as u8).collect();
        fs::write(&path, &bytes).expect("written");
        let can = can_be_read_directly(&path);
        let large = ObjectFile::open(&path).expect("a file");
        for room in [0, ReadBuffer::MARGIN] {
            for range in
                [0..300_000, 1..700_001, 4095..1_200_000, 512_001..1_300_000, 8192..270_336]
            {
                let mut buffer = ReadBuffer::new(room + range.len());
                let skew = range.start % DIRECT_ALIGNMENT;
                let has_room = buffer.capacity() >= skew + range.len();
                assert!(has_room || room == 0, "the margin is enough");
                let wanted = range.start as u64..range.end as u64;
                large.read_into(wanted, &mut buffer).expect("read");
                assert!(*buffer == bytes[range.clone()], "{place}, {room}, {range:?}");
                // Whole pages land on whole pages; what is copied out of the cache lands at the beginning.
                let direct = if can && has_room { skew } else { 0 };
                let start = buffer.visible_start();
                assert_eq!(start, direct, "{place}, {room}, {range:?}");
            }
        }
        let cut = fs::File::options().write(true).open(&path).expect("it opens");
        cut.set_len(900_000).expect("it is cut short");
        let mut buffer = ReadBuffer::new(1_000_000);
        let error = large.read_into(5..900_001, &mut buffer).expect_err("cut short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
