use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};

use super::*;
use crate::{Kind, ReadBuffer, TargetDir, Xattrs, raise_open_file_limit};

fn names(listing: &Listing) -> Vec<Vec<u8>> {
    listing.iter().map(|entry| entry.name.to_vec()).collect()
}

#[test]
fn a_hundred_thousand_names_are_listed_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = TargetDir::create(folder.path()).expect("a target");
    for number in 0..100_000_u32 {
        made.make_fifo(format!("{:x}", number.wrapping_mul(2_654_435_761)).as_bytes())
            .expect("a name");
    }
    let dir = SourceDir::open(folder.path()).expect("a source");
    let mut listing = Listing::new();
    for _again in 0..2 {
        dir.list(&mut listing).expect("a listing");
        assert_eq!(listing.len(), 100_000);
        assert!(listing.iter().zip(listing.iter().skip(1)).all(|(a, b)| a.name < b.name));
        assert!(listing.iter().all(|entry| entry.kind == Some(Kind::Fifo)));
    }
}

#[test]
fn names_are_bytes_up_to_255_of_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = vec![0xff_u8; 255];
    let some: Vec<&[u8]> = vec![b"\x01", b"\xfe\n", b"a", b"aaaaaaaaa", b"aaaaaaaab", &long];
    for name in &some {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).expect("a file");
    }
    let dir = SourceDir::open(folder.path()).expect("a source");
    let mut listing = Listing::new();
    dir.list(&mut listing).expect("a listing");
    let mut sorted = some.clone();
    sorted.sort_unstable();
    assert_eq!(names(&listing), sorted);
    for name in some {
        let file = dir.open_file(name, ReadMode::Buffered).expect("a file");
        let mut content = vec![0; 300];
        assert_eq!(file.read_at(&mut content, 0).expect("content"), name.len());
    }
}

#[test]
fn a_tree_far_deeper_than_a_path_can_be_is_walked_and_removed() {
    const DEPTH: usize = 2000;
    assert!(raise_open_file_limit() > 4096);
    let folder = tempfile::tempdir().expect("a folder");
    let name = [b'd'; 200];
    let top = TargetDir::create(folder.path()).expect("a target");
    let mut dir = top.clone();
    for _level in 0..DEPTH {
        dir = dir.make_dir(&name).expect("a directory").0;
        dir.create_file(b"f", 0).expect("a file");
    }
    let mut walked = vec![SourceDir::open(folder.path()).expect("a source")];
    let mut listing = Listing::new();
    loop {
        let dir = walked.last().expect("a directory");
        dir.list(&mut listing).expect("a listing");
        if !listing.iter().any(|entry| entry.kind == Some(Kind::Directory)) {
            break;
        }
        let child = dir.open_child(&name).expect("a directory");
        walked.push(child);
    }
    assert_eq!(walked.len(), DEPTH + 1);
    top.remove(&name).expect("removed");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn links_are_read_and_never_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("dir")).expect("a folder");
    fs::write(folder.path().join("file"), "content").expect("a file");
    symlink("dir", folder.path().join("to-dir")).expect("a link");
    symlink("file", folder.path().join("to-file")).expect("a link");
    let dir = SourceDir::open(folder.path()).expect("a source");
    assert_eq!(dir.read_link(b"to-dir").expect("a link"), b"dir");
    assert_eq!(dir.child_metadata(b"to-file").expect("a link").kind, Kind::Symlink);
    assert!(dir.open_child(b"to-dir").is_err());
    assert!(dir.open_file(b"to-file", ReadMode::Buffered).is_err());
    for name in [&b"dir/../file"[..], b"..", b".", b"", b"fi\0le"] {
        let error = dir.child_metadata(name).expect_err("not a name");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_an_error_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    TargetDir::create(folder.path()).expect("a target").make_fifo(b"pipe").expect("a pipe");
    let dir = SourceDir::open(folder.path()).expect("a source");
    for how in [ReadMode::Buffered, ReadMode::Direct] {
        let error = dir.open_file(b"pipe", how).expect_err("not a file");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn metadata_is_what_the_system_says() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), vec![1; 5000]).expect("a file");
    fs::hard_link(folder.path().join("file"), folder.path().join("again")).expect("a link");
    let expected = fs::metadata(folder.path().join("file")).expect("metadata");
    let dir = SourceDir::open(folder.path()).expect("a source");
    let found = dir.child_metadata(b"file").expect("metadata");
    assert_eq!(found, *dir.open_file(b"again", ReadMode::Buffered).expect("a file").opened());
    assert_eq!((found.size, found.links, found.inode), (5000, 2, expected.ino()));
    assert_eq!(found.device, expected.dev());
    assert_eq!(found.mode, Some(expected.mode() & 0o7777));
    assert_eq!(found.modified.seconds, expected.mtime());
    assert_eq!(i64::from(found.modified.nanos), expected.mtime_nsec());
    assert_eq!(found.allocated, expected.blocks() * 512);
    assert!(found.born.is_some());
    assert_eq!(dir.metadata().expect("metadata").kind, Kind::Directory);
}

