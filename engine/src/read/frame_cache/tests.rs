//! The cache by itself: places, budget, files.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::format::pack::{Codec, FrameInfo};

const BUDGET: u64 = 4 << 20;

fn pack(number: u8) -> ObjectId {
    ObjectId([number; 32])
}

fn location(id: ObjectId, number: u32, sealed: usize) -> Location {
    let frame = FrameInfo { sealed: sealed as u32, raw: 1, codec: Codec::Raw, blobs: 1 };
    Location { pack: id, kind: PackKind::Data, number, offset: 0, frame, at: 0, length: 1 }
}

/// Returns the bytes of a stored frame.
fn read(cache: &FrameCache, id: ObjectId, number: u32, length: usize) -> Option<Vec<u8>> {
    let mut out = ReadBuffer::default();
    cache.read(&location(id, number, length), &mut out).then(|| out.to_vec())
}

fn opened(folder: &TempDir) -> FrameCache {
    FrameCache::open(folder.path(), BUDGET).expect("a cache")
}

fn files(folder: &TempDir) -> Vec<ListedFile> {
    file::list(&folder.path().join(FOLDER))
}

#[test]
fn frames_are_found_by_this_process_and_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = opened(&folder);
    cache.store(PackKind::Tree, pack(1), &[(0, b"zero"), (7, b"seven")]);
    cache.store(PackKind::Data, pack(2), &[(7, b"data")]);
    for cache in [&cache, &opened(&folder)] {
        assert_eq!(read(cache, pack(1), 0, 4).as_deref(), Some(&b"zero"[..]));
        assert_eq!(read(cache, pack(1), 7, 5).as_deref(), Some(&b"seven"[..]));
        assert_eq!(read(cache, pack(2), 7, 4).as_deref(), Some(&b"data"[..]));
        assert_eq!(read(cache, pack(2), 0, 4), None);
        assert!(!cache.has(&FrameKey { pack: pack(3), number: 7 }));
    }
    // A frame of another length is another one.
    assert_eq!(read(&cache, pack(2), 7, 5), None);
    for file in files(&folder) {
        let metadata = yore_platform::path_metadata(&file.path).expect("a file");
        assert_eq!(metadata.mode.map(|mode| mode & 0o777), Some(0o600));
    }
}

#[test]
fn a_file_is_continued_by_the_next_process_and_shared_with_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = opened(&folder);
    first.store(PackKind::Data, pack(1), &[(0, b"first")]);
    let second = opened(&folder);
    second.store(PackKind::Data, pack(2), &[(0, b"second")]);
    assert_eq!(files(&folder).len(), 2, "each appends to a file of its own");
    drop((first, second));
    let third = opened(&folder);
    third.store(PackKind::Data, pack(3), &[(0, b"third")]);
    assert_eq!(files(&folder).len(), 2);
    let fourth = opened(&folder);
    for (number, text) in [(1, &b"first"[..]), (2, b"second"), (3, b"third")] {
        assert_eq!(read(&fourth, pack(number), 0, text.len()).as_deref(), Some(text));
    }
}

#[test]
fn what_a_crash_cut_off_is_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    opened(&folder).store(PackKind::Data, pack(1), &[(0, b"whole"), (1, b"torn")]);
    let path = files(&folder).pop().expect("a file").path;
    let whole = fs::read(&path).expect("the file");
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).expect("written");
        let cache = opened(&folder);
        let first = read(&cache, pack(1), 0, 5);
        assert_eq!(first.is_some(), end >= 48 + 5, "{end} bytes");
        assert_eq!(read(&cache, pack(1), 1, 4), None, "{end} bytes");
        cache.store(PackKind::Data, pack(1), &[(1, b"torn")]);
        drop(cache);
        assert_eq!(read(&opened(&folder), pack(1), 1, 4).as_deref(), Some(&b"torn"[..]));
    }
    assert_eq!(files(&folder).len(), 1);
}

#[test]
fn the_budget_is_kept_and_trees_stay_longest() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = opened(&folder);
    let frame = vec![5; 60 << 10];
    let total = || files(&folder).iter().map(|file| file.size).sum::<u64>();
    for number in 0..20 {
        cache.store(PackKind::Tree, pack(1), &[(number, &frame)]);
    }
    for number in 0..200 {
        cache.store(PackKind::Data, pack(2), &[(number, &frame)]);
        assert!(total() <= BUDGET, "{} bytes", total());
    }
    assert!(total() > BUDGET * 3 / 4, "{} bytes", total());
    let count = |cache: &FrameCache, id, numbers: u32| {
        (0..numbers).filter(|number| read(cache, id, *number, frame.len()).is_some()).count()
    };
    assert_eq!(count(&cache, pack(1), 20), 20);
    let chunks = count(&cache, pack(2), 200);
    assert!((30..60).contains(&chunks), "{chunks}");
    assert_eq!(count(&opened(&folder), pack(2), 200), chunks);
    // Trees take the place of chunks, and then of trees.
    for number in 0..200 {
        cache.store(PackKind::Tree, pack(3), &[(number, &frame)]);
        assert!(total() <= BUDGET, "{} bytes", total());
    }
    assert_eq!(count(&cache, pack(2), 200), 0);
    let trees = count(&cache, pack(3), 200);
    assert!(trees >= 50, "{trees}");
    for number in 0..50 {
        cache.store(PackKind::Data, pack(2), &[(number, &frame)]);
        assert!(total() <= BUDGET, "{} bytes", total());
    }
    assert_eq!(count(&cache, pack(3), 200), trees, "no tree goes for a chunk");
}

#[test]
fn a_deleted_folder_only_costs_requests() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = opened(&folder);
    cache.store(PackKind::Data, pack(1), &[(0, b"first")]);
    fs::remove_dir_all(folder.path().join(FOLDER)).expect("removed");
    cache.store(PackKind::Tree, pack(1), &[(1, b"second")]);
    assert_eq!(read(&cache, pack(1), 1, 6), None);
    assert!(FrameCache::open(folder.path(), 1000).is_none(), "too few bytes for any file");
}
