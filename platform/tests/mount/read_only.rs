//! Every attempt to change something is refused as on a read-only file system.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use yore_platform::Access;

use crate::drive::Drive;

#[test]
fn nothing_can_be_changed() {
    let drive = Drive::mount(Access::OwnerOnly);
    assert_read_only(&drive);
}

#[test]
fn nothing_can_be_changed_even_where_the_kernel_lets_changes_through() {
    let drive = Drive::mount(Access::OwnerOnly);
    let remounted = Command::new("mount")
        .args(["-i", "-o", "remount,rw"])
        .arg(drive.folder.path())
        .output()
        .expect("mount is there");
    let said = String::from_utf8_lossy(&remounted.stderr);
    assert!(remounted.status.success(), "only root can mount again, to write: {said}");
    assert_read_only(&drive);
}

fn assert_read_only(drive: &Drive) {
    let (hello, fresh) = (drive.path("hello"), drive.path("fresh"));
    let deep = drive.path("deep");
    let folder = File::open(drive.folder.path()).expect("the drive");
    let times = rustix::fs::Timestamps {
        last_access: rustix::fs::Timespec::default(),
        last_modification: rustix::fs::Timespec::default(),
    };
    let attempts: [(&str, io::Result<()>); 15] = [
        ("write", File::options().append(true).open(&hello).and_then(write_byte)),
        ("create", File::create_new(&fresh).map(drop)),
        (
            "truncate",
            rustix::fs::open(&hello, OFlags::WRONLY | OFlags::TRUNC, Mode::empty())
                .map(drop)
                .map_err(io::Error::from),
        ),
        ("mkdir", fs::create_dir(&fresh)),
        ("unlink", fs::remove_file(&hello)),
        ("rmdir", fs::remove_dir(&deep)),
        ("rename", fs::rename(&hello, &fresh)),
        ("link", fs::hard_link(&hello, &fresh)),
        ("symlink", std::os::unix::fs::symlink("x", &fresh)),
        ("chmod", fs::set_permissions(&hello, fs::Permissions::from_mode(0o777))),
        ("chown", std::os::unix::fs::chown(&hello, Some(1), Some(1))),
        (
            "mknod",
            rustix::fs::mknodat(
                &folder,
                "fresh",
                rustix::fs::FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .map_err(io::Error::from),
        ),
        (
            "utimes",
            rustix::fs::utimensat(&folder, "hello", &times, rustix::fs::AtFlags::empty())
                .map_err(io::Error::from),
        ),
        (
            "setxattr",
            rustix::fs::setxattr(&hello, "user.new", b"x", rustix::fs::XattrFlags::empty())
                .map_err(io::Error::from),
        ),
        ("removexattr", rustix::fs::removexattr(&hello, "user.colour").map_err(io::Error::from)),
    ];
    for (name, attempt) in attempts {
        let error = attempt.expect_err(name);
        assert_eq!(error.raw_os_error(), Some(libc::EROFS), "{name}");
    }
}

/// Writes a byte: where the kernel opens by itself, only the write is refused.
fn write_byte(file: File) -> io::Result<()> {
    file.write_all_at(b"x", 0)
}
