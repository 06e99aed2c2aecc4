//! The backend of a folder.

use super::*;
use crate::format::id::ObjectId;

#[test]
fn an_open_pack_is_reopened_after_a_failed_read() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::new(folder.path());
    let name = ObjectName::pack(ObjectId([7; 32]));
    let path = backend.path_of(&name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"0123456789").unwrap();
    assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"234");
    // The open file loses its content, as if its disk were unplugged; the path then names another file.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    assert!(matches!(backend.read(&name, 2..5), Err(Error::Damaged { .. })));
    std::fs::write(&path, b"0123456789").unwrap();
    assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"234");
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(backend.read(&name, 2..5), Err(Error::Missing { .. })));
    std::fs::write(&path, b"abcdefghij").unwrap();
    assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"cde");
    // The open pack is truncated and removed, and another file takes its place at once.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"ABCDEFGHIJ").unwrap();
    assert_eq!(*backend.read(&name, 2..5).unwrap(), *b"CDE");
}

#[test]
fn deleting_a_missing_object_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    Folder::new(folder.path()).delete(&ObjectName::destination()).unwrap();
}

fn in_memory() -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let backend = Folder::new(folder.path());
    crate::backend::save(&backend, &ObjectName::header(), b"header").unwrap();
    (folder, backend)
}

#[test]
fn the_change_token_changes_with_objects_and_the_header() {
    let (folder, backend) = in_memory();
    let token = || {
        // Longer than a tick of the clock by which files are dated.
        std::thread::sleep(std::time::Duration::from_millis(20));
        backend
            .change_token(&[Area::Sessions, Area::Forgotten])
            .unwrap()
            .expect("memory keeps times")
    };
    let session = ObjectName::session(ObjectId([3; 32]));
    let mut last = token();
    assert_eq!(token(), last);
    let mut differs = |change: &dyn Fn()| {
        change();
        let now = token();
        assert_ne!(now, last);
        last = now;
    };
    differs(&|| {
        crate::backend::save(&backend, &session, b"x").unwrap();
    });
    differs(&|| backend.delete(&session).unwrap());
    differs(&|| std::fs::write(folder.path().join("yore.cbor"), "HEADER").unwrap());
    differs(&|| {
        let away = folder.path().join("away");
        std::fs::rename(folder.path().join("sessions"), &away).unwrap();
        std::fs::create_dir(folder.path().join("sessions")).unwrap();
    });
    std::fs::remove_file(folder.path().join("yore.cbor")).unwrap();
    assert_eq!(backend.change_token(&[Area::Sessions]).unwrap(), None, "it has to be listed");
}

#[test]
fn names_are_those_of_the_list() {
    let (_folder, backend) = in_memory();
    for byte in [9, 1, 5] {
        for name in [
            ObjectName::pack(ObjectId([byte; 32])),
            ObjectName::session(ObjectId([byte; 32])),
            ObjectName::verdict(ObjectId([byte; 32])),
        ] {
            crate::backend::save(&backend, &name, b"x").unwrap();
        }
    }
    for area in [Area::Packs, Area::Sessions, Area::Index] {
        let listed = backend.list(area).unwrap();
        let listed: Vec<_> = listed.into_iter().map(|stored| stored.name).collect();
        assert_eq!(backend.names(area).unwrap(), listed);
    }
}

#[test]
fn the_top_of_a_disk_is_vacant_whatever_its_systems_keep_there() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::new(folder.path());
    for name in [
        "lost+found",
        "System Volume Information",
        ".Trash-1000",
        "$RECYCLE.BIN",
        ".Spotlight-V100",
        ".fseventsd",
        "@eaDir",
        "#recycle",
    ] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join(".DS_Store"), "x").unwrap();
    std::fs::write(folder.path().join("._.DS_Store"), "x").unwrap();
    backend.check_vacant().expect("nothing of anybody's is there");
    std::fs::write(folder.path().join("my file"), "x").unwrap();
    assert!(matches!(backend.check_vacant(), Err(Error::Occupied { .. })));
}
