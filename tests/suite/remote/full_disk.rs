//! A destination whose disk fills up: a folder and a server on a file system in memory of 64 MiB.

use std::io::ErrorKind;

use yore_engine::Error;
use yore_engine::backend::{Backend, Folder, save};
use yore_engine::format::{Area, ObjectName};
use yore_tests::{MountedAt, RcloneRemotes, Scratch, Sshd, in_shell, needs_root, noise};

fn pack(number: u8) -> ObjectName {
    let id = format!("{number:02x}").repeat(32);
    ObjectName::parse(Area::Packs, &format!("packs/{}/{id}", &id[..2])).expect("a name")
}

/// Fills the destination, which must say so; frees some of it, and goes on.
fn fill(backend: &dyn Backend, room: usize) {
    let bytes = noise(9 << 20, 3);
    let mut published = Vec::new();
    let error = loop {
        let number = u8::try_from(published.len()).expect("the disk fills up");
        match save(backend, &pack(number), &bytes) {
            Ok(_) => published.push(pack(number)),
            Err(error) => break error,
        }
    };
    let Error::Backend { source, .. } = &error else { panic!("{error:?}") };
    assert_eq!(source.kind(), ErrorKind::StorageFull, "{error:?}");
    assert!(!error.is_temporary());
    assert_eq!(published.len(), room, "as many as there is room for");
    let listed = backend.list(Area::Packs).expect("a list");
    assert!(listed.iter().map(|object| &object.name).eq(&published), "nothing half-published");
    assert!(listed.iter().all(|object| object.size == bytes.len() as u64));
    assert_eq!(backend.unfinished().expect("a list"), []);
    backend.delete(&published[0]).expect("it can be deleted");
    save(backend, &published[0], &bytes).expect("there is room again");
    let read = backend.read(&published[0], 0..bytes.len() as u64).expect("it is there");
    assert!(*read == *bytes);
}

/// Calls a test with a folder on a small file system.
fn on_a_small_disk(scratch: &Scratch, name: &str, test: impl FnOnce(&std::path::Path)) {
    needs_root("mount a file system");
    let disk = scratch.folder(name);
    in_shell("mount -t tmpfs -o size=64m,mode=0700 tmpfs \"$1\"", &[&disk]);
    let _mounted = MountedAt::new(&disk);
    test(&disk);
}

#[test]
fn a_full_folder_says_so_and_goes_on_when_there_is_room() {
    let scratch = Scratch::new();
    on_a_small_disk(&scratch, "disk", |disk| fill(&Folder::new(disk), 7));
}

#[test]
fn a_full_server_says_so_and_goes_on_when_there_is_room() {
    let scratch = Scratch::new();
    let server = Sshd::start(&scratch);
    on_a_small_disk(&scratch, "disk", |disk| fill(&server.backend(disk), 7));
}

#[test]
fn a_full_remote_of_rclone_says_so_and_goes_on_when_there_is_room() {
    let scratch = Scratch::new();
    let remotes = RcloneRemotes::new(&scratch);
    on_a_small_disk(&scratch, "disk", |disk| {
        fill(&remotes.backend(&format!("local:{}", disk.display())), 7);
    });
}
