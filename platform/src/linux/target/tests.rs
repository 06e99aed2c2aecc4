#![allow(unsafe_code)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;
use crate::file_options::{ReadMode, Replace};
use crate::metadata::{FoundXattrs, Owner, Timestamp, Xattrs};
use crate::wanted_metadata::OtherXattrs;

const NONE: &Xattrs = &Xattrs::new();

fn restore(kind: Kind, mode: u32, seconds: i64, xattrs: &Xattrs) -> WantedMetadata<'_> {
    WantedMetadata {
        kind,
        mode: Some(mode),
        owner: Some(Owner { uid: 1234, gid: 4321 }),
        modified: Timestamp { seconds, nanos: 123_456_789 },
        xattrs,
        others: OtherXattrs::Removed,
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status();
    assert!(status.expect("the program is installed").success(), "{program}");
}

/// Runs the rest of a test as nobody, on a thread of its own: numbers are a thread's in Linux.
fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // SAFETY: the raw calls change this thread alone, which ends with the work.
            unsafe {
                assert_eq!(libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<u32>()), 0);
                assert_eq!(libc::syscall(libc::SYS_setresgid, 65534, 65534, 65534), 0);
                assert_eq!(libc::syscall(libc::SYS_setresuid, 65534, 65534, 65534), 0);
            }
            work()
        });
        worker.join().expect("no panic")
    })
}

#[test]
fn every_kind_of_file_comes_back_with_all_it_had() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let dir = TargetDir::create(folder.path()).expect("a target");
    let number = DeviceNumber { major: 7, minor: 300 };
    dir.make_dir(b"dir").expect("made");
    dir.create_file(b"file", 0).expect("made");
    dir.symlink(b"link", b"../\xff/etc").expect("made");
    dir.make_fifo(b"fifo").expect("made");
    dir.make_socket(b"socket").expect("made");
    dir.make_device(b"char", Kind::CharDevice, number).expect("made");
    dir.make_device(b"block", Kind::BlockDevice, number).expect("made");
    let trusted: Xattrs = vec![(b"trusted.t".to_vec(), b"\0\xff".to_vec())];
    let source = SourceDir::open(folder.path()).expect("a source");
    for (name, kind) in [
        (&b"dir"[..], Kind::Directory),
        (b"file", Kind::File),
        (b"link", Kind::Symlink),
        (b"fifo", Kind::Fifo),
        (b"socket", Kind::Socket),
        (b"char", Kind::CharDevice),
        (b"block", Kind::BlockDevice),
    ] {
        let wanted = restore(kind, 0o1642, 1_500_000_000, &trusted);
        let refused = dir.set_child_metadata(name, &wanted);
        assert!(refused.is_empty(), "{kind:?}: {refused:?}");
        let found = source.child_metadata(name).expect("metadata");
        assert_eq!((found.kind, found.owner), (kind, wanted.owner));
        assert_eq!(found.modified, wanted.modified);
        assert_eq!(found.mode, Some(if kind == Kind::Symlink { 0o777 } else { 0o1642 }));
        assert_eq!(
            source.child_xattrs(name).and_then(FoundXattrs::all).expect("attributes"),
            trusted
        );
        if matches!(kind, Kind::CharDevice | Kind::BlockDevice) {
            assert_eq!(found.device_number, number);
        }
    }
    assert_eq!(source.read_link(b"link").expect("a link"), b"../\xff/etc");
    dir.hard_link(b"again", &dir, b"link").expect("linked");
    let again = source.child_metadata(b"again").expect("metadata");
    assert_eq!((again.kind, again.links), (Kind::Symlink, 2));
}

