//! Nobody listens any more to what the program prints.

use std::fs;

use yore_tests::{Yore, in_shell};

/// Runs the program with its output and its complaints going to a pipe that is closed already; returns
/// its exit code.
fn run_unheard(yore: &Yore, words: &[&str]) -> i32 {
    let command = yore.command(words);
    let mut shell = std::process::Command::new("bash");
    let line = "(sleep 0.3; exec \"$@\") 2>&1 | true; echo ${PIPESTATUS[0]}";
    shell.args(["-c", line, "bash"]).arg(command.get_program()).args(words);
    shell.env_clear().current_dir(yore.scratch.path());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = Yore::finish(&mut shell).assert_code(0);
    ended.out.trim().parse().expect("an exit code")
}

/// A repository, and a folder of files beside it.
fn with_repository() -> (Yore, String) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for name in ["a", "b", "c"] {
        fs::write(source.join(name), name).expect("a file");
    }
    let word = source.to_str().expect("text").to_owned();
    (yore, word)
}

#[test]
fn a_backup_is_finished_when_nobody_listens_to_its_warnings() {
    let (yore, _) = with_repository();
    // What is left out of it, such as the repository, is told before anything is read.
    let source = yore.scratch.path().to_str().expect("text");
    assert_eq!(run_unheard(&yore, &["backup", "--verbose", source]), 0);
    assert_eq!(yore.snapshot_ids().len(), 1);
    assert_eq!(run_unheard(&yore, &["backup", "--verbose", "--json", source]), 0);
    assert_eq!(yore.snapshot_ids().len(), 2);
    yore.assert_sound();
}

#[test]
fn a_restore_and_a_forget_are_finished_when_nobody_listens() {
    let (yore, source) = with_repository();
    for _ in 0..2 {
        yore.run(["backup", &source]).assert_code(0);
    }
    let target = yore.scratch.at("target");
    let words = ["restore", "latest", "--verbose", "--target", target.to_str().expect("text")];
    assert_eq!(run_unheard(&yore, &words), 0);
    let found = in_shell("find \"$1\" -type f | wc -l", &[&target]);
    assert_eq!(found.trim(), "3");
    let first = yore.snapshot_ids().remove(0);
    assert_eq!(run_unheard(&yore, &["forget", &first]), 0);
    assert_eq!(yore.snapshot_ids().len(), 1);
}

#[test]
fn a_command_that_prints_as_its_job_ends_when_nobody_listens() {
    let (yore, source) = with_repository();
    yore.run(["backup", &source]).assert_code(0);
    for words in [&["snapshots"][..], &["ls", "latest:/"], &["stats"]] {
        // As every such program does, by the signal.
        assert_eq!(run_unheard(&yore, words), 128 + 13, "{words:?}");
    }
}
