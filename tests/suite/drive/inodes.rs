//! Inode numbers as programs and the kernel keep them: working directories, handles, memory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use yore_tests::{MountGuard, Yore, in_shell, needs_root, root};

/// A shell with a working directory on the drive.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn within(folder: &Path) -> Shell {
        let mut command = Command::new("bash");
        command.args(["--norc", "--noprofile"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut shell = Shell { child, input, output };
        let folder = folder.to_str().expect("text");
        // A part of a pipe would run in a subshell.
        writeln!(shell.input, "cd '{folder}'").expect("it listens");
        assert_eq!(shell.ask("echo $PWD"), folder);
        shell
    }

    /// Runs a line; returns its output and errors on one line.
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{{ {line} ; }} 2>&1 | tr '\\n' ' '; echo").expect("it listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("it answers");
        answer.trim().to_owned()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a condition holds.
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_working_directory_stays_one_when_its_name_comes_to_stand_for_another_state() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::create_dir_all(source.join("home/me")).expect("folders");
    let write = |text: &str| {
        fs::write(source.join("home/me/file"), text).expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
    };
    write("one");
    let drive = MountGuard::new(&yore, &[]);
    let only = |folder: &str| in_shell("ls \"$1\"", &[&drive.path().join(folder)]);
    let host = format!("hosts/{}/latest", only("hosts").trim());
    let listed = only("snapshots");
    let day = format!("snapshots/{}", listed.lines().next().expect("a day"));
    let tops = ["latest", &day, "at/now", "at/latest", &host];
    let places: Vec<PathBuf> = tops
        .iter()
        .flat_map(|top| {
            let below = drive.path_of(top, &source);
            [drive.path().join(top), below.clone(), below.join("home"), below.join("home/me")]
        })
        .collect();
    let mut shells: Vec<Shell> = places.iter().map(|place| Shell::within(place)).collect();
    for (shell, place) in shells.iter_mut().zip(&places) {
        assert_eq!(shell.ask("env pwd -P"), place.to_str().expect("text"));
    }
    for text in ["two", "three"] {
        write(text);
        for top in tops {
            let file = drive.path_of(top, &source).join("home/me/file");
            soon("the new state appears", || fs::read(&file).is_ok_and(|is| is == text.as_bytes()));
        }
        for (shell, place) in shells.iter_mut().zip(&places) {
            let place = place.to_str().expect("text");
            assert_eq!(shell.ask("env pwd -P"), place);
            let script = "import os; print(os.getcwd())";
            assert_eq!(shell.ask(&format!("/usr/bin/python3 -c '{script}'")), place);
            assert_eq!(shell.ask("cd .. && cd - >/dev/null && env pwd -P"), place);
            assert!(!shell.ask("ls").contains("cannot"), "{place}");
        }
        for inside in shells.chunks_mut(4) {
            assert_eq!(inside[3].ask("cat file"), text);
            assert_eq!(inside[2].ask("cat me/file"), text);
        }
    }
}

#[test]
fn a_listing_names_its_parent_by_the_number_that_it_has() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::create_dir(source.join("below")).expect("a folder");
    yore.run_on("backup", &[&source]).assert_code(0);
    for options in [&[][..], &["--inode32"]] {
        let drive = MountGuard::new(&yore, options);
        let script = root().join("tests/oracle/inode_numbers.py");
        for folder in [drive.path_of("latest", &source).join("below"), drive.path().join("latest")]
        {
            in_shell("/usr/bin/python3 \"$1\" parent \"$2\"", &[&script, &folder]);
        }
    }
}

/// Backs up folders several times, with a change in each.
fn history(yore: &Yore, snapshots: u32) -> PathBuf {
    let source = yore.scratch.folder("source");
    for folder in 0..300 {
        let below = source.join(format!("{}/{folder}", folder % 10));
        fs::create_dir_all(&below).expect("folders");
        fs::write(below.join("file"), folder.to_string()).expect("a file");
    }
    for n in 0..snapshots {
        for folder in 0..300 {
            let changed = source.join(format!("{}/{folder}/changed", folder % 10));
            fs::write(changed, format!("{folder} {n}")).expect("a file");
        }
        let time = format!("2026-01-15T10:{n:02}:00Z");
        let word = source.to_str().expect("text");
        yore.run(["backup", "--quiet", "--time", &time, word]).assert_code(0);
    }
    source
}