#[test]
fn set_id_bits_acls_and_capabilities_survive_the_change_of_owner() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    fs::write(folder.path().join("from"), "program").expect("a file");
    fs::create_dir(folder.path().join("from-dir")).expect("a folder");
    run("chown", &["1234:4321"], &folder.path().join("from"));
    run("setfacl", &["-m", "u:77:rwx,g:88:r--"], &folder.path().join("from"));
    run("setfacl", &["-d", "-m", "u:77:rwx"], &folder.path().join("from-dir"));
    run("chmod", &["6755"], &folder.path().join("from"));
    run("setcap", &["cap_net_raw+ep"], &folder.path().join("from"));
    run("setfattr", &["-n", "user.u", "-v", "1"], &folder.path().join("from"));
    let source = SourceDir::open(folder.path()).expect("a source");
    let dir = TargetDir::create(folder.path()).expect("a target");
    let xattrs = source.child_xattrs(b"from").and_then(FoundXattrs::all).expect("attributes");
    assert_eq!(xattrs.len(), 3, "{xattrs:?}");
    let before = source.child_metadata(b"from").expect("metadata");
    assert_eq!(before.mode.map(|mode| mode & 0o6000), Some(0o6000));
    let wanted = WantedMetadata {
        kind: Kind::File,
        mode: before.mode,
        owner: before.owner,
        modified: before.modified,
        xattrs: &xattrs,
        others: OtherXattrs::Removed,
    };
    let file = dir.create_file(b"to", 7).expect("a file");
    file.write_at(b"program", 0).expect("written");
    let refused = file.set_metadata(&wanted);
    assert!(refused.is_empty(), "{refused:?}");
    let after = source.child_metadata(b"to").expect("metadata");
    assert_eq!(after.mode, before.mode);
    assert_eq!((after.owner, after.modified), (before.owner, before.modified));
    assert_eq!(source.child_xattrs(b"to").and_then(FoundXattrs::all).expect("attributes"), xattrs);
    // The directory's own, by which a file made in it must not be touched.
    let acl = source.child_xattrs(b"from-dir").and_then(FoundXattrs::all).expect("attributes");
    let (inner, _) = dir.make_dir(b"to-dir").expect("made");
    let refused = inner.set_metadata(&restore(Kind::Directory, 0o2750, 0, &acl));
    assert!(refused.is_empty() && !acl.is_empty(), "{refused:?}");
    assert_eq!(source.child_xattrs(b"to-dir").and_then(FoundXattrs::all).expect("attributes"), acl);
    let file = inner.create_file(b"plain", 0).expect("a file");
    assert!(file.set_metadata(&restore(Kind::File, 0o664, 0, NONE)).is_empty());
    let to_dir = source.open_child(b"to-dir").expect("a directory");
    assert_eq!(
        to_dir.child_xattrs(b"plain").and_then(FoundXattrs::all).expect("attributes"),
        *NONE
    );
    assert_eq!(to_dir.child_metadata(b"plain").expect("metadata").mode, Some(0o664));
}

#[test]
fn times_from_1901_to_2400_are_kept_and_others_reported() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let dir = TargetDir::create(folder.path()).expect("a target");
    let file = dir.create_file(b"file", 0).expect("a file");
    // The start of 1902, one second before the epoch, the year 2400, the last that ext4 holds whole.
    for seconds in [-2_145_916_800, -1, 13_569_465_600, 15_032_385_534] {
        let wanted = restore(Kind::File, 0o600, seconds, NONE);
        let refused = file.set_metadata(&wanted);
        assert!(refused.is_empty(), "{refused:?}");
        assert_eq!(file.metadata().expect("metadata").modified, wanted.modified);
    }
    for seconds in [i64::MAX, i64::MIN, -62_135_596_800] {
        let refused = file.set_metadata(&restore(Kind::File, 0o600, seconds, NONE));
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].part, MetadataPart::Modified);
    }
    // UTIME_NOW and UTIME_OMIT in the place of nanoseconds.
    for nanos in [0x3fff_ffff, 0x3fff_fffe, u32::MAX] {
        let mut wanted = restore(Kind::File, 0o600, 0, NONE);
        wanted.modified.nanos = nanos;
        assert_eq!(file.set_metadata(&wanted)[0].part, MetadataPart::Modified);
    }
}

