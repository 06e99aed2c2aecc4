//! Parity on a single disk that goes bad: what it repairs, what it does not, and who keeps it in step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{Person, Yore, fingerprint_folder, in_shell, needs_root};

/// A file system that shows a folder, and can't read one sector of each file that the file `bad` lists.
const BAD_DISK: &str = r#"
import errno, os, sys
from fusepy import FUSE, FuseOSError, Operations
REAL, BAD = sys.argv[2], sys.argv[3]
class Disk(Operations):
    def at(self, path):
        return REAL + path
    def getattr(self, path, fh=None):
        st = os.lstat(self.at(path))
        return {key: getattr(st, key) for key in
                ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_mtime", "st_ctime", "st_atime", "st_ino")}
    def readdir(self, path, fh):
        return [".", ".."] + os.listdir(self.at(path))
    def mkdir(self, path, mode):
        os.mkdir(self.at(path), mode)
    def unlink(self, path):
        os.unlink(self.at(path))
    def rename(self, old, new):
        os.rename(self.at(old), self.at(new))
    def link(self, target, source):
        os.link(self.at(source), self.at(target))
    def chmod(self, path, mode):
        os.chmod(self.at(path), mode)
    def utimens(self, path, times=None):
        os.utime(self.at(path), times)
    def truncate(self, path, length, fh=None):
        os.truncate(self.at(path), length)
    def open(self, path, flags):
        return os.open(self.at(path), flags)
    def create(self, path, mode, fi=None):
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
    def release(self, path, fh):
        os.close(fh)
    def fsync(self, path, datasync, fh):
        os.fsync(fh)
    def fsyncdir(self, path, datasync, fh):
        return 0
    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)
    def read(self, path, size, offset, fh):
        bad = {}
        for line in open(BAD):
            name, inode, at = line.split()
            bad[int(inode)] = int(at)
        at = bad.get(os.fstat(fh).st_ino)
        if at is not None and offset < at + 4096 and at < offset + size:
            raise FuseOSError(errno.EIO)
        return os.pread(fh, size, offset)
    def statfs(self, path):
        st = os.statvfs(REAL)
        return {key: getattr(st, key) for key in
                ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_flag", "f_frsize", "f_namemax")}
FUSE(Disk(), sys.argv[1], foreground=True, direct_io=True, attr_timeout=0, entry_timeout=0)
"#;

/// The bad disk above, mounted.
struct BadDisk {
    at: PathBuf,
    server: Child,
}

impl BadDisk {
    fn mount(yore: &Yore, bad: &Path) -> Self {
        let at = yore.scratch.folder("disk");
        let script = yore.scratch.at("disk.py");
        fs::write(&script, BAD_DISK).expect("a script");
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(&at).arg(yore.repository()).arg(bad).stdin(Stdio::null());
        let server = command.spawn().expect("python runs");
        let since = Instant::now();
        while !at.join("yore.cbor").exists() {
            assert!(since.elapsed() < Duration::from_secs(30), "it is mounted");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { at, server }
    }
}

impl Drop for BadDisk {
    fn drop(&mut self) {
        in_shell("umount \"$1\"", &[&self.at]);
        self.server.wait().expect("it ends");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Fills a folder with some megabytes that do not compress.
fn fill(folder: &Path) {
    for number in 0..12_u32 {
        let mut state = number + 1;
        let bytes: Vec<u8> = (0..200_000_u32)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()
            })
            .collect();
        fs::write(folder.join(number.to_string()), bytes).expect("a file");
    }
}

/// Lists the objects of a folder of the repository, the largest first.
fn objects(repository: &Path, area: &str) -> Vec<PathBuf> {
    let folder = repository.join(area);
    if !folder.exists() {
        return Vec::new();
    }
    let found = in_shell("find \"$1\" -type f -printf '%s %p\\n' | sort -rn", &[&folder]);
    found.lines().filter_map(|line| Some(PathBuf::from(line.split_once(' ')?.1))).collect()
}

/// Returns the ids of packs, or of their parity, sorted.
fn ids(repository: &Path, area: &str) -> Vec<String> {
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let mut ids: Vec<String> = objects(repository, area).iter().map(name).collect();
    ids.sort_unstable();
    ids
}

fn wreck(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("an object");
    change(&mut bytes);
    fs::remove_file(path).expect("removed");
    fs::write(path, bytes).expect("written");
}

/// A repository with parity and one snapshot of a folder.
fn with_parity(share: &str) -> (Yore, PathBuf) {
    let yore = Yore::new();
    yore.run(["init", "--parity", share]).assert_code(0);
    let source = yore.scratch.folder("source");
    fill(&source);
    yore.run_on("backup", &[&source]).assert_code(0);
    (yore, source)
}

/// Fails unless everything that is stored is right, and restores byte for byte.
#[track_caller]
fn assert_whole(yore: &Yore, source: &Path) {
    let checked = yore.run(["check", "--read-data"]).assert_code(0);
    assert!(!checked.out.contains("note"), "{}", checked.out);
    let target = yore.scratch.at("restored");
    yore.run(["restore", "latest", "--target", text(&target)]).assert_code(0);
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    assert!(fingerprint_folder(&restored) == fingerprint_folder(source));
    fs::remove_dir_all(&target).expect("removed");
}

#[test]
fn a_disk_that_goes_bad_within_the_share_loses_nothing() {
    let (yore, source) = with_parity("5%");
    let repository = yore.repository();
    let size = |area| {
        objects(&repository, area).iter().map(|p| p.metadata().expect("there").len()).sum::<u64>()
    };
    let (packs, parity) = (size("packs"), size("parity"));
    assert!(parity > packs / 25 && parity < packs / 10, "{parity} of {packs}");
    let pack = objects(&repository, "packs").remove(0);
    let length = fs::metadata(&pack).expect("a pack").len() as usize;
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let damages: Vec<(&str, Damage)> = vec![
        (
            "a burst of 4 %",
            Box::new(move |bytes| bytes[length / 3..length / 3 + length / 25].fill(0)),
        ),
        (
            "scattered bits",
            Box::new(move |bytes| {
                (1..20).for_each(|n| bytes[n * (length / 20)] ^= 0x10);
            }),
        ),
        ("the beginning", Box::new(|bytes| bytes[..5_000].fill(0xff))),
        ("the end is cut off", Box::new(move |bytes| bytes.truncate(length - length / 25))),
        ("a tail of something else", Box::new(|bytes| bytes.extend_from_slice(&[7; 10_000]))),
    ];
    for (what, damage) in damages {
        wreck(&pack, damage);
        yore.run(["check", "--read-data"]).assert_code(1);
        let dry = yore.run(["repair", "--dry-run"]).assert_code(0);
        assert!(dry.out.contains("would be rebuilt from its parity"), "{what}: {}", dry.out);
        let repaired = yore.run(["repair"]).assert_code(0);
        assert!(repaired.out.contains("is rebuilt from its parity"), "{what}: {}", repaired.out);
        assert!(!repository.join("quarantine").exists(), "{what}");
        assert_whole(&yore, &source);
    }
    // Parity that is damaged itself is a problem, and made anew.
    let parity = objects(&repository, "parity").remove(0);
    wreck(&parity, |bytes| bytes[100..5_000].fill(0));
    let found = yore.run(["check"]).assert_code(1);
    assert!(found.out.contains("parity/"), "{}", found.out);
    let repaired = yore.run(["repair"]).assert_code(0);
    assert!(repaired.out.contains("parity of 1 pack is made"), "{}", repaired.out);
    assert_whole(&yore, &source);
    let stats = yore.run(["stats"]).assert_code(0);
    assert!(stats.out.contains("of it, parity"), "{}", stats.out);
}

#[test]
fn damage_beyond_the_share_is_told_and_the_rest_is_restored() {
    let (yore, source) = with_parity("5%");
    let pack = objects(&yore.repository(), "packs").remove(0);
    let length = fs::metadata(&pack).expect("a pack").len() as usize;
    wreck(&pack, |bytes| bytes[length / 2..length / 2 + length / 5].fill(0));
    let repaired = yore.run(["repair", "--json"]).assert_code(1);
    let report = repaired.objects().into_iter().find(|one| one["type"] == "repaired");
    let report = report.expect("a report");
    assert_eq!(report["beyond_parity"].as_array().map(Vec::len), Some(1), "{report}");
    assert!(report["lost_blobs"].as_u64() > Some(0), "{report}");
    let target = yore.scratch.at("restored");
    // The latest one has what can be saved; the first one is the one that was damaged.
    let ids_of_snapshots = yore.snapshot_ids();
    assert_eq!(ids_of_snapshots.len(), 2, "one more, of what can be saved");
    yore.run(["restore", &ids_of_snapshots[0], "--target", text(&target)]).assert_code(3);
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    let entries = fs::read_dir(&source).expect("a folder").flatten();
    let (mut whole, mut lost) = (0, 0);
    for entry in entries {
        match fs::read(restored.join(entry.file_name())) {
            Ok(bytes) if bytes == fs::read(entry.path()).expect("a file") => whole += 1,
            _ => lost += 1,
        }
    }
    assert!(whole > 0 && lost > 0, "{whole} whole, {lost} lost");
    yore.run(["backup", "--force", text(&source)]).assert_code(0);
    assert_whole(&yore, &source);
    assert_eq!(ids(&yore.repository(), "packs"), ids(&yore.repository(), "parity"));
}

#[test]
fn parity_is_switched_on_later_and_a_repair_makes_it_for_what_is_there() {
    let person = Person::with_destinations(&["disk"]);
    let (documents, disk) = (person.folder("Documents", "x"), person.at("disk"));
    fill(&documents);
    person.types(["backup", "Documents"]).assert_code(0);
    assert!(objects(&disk, "parity").is_empty());
    let refused = person.types(["config", "set", "parity", "500%"]).assert_code(2);
    assert!(refused.err.contains("5%"), "{}", refused.err);
    person.types(["config", "set", "parity", "5%"]).assert_code(0);
    let noted = person.types(["check"]).assert_code(0);
    assert!(noted.out.contains("no parity yet"), "{}", noted.out);
    // New packs have it, old ones get it.
    fs::write(documents.join("new"), "new").expect("a file");
    person.types(["backup", "Documents"]).assert_code(0);
    assert!(!objects(&disk, "parity").is_empty());
    assert!(ids(&disk, "parity").len() < ids(&disk, "packs").len());
    let made = person.types(["repair"]).assert_code(0);
    assert!(made.out.contains("is made"), "{}", made.out);
    assert_eq!(ids(&disk, "parity"), ids(&disk, "packs"));
    let checked = person.types(["check", "--read-data"]).assert_code(0);
    assert!(!checked.out.contains("note"), "{}", checked.out);
    wreck(&objects(&disk, "packs")[0], |bytes| bytes[3_000..90_000].fill(0));
    person.types(["repair"]).assert_code(0);
    person.types(["check", "--read-data"]).assert_code(0);
    // Off again: what is there stays, and what is new has none.
    person.types(["config", "set", "parity", "0%"]).assert_code(0);
    fs::write(documents.join("newer"), "newer").expect("a file");
    person.types(["backup", "Documents"]).assert_code(0);
    assert!(ids(&disk, "parity").len() < ids(&disk, "packs").len());
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn prune_deletes_the_parity_of_what_it_deletes_and_all_that_is_left_by_an_older_program() {
    let (yore, source) = with_parity("10%");
    let repository = yore.repository();
    fs::remove_file(source.join("0")).expect("removed");
    fs::write(source.join("other"), fs::read(source.join("1")).expect("a file").repeat(2))
        .expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let first = yore.run(["snapshots", "--json"]).assert_code(0).objects().remove(0);
    let id = first["id"].as_str().expect("an id").to_owned();
    yore.run(["forget", &id]).assert_code(0);
    // A program that does not know parity would have left this.
    let left = repository.join("parity/00").join("0".repeat(64));
    fs::create_dir_all(left.parent().expect("a folder")).expect("a folder");
    fs::write(&left, "parity of a pack that is deleted").expect("written");
    let dry = yore.run(["prune", "--grace", "0", "--max-unused", "0%", "--dry-run"]).assert_code(0);
    assert!(dry.out.contains("parity") && left.exists(), "{}", dry.out);
    let pruned = yore.run(["prune", "--grace", "0", "--max-unused", "0%"]).assert_code(0);
    assert!(pruned.out.contains("parity") && !left.exists(), "{}", pruned.out);
    assert_eq!(ids(&repository, "packs"), ids(&repository, "parity"));
    assert_whole(&yore, &source);
}

#[test]
fn sectors_that_a_disk_can_not_read_are_rebuilt() {
    needs_root("mount a file system");
    let (yore, source) = with_parity("5%");
    let bad = yore.scratch.at("bad");
    let packs = objects(&yore.repository(), "packs");
    // In the middle of the largest pack, and in the first sector of its parity.
    let parity = text(&packs[0]).replace("/packs/", "/parity/");
    let line = |path: &Path, at: u64| {
        let inode = in_shell("stat -c %i \"$1\"", &[path]);
        format!("{} {} {at}\n", text(path), inode.trim())
    };
    let middle = fs::metadata(&packs[0]).expect("a pack").len() / 2 / 4096 * 4096;
    fs::write(&bad, line(&packs[0], middle) + &line(Path::new(&parity), 0)).expect("written");
    let disk = BadDisk::mount(&yore, &bad);
    assert!(
        fs::read(disk.at.join(packs[0].strip_prefix(yore.repository()).expect("below"))).is_err()
    );
    let on_disk = |words: &[&str]| {
        let repo = ["--repo", text(&disk.at)];
        yore.run(repo.iter().chain(words))
    };
    on_disk(&["check", "--read-data"]).assert_code(1);
    let repaired = on_disk(&["repair"]).assert_code(0);
    assert!(repaired.out.contains("is rebuilt from its parity"), "{}", repaired.out);
    on_disk(&["check", "--read-data"]).assert_code(0);
    drop(disk);
    assert_whole(&yore, &source);
}
