//! Files about which a file system reports wrong or incomplete facts.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use yore_tests::{Disk, Ended, MountedAt, Scratch, Yore, in_shell, needs_root};

/// A file system that lists a name without finding it, reports size 0 for a file with content, and can't read one
/// of two attributes, of its top folder either while `found.folder` exists. The name is found while the file `found`
/// exists beside it.
const ODD: &str = r#"
import errno, os, stat, sys
from fusepy import FUSE, FuseOSError, Operations
FILES = {"/good": b"good", "/odd name": b"odd", "/unsized": b"content " * 30000}
class Odd(Operations):
    use_ns = True
    def hidden(self, path):
        return path == "/odd name" and not os.path.exists(sys.argv[2])
    def getattr(self, path, fh=None):
        if path == "/":
            return dict(st_mode=stat.S_IFDIR | 0o755, st_nlink=2, st_ino=1)
        if path not in FILES or self.hidden(path):
            raise FuseOSError(errno.ENOENT)
        size = 0 if path == "/unsized" else len(FILES[path])
        return dict(st_mode=stat.S_IFREG | 0o644, st_nlink=1, st_size=size, st_mtime=10**18, st_ctime=10**18)
    def readdir(self, path, fh):
        return [".", ".."] + [name[1:] for name in FILES]
    def read(self, path, size, offset, fh):
        return FILES[path][offset:offset + size]
    def has_attributes(self, path):
        return path == "/good" or path == "/" and os.path.exists(sys.argv[2] + ".folder")
    def listxattr(self, path):
        return ["user.fine", "user.broken"] if self.has_attributes(path) else []
    def getxattr(self, path, name, position=0):
        if not self.has_attributes(path) or name not in ("user.fine", "user.broken"):
            raise FuseOSError(errno.ENODATA)
        if name == "user.broken":
            raise FuseOSError(errno.EIO)
        return b"value"
FUSE(Odd(), sys.argv[1], foreground=True, direct_io=True, attr_timeout=0, entry_timeout=0)
"#;

/// The file system above, mounted.
struct Odd {
    at: PathBuf,
    server: Child,
}

impl Odd {
    fn mount(yore: &Yore) -> Self {
        let at = yore.scratch.folder("odd");
        let script = yore.scratch.at("odd.py");
        std::fs::write(&script, ODD).expect("a script");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&at).arg(yore.scratch.at("found")).stdin(Stdio::null());
        let server = command.spawn().expect("python runs");
        let since = Instant::now();
        while !at.join("good").exists() {
            assert!(since.elapsed() < Duration::from_secs(30), "it is mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { at, server }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        in_shell("umount \"$1\"", &[&self.at]);
        self.server.wait().expect("it ends");
    }
}

fn summary(ended: &Ended) -> Value {
    ended.objects().pop().expect("a summary")
}

fn cat(yore: &Yore, file: &Path) -> Ended {
    yore.run(["cat", &format!("latest:{}", file.display())])
}

#[test]
fn a_listed_name_that_is_not_found_is_an_error_and_keeps_its_last_state() {
    needs_root("mount for root to read");
    let yore = Yore::with_repository();
    let odd = Odd::mount(&yore);
    let file = odd.at.join("odd name");
    let ended = yore.run_on("backup --json", &[&odd.at]).assert_code(3);
    assert!(ended.err.contains("odd name"), "{}", ended.err);
    assert_eq!(cat(&yore, &file).code, Some(1));
    std::fs::write(yore.scratch.at("found"), "").expect("a file");
    yore.run_on("backup", &[&odd.at]).assert_code(3);
    assert_eq!(cat(&yore, &file).assert_code(0).out, "odd");
    std::fs::remove_file(yore.scratch.at("found")).expect("it is there");
    let ended = yore.run_on("backup --json", &[&odd.at]).assert_code(3);
    assert!(ended.err.contains("odd name"), "{}", ended.err);
    assert_eq!(cat(&yore, &file).assert_code(0).out, "odd", "its state of before");
}

#[test]
fn an_unreadable_attribute_loses_neither_the_content_nor_the_others() {
    needs_root("mount for root to read");
    let yore = Yore::with_repository();
    let odd = Odd::mount(&yore);
    std::fs::write(yore.scratch.at("found"), "").expect("a file");
    for _ in 0..2 {
        let ended = yore.run_on("backup --json", &[&odd.at]).assert_code(3);
        assert!(ended.err.contains("user.broken"), "{}", ended.err);
        assert_eq!(summary(&ended)["totals"]["unreadable"].as_u64(), Some(1));
    }
    assert_eq!(cat(&yore, &odd.at.join("good")).assert_code(0).out, "good");
    let target = yore.scratch.folder("target");
    let place = format!("latest:{}/good", odd.at.display());
    yore.run(["restore", &place, "--target", target.to_str().expect("text")]).assert_code(0);
    let words = "getfattr --only-values -n user.fine \"$1\"";
    let mut getfattr = Command::new("sh");
    getfattr.args(["-c", words, "sh"]).arg(target.join("good"));
    assert_eq!(getfattr.output().expect("it runs").stdout, b"value");
    // Attributes that the backup does not know stay.
    in_shell("setfattr -n user.own -v mine \"$1\"", &[&target.join("good")]);
    yore.run(["restore", &place, "--target", target.to_str().expect("text")]).assert_code(0);
    in_shell("getfattr -n user.own \"$1\"", &[&target.join("good")]);
}

