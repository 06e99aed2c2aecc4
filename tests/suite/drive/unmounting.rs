//! The end of a drive that is no longer where it was mounted, or whose files are still open.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_platform::is_mounted;
use yore_tests::{Yore, in_shell, needs_root};

/// The longest that a drive may take to appear or to end: a bound for what hangs, no measure of speed.
const DEADLINE: Duration = Duration::from_secs(40);

/// A drive at `place/parent/drive`, where `place` is a mount of its own that propagates nowhere.
struct MovingDrive {
    yore: Yore,
    place: PathBuf,
    daemon: Child,
}

impl MovingDrive {
    fn new() -> MovingDrive {
        needs_root("move mounts");
        let yore = Yore::with_repository();
        let source = yore.scratch.folder("source");
        fs::write(source.join("file"), "of the past").expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
        let place = yore.scratch.folder("place");
        in_shell("mount -t tmpfs place \"$1\" && mount --make-private \"$1\"", &[&place]);
        let point = place.join("parent/drive");
        fs::create_dir_all(&point).expect("a folder");
        let daemon = yore.command(["mount"]).arg(&point).spawn().expect("the program runs");
        let drive = MovingDrive { yore, place, daemon };
        let began = Instant::now();
        while !is_mounted(&point) {
            assert!(began.elapsed() < DEADLINE, "the drive does not appear");
            std::thread::sleep(Duration::from_millis(5));
        }
        drive
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }

    fn mountpoint(&self) -> PathBuf {
        self.at("parent/drive")
    }

    /// Sends SIGTERM to the process; returns its exit code and its errors.
    fn end(&mut self) -> (Option<i32>, String) {
        let pid = self.daemon.id().to_string();
        in_shell("kill -s TERM \"$1\"", &[Path::new(&pid)]);
        let began = Instant::now();
        let status = loop {
            match self.daemon.try_wait().expect("its status can be read") {
                Some(status) => break status,
                None if began.elapsed() < DEADLINE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                None => panic!("the process does not end"),
            }
        };
        let mut said = String::new();
        let stderr = self.daemon.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        (status.code(), said)
    }

    /// Lists the drives that are mounted below `place`.
    fn mounted(&self) -> String {
        let line = "grep -F \" $1/\" /proc/self/mountinfo | grep -F ' - fuse.yore ' || true";
        in_shell(line, &[&self.place])
    }
}

impl Drop for MovingDrive {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
        // Also unmounts everything below.
        let _ = Command::new("umount").arg("--lazy").arg(&self.place).status();
    }
}

#[test]
fn a_drive_ends_at_sigterm_after_a_folder_above_it_was_renamed() {
    let mut drive = MovingDrive::new();
    fs::rename(drive.at("parent"), drive.at("renamed")).expect("renamed");
    assert!(is_mounted(&drive.at("renamed/drive")));
    assert_eq!(drive.end(), (Some(0), String::new()));
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_ends_at_sigterm_after_it_was_moved() {
    let mut drive = MovingDrive::new();
    fs::create_dir(drive.at("elsewhere")).expect("a folder");
    in_shell("mount --move \"$1\" \"$2\"", &[&drive.mountpoint(), &drive.at("elsewhere")]);
    assert_eq!(drive.end(), (Some(0), String::new()));
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_that_is_mounted_twice_ends_at_both_places() {
    let mut drive = MovingDrive::new();
    for name in ["whole", "part"] {
        fs::create_dir(drive.at(name)).expect("a folder");
    }
    in_shell("mount --bind \"$1\" \"$2\"", &[&drive.mountpoint(), &drive.at("whole")]);
    in_shell("mount --bind \"$1\"/snapshots \"$2\"", &[&drive.mountpoint(), &drive.at("part")]);
    assert_eq!(drive.end(), (Some(0), String::new()));
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_with_something_mounted_over_it_leaves_that_alone_and_says_so() {
    let mut drive = MovingDrive::new();
    in_shell("mount -t tmpfs over \"$1\" && touch \"$1\"/other", &[&drive.mountpoint()]);
    let (code, said) = drive.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("something else is mounted over the drive"), "{said}");
    assert!(drive.mountpoint().join("other").exists(), "what lies over it was taken away");
    // Once the other mount is gone, the rest of the drive can be unmounted.
    in_shell("umount \"$1\"", &[&drive.mountpoint()]);
    drive.yore.run_on("umount", &[&drive.mountpoint()]).assert_code(0);
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_under_something_that_is_mounted_over_a_folder_above_it_says_so() {
    let mut drive = MovingDrive::new();
    in_shell("mount -t tmpfs over \"$1\"", &[&drive.at("parent")]);
    // An ordinary folder at the mountpoint's path is not the drive.
    fs::create_dir(drive.mountpoint()).expect("a folder");
    let (code, said) = drive.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("something else is mounted over the drive"), "{said}");
}

#[test]
fn a_drive_that_is_released_while_it_ends_leaves_nothing() {
    let mut drive = MovingDrive::new();
    in_shell("mount -t tmpfs over \"$1\"", &[&drive.mountpoint()]);
    let free = {
        let mountpoint = drive.mountpoint();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            in_shell("umount \"$1\"", &[&mountpoint]);
        })
    };
    assert_eq!(drive.end(), (Some(0), String::new()));
    free.join().expect("it went free");
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_that_another_mount_namespace_holds_ends_and_names_it() {
    let mut drive = MovingDrive::new();
    let mut holder = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare runs");
    let mut byte = [0];
    holder.stdout.as_mut().expect("a pipe").read_exact(&mut byte).expect("it is ready");
    let (code, said) = drive.end();
    let pid = holder.id();
    holder.kill().expect("it runs");
    holder.wait().expect("it ends");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("({pid})")) && said.contains("mount namespace"), "{said}");
    assert_eq!(drive.mounted(), "");
}

#[test]
fn a_drive_with_open_files_ends_and_names_the_processes_that_hold_them() {
    let mut drive = MovingDrive::new();
    let file = fs::File::open(drive.mountpoint().join("snapshots")).expect("a folder of the drive");
    let (code, said) = drive.end();
    drop(file);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("({})", std::process::id())), "{said}");
    assert!(said.contains("open file"), "{said}");
    assert_eq!(drive.mounted(), "");
}
