//! Reading through an index.

use super::*;
use crate::format::pack::{Contents, FrameInfo, PackInfo};
use crate::testing::Sample;

#[test]
fn an_index_that_points_to_another_blob_is_refused() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir(&source).expect("a folder");
    std::fs::write(source.join("file"), vec![7; 2000]).expect("a file");
    sample.back_up(&source, 2);
    let keys = &sample.repository.keys;
    let (reader, _) = sample.repository.reader(1 << 20).expect("a reader");
    let id = keys.blob_id(BlobKind::Data, &[7; 2000]);
    let other = keys.blob_id(BlobKind::Data, &[8; 2000]);
    assert_eq!(&*reader.blob(BlobKind::Data, &id).expect("it is there"), &[7; 2000]);
    let location = reader.index().find(&id).expect("it is there");
    let frames = vec![FrameInfo { blobs: 1, ..location.frame }];
    let contents = Contents { frames, blobs: vec![(other, location.length)] };
    let pack = PackInfo { id: location.pack, kind: location.kind, size: 0, contents };
    let mut index = (*reader.index()).clone();
    index.add(&[pack], &[], None);
    reader.set_index(index);
    // The frame is in memory, and its blob has been compared with its own name.
    assert!(reader.blob(BlobKind::Data, &other).is_err());
    assert!(reader.blob(BlobKind::Tree, &id).is_err());
    assert!(reader.blob(BlobKind::Data, &id).is_ok());
}

#[test]
fn the_index_takes_its_memory_from_the_frames() {
    let sample = Sample::new();
    let source = sample.folder.path().join("source");
    std::fs::create_dir(&source).expect("a folder");
    for name in 0..20u8 {
        std::fs::write(source.join(name.to_string()), vec![name; 2000]).expect("a file");
    }
    sample.back_up(&source, 2);
    let room = |budget| {
        let (reader, _) = sample.repository.reader(budget).expect("a reader");
        let first = lock(&reader.frames).room;
        sample.repository.refresh(&reader).expect("the same index");
        assert_eq!(lock(&reader.frames).room, first);
        first
    };
    let index = sample.reader().index().memory();
    assert!(index >= 20 * 44, "{index} bytes");
    assert_eq!(room(10 * index), 9 * index);
    assert_eq!(room(2 * index), 2 * index - index / 2);
}
