use std::fs;

use super::*;
use crate::backend::save;
use crate::format::object::Area;
use crate::testing::Sample;

/// Returns a pack with a frame for each of these blobs, each a byte of its id and a length.
pub(super) fn pack_of(id: u8, blobs: &[(u8, u32)]) -> PackInfo {
    let frame = |(_, length): &(u8, u32)| FrameInfo {
        sealed: length + 16,
        raw: *length,
        codec: format::pack::Codec::Raw,
        blobs: 1,
    };
    let contents = format::pack::Contents {
        frames: blobs.iter().map(frame).collect(),
        blobs: blobs.iter().map(|(id, length)| (BlobId([*id; 32]), *length)).collect(),
    };
    PackInfo { id: ObjectId([id; 32]), kind: PackKind::Data, size: 1000, contents }
}

/// A repository with three index objects of level 0, and their names.
fn sample() -> (Sample, Vec<ObjectName>) {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    fs::create_dir(&source).expect("a folder");
    for number in 0..3 {
        fs::write(source.join(number.to_string()), format!("content {number}").repeat(900))
            .expect("a file");
        sample.back_up(&source, 1_000 + number);
    }
    let names = sample.repository.backend().names(Area::Index).expect("a list");
    assert_eq!(names.len(), 3);
    (sample, names)
}

/// Puts index objects together into one of a level above.
fn merge(sample: &Sample, names: &[ObjectName], level: u32) -> ObjectName {
    let repository = &sample.repository;
    let read = |name| load(&**repository.backend(), &repository.keys, name).expect("it is read");
    let packs: Vec<PackInfo> = names.iter().flat_map(|name| read(name).packs).collect();
    let mut replaces: Vec<ObjectId> = names.iter().flat_map(|name| read(name).replaces).collect();
    replaces.extend(names.iter().filter_map(|name| name.id()).map(ObjectId));
    let (name, object) = seal_merged(&repository.keys, &packs, &replaces, level);
    save(&**repository.backend(), &name, &object).expect("it is saved");
    name
}

/// Opens the index without a cache; returns its blobs by pack and the number of damaged objects.
fn opened(sample: &Sample, cache: Option<&Path>) -> (HashSet<ObjectId>, usize) {
    let repository = &sample.repository;
    let names = repository.backend().names(Area::Index).expect("a list");
    let opened = open(&repository.mirrors, &repository.keys, &names, HashSet::new(), cache);
    let opened = opened.expect("opens");
    (opened.index.pack_sizes().into_keys().collect(), opened.damaged.len())
}

#[test]
fn an_index_that_replaces_others_is_read_instead_of_them() {
    let (sample, names) = sample();
    let (packs, _) = opened(&sample, None);
    let merged = merge(&sample, &names[..2], 1);
    let top = merge(&sample, &[merged.clone(), names[2].clone()], 2);
    // Those below can't be read any more, and need not be.
    for name in names.iter().chain([&merged]) {
        let path = sample.path().join(name.as_str());
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "").expect("written");
    }
    let cache = sample.folder.path().join("cache");
    fs::create_dir(&cache).expect("a folder");
    for cache in [None, Some(cache.as_path()), Some(cache.as_path())] {
        let (found, damaged) = opened(&sample, cache);
        assert_eq!((&found, damaged), (&packs, 0));
    }
    // Where the top one is damaged, all below are read.
    fs::remove_file(sample.path().join(top.as_str())).expect("removed");
    fs::write(sample.path().join(top.as_str()), "").expect("written");
    let (found, damaged) = opened(&sample, None);
    assert_eq!((found.len(), damaged), (0, 5), "all five are reported");
}

#[test]
fn objects_that_were_replaced_may_be_deleted() {
    let (sample, names) = sample();
    let (packs, _) = opened(&sample, None);
    let cache = sample.folder.path().join("cache");
    fs::create_dir(&cache).expect("a folder");
    merge(&sample, &names, 1);
    assert_eq!(opened(&sample, Some(&cache)), (packs.clone(), 0));
    for name in &names {
        sample.repository.backend().delete(name).expect("deleted");
    }
    assert_eq!(opened(&sample, Some(&cache)), (packs.clone(), 0));
    assert_eq!(opened(&sample, None), (packs, 0));
}
