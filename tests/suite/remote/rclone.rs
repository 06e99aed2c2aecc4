//! Storage behind rclone: what it does on rename, what it says when it can't start, and how it ends.

use std::fs;
use std::time::Instant;

use yore_engine::backend::{Backend, Published, save};
use yore_engine::format::ObjectName;
use yore_tests::{RcloneRemotes, Scratch, Yore, serves_remote};

#[test]
fn an_object_that_exists_is_not_replaced_where_nobody_races() {
    let scratch = Scratch::new();
    let remotes = RcloneRemotes::new(&scratch);
    let backend = remotes.backend("store:repository");
    let name = ObjectName::destination();
    assert_eq!(save(&backend, &name, b"first").expect("it is saved"), Published::Created);
    assert_eq!(save(&backend, &name, b"second").expect("it is refused"), Published::Exists);
    let stored = remotes.store().join("repository/destination");
    assert_eq!(fs::read(stored).expect("a file"), b"first");
}

#[test]
fn what_another_machine_published_is_listed_at_once() {
    let scratch = Scratch::new();
    let remotes = RcloneRemotes::new(&scratch);
    let (ours, other) = (remotes.backend("store:repository"), remotes.backend("store:repository"));
    for number in 0..8 {
        let name = ObjectName::generation(number);
        save(&other, &name, b"generation").expect("it is saved");
        let listed = ours.names(yore_engine::format::Area::Generations).expect("a list");
        assert_eq!(listed.len() as u64, number + 1);
    }
}

#[test]
fn rclone_ends_with_the_backend() {
    let scratch = Scratch::new();
    let remotes = RcloneRemotes::new(&scratch);
    let backend = remotes.backend("store:repository");
    assert_eq!(backend.size(&ObjectName::header()).expect("an answer"), None);
    assert!(serves_remote(&remotes.config()));
    drop(backend);
    let began = Instant::now();
    while serves_remote(&remotes.config()) {
        assert!(began.elapsed().as_secs() < 60, "rclone still runs");
        std::thread::yield_now();
    }
}

#[test]
fn rclone_says_why_it_does_not_start() {
    let scratch = Scratch::new();
    let mut remotes = RcloneRemotes::new(&scratch);
    let told = |remotes: &RcloneRemotes, remote: &str| {
        let asked = remotes.backend(remote).list(yore_engine::format::Area::Keys);
        let error = asked.map(drop).expect_err("it can't be used");
        assert!(!error.is_temporary(), "{error:?}");
        error.with_cause()
    };
    let unknown = told(&remotes, "nowhere:x");
    assert!(unknown.contains("didn't find section in config file"), "{unknown}");
    remotes.serve();
    remotes.forget_password();
    let wrong = told(&remotes, "dav:x");
    assert!(wrong.contains("401") && !wrong.contains("wrong"), "{wrong}");
}

/// Returns the program with the remotes in its environment, and a repository made on one of them.
fn program(remote: &str) -> (Yore, RcloneRemotes, String) {
    let yore = Yore::new();
    let remotes = RcloneRemotes::new(&yore.scratch);
    (yore, remotes, format!("rclone:{remote}"))
}

#[test]
fn the_program_backs_up_and_restores_through_rclone() {
    let (yore, remotes, url) = program("crypt:repository");
    let run = |words: &[&str]| {
        let words = [&["--repo", url.as_str()], words].concat();
        let mut command = yore.command(words);
        Yore::finish(command.env("RCLONE_CONFIG", remotes.config()))
    };
    run(&["init"]).assert_code(0);
    let source = yore.scratch.folder("source");
    fs::write(source.join("letter"), "dear reader").expect("a file");
    run(&["backup", source.to_str().expect("text")]).assert_code(0);
    run(&["check", "--read-data"]).assert_code(0);
    let target = yore.scratch.at("target");
    run(&["restore", "latest", "--target", target.to_str().expect("text")]).assert_code(0);
    let restored = target.join(source.strip_prefix("/").expect("absolute")).join("letter");
    assert_eq!(fs::read_to_string(restored).expect("it is restored"), "dear reader");
    let again = run(&["init"]).assert_code(1);
    assert!(again.err.contains("holds a repository already"), "{again:?}");
}

#[test]
fn a_missing_rclone_is_named() {
    let (yore, _remotes, url) = program("store:repository");
    let mut command = yore.command(["--repo", &url, "snapshots"]);
    let ended = Yore::finish(command.env("PATH", yore.scratch.folder("empty"))).assert_code(1);
    assert!(ended.err.contains("the program rclone is not installed"), "{ended:?}");
}
