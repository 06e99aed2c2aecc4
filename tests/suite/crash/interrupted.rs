//! The program, killed at random times or interrupted by a signal.

use std::path::PathBuf;
use std::time::Duration;

use yore_tests::{Random, Yore, assert_same_tree, in_shell, noise};

/// Makes a source of 24 MB in files of many sizes.
fn source(yore: &Yore) -> PathBuf {
    let source = yore.scratch.at("source");
    let mut random = Random(7);
    for n in 0..300 {
        let folder = source.join(format!("{}", n % 20));
        std::fs::create_dir_all(&folder).expect("a folder");
        let length = if n % 60 == 0 { 3_000_000 } else { random.below(60_000) as usize };
        std::fs::write(folder.join(format!("{n}")), noise(length, n)).expect("a file");
    }
    source
}

#[test]
fn backups_killed_at_random_times_lose_nothing_and_continue() {
    let yore = Yore::with_repository();
    let source = source(&yore);
    let mut random = Random(u64::from(std::process::id()));
    let (mut killed, mut done) = (0, 0);
    for round in 0..25 {
        std::fs::write(source.join("changing"), noise(400_000, round)).expect("a file");
        let mut child = yore.start(["backup", source.to_str().expect("text")]);
        std::thread::sleep(Duration::from_micros(random.below(250_000)));
        let finished = child.try_wait().expect("its status can be read").is_some();
        child.kill().expect("it can be killed");
        let status = child.wait().expect("it ends");
        match status.success() {
            true => done += 1,
            false => killed += 1,
        }
        assert!(!finished || status.success(), "a backup that ended by itself succeeded");
        if round % 5 == 4 {
            yore.assert_sound();
        }
    }
    assert!(killed > 0, "none of {} backups was killed", killed + done);
    let before = yore.snapshot_ids().len();
    yore.run_on("backup", &[&source]).assert_code(0);
    assert_eq!(yore.snapshot_ids().len(), before + 1);
    yore.assert_sound();
    let place = format!("latest:{}", source.display());
    let target = yore.scratch.at("restored");
    yore.run(["restore", &place, "--target", target.to_str().expect("text")]).assert_code(0);
    assert_same_tree(&target.join("source"), &source);
    let left = in_shell("find \"$1\" -type f -name '*tmp*' | wc -l", &[&yore.repository()]);
    assert_eq!(left.trim(), "0", "nothing unfinished lies about");
}

#[test]
fn an_interrupted_backup_commits_nothing_and_the_next_one_continues() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let yore = Yore::with_repository();
        let feed = yore.scratch.at("feed");
        in_shell("mkfifo \"$1\"", &[&feed]);
        // Its input never ends, so the signal comes in the middle of its work.
        let command = format!("cat '{}'", feed.display());
        let child = yore.start(["backup", "--command", &command, "--name", "x"]);
        let pid = PathBuf::from(child.id().to_string());
        let mut pipe = std::fs::OpenOptions::new().write(true).open(&feed).expect("it is read");
        std::io::Write::write_all(&mut pipe, &noise(3_000_000, 1)).expect("written");
        in_shell(&format!("kill -s {signal} \"$1\""), &[&pid]);
        std::thread::sleep(Duration::from_millis(300));
        drop(pipe);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{signal}: {said}");
        assert!(said.contains("interrupted"), "{said}");
        assert_eq!(yore.snapshot_ids().len(), 0);
        yore.assert_sound();
    }
}
