//! Drives mounted through the kernel and read back with the system's own means.
#![cfg(target_os = "linux")]

mod memory;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use memory::{BIG, CHANGING, MANY, Memory, SPARSE_SIZE, big_content};
use rustix::fs::{Mode, OFlags};
use yore_platform::{
    Access, Hold, Ino, Kind, MountError, MountOptions, Mounted, Unmounted, WhenBusy,
    check_mountpoint, fuse_available, is_mounted, mount, unmount,
};

/// A mounted sample and its mountpoint.
struct Drive {
    volume: Arc<Memory>,
    mounted: Option<Mounted>,
    folder: tempfile::TempDir,
}

impl Drive {
    fn mount(access: Access) -> Drive {
        let folder = tempfile::tempdir().expect("a folder");
        let volume = Arc::new(Memory::sample());
        let options = MountOptions { access, ..MountOptions::default() };
        let mounted = mount(volume.clone(), folder.path(), &options);
        let mounted = mounted.unwrap_or_else(|error| panic!("this test must mount: {error}"));
        Drive { volume, mounted: Some(mounted), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mounted(&self) -> &Mounted {
        self.mounted.as_ref().expect("not yet unmounted")
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        drop(self.mounted.take());
    }
}

fn output(program: &str, arguments: &[&str], at: &Path) -> String {
    let mut command = Command::new(program);
    let output = command.args(arguments).arg(at).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let listing = fs::read_dir(folder).expect("a listing");
    let mut names: Vec<String> = listing
        .map(|entry| entry.expect("a name").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

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
    assert_eq!((entries[0].0, entries[1].0), (14, 14));
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
    if !rustix::process::geteuid().is_root() {
        // Only root can become another user; users' own mounts have a test of their own.
        return;
    }
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
    if !remounted.status.success() {
        let said = String::from_utf8_lossy(&remounted.stderr);
        assert!(!rustix::process::geteuid().is_root(), "{said}");
        return;
    }
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

/// Where the kernel opens by itself, it is the write that is refused.
fn write_byte(file: File) -> io::Result<()> {
    file.write_all_at(b"x", 0)
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
    assert_eq!(handle.unmount().expect("gone"), Unmounted::Completely);
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
    assert_eq!(own.expect("this process").hold, Hold::OpenFile);
    let handle = drive.mounted().handle();
    assert_eq!(handle.unmount().expect("out of the tree"), Unmounted::StillInUse);
    assert!(!is_mounted(drive.folder.path()));
    let mut content = String::new();
    file.seek(SeekFrom::Start(0)).expect("a file");
    file.read_to_string(&mut content).expect("served until closed");
    assert_eq!(content, "hello, world\n");
    drop(file);
    drive.mounted.take().expect("not yet waited for").wait().expect("a clean end");
}

/// Not a test by itself: the process that others of this file start, kill and wait for.
#[test]
#[ignore = "run by other tests in a process of its own"]
fn serve() {
    let Some(point) = std::env::var_os("YORE_TEST_SERVE") else {
        return;
    };
    let options = MountOptions::default();
    match mount(Arc::new(Memory::sample()), Path::new(&point), &options) {
        Ok(mounted) => {
            say("serving");
            mounted.wait().expect("a clean end");
            say("ended");
        }
        Err(error) => say(&format!("refused: {error}")),
    }
}

fn say(line: &str) {
    writeln!(io::stderr(), "{line}").expect("somebody listens");
}

struct Server {
    child: std::process::Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Server {
    fn start(point: &Path) -> Server {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command
            .args(["--exact", "serve", "--ignored", "--nocapture"])
            .env("YORE_TEST_SERVE", point)
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("this program runs");
        let said = BufReader::new(child.stderr.take().expect("piped"));
        let mut server = Server { child, said };
        assert_eq!(server.line(), "serving");
        server
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_killed_drive_answers_errors_until_it_is_unmounted() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path());
    assert!(folder.path().join("hello").exists());
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    let error = fs::read_dir(folder.path()).expect_err("not emptiness");
    assert_eq!(error.raw_os_error(), Some(libc::ENOTCONN));
    assert!(is_mounted(folder.path()));
    let check = check_mountpoint(folder.path());
    assert!(matches!(check, Err(MountError::Stale { .. })), "{check:?}");
    unmount(folder.path(), WhenBusy::Refuse).expect("nobody uses it");
    assert!(!is_mounted(folder.path()));
    check_mountpoint(folder.path()).expect("it can be mounted again");
}

#[test]
fn a_user_mounts_and_unmounts_through_the_helper() {
    if !rustix::process::geteuid().is_root() {
        // Then every other test of this file is this test.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let point = folder.path().join("point");
    fs::create_dir(&point).expect("a mountpoint");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("root may");
    std::os::unix::fs::chown(&point, Some(65_534), Some(65_534)).expect("root may");
    // Where this program was built, other users may have no way.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("a copy");
    // Elsewhere every user may open /dev/fuse; here, in a namespace of its own, this one does.
    let script = "mknod -m 666 \"$1/fuse\" c 10 229 && mount --bind \"$1/fuse\" /dev/fuse && \
        exec setpriv --reuid 65534 --regid 65534 --clear-groups \
        \"$2\" --exact mount_as_this_user --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(&program)
        .env("YORE_TEST_USER", &point)
        .current_dir("/")
        .output()
        .expect("unshare is there");
    let (said, wrong) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{wrong}");
    assert!(said.contains("1 passed"), "{said}{wrong}");
}

/// Not a test by itself: what a user does, in a process of that user.
#[test]
#[ignore = "run by another test in a process of its own"]
fn mount_as_this_user() {
    let Some(point) = std::env::var_os("YORE_TEST_USER").map(PathBuf::from) else {
        return;
    };
    fuse_available().expect("all that a user needs");
    let options = MountOptions { name: r"odd, \name".to_owned(), ..MountOptions::default() };
    let volume = Arc::new(Memory::sample());
    let mounted = mount(volume.clone(), &point, &options).expect("mounted by the helper");
    let table = fs::read_to_string("/proc/self/mounts").expect("the table");
    assert!(table.contains("fuse.yore ro,nosuid,nodev,noatime"), "{table}");
    assert_eq!(fs::read(point.join("hello")).expect("content").len(), 13);
    let file = File::open(point.join("hello")).expect("a file");
    let busy = unmount(&point, WhenBusy::Refuse);
    assert!(matches!(busy, Err(MountError::Busy { .. })), "{busy:?}");
    drop(file);
    unmount(&point, WhenBusy::Refuse).expect("nobody uses it");
    mounted.wait().expect("a clean end");

    let mut server = Server::start(&point);
    server.child.kill().expect("it runs");
    server.child.wait().expect("it ends");
    let check = check_mountpoint(&point);
    assert!(matches!(check, Err(MountError::Stale { .. })), "{check:?}");
    unmount(&point, WhenBusy::Refuse).expect("a dead drive goes");

    let options = MountOptions { access: Access::Everyone, ..MountOptions::default() };
    match mount(volume, &point, &options) {
        Ok(mounted) => drop(mounted),
        Err(error) => assert!(matches!(error, MountError::AllowOtherForbidden), "{error}"),
    }
    let own = mount(Arc::new(Memory::sample()), Path::new("/"), &options);
    assert!(matches!(own, Err(MountError::NotEmpty { .. })));
}

#[test]
fn fuse_is_available_where_these_tests_run() {
    fuse_available().unwrap_or_else(|error| panic!("these tests mount: {error}"));
}
