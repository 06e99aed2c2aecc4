//! Output to a closed pipe.

use std::fs;

use yore_tests::{Yore, in_shell};

/// Runs the program with standard output and standard error on a closed pipe; returns its exit code.
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

/// Makes a repository, and a folder of files beside it.
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
fn a_backup_finishes_although_its_warnings_go_to_a_closed_pipe() {
    let (yore, _) = with_repository();
    // Excluded folders such as the repository are reported before anything is read.
    let source = yore.scratch.path().to_str().expect("text");
    assert_eq!(run_unheard(&yore, &["backup", "--verbose", source]), 0);
    assert_eq!(yore.snapshot_ids().len(), 1);
    assert_eq!(run_unheard(&yore, &["backup", "--verbose", "--json", source]), 0);
    assert_eq!(yore.snapshot_ids().len(), 2);
    yore.assert_sound();
}

#[test]
fn a_restore_and_a_forget_finish_although_their_output_goes_to_a_closed_pipe() {
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
fn a_command_that_only_prints_ends_when_the_pipe_is_closed() {
    let (yore, source) = with_repository();
    yore.run(["backup", &source]).assert_code(0);
    for words in [&["snapshots"][..], &["ls", "latest:/"], &["stats"]] {
        // By SIGPIPE, as other such programs do.
        assert_eq!(run_unheard(&yore, words), 128 + 13, "{words:?}");
    }
}
