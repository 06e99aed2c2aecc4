//! Mounted repositories of restic and borg, which are imported.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use yore_tests::{
    Fingerprint, Ignoring, MountedAt, Yore, assert_same, change_source, fingerprint_folder,
    in_shell, small_source,
};

/// The times of the snapshots that the other tool makes.
const TIMES: [&str; 3] = ["2026-01-15 10:30:00", "2026-01-16 10:30:00", "2026-02-01 08:00:05"];

/// A source with a history, of which another tool has a repository.
struct Other {
    yore: Yore,
    source: PathBuf,
    states: Vec<Fingerprint>,
}

impl Other {
    /// Makes a history; `save` makes the other tool's snapshot of the source, for a time and a number.
    fn new(save: impl Fn(&Yore, &Path, &str, usize)) -> Self {
        let yore = Yore::with_repository();
        let source = yore.scratch.folder("home").join("docs");
        small_source(&source, 1);
        std::fs::remove_file(source.join("fifo")).expect("removed");
        let mut other = Self { yore, source, states: Vec::new() };
        for (number, time) in TIMES.iter().enumerate() {
            if number > 0 {
                change_source(&other.source, number as u64);
            }
            save(&other.yore, &other.source, time, number);
            other.states.push(fingerprint_folder(&other.source));
        }
        other
    }

    /// Fails unless the snapshots have the states of the source at the times.
    fn assert_imported(&self) {
        let listed = self.yore.run(["snapshots", "--json"]).assert_code(0).objects();
        let mut times: Vec<&str> = listed.iter().filter_map(|one| one["time"].as_str()).collect();
        times.sort_unstable();
        let expected = TIMES.map(|time| format!("{}Z", time.replace(' ', "T")));
        assert_eq!(times, expected);
        for (id, state) in self.yore.snapshot_ids().iter().zip(&self.states) {
            let target = self.yore.scratch.at("restored");
            let what = format!("{id}:{}", self.source.display());
            let text = target.display().to_string();
            self.yore.run(["restore", &what, "--target", &text]).assert_code(0);
            let found = fingerprint_folder(&target.join("docs"));
            assert_same(&comparable(found), &comparable(state.clone()), Ignoring::Nothing);
            std::fs::remove_dir_all(&target).expect("removed");
        }
        self.yore.assert_sound();
    }
}

/// Leaves out what a mount of another tool does not show: which names are hard links, and holes.
fn comparable(mut state: Fingerprint) -> Fingerprint {
    for (path, seen) in &mut state {
        seen.same_as = (path.clone(), 1);
        seen.data = Vec::new();
    }
    state
}

/// Returns the number of the file system at a path; `None` while it can't be asked.
fn device(path: &Path) -> Option<u64> {
    yore_platform::path_metadata(path).ok().map(|metadata| metadata.device)
}

/// Waits until a program has mounted something.
fn wait_for(mountpoint: &Path, program: &mut Child) {
    for _ in 0..600 {
        // What is mounted is another file system than the folder above it.
        if device(mountpoint) != device(mountpoint.parent().expect("a folder above it")) {
            return;
        }
        let ended = program.try_wait().expect("its state");
        assert!(ended.is_none(), "it ended without a mount: {ended:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("nothing is mounted at {}", mountpoint.display());
}

/// Ends a program that serves a mount.
fn end(mountpoint: &Path, mut program: Child) {
    in_shell("fusermount3 -u \"$1\"", &[mountpoint]);
    program.wait().expect("it ends");
}

/// Returns a command of another tool with an environment of its own.
fn tool(yore: &Yore, program: &str, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).env("HOME", yore.scratch.folder("tool")).env("TZ", "UTC");
    command.env("RESTIC_PASSWORD", "secret").env("RESTIC_REPOSITORY", yore.scratch.at("restic"));
    command.env("BORG_REPO", yore.scratch.at("borg")).env("BORG_PASSPHRASE", "secret");
    command.stdin(Stdio::null());
    command
}

fn run(mut command: Command) {
    let output = command.output().expect("the tool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_mounted_restic_repository_is_imported_with_every_state_and_time() {
    let other = Other::new(|yore, source, time, number| {
        if number == 0 {
            run(tool(yore, "restic", &["init"]));
        }
        let mut command = tool(yore, "restic", &["backup", "--time", time]);
        command.arg(source);
        run(command);
    });
    let mountpoint = other.yore.scratch.folder("mountpoint");
    let text = mountpoint.display().to_string();
    let _unmounts = MountedAt::new(&mountpoint);
    let mut command = tool(&other.yore, "restic", &["mount", &text]);
    let mut program = command.stdout(Stdio::null()).spawn().expect("restic runs");
    wait_for(&mountpoint, &mut program);
    let snapshots = mountpoint.join("snapshots").display().to_string();
    let shown = other.source.display().to_string();
    let inner = shown.trim_start_matches('/').to_owned();
    let pattern = ["--pattern", "%Y-%m-%dT%H:%M:%S%:z", "--subfolder", &inner, "--as", &shown];
    let import = |words: &[&str]| {
        let all = ["import", &snapshots].into_iter().chain(pattern).chain(words.iter().copied());
        other.yore.run(all)
    };
    let objects = import(&["--json"]).assert_code(0).objects();
    assert_eq!(objects.last().expect("a summary")["imported"], 3);
    other.assert_imported();
    let again = import(&[]).assert_code(0);
    assert!(again.out.contains("Nothing is left to be imported"), "{again:?}");
    end(&mountpoint, program);
}

#[test]
fn a_mounted_borg_repository_is_imported_with_every_state_and_time() {
    let other = Other::new(|yore, source, time, number| {
        if number == 0 {
            run(tool(yore, "borg", &["init", "--encryption", "repokey"]));
        }
        let time = time.replace(' ', "T");
        let archive = format!("::laptop-{time}");
        let mut command = tool(yore, "borg", &["create", "--timestamp", &time, &archive]);
        command.arg(source);
        run(command);
    });
    let mountpoint = other.yore.scratch.folder("mountpoint");
    let text = mountpoint.display().to_string();
    let _unmounts = MountedAt::new(&mountpoint);
    let mut command = tool(&other.yore, "borg", &["mount", "--foreground", "::", &text]);
    let mut program = command.spawn().expect("borg runs");
    wait_for(&mountpoint, &mut program);
    let shown = other.source.display().to_string();
    let inner = shown.trim_start_matches('/').to_owned();
    let pattern = ["--pattern", "laptop-%Y-%m-%dT%H:%M:%S", "--subfolder", &inner];
    let import = |words: &[&str]| {
        let all = ["import", &text].into_iter().chain(pattern).chain(["--as", &shown]);
        other.yore.run(all.chain(words.iter().copied()))
    };
    let objects = import(&["--json"]).assert_code(0).objects();
    assert_eq!(objects.last().expect("a summary")["imported"], 3);
    other.assert_imported();
    let again = import(&[]).assert_code(0);
    assert!(again.out.contains("Nothing is left to be imported"), "{again:?}");
    end(&mountpoint, program);
}