/// Returns the daemon's report of the inodes that it remembers.
fn remembered(drive: &MountGuard) -> u64 {
    let counters =
        yore_platform::drive_attribute(drive.path(), "user.yore.counters", Duration::from_secs(60));
    let counters: serde_json::Value =
        serde_json::from_slice(&counters.expect("counters")).expect("an object");
    counters["remembered"].as_u64().expect("a number")
}

/// Returns the report after all earlier messages of the kernel: FORGET has no answer that could be waited for.
fn remembered_at_last(drive: &MountGuard) -> u64 {
    let mut last = remembered(drive);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        match remembered(drive) {
            now if now == last => return now,
            now => last = now,
        }
    }
}

#[test]
fn the_daemon_forgets_what_the_kernel_forgot_however_much_was_crawled() {
    needs_root("make the kernel forget");
    let yore = Yore::with_repository();
    history(&yore, 40);
    let drive = MountGuard::new(&yore, &["--cache-size", "1M"]);
    let crawl = |snapshots: &str, times: u32| {
        for _ in 0..times {
            let line = format!("cd \"$1\" && find {snapshots} | wc -l");
            in_shell(&line, &[&drive.path().join("snapshots")]);
        }
        // Twice, since recently used entries survive the first time.
        in_shell("sync; for time in 1 2; do echo 2 > /proc/sys/vm/drop_caches; done", &[]);
    };
    crawl("*T1000* *T1001* *T1002* *T1003*", 1);
    let (few, before) = (remembered_at_last(&drive), resident(drive.pid()));
    crawl("*T*", 1);
    let (many, after) = (remembered_at_last(&drive), resident(drive.pid()));
    // The drive has 12,000 folders, each with a tree of its own.
    assert!(many < 3 * few && many < 6_000, "{few} entries after 4 snapshots, {many} after 40");
    assert!(after < before + (16 << 20), "{before} bytes, then {after}");
}

/// Returns the resident memory of a process.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a line");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
    kib.expect("a number") * 1024
}

#[test]
fn handles_are_understood_after_the_kernel_forgot_the_files() {
    needs_root("open files by handle");
    let yore = Yore::with_repository();
    let source = history(&yore, 2);
    let script = root().join("tests/oracle/inode_numbers.py");
    for options in [&[][..], &["--inode32"]] {
        let drive = MountGuard::new(&yore, options);
        let listed = in_shell("ls \"$1\"", &[&drive.path().join("snapshots")]);
        let snapshot = listed.lines().nth(1).expect("a snapshot");
        let shown = drive.path_of(&format!("snapshots/{snapshot}"), &source);
        let kept = yore.scratch.at("handle");
        for path in [shown.join("7/17/file"), shown.join("7/17"), shown.clone()] {
            in_shell("/usr/bin/python3 \"$1\" keep \"$2\" \"$3\"", &[&script, &path, &kept]);
            in_shell("echo 2 > /proc/sys/vm/drop_caches", &[]);
            let words = [script.as_path(), drive.path(), &kept, &path];
            in_shell("/usr/bin/python3 \"$1\" open \"$2\" \"$3\" \"$4\"", &words);
        }
        // A handle of an earlier mount is stale on the next one.
        drop(drive);
        let drive = MountGuard::new(&yore, options);
        in_shell("find \"$1\" > /dev/null", &[&drive.path().join("snapshots")]);
        let words = [script.as_path(), drive.path(), &kept];
        in_shell("/usr/bin/python3 \"$1\" stale \"$2\" \"$3\"", &words);
    }
}

#[test]
fn programs_without_large_numbers_read_a_drive_that_has_short_ones() {
    let yore = Yore::with_repository();
    let source = history(&yore, 6);
    let drive = MountGuard::new(&yore, &["--inode32"]);
    let script = root().join("tests/oracle/inode_numbers.py");
    in_shell("/usr/bin/python3 \"$1\" short \"$2\"", &[&script, drive.path()]);
    // A 32-bit program that was built without large-file support.
    let program = yore.scratch.at("small");
    let code = root().join("tests/oracle/without_large_files.c");
    in_shell("cc -m32 -o \"$1\" \"$2\"", &[&program, &code]);
    let shown = drive.path_of("latest", &source);
    let counted = in_shell("\"$1\" \"$2\"", &[&program, &shown]);
    let names = in_shell("find \"$1\" | wc -l", &[&shown]);
    assert_eq!(counted.trim(), names.trim());
    drop(drive);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("at/latest~1", &source);
    // The numbers grow with each file that was looked up.
    in_shell("find \"$1\" > /dev/null", &[&drive.path().join("snapshots")]);
    in_shell("! \"$1\" \"$2\" 2> /dev/null", &[&program, &shown]);
}