#[test]
fn an_unreadable_attribute_of_a_folder_is_reported_by_every_backup() {
    needs_root("mount for root to read");
    let yore = Yore::with_repository();
    let odd = Odd::mount(&yore);
    std::fs::write(yore.scratch.at("found"), "").expect("a file");
    std::fs::write(yore.scratch.at("found.folder"), "").expect("a file");
    for _ in 0..3 {
        let ended = yore.run_on("backup --json", &[&odd.at]).assert_code(3);
        assert_eq!(summary(&ended)["totals"]["unreadable"].as_u64(), Some(2), "{}", ended.err);
    }
}

#[test]
fn more_attribute_names_than_listxattr_returns_do_not_lose_the_content() {
    needs_root("mount a tmpfs");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    in_shell("mount -t tmpfs none \"$1\"", &[&source]);
    let mounted = MountedAt::new(&source);
    let file = source.join("file");
    std::fs::write(&file, "content").expect("a file");
    // 300 names of 250 bytes: listxattr(2) ends with E2BIG.
    in_shell(
        "name=$(printf '%0240d' 0); for n in $(seq 300); do setfattr -n user.$n$name -v x \"$1\" || exit 1; done",
        &[&file],
    );
    let ended = yore.run_on("backup", &[&source]);
    drop(mounted);
    let ended = ended.assert_code(3);
    assert!(ended.err.contains("attributes can't be read"), "{}", ended.err);
    assert_eq!(cat(&yore, &file).assert_code(0).out, "content");
    yore.assert_sound();
}

#[test]
fn a_file_is_read_to_its_end_whatever_size_it_claims() {
    needs_root("mount for root to read");
    let yore = Yore::with_repository();
    let odd = Odd::mount(&yore);
    std::fs::write(yore.scratch.at("found"), "").expect("a file");
    let unsized_file = odd.at.join("unsized");
    for file in [&unsized_file, Path::new("/proc/sys/kernel/ostype")] {
        yore.run_on("backup", &[file]).assert_code(0);
        let content = std::fs::read_to_string(file).expect("text");
        assert!(!content.is_empty() && cat(&yore, file).assert_code(0).out == content);
    }
    yore.assert_sound();
}

#[test]
fn a_file_that_changed_each_time_it_was_read_is_counted_and_is_not_success() {
    let yore = Yore::with_repository();
    // No file system in memory can clone a file, which would be one moment of it.
    let memory = Scratch::in_memory();
    let source = memory.folder("source");
    let file = source.join("busy");
    let stop = yore.scratch.at("stop");
    let mut command = Command::new("sh");
    // 64 MiB take longer to read than the writer needs for its next write.
    let words = "while [ ! -e \"$2\" ]; do printf x >> \"$1\"; done";
    std::fs::write(&file, vec![7; 64 << 20]).expect("a file");
    command.args(["-c", words, "sh"]).args([&file, &stop]);
    let mut writer = command.spawn().expect("it runs");
    let ended = yore.run_on("backup --json", &[&source]);
    std::fs::write(&stop, "").expect("a file");
    writer.wait().expect("it ends");
    let ended = ended.assert_code(3);
    assert_eq!(summary(&ended)["changed_while_read"].as_u64(), Some(1));
    assert!(ended.err.contains("busy"), "{}", ended.err);
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.assert_sound();
}

/// Writes a whole file with one call, again and again, each time with another byte throughout.
const REWRITE: &str = r#"
import os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
count = 0
while not os.path.exists(sys.argv[2]):
    os.pwrite(file, bytes([count % 255 + 1]) * (16 << 20), 0)
    count += 1
"#;

#[test]
fn a_file_that_is_always_written_is_saved_as_it_was_at_one_moment() {
    needs_root("make loop devices");
    for mkfs in ["mkfs.btrfs -q", "mkfs.xfs -q"] {
        let yore = Yore::with_repository();
        let mut disk = Disk::new(&yore.scratch, 512, mkfs);
        let source = yore.scratch.at("disk");
        disk.mount(&source);
        let (file, stop) = (source.join("busy"), yore.scratch.at("stop"));
        std::fs::write(&file, vec![1; 16 << 20]).expect("a file");
        let listed = std::fs::read_dir(&source).expect("a folder").count();
        let mut command = Command::new("/usr/bin/python3");
        let mut writer =
            command.args(["-c", REWRITE]).args([&file, &stop]).spawn().expect("python");
        let ended: Vec<Ended> = (0..5).map(|_| yore.run_on("backup --json", &[&source])).collect();
        std::fs::write(&stop, "").expect("a file");
        writer.wait().expect("it ends");
        for ended in ended {
            let report = summary(&ended.assert_code(0));
            assert_eq!(report["changed_while_read"].as_u64(), Some(0), "{mkfs}: {report}");
        }
        assert_eq!(std::fs::read_dir(&source).expect("a folder").count(), listed, "{mkfs}");
        for id in yore.snapshot_ids() {
            let target = yore.scratch.at(&format!("restored-{id:.8}"));
            let place = format!("{id}:{}", file.display());
            yore.run_on(&format!("restore {place} --target"), &[&target]).assert_code(0);
            let bytes = std::fs::read(&target).expect("a file");
            assert_eq!(bytes.len(), 16 << 20);
            assert!(bytes.iter().all(|byte| *byte == bytes[0]), "{mkfs}: two moments in one file");
        }
        yore.assert_sound();
    }
}
