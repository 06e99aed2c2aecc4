//! Files, links and devices are read as they are.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use yore_platform::Access;

use crate::drive::{Drive, output};
use crate::memory::{BIG, SPARSE_SIZE, big_content};

#[test]
fn what_is_mounted_is_read_back() {
    let drive = Drive::mount(Access::OwnerOnly);
    let hello = drive.path("hello");
    assert_eq!(fs::read(&hello).expect("content"), b"hello, world\n");
    let metadata = fs::metadata(&hello).expect("metadata");
    assert_eq!(metadata.mode(), 0o100_640);
    assert_eq!((metadata.uid(), metadata.gid()), (1234, 4321));
    assert_eq!((metadata.nlink(), metadata.ino()), (2, 2));
    let link = fs::metadata(drive.path("link")).expect("metadata");
    assert_eq!(link.ino(), 2);
    assert_eq!(fs::read(drive.path("big")).expect("content"), big_content());
    let target = fs::read_link(drive.path("symlink")).expect("a link");
    assert_eq!(target, Path::new("deep/er/est"));
    assert!(fs::metadata(drive.path("symlink")).expect("its target").is_file());
    assert!(fs::metadata(drive.path("fifo")).expect("a pipe").file_type().is_fifo());
    let disk = fs::metadata(drive.path("disk")).expect("a device");
    assert!(disk.file_type().is_block_device());
    assert_eq!((libc::major(disk.rdev()), libc::minor(disk.rdev())), (259, 65_537));
}

#[test]
fn times_before_1970_and_after_2262_are_kept() {
    let drive = Drive::mount(Access::OwnerOnly);
    let old = fs::metadata(drive.path("hello")).expect("metadata");
    assert_eq!((old.mtime(), old.mtime_nsec()), (-1_000_000_000, 123_456_789));
    let late = fs::metadata(drive.path("big")).expect("metadata");
    assert_eq!((late.mtime(), late.mtime_nsec()), (20_000_000_000, 5));
}

#[test]
fn a_file_is_read_at_any_place_by_several_threads() {
    let drive = Drive::mount(Access::OwnerOnly);
    let content = big_content();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (path, content) = (drive.path("big"), &content);
            scope.spawn(move || {
                let file = File::open(path).expect("a file");
                let mut piece = vec![0; 70_001];
                for turn in 0..50 {
                    let place = (thread * 7_919 + turn * 190_003) % (BIG - piece.len());
                    file.read_exact_at(&mut piece, place as u64).expect("bytes");
                    assert!(piece == content[place..place + piece.len()]);
                }
            });
        }
    });
}

#[test]
fn damage_is_an_error_of_that_file_alone_and_a_panic_counts_as_damage() {
    let drive = Drive::mount(Access::OwnerOnly);
    for name in ["bad", "panics", "bad", "panics", "panics", "panics", "panics"] {
        let error = fs::read(drive.path(name)).expect_err("damage");
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "{name}");
    }
    assert_eq!(fs::read(drive.path("hello")).expect("content").len(), 13);
}

#[test]
fn holes_are_found_and_copied_as_holes() {
    let drive = Drive::mount(Access::OwnerOnly);
    let path = drive.path("sparse");
    let metadata = fs::metadata(&path).expect("metadata");
    assert_eq!((metadata.len(), metadata.blocks()), (SPARSE_SIZE, 128));
    let file = File::open(&path).expect("a file");
    let seek = |place| rustix::fs::seek(&file, place);
    assert_eq!(seek(rustix::fs::SeekFrom::Data(5)), Ok(1 << 20));
    assert_eq!(seek(rustix::fs::SeekFrom::Hole(1 << 20)), Ok((1 << 20) + 65_536));
    assert_eq!(seek(rustix::fs::SeekFrom::Hole(0)), Ok(0));
    let beyond = seek(rustix::fs::SeekFrom::Data(2 << 20));
    assert_eq!(beyond, Err(rustix::io::Errno::NXIO));
    let target = tempfile::tempdir().expect("a folder");
    output("cp", &["--sparse=auto", path.to_str().expect("UTF-8")], target.path());
    let copy = fs::metadata(target.path().join("sparse")).expect("a copy");
    assert_eq!((copy.len(), copy.blocks()), (SPARSE_SIZE, 128));
}
