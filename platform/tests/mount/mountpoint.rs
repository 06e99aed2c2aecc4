//! The drive among the other mounts: what the system says of it, and how it ends.

use std::fs::{self, File};
use std::io::{Read, Seek as _, SeekFrom};
use std::time::Duration;

use yore_platform::{
    Access, DriveUsage, MountError, Unmounted, WhenBusy, check_mountpoint, driver_available,
    is_mounted, unmount,
};

use crate::drive::Drive;

#[test]
fn sizes_of_the_volume_are_told() {
    let drive = Drive::mount(Access::OwnerOnly);
    let sizes = rustix::fs::statvfs(drive.folder.path()).expect("sizes");
    assert_eq!(sizes.f_blocks * sizes.f_frsize, 1 << 40);
    assert_eq!(sizes.f_bavail * sizes.f_frsize, 1 << 39);
    assert_eq!((sizes.f_files, sizes.f_namemax), (10_020, 255));
}

#[test]
fn the_system_lists_the_drive_with_its_name_and_its_restrictions() {
    let drive = Drive::mount(Access::OwnerOnly);
    let point = drive.mounted().mountpoint().to_str().expect("UTF-8").to_owned();
    let table = fs::read_to_string("/proc/self/mounts").expect("the table");
    let line = table.lines().find(|line| line.contains(&point)).expect("the drive");
    assert!(line.starts_with("yore "), "{line}");
    for part in [" fuse.yore ", "ro,", "nosuid", "nodev", "noatime"] {
        assert!(line.contains(part), "{line} has no {part}");
    }
    assert!(!line.contains("allow_other"), "{line}");
}

#[test]
fn a_mountpoint_is_checked_and_a_drive_ends_when_unmounted_from_outside() {
    let mut drive = Drive::mount(Access::OwnerOnly);
    let point = drive.folder.path();
    let check = check_mountpoint(point);
    assert!(matches!(check, Err(MountError::AlreadyMounted { .. })));
    assert!(is_mounted(point));
    unmount(point, WhenBusy::Refuse).expect("nobody uses it");
    assert!(!is_mounted(point));
    let handle = drive.mounted().handle();
    let mounted = drive.mounted.take().expect("not yet waited for");
    mounted.wait().expect("a clean end");
    assert!(matches!(handle.unmount(Duration::ZERO), Ok(Unmounted::Completely)));
}

#[test]
fn a_drive_in_use_is_not_unmounted_and_its_users_are_named() {
    let mut drive = Drive::mount(Access::OwnerOnly);
    let mut file = File::open(drive.path("hello")).expect("a file");
    let refusal = unmount(drive.folder.path(), WhenBusy::Refuse);
    let Err(MountError::Busy { holders, .. }) = refusal else {
        panic!("it is in use: {refusal:?}");
    };
    let own = holders.iter().find(|holder| holder.pid == std::process::id());
    assert_eq!(own.expect("this process").usage, DriveUsage::OpenFile);
    let handle = drive.mounted().handle();
    let Ok(Unmounted::StillInUse(held)) = handle.unmount(Duration::ZERO) else {
        panic!("its file is open");
    };
    assert!(held.mounts.is_empty(), "{held:?}");
    assert!(held.holders.iter().any(|holder| holder.pid == std::process::id()), "{held:?}");
    assert!(!is_mounted(drive.folder.path()));
    let mut content = String::new();
    file.seek(SeekFrom::Start(0)).expect("a file");
    file.read_to_string(&mut content).expect("served until closed");
    assert_eq!(content, "hello, world\n");
    drop(file);
    drive.mounted.take().expect("not yet waited for").wait().expect("a clean end");
}

#[test]
fn fuse_is_available_where_these_tests_run() {
    driver_available().unwrap_or_else(|error| panic!("these tests mount: {error}"));
}
