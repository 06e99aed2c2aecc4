//! Wrong clocks: snapshots are ordered by their creation, not by their times.

use std::fs;
use std::path::Path;
use std::process::Command;

use yore_tests::{Ended, MountGuard, Yore};

/// Runs the program with another clock.
fn at(yore: &Yore, clock: &str, arguments: &[&str]) -> Ended {
    let real = yore.command(arguments);
    let mut command = Command::new("faketime");
    command.arg(clock).arg(real.get_program()).args(real.get_args()).env_clear();
    command.envs(real.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Yore::finish(command.current_dir(yore.scratch.path()))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_snapshot_of_a_clock_that_was_ahead_hides_nothing_that_came_later() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let file = source.join("file");
    fs::write(&file, "before").expect("a file");
    at(&yore, "2040-01-01 00:00:00", &["backup", text(&source)]).assert_code(0);
    let red = yore.run(["status", "--max-age", "26h"]).assert_code(1);
    assert!(red.err.contains("clock"), "{}", red.err);
    fs::write(&file, "today's").expect("a file");
    fs::write(source.join("new"), "new").expect("a file");
    let warned = yore.run_on("backup", &[&source]).assert_code(0);
    assert!(warned.err.contains("2040") && warned.err.contains("clock"), "{}", warned.err);
    let again = yore.run_on("backup", &[&source]).assert_code(0);
    assert!(!again.err.contains("clock"), "the newest snapshot is right: {}", again.err);

    yore.run(["status", "--max-age", "26h"]).assert_code(0);
    let content = yore.run(["cat", &format!("latest:{}", text(&file))]).assert_code(0);
    assert_eq!(content.out, "today's");
    let target = yore.scratch.at("restored");
    yore.run(["restore", "latest", "--target", text(&target)]).assert_code(0);
    let restored = target.join(file.strip_prefix("/").expect("absolute"));
    assert_eq!(fs::read_to_string(restored).expect("a file"), "today's");

    let drive = MountGuard::new(&yore, &[]);
    assert_eq!(fs::read_to_string(drive.path_of("latest", &file)).expect("a file"), "today's");
    assert!(!drive.path_of("deleted", &source.join("new")).exists());
    let now = fs::read_to_string(drive.path_of("at/now", &file)).expect("a file");
    assert_eq!(now, "today's");
    let days = fs::read_dir(drive.path().join("snapshots")).expect("a folder");
    let days: Vec<_> = days.map(|day| day.expect("an entry").file_name()).collect();
    assert!(!days.iter().any(|day| day == "2040-01-01"), "a day that nobody lived: {days:?}");

    let listed = yore.run(["snapshots"]).assert_code(0);
    let marked = listed.out.lines().filter(|line| line.contains("wrong clock")).count();
    assert_eq!(marked, 1, "{}", listed.out);
    yore.assert_sound();
}

#[test]
fn a_clock_that_fell_back_to_its_beginning_hides_nothing_either() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let file = source.join("file");
    for (clock, content) in [
        ("2026-03-01 10:00:00", "one"),
        ("2026-03-02 10:00:00", "two"),
        ("1970-01-02 00:00:00", "three"),
    ] {
        fs::write(&file, content).expect("a file");
        at(&yore, clock, &["backup", text(&source)]).assert_code(0);
    }
    let content =
        |moment: &str| yore.run(["cat", &format!("{moment}:{}", text(&file))]).assert_code(0).out;
    assert_eq!(content("latest"), "three");
    assert_eq!(content("2026-03-01"), "one");
    assert_eq!(content("2026-03-02"), "two");
    assert_eq!(content("now"), "three");
    let changed = yore.run(["log", text(&file), "--json"]).assert_code(0).objects();
    let sizes: Vec<_> = changed.iter().map(|version| version["node"]["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(3), Some(3), Some(5)]);
}
