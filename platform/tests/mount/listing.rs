//! Directories are listed whole, from any position, and as fresh as their `ttl` says.

use std::fs::{self, File};
use std::time::Duration;

use yore_platform::{Access, Ino, Kind};

use crate::drive::{Drive, names, output};
use crate::memory::{CHANGING, MANY};

#[test]
fn a_listing_of_ten_thousand_names_is_complete_and_can_be_resumed() {
    let drive = Drive::mount(Access::OwnerOnly);
    let many = drive.path("many");
    for _ in 0..2 {
        assert_eq!(names(&many).len(), MANY);
    }
    let found = output("find", &["-H"], &many);
    assert_eq!(found.lines().count(), MANY + 1);

    let folder = File::open(&many).expect("a directory");
    let entries = raw_listing(&folder);
    assert_eq!(entries.len(), MANY + 2, "with . and ..");
    assert_eq!((entries[0].0, entries[1].0), (14, 1), "its own number, and that of the top");
    for pair in entries.windows(2).rev().step_by(97) {
        let place = rustix::fs::SeekFrom::Start(pair[0].1);
        rustix::fs::seek(&folder, place).expect("a place told before");
        let after = first_entry(&folder);
        assert_eq!(after, Some(pair[1]));
    }
}

/// Returns the inode number of each name from the beginning, and the place after it.
fn raw_listing(folder: &File) -> Vec<(u64, u64)> {
    let mut buffer = Vec::with_capacity(65_536);
    let mut listing = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
    let mut entries = Vec::new();
    while let Some(entry) = listing.next() {
        let entry = entry.expect("an entry");
        entries.push((entry.ino(), entry.next_entry_cookie()));
    }
    entries
}

fn first_entry(folder: &File) -> Option<(u64, u64)> {
    let mut buffer = Vec::with_capacity(512);
    let mut listing = rustix::fs::RawDir::new(folder, buffer.spare_capacity_mut());
    let entry = listing.next()?.expect("an entry");
    Some((entry.ino(), entry.next_entry_cookie()))
}

#[test]
fn a_listing_that_cannot_be_had_is_an_error_and_not_empty() {
    let drive = Drive::mount(Access::OwnerOnly);
    let mut listing = fs::read_dir(drive.path("torn")).expect("opening asks nothing");
    let first = listing.next().expect("an answer").expect_err("an error");
    assert_eq!(first.raw_os_error(), Some(libc::EIO));
}

#[test]
fn a_changed_listing_is_shown_when_its_time_changes_or_when_told() {
    let drive = Drive::mount(Access::OwnerOnly);
    let folder = drive.path("changing");
    let fresh = folder.join("second");
    assert_eq!(names(&folder), ["first"]);
    assert_eq!(names(&folder), ["first"]);
    assert!(!fresh.exists());
    drive.volume.add(CHANGING, b"second", Ino(21), Kind::File);
    assert_eq!(names(&folder), ["first"], "kept for an hour");
    assert!(!fresh.exists(), "kept for an hour");
    let handle = drive.mounted().handle();
    handle.invalidate(CHANGING).expect("the kernel forgets");
    assert_eq!(names(&folder), ["first", "second"]);
    handle.invalidate_entry(CHANGING, b"second").expect("the kernel forgets");
    assert!(fresh.exists());
    drive.volume.change(CHANGING, |node| node.names.truncate(1));
    handle.invalidate(CHANGING).expect("the kernel forgets");
    handle.invalidate_entry(CHANGING, b"second").expect("the kernel forgets");
    assert_eq!(names(&folder), ["first"]);
    assert!(!fresh.exists());
    handle.invalidate(Ino(4_711)).expect("nothing to forget");
}

#[test]
fn a_changed_listing_is_shown_without_being_told_when_its_time_runs_out() {
    let drive = Drive::mount(Access::OwnerOnly);
    let folder = drive.path("changing");
    drive.volume.change(CHANGING, |node| node.ttl = Duration::from_millis(50));
    assert_eq!(names(&folder), ["first"]);
    assert!(!folder.join("second").exists());
    drive.volume.add(CHANGING, b"second", Ino(21), Kind::File);
    drive.volume.change(CHANGING, |node| node.attr.modified.seconds += 1);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(names(&folder), ["first", "second"]);
    assert!(folder.join("second").exists());
}

#[test]
fn a_name_too_long_is_refused_as_such() {
    let drive = Drive::mount(Access::OwnerOnly);
    let error = fs::metadata(drive.path(&"n".repeat(256))).expect_err("too long");
    assert_eq!(error.raw_os_error(), Some(libc::ENAMETOOLONG));
    let error = fs::metadata(drive.path(&"n".repeat(255))).expect_err("not there");
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
}

#[test]
fn what_the_kernel_knows_is_held_until_it_forgets_it() {
    let drive = Drive::mount(Access::OwnerOnly);
    let all = output("find", &["-H"], &drive.path("many")).lines().count() + 1;
    let held = drive.volume.held();
    assert!(held.len() >= all - 1 && held.contains(&Ino(14)), "{} of {all}", held.len());
    let open = File::open(drive.path("hello")).expect("a file");
    let began = std::time::Instant::now();
    // Other programs may hold what they look at for a moment.
    while drive.volume.held().iter().any(|ino| ![Ino(1), Ino(2)].contains(ino)) {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", drive.volume.held().len());
        fs::write("/proc/sys/vm/drop_caches", "2").expect("only root makes the kernel forget");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(drive.volume.held().contains(&Ino(2)), "an open file is held");
    drop(open);
}