#[test]
fn direct_and_buffered_reads_agree_on_odd_sizes() {
    for place in ["/var/tmp", "/dev/shm"] {
        let folder = tempfile::tempdir_in(place).expect("a folder");
        for size in [0_usize, 1, 511, 512, 4095, 4096, 4097, 65_537, 1_000_003, 1 << 20] {
            let content: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
            fs::write(folder.path().join("file"), &content).expect("a file");
            let dir = SourceDir::open(folder.path()).expect("a source");
            let mut buffer = ReadBuffer::new(64 << 10);
            let file = dir.open_file(b"file", ReadMode::Direct).expect("a file");
            let mut got = Vec::new();
            loop {
                let read = file.read_at(&mut buffer, got.len() as u64).expect("content");
                got.extend_from_slice(&buffer[..read]);
                if read < buffer.len() {
                    break;
                }
            }
            assert!(got == content, "{place}, {size} bytes in buffers");
            // Exactly as long as the file, so that the tail is not a whole block.
            let file = dir.open_file(b"file", ReadMode::Direct).expect("a file");
            let mut whole = ReadBuffer::new(size);
            whole.set_len(size);
            assert_eq!(file.read_at(&mut whole, 0).expect("content"), size);
            assert!(*whole == *content, "{place}, {size} bytes at once");
            // From the middle, into memory that is not aligned.
            let mut rest = vec![0; size + 10];
            let from = size / 3;
            let read = file.read_at(&mut rest[1..], from as u64).expect("content");
            assert!(rest[1..=read] == content[from..], "{place}, {size} bytes unaligned");
        }
    }
}

#[test]
fn holes_are_found() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let sparse = fs::File::create(folder.path().join("sparse")).expect("a file");
    sparse.write_all_at(&[1; 4096], 1 << 20).expect("data");
    sparse.set_len(3 << 20).expect("a hole");
    let dir = SourceDir::open(folder.path()).expect("a source");
    let file = dir.open_file(b"sparse", ReadMode::Direct).expect("a file");
    assert!(file.opened().allocated < file.opened().size);
    let data = file.next_data(0).expect("data").expect("some");
    assert_eq!(data, 1 << 20..(1 << 20) + 4096);
    assert_eq!(file.next_data(data.end).expect("data"), None);
    assert_eq!(file.next_data(3 << 20).expect("data"), None);
}

#[test]
fn attributes_are_sorted_and_long_ones_complete() {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    fs::write(folder.path().join("file"), "").expect("a file");
    fs::write(folder.path().join("plain"), "").expect("a file");
    symlink("nowhere", folder.path().join("link")).expect("a link");
    let here = rustix::fs::open(folder.path(), OFlags::RDONLY, Mode::empty()).expect("a folder");
    let place = FileRef::Child(here.as_fd(), b"file");
    // More names than fit the first look, and a value that does not either.
    let mut expected: Xattrs =
        (0..42).map(|n| (format!("user.a-rather-long-name-{n:03}").into(), vec![n; 3])).collect();
    expected.push((b"user.z".to_vec(), vec![7; 1500]));
    for (name, value) in expected.iter().rev() {
        xattr::set(place, name, value).expect("an attribute");
    }
    xattr::set(FileRef::Child(here.as_fd(), b"link"), b"trusted.t", b"of the link").expect("root");
    let dir = SourceDir::open(folder.path()).expect("a source");
    assert!(dir.child_xattrs(b"file").and_then(FoundXattrs::all).expect("attributes") == expected);
    let file = dir.open_file(b"file", ReadMode::Buffered).expect("a file");
    assert!(file.xattrs().all().expect("attributes") == expected);
    assert_eq!(
        dir.child_xattrs(b"plain").and_then(FoundXattrs::all).expect("attributes"),
        Xattrs::new()
    );
    assert_eq!(dir.xattrs().all().expect("attributes"), Xattrs::new());
    let of_link = dir.child_xattrs(b"link").and_then(FoundXattrs::all).expect("attributes");
    assert_eq!(of_link, [(b"trusted.t".to_vec(), b"of the link".to_vec())]);
    let shm = SourceDir::open(Path::new("/proc/self")).expect("proc");
    assert_eq!(shm.xattrs().all().expect("none there"), Xattrs::new());
}
