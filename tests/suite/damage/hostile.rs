//! Hostile repositories, forged by a second program with the right key: each command and the drive end in time,
//! in little memory, with an error for the forged object alone.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yore_tests::{MountGuard, Yore, in_shell, peak_memory, python, root};

/// The longest that a command may take, in seconds.
const SECONDS: &str = "60";
/// The most memory that a command may have, in MiB.
const MEMORY: u64 = 512;

/// Cases in a repository of their own: they are large, or affect more than one file.
const ALONE: [&str; 5] = ["deep", "doubled", "tebibyte", "snapshot-bomb", "index-bomb"];

fn cases() -> Vec<String> {
    let output = python("reader/forge.py", &["--cases"]);
    let cases: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert!(cases.len() > 30, "{output:?}");
    cases
}

fn forged(cases: &[&str]) -> Yore {
    let yore = Yore::with_repository();
    let (repository, key) = (yore.repository(), yore.key_file());
    let mut arguments = vec![repository.as_os_str(), key.as_os_str()];
    arguments.extend(cases.iter().map(OsStr::new));
    let output = python("reader/forge.py", &arguments);
    assert!(output.status.success(), "{output:?}");
    yore
}

/// Runs a command within the bounds; returns its exit code.
fn bounded(yore: &Yore, words: &[&str]) -> i32 {
    let prepared = yore.command(words);
    let mut command = Command::new("/usr/bin/python3");
    command.arg(root().join("tests/oracle/measured.py")).arg(SECONDS);
    command.arg(prepared.get_program()).args(prepared.get_args()).env_clear();
    command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().expect("Python runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut numbers = told.split_whitespace();
    let code = numbers.next().and_then(|code| code.parse().ok()).expect("a code");
    let peak: u64 = numbers.nth(1).and_then(|peak| peak.parse().ok()).expect("a peak");
    // 0 done, 1 failed with a message, 3 done but for listed problems; never a crash or a timeout.
    assert!([0, 1, 3].contains(&code), "{words:?} ends with {code}: {complaints}");
    assert!(peak < MEMORY, "{words:?} takes {peak} MiB");
    code
}

/// Runs every command on a repository whose newest snapshot is `case`.
fn assert_bounded(yore: &Yore, snapshot: &str, case: &str) {
    let place = |path: &str| format!("{snapshot}:{path}");
    let is_endless = case == "doubled";
    bounded(yore, &["check"]);
    bounded(yore, &["check", "--read-data"]);
    bounded(yore, &["stats"]);
    bounded(yore, &["log", "/top"]);
    bounded(yore, &["log", "/top/bad"]);
    bounded(yore, &["diff", "--stat", snapshot, snapshot]);
    // A tree that doubles at each of 64 levels has 2^64 names, which no command can list.
    if !is_endless {
        bounded(yore, &["ls", "--recursive", snapshot]);
        bounded(yore, &["find", "good"]);
        let target = yore.scratch.folder(&format!("restored-{case}"));
        let word = target.to_str().expect("text");
        bounded(yore, &["restore", snapshot, "--target", word]);
        let good = fs::read_to_string(target.join("top/good")).expect("what is beside the harm");
        assert_eq!(good, "good\n", "{case}");
        // Only the source was restored, and nothing beside the target.
        let names = in_shell("ls -A \"$1\"", &[&target]);
        assert_eq!(names, "top\n", "{case}");
        in_shell("rm -rf \"$1\"", &[&target]);
    }
    let good = yore.run(["cat", &place("/top/good")]).assert_code(0);
    assert_eq!(good.out, "good\n", "{case}");
}

/// Reads a case on a mounted drive.
fn assert_shown(drive: &MountGuard, top: &Path, case: &str) {
    let good = fs::read_to_string(top.join("good")).expect("what is beside the harm");
    assert_eq!(good, "good\n", "{case}");
    let read_all = "timeout 60 ls -lR \"$1\" > /dev/null 2> /dev/null; code=$?; test $code -le 2 || exit $code
                timeout 60 find \"$1\" -maxdepth 200 -type f -size -1M -exec head -c 100 {} + > /dev/null 2>&1; test $? -le 1";
    if case != "doubled" {
        in_shell(read_all, &[&top.join("bad")]);
    }
    let peak = peak_memory(drive.pid()).expect("it runs") / 1024;
    assert!(peak < MEMORY, "{case}: the drive takes {peak} MiB");
}

/// Lists all snapshots of the drive to their end.
fn assert_lists(drive: &MountGuard, made: &[&str]) {
    for name in made {
        let place: PathBuf = drive.path().join(name);
        let list = "timeout 60 ls -lR \"$1\" > /dev/null 2> /dev/null; code=$?; test $code -le 2 || exit $code";
        in_shell(list, &[&place]);
    }
    let peak = peak_memory(drive.pid()).expect("it runs") / 1024;
    assert!(peak < MEMORY, "{made:?}: the drive takes {peak} MiB");
}

#[test]
fn whatever_is_odd_in_a_snapshot_is_an_error_there_and_nowhere_else() {
    let cases = cases();
    let small: Vec<&str> =
        cases.iter().map(String::as_str).filter(|case| !ALONE.contains(case)).collect();
    let yore = forged(&small);
    for case in &small {
        let listed = yore.run(["snapshots", "--json", "--tag", case]).assert_code(0).objects();
        let id = listed[0]["id"].as_str().expect("an id").to_owned();
        assert_bounded(&yore, &id, case);
    }
    let drive = MountGuard::new(&yore, &[]);
    for case in &small {
        assert_shown(&drive, &drive.path().join("tags").join(case).join("latest/top"), case);
    }
    assert_lists(&drive, &["latest", "versions", "deleted", "changes", "search/good"]);
}

#[test]
fn snapshots_that_expand_without_bound_stay_within_the_bounds() {
    for case in ALONE {
        let yore = forged(&[case]);
        if case == "snapshot-bomb" {
            // The snapshot itself can't be read; it is named, and the others are not affected.
            let ended = yore.run(["snapshots"]).assert_code(3);
            assert!(ended.err.contains("is damaged"), "{ended:?}");
            bounded(&yore, &["check"]);
            let source = yore.scratch.folder("top");
            fs::write(source.join("good"), "good\n").expect("a file");
            yore.run_on("backup", &[&source]).assert_code(0);
            yore.run(["cat", &format!("latest:{}/good", source.display())]).assert_code(0);
            continue;
        }
        assert_bounded(&yore, "latest", case);
        let drive = MountGuard::new(&yore, &[]);
        assert_shown(&drive, &drive.path().join("latest/top"), case);
        match case {
            // Each of these lists would have 2^64 names.
            "doubled" => assert_lists(&drive, &["deleted", "changes", "versions/top/good"]),
            _ => assert_lists(&drive, &["versions", "deleted", "changes", "search/good"]),
        }
    }
}