#[test]
fn hostile_names_are_refused_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = TargetDir::create(&folder.path().join("target")).expect("a target");
    for name in [&b""[..], b".", b"..", b"/", b"../x", b"a/b", b"/etc/x", b"a\0b"] {
        let temporary = dir.create_temporary(0).expect("a file");
        let wanted = restore(Kind::File, 0o600, 0, NONE);
        let errors = [
            dir.make_dir(name).map(drop),
            dir.open_child(name).map(drop),
            dir.child_metadata(name).map(drop),
            dir.create_file(name, 0).map(drop),
            temporary.publish(name, Replace::Always),
            dir.symlink(name, b"x"),
            dir.make_fifo(name),
            dir.make_socket(name),
            dir.make_device(name, Kind::CharDevice, DeviceNumber::default()),
            dir.hard_link(name, &dir, b"x"),
            dir.hard_link(b"x", &dir, name),
            dir.remove(name),
            Err(dir.set_child_metadata(name, &wanted).remove(0).error),
        ];
        for (which, done) in errors.into_iter().enumerate() {
            let error = done.expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{which} on {name:?}");
        }
    }
    assert_eq!(fs::read_dir(folder.path().join("target")).expect("a folder").count(), 0);
}

#[test]
fn links_placed_earlier_lead_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("file"), "precious").expect("a file");
    let before = fs::metadata(&outside).expect("metadata");
    let dir = TargetDir::create(&folder.path().join("target")).expect("a target");
    dir.symlink(b"dir", b"../outside").expect("a link");
    dir.symlink(b"file", b"../outside/file").expect("a link");
    dir.symlink(b"new", b"../outside/new").expect("a link");
    dir.symlink(b"proc", b"/proc/self/cwd").expect("a link");
    for name in [&b"dir"[..], b"proc"] {
        assert!(dir.make_dir(name).is_err());
        assert!(dir.open_child(name).is_err());
    }
    for name in [&b"dir"[..], b"file", b"new"] {
        let error = dir.create_file(name, 0).expect_err("a link");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(dir.make_fifo(name).is_err());
        let refused = dir.set_child_metadata(name, &restore(Kind::File, 0o777, 0, NONE));
        assert_eq!(refused[0].part, MetadataPart::All);
        assert!(dir.set_child_metadata(name, &restore(Kind::Symlink, 0o777, 0, NONE)).is_empty());
    }
    dir.hard_link(b"linked", &dir, b"file").expect("a link to a link");
    assert_eq!(dir.child_metadata(b"linked").expect("looked").map(|m| m.kind), Some(Kind::Symlink));
    let temporary = dir.create_temporary(0).expect("a file");
    temporary.write_at(b"mine", 0).expect("written");
    temporary.publish(b"file", Replace::Always).expect("replaces the link");
    assert_eq!(fs::read(folder.path().join("target/file")).expect("the file"), b"mine");
    for name in [&b"dir"[..], b"new", b"proc"] {
        dir.remove(name).expect("the link is removed");
    }
    assert_eq!(fs::read(outside.join("file")).expect("the file"), b"precious");
    let after = fs::metadata(&outside).expect("metadata");
    assert_eq!(after.modified().expect("a time"), before.modified().expect("a time"));
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1);
}

