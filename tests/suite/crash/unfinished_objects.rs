//! Destinations on file systems without `O_TMPFILE`, where a killed writer leaves a named file, and without
//! `fsync`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use yore_tests::{Ended, Yore, binary, in_shell, noise};

/// A folder served at another path by a file system in user space without `O_TMPFILE`.
struct Share {
    folder: PathBuf,
    point: PathBuf,
}

impl Share {
    fn new(yore: &Yore) -> Self {
        let share =
            Self { folder: yore.scratch.folder("disk"), point: yore.scratch.folder("share") };
        in_shell("bindfs --no-allow-other \"$1\" \"$2\"", &[&share.folder, &share.point]);
        share
    }

    fn command(&self, yore: &Yore, words: &[&str]) -> Command {
        let mut command = yore.command(words);
        command.env("YORE_REPO", self.point.join("repository"));
        command
    }

    fn run(&self, yore: &Yore, words: &[&str]) -> Ended {
        Yore::finish(&mut self.command(yore, words))
    }

    /// Lists the temporary files of the repository: paths and sizes.
    fn temporary(&self) -> Vec<(PathBuf, u64)> {
        let found =
            in_shell("find \"$1\" -type f -name '.tmp-*' -printf '%s %p\\n'", &[&self.folder]);
        let file = |line: &str| {
            let (size, path) = line.split_once(' ').expect("two words");
            (PathBuf::from(path), size.parse().expect("a number"))
        };
        found.lines().map(file).collect()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.point).status();
    }
}

/// Kills a backup in the middle of a pack.
fn killed_in_a_pack(yore: &Yore, share: &Share) {
    let feed = yore.scratch.at("feed");
    in_shell("rm -f \"$1\"; mkfifo \"$1\"", &[&feed]);
    let words = ["backup", "--command", &format!("cat '{}'", feed.display()), "--name", "x"];
    let mut child = share.command(yore, &words).spawn().expect("the program runs");
    let mut pipe = fs::File::options().write(true).open(&feed).expect("it is read");
    pipe.write_all(&noise(12_000_000, 1)).expect("written");
    let began = Instant::now();
    while !share.temporary().iter().any(|(_, size)| *size > 1_000_000) {
        assert!(began.elapsed() < Duration::from_secs(60), "no pack is written");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

fn unfinished_bytes(share: &Share, yore: &Yore) -> Option<u64> {
    share.run(yore, &["stats", "--json"]).assert_code(0).objects()[0]["unfinished_bytes"].as_u64()
}

fn unfinished_notes(share: &Share, yore: &Yore) -> Vec<Value> {
    let mut notes = share.run(yore, &["check", "--json"]).assert_code(0).objects();
    notes.retain(|line| line["type"] == "note" && line["message"].to_string().contains(".tmp-"));
    notes
}

#[test]
fn leftovers_of_a_killed_backup_are_reported_and_removed_by_the_next_one() {
    let yore = Yore::new();
    let share = Share::new(&yore);
    share.run(&yore, &["init"]).assert_code(0);
    let source = yore.scratch.folder("source");
    fs::write(source.join("file"), "content").expect("a file");
    let source = source.to_str().expect("text");
    share.run(&yore, &["backup", source]).assert_code(0);
    assert_eq!(share.temporary(), []);
    killed_in_a_pack(&yore, &share);
    let left = share.temporary();
    let bytes = left.iter().map(|(_, size)| size).sum();
    assert!(bytes > 1_000_000, "{left:?}");
    assert_eq!(unfinished_bytes(&share, &yore), Some(bytes));
    assert_eq!(unfinished_notes(&share, &yore).len(), left.len());
    share.run(&yore, &["backup", source]).assert_code(0);
    assert_eq!(share.temporary(), [], "they are abandoned, and gone");
    assert_eq!(unfinished_bytes(&share, &yore), Some(0));
    assert_eq!(unfinished_notes(&share, &yore).len(), 0);
    share.run(&yore, &["check", "--read-data"]).assert_code(0);
}

#[test]
fn a_file_of_another_machine_stays_until_it_is_a_week_old() {
    let yore = Yore::new();
    let share = Share::new(&yore);
    share.run(&yore, &["init"]).assert_code(0);
    let source = yore.scratch.folder("source");
    fs::write(source.join("file"), "content").expect("a file");
    let source = source.to_str().expect("text");
    share.run(&yore, &["backup", source]).assert_code(0);
    let packs = share.folder.join("repository/packs");
    let first = fs::read_dir(&packs).expect("packs").next().expect("one").expect("a folder").path();
    let other = first.join(".tmp-0123456789abcdef.1.1-0123456789abcdef");
    let of_before = first.join(".tmp-fedcba9876543210");
    let somebodys = first.join(".tmp-report");
    let all = [other.as_path(), &of_before, &somebodys];
    all.iter().for_each(|path| fs::write(path, "a part").expect("a file"));
    share.run(&yore, &["backup", source]).assert_code(0);
    assert_eq!(share.temporary().len(), 3, "they may be written");
    // Through the share, which would otherwise cache the old times.
    let through =
        all.map(|path| share.point.join(path.strip_prefix(&share.folder).expect("below it")));
    in_shell("touch -d '8 days ago' \"$@\"", &through.each_ref().map(|path| path.as_path()));
    share.run(&yore, &["backup", source]).assert_code(0);
    let left: Vec<PathBuf> = share.temporary().into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [somebodys], "only what is Yore's");
}

#[test]
fn a_repository_can_be_created_where_its_creation_was_killed() {
    let yore = Yore::new();
    let share = Share::new(&yore);
    fs::create_dir(share.folder.join("repository")).expect("a folder");
    let left = share.folder.join("repository/.tmp-0123456789abcdef.1.1-0123456789abcdef");
    fs::write(left, "a part").expect("a file");
    share.run(&yore, &["init"]).assert_code(0);
}

/// Runs the program where each `fsync` returns an error.
fn without_fsync(yore: &Yore, error: &str, words: &[&str]) -> Ended {
    let plain = yore.command(words);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=fsync", "-e", &format!("inject=fsync:error={error}")]);
    traced.args(["-o", "/dev/null"]).arg(binary()).args(plain.get_args()).env_clear();
    traced.current_dir(yore.scratch.path());
    traced.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Yore::finish(&mut traced)
}

#[test]
fn a_file_system_without_fsync_is_reported_once_and_is_no_error() {
    for error in ["EINVAL", "EOPNOTSUPP"] {
        let yore = Yore::with_repository();
        let source = yore.scratch.folder("source");
        fs::write(source.join("file"), noise(100_000, 1)).expect("a file");
        let words = ["backup", Path::new(&source).to_str().expect("text")];
        let first = without_fsync(&yore, error, &words).assert_code(0);
        assert!(first.err.contains("fsync"), "{first:?}");
        let second = without_fsync(&yore, error, &words).assert_code(0);
        assert!(!second.err.contains("fsync"), "{second:?}");
        assert_eq!(yore.snapshot_ids().len(), 2);
        yore.assert_sound();
    }
    // An error of the disk is still an error.
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let words = ["backup", source.to_str().expect("text")];
    without_fsync(&yore, "EIO", &words).assert_code(1);
}
