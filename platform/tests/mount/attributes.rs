//! Extended attributes, access control lists, and the users that may enter.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use yore_platform::Access;

use crate::drive::{Drive, output};

#[test]
fn extended_attributes_follow_the_size_protocol() {
    let drive = Drive::mount(Access::OwnerOnly);
    let path = drive.path("hello");
    let mut room = [0_u8; 64];
    let size = rustix::fs::getxattr_query(&path, "user.colour");
    assert_eq!(size, Ok(4));
    let small = rustix::fs::getxattr(&path, "user.colour", &mut room[..3]);
    assert_eq!(small, Err(rustix::io::Errno::RANGE));
    let length = rustix::fs::getxattr(&path, "user.colour", &mut room[..]);
    assert_eq!((length, &room[..4]), (Ok(4), &b"blue"[..]));
    let empty = rustix::fs::getxattr(&path, "user.empty", &mut room[..]);
    assert_eq!(empty, Ok(0));
    let absent = rustix::fs::getxattr(&path, "user.none", &mut room[..]);
    assert_eq!(absent, Err(rustix::io::Errno::NODATA));
    let length = rustix::fs::listxattr(&path, &mut room[..]).expect("names");
    assert_eq!(&room[..length], b"user.colour\0user.empty\0");
}

#[test]
fn access_control_lists_are_shown_to_owners_and_to_everyone() {
    for access in [Access::OwnerOnly, Access::Everyone] {
        let drive = Drive::mount(access);
        let shown = output("getfacl", &["-cn"], &drive.path("acl"));
        let expected = "user::rwx\nuser:1234:r-x\ngroup::r-x\nmask::r-x\nother::---\n\n";
        assert_eq!(shown, expected, "{access:?}");
        let mode = fs::metadata(drive.path("acl")).expect("metadata").mode();
        assert_eq!(mode & 0o777, 0o750);
    }
}

#[test]
fn other_users_may_enter_only_where_everyone_may_and_acls_permit() {
    assert!(rustix::process::geteuid().is_root(), "only root can become other users");
    for (access, uid, name, permitted) in [
        (Access::OwnerOnly, 1234, "hello", false),
        (Access::Everyone, 1234, "hello", true),
        (Access::Everyone, 4999, "hello", false),
        (Access::Everyone, 1234, "acl", true),
        (Access::Everyone, 4999, "acl", false),
    ] {
        let drive = Drive::mount(access);
        let parent = fs::Permissions::from_mode(0o755);
        assert!(fs::set_permissions(drive.folder.path(), parent).is_err());
        let mut command = Command::new("cat");
        command.arg(drive.path(name)).uid(uid).gid(uid);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        let read = status.expect("cat").success();
        assert_eq!(read, permitted, "{access:?} {uid} {name}");
    }
}