#[test]
fn removing_a_tree_leaves_what_its_links_point_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    fs::create_dir_all(outside.join("a/b")).expect("folders");
    fs::create_dir_all(folder.path().join("tree/1/2/3/4")).expect("folders");
    fs::create_dir_all(folder.path().join("tree/1/5/6")).expect("folders");
    for place in ["tree/out", "tree/1/out", "tree/1/2/3/4/out", "tree/1/5/6/out"] {
        symlink(&outside, folder.path().join(place)).expect("a link");
        fs::write(folder.path().join(format!("{place}-file")), "").expect("a file");
    }
    let dir = TargetDir::create(folder.path()).expect("a target");
    dir.remove(b"tree").expect("removed");
    assert_eq!(dir.child_metadata(b"tree").expect("looked"), None);
    assert!(outside.join("a/b").is_dir());
    assert_eq!(dir.remove(b"tree").expect_err("gone").kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_temporary_file_replaces_in_one_step_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("old"), "old").expect("a file");
    let dir = TargetDir::create(folder.path()).expect("a target");
    let file = dir.create_temporary(0).expect("a file");
    let error = file.publish(b"old", Replace::Never).expect_err("taken");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(folder.path().join("old")).expect("the file"), b"old");
    dir.create_temporary(0).expect("a file").publish(b"old", Replace::Always).expect("replaced");
    assert_eq!(fs::read(folder.path().join("old")).expect("the file"), b"");
    dir.create_temporary(0).expect("a file").publish(b"new", Replace::Never).expect("free");
    drop(dir.create_temporary(0).expect("a file"));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}

#[test]
fn holes_stay_holes() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let dir = TargetDir::create(folder.path()).expect("a target");
    let file = dir.create_file(b"sparse", 0).expect("a file");
    file.write_at(&[1; 4096], 10 << 20).expect("written");
    file.set_len(20 << 20).expect("a hole");
    file.sync().expect("synced");
    let found = file.metadata().expect("metadata");
    assert_eq!(found.size, 20 << 20);
    assert!(found.allocated <= 64 << 10, "{} bytes", found.allocated);
    let source = SourceDir::open(folder.path()).expect("a source");
    let read = source.open_file(b"sparse", ReadMode::Buffered).expect("a file");
    assert_eq!(read.next_data(0).expect("data"), Some(10 << 20..(10 << 20) + 4096));
}

#[test]
fn without_privileges_what_is_refused_is_told_and_the_rest_applied() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    run("chown", &["65534:65534"], folder.path());
    let path = folder.path();
    as_nobody(|| {
        let dir = TargetDir::create(path).expect("a target");
        let xattrs: Xattrs = vec![
            (b"security.capability".to_vec(), vec![0; 20]),
            (b"user.u".to_vec(), b"kept".to_vec()),
        ];
        let file = dir.create_file(b"file", 0).expect("a file");
        let refused = file.set_metadata(&restore(Kind::File, 0o6400, 77, &xattrs));
        let parts: Vec<&MetadataPart> = refused.iter().map(|refused| &refused.part).collect();
        let capability = MetadataPart::Xattr(b"security.capability".to_vec());
        assert_eq!(parts, [&MetadataPart::Owner, &MetadataPart::Mode, &capability]);
        let found = file.metadata().expect("metadata");
        assert_eq!((found.mode, found.modified.seconds), (Some(0o400), 77));
        let error = dir.make_device(b"zero", Kind::CharDevice, DeviceNumber { major: 1, minor: 3 });
        assert_eq!(error.expect_err("refused").kind(), io::ErrorKind::PermissionDenied);
        // Files of others are read without O_NOATIME.
        let root = SourceDir::open(Path::new("/usr/lib")).expect("a source");
        root.open_file(b"os-release", ReadMode::Direct).expect("a file");
        let own = SourceDir::open(path).expect("a source");
        let kept = own.child_xattrs(b"file").and_then(FoundXattrs::all).expect("attributes");
        assert_eq!(kept, [(b"user.u".to_vec(), b"kept".to_vec())]);
    });
}

#[test]
fn a_file_that_is_larger_than_the_disk_is_refused_without_filling_it() {
    let folder = tempfile::tempdir_in("/dev/shm").expect("a folder");
    let target = TargetDir::create(folder.path()).expect("a target");
    for size in [1 << 50, 1 << 62] {
        let began = std::time::Instant::now();
        let error = target.create_file(b"huge", size).expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(began.elapsed() < std::time::Duration::from_secs(1), "nothing is reserved first");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
