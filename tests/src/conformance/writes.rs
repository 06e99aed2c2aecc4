//! Objects appear whole, and disappear when they are deleted.

use yore_engine::Error;
use yore_engine::backend::{Backend, Published};
use yore_engine::format::{Area, ObjectName};

use super::calls::{assert_absent, begin, name, names, read, read_all, size, write, write_new};
use crate::machine::noise;

/// Looks at an object before, while and after it is written.
pub fn an_object_appears_whole_or_not_at_all(backend: &dyn Backend) {
    for area in [Area::Packs, Area::Snapshots] {
        let (name, bytes) = (name(area, 1), noise(200_000, 1));
        assert_absent(backend, area, &name);
        let mut object = begin(backend, &name, &bytes[..150_000]);
        assert_absent(backend, area, &name);
        object.append(&bytes[150_000..]).expect("bytes can be appended");
        assert_absent(backend, area, &name);
        assert_eq!(object.publish().expect("it can be published"), Published::Created);
        assert!(names(backend, area).iter().eq([&name]));
        assert!(read_all(backend, &name) == bytes, "{name}");
    }
}

/// Drops a writer, as an error does, and forgets one, as a killed process does.
pub fn writes_that_were_interrupted_leave_nothing(backend: &dyn Backend) {
    for area in [Area::Packs, Area::Sessions] {
        let (dropped, killed) = (name(area, 1), name(area, 2));
        drop(backend.create(&dropped).expect("an object can be begun"));
        // What the area before left of a killed process, on a destination whose files can't be without names.
        let left = unfinished_names(backend);
        drop(begin(backend, &dropped, &noise(100_000, 1)));
        assert_absent(backend, area, &dropped);
        assert_eq!(unfinished_names(backend), left);
        std::mem::forget(begin(backend, &killed, &noise(100_000, 1)));
        for name in [&dropped, &killed] {
            assert_absent(backend, area, name);
            write_new(backend, name, b"the next try");
            assert_eq!(read_all(backend, name), b"the next try");
        }
        assert_eq!(names(backend, area), [dropped, killed]);
    }
}

fn unfinished_names(backend: &dyn Backend) -> Vec<String> {
    let files = backend.unfinished().expect("they can be listed");
    files.into_iter().map(|file| file.name).collect()
}

/// Replaces an object by other bytes, and writes one that is not there in the same way.
pub fn a_replaced_object_has_the_new_bytes(backend: &dyn Backend) {
    for area in [Area::Packs, Area::Snapshots] {
        let (damaged, lost) = (name(area, 1), name(area, 2));
        write_new(backend, &damaged, &noise(100_000, 1));
        assert_eq!(read(backend, &damaged, 0..4).expect("it is there"), noise(100_000, 1)[..4]);
        drop(begin(backend, &damaged, b"a try that failed"));
        for (name, bytes) in [(&damaged, noise(70_000, 2)), (&lost, noise(80_000, 3))] {
            begin(backend, name, &bytes).replace().expect("an object can be replaced");
            assert!(read_all(backend, name) == bytes, "{name}");
        }
        assert_eq!(names(backend, area), [damaged, lost]);
        assert_eq!(backend.unfinished().expect("they can be listed"), []);
    }
}

/// Deletes objects, also such as are not there, and writes others under their names.
pub fn a_deleted_object_is_gone_and_its_name_is_free(backend: &dyn Backend) {
    for area in [Area::Packs, Area::Keys] {
        let (deleted, kept) = (name(area, 1), name(area, 2));
        backend.delete(&deleted).expect("what is not there may be deleted");
        write_new(backend, &deleted, b"first");
        write_new(backend, &kept, b"other");
        assert_eq!(read(backend, &deleted, 1..3).expect("it is there"), b"ir");
        backend.delete(&deleted).expect("it can be deleted");
        assert_absent(backend, area, &deleted);
        assert!(names(backend, area).iter().eq([&kept]));
        backend.delete(&deleted).expect("it may be deleted twice");
        write_new(backend, &deleted, b"second");
        assert_eq!(read_all(backend, &deleted), b"second");
        assert_eq!(write(backend, &kept, b"third"), Published::Exists);
        assert_eq!(read_all(backend, &kept), b"other");
    }
}

/// Prepares the destination, writes a header, and prepares it again.
pub fn a_new_repository_is_refused_where_one_is_already(backend: &dyn Backend) {
    backend.prepare().expect("it is empty");
    backend.prepare().expect("it is still empty");
    write_new(backend, &ObjectName::header(), b"header");
    let refused = backend.prepare();
    assert!(matches!(refused, Err(Error::Occupied { .. })), "{refused:?}");
    assert_eq!(size(backend, &ObjectName::header()), Some(6));
}
