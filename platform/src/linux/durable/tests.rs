use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::*;

fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<Published> {
    let mut file = DurableFile::create(folder, name)?;
    file.append(content)?;
    file.publish()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A file system of its own; unmounted when dropped.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn tmpfs(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::run("mount", &["-t", "tmpfs", "-o", options, "none"], folder.path());
        Self(folder)
    }

    fn run(program: &str, arguments: &[&str], path: &Path) {
        let status = std::process::Command::new(program)
            .args(arguments)
            .arg(path)
            .status()
            .expect("the program is installed");
        assert!(status.success(), "{program} needs root: {status}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        Self::run("umount", &["-l"], self.0.path());
    }
}

#[test]
fn what_is_appended_in_any_pieces_is_what_is_read() {
    for place in ["/var/tmp", "/dev/shm"] {
        let folder = tempfile::tempdir_in(place).expect("a folder");
        let content: Vec<u8> = (0..3_000_017_usize).map(|at| (at * 7 % 253) as u8).collect();
        for pieces in [1, 1000, 4096, 100_003, 262_144, 3_000_017] {
            let name = format!("of-{pieces}");
            let mut file = DurableFile::create(folder.path(), &name).expect("a file");
            for piece in content.chunks(pieces).take(1 << 14) {
                file.append(piece).expect("appended");
            }
            let len = file.len();
            assert_eq!(file.publish().expect("published"), Published::Created);
            let path = folder.path().join(&name);
            let written = fs::read(&path).expect("the file");
            assert_eq!(written.len() as u64, len);
            assert!(written == content[..written.len()], "{place} in pieces of {pieces}");
            let mode = fs::metadata(&path).expect("the file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn publishing_never_clobbers() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(write(folder.path(), "a", b"first").expect("written"), Published::Created);
    assert_eq!(write(folder.path(), "a", b"second").expect("written"), Published::Exists);
    assert_eq!(fs::read(folder.path().join("a")).expect("the file"), b"first");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn each_way_of_naming_neither_clobbers_nor_leaves_anything() {
    for naming in [rename_new, rename_reserved] {
        let folder = tempfile::tempdir().expect("a folder");
        let open = open_folder(folder.path()).expect("a folder");
        for (content, expected) in [("1", Published::Created), ("2", Published::Exists)] {
            let (file, temporary) = create_named(&open, OFlags::WRONLY).expect("a file");
            rustix::io::pwrite(&file, content.as_bytes(), 0).expect("written");
            let published = naming(&open, &temporary, "final").expect("published");
            assert_eq!(published, expected);
            if published == Published::Exists {
                rustix::fs::unlinkat(&open, temporary, AtFlags::empty()).expect("removed");
            }
        }
        assert_eq!(names(folder.path()), ["final"]);
        assert_eq!(fs::read(folder.path().join("final")).expect("the file"), b"1");
    }
}

#[test]
fn a_file_with_a_temporary_name_is_removed_when_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = DurableFile::create(folder.path(), "x").expect("a file");
    let (named, temporary) = create_named(&file.folder, OFlags::WRONLY).expect("a file");
    (file.file, file.temporary) = (named, Some(temporary));
    file.append(b"something").expect("appended");
    assert_eq!(names(folder.path()).len(), 1);
    drop(file);
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn of_racing_creators_one_wins_and_the_file_is_whole() {
    const RACERS: usize = 8;
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..20 {
        let barrier = Barrier::new(RACERS);
        let name = format!("round-{round}");
        let created = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (barrier, folder, name) = (&barrier, folder.path(), &name);
                    scope.spawn(move || {
                        barrier.wait();
                        write(folder, name, &vec![racer as u8; 10_000]).expect("written")
                    })
                })
                .collect();
            let results = racers.into_iter().map(|racer| racer.join().expect("no panic"));
            results.filter(|published| *published == Published::Created).count()
        });
        assert_eq!(created, 1);
        let content = fs::read(folder.path().join(&name)).expect("the file");
        assert!(content.len() == 10_000 && content.iter().all(|byte| *byte == content[0]));
    }
    assert_eq!(names(folder.path()).len(), 20);
}

#[test]
fn dropping_an_unpublished_file_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut file = DurableFile::create(folder.path(), "x").expect("a file");
    file.append(&vec![1; 1 << 20]).expect("appended");
    drop(file);
    assert_eq!(names(folder.path()).len(), 0);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_object() {
    let mounted = Mounted::tmpfs("size=1m");
    let error = write(mounted.0.path(), "large", &vec![1; 4 << 20]).expect_err("full");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    // In pieces, of which the last are still pending when publishing.
    let mut file = DurableFile::create(mounted.0.path(), "large").expect("a file");
    let failed = (0..40).any(|_| file.append(&[1; 30_000]).is_err());
    assert!(file.publish().is_err(), "appending failed: {failed}");
    assert_eq!(names(mounted.0.path()).len(), 0);
    assert_eq!(write(mounted.0.path(), "small", b"fits").expect("room"), Published::Created);
    assert!(free_space(mounted.0.path()).expect("space").total == 1 << 20);
}

#[test]
fn a_name_with_a_slash_is_refused() {
    for name in ["../x", "a/b", "", "..", "."] {
        assert!(DurableFile::create(&std::env::temp_dir(), name).is_err());
    }
}

#[test]
fn folders_are_made_with_their_parents() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b/c");
    create_dir_durable(&deep).expect("made");
    create_dir_durable(&deep).expect("there");
    fs::write(deep.join("file"), "").expect("a file");
    assert!(create_dir_durable(&deep.join("file")).is_err());
    assert!(create_dir_durable(&deep.join("file/x")).is_err());
    let private = folder.path().join("p/q");
    create_private_dir(&private).expect("made");
    create_private_dir(&private).expect("there");
    let mode = fs::metadata(&private).expect("a folder").permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[test]
fn a_file_is_mapped_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x");
    write(folder.path(), "x", b"0123456789").expect("written");
    assert_eq!(&*MappedFile::open(&path).expect("mapped"), b"0123456789");
    write(folder.path(), "empty", b"").expect("written");
    assert_eq!(&*MappedFile::open(&folder.path().join("empty")).expect("mapped"), b"");
    remove_durable(&path).expect("removed");
    assert_eq!(remove_durable(&path).expect_err("gone").kind(), io::ErrorKind::NotFound);
}
