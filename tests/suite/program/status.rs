//! The age of backups, for users and for monitoring.

use std::path::Path;

use yore_tests::{MountGuard, Yore};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_source_counts_until_it_is_dropped_and_again_when_it_is_backed_up() {
    let yore = Yore::with_repository();
    let (daily, once) = (yore.scratch.folder("daily"), yore.scratch.folder("once"));
    yore.run(["backup", "--time", "2026-01-15T10:30:00Z", text(&once)]).assert_code(0);
    yore.run_on("backup", &[&daily]).assert_code(0);
    let red = yore.run(["status", "--max-age", "26h"]).assert_code(1);
    assert!(red.err.contains(text(&once)) && red.err.contains("--forget-source"), "{}", red.err);
    let wrong = yore.run_on("status --forget-source", &[Path::new("/none")]).assert_code(2);
    assert!(wrong.err.contains(text(&once)), "{}", wrong.err);
    yore.run_on("status --forget-source", &[&once]).assert_code(0);
    let green = yore.run(["status", "--max-age", "26h"]).assert_code(0);
    assert!(!green.out.contains(text(&once)), "{}", green.out);
    assert!(green.out.contains("dropped: 1 source"), "{}", green.out);
    let told = yore.run(["status", "--json"]).assert_code(0).objects();
    assert_eq!(told.iter().filter(|line| line["type"] == "source").count(), 1);
    assert_eq!(yore.snapshot_ids().len(), 2, "its snapshots stay");
    // Once it is backed up again, its age counts again.
    yore.run(["backup", "--time", "2026-01-16T10:30:00Z", text(&once)]).assert_code(0);
    let red = yore.run(["status", "--max-age", "26h"]).assert_code(1);
    assert!(red.err.contains(text(&once)), "{}", red.err);
}

#[test]
fn all_machines_whose_backups_are_too_old_are_named() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for (host, day) in [("one", "15"), ("two", "16"), ("three", "17")] {
        let time = format!("2026-01-{day}T10:30:00Z");
        let words = ["backup", "--host", host, "--time", &time, text(&source)];
        let mut command = yore.command(words);
        command.env("YORE_STATE_DIR", yore.scratch.at(host));
        Yore::finish(&mut command).assert_code(0);
    }
    yore.run(["backup", "--host", "fresh", text(&source)]).assert_code(0);
    let red = yore.run(["status", "--max-age", "26h"]).assert_code(1);
    for host in ["on one (", "on two (", "on three ("] {
        assert!(red.err.contains(host), "{host:?} is missing in {}", red.err);
    }
    assert!(!red.err.contains("fresh") && red.err.contains("3 last backups"), "{}", red.err);
    for host in ["one", "two"] {
        let words = ["status", "--forget-source", text(&source), "--host", host];
        yore.run(words).assert_code(0);
    }
    let red = yore.run(["status", "--max-age", "26h"]).assert_code(1);
    assert!(red.err.contains("on three (") && !red.err.contains("on two"), "{}", red.err);
}

#[test]
fn an_installation_is_listed_under_its_newest_name() {
    let yore = Yore::with_repository();
    let [source, other] = ["source", "other"].map(|name| yore.scratch.folder(name));
    for (host, day) in [("a1b2", "15"), ("c3d4", "16")] {
        let time = format!("2026-01-{day}T10:30:00Z");
        yore.run(["backup", "--host", host, "--time", &time, text(&source)]).assert_code(0);
    }
    yore.run(["backup", "--host", "a1b2", text(&other)]).assert_code(0);
    let listed = yore.run(["status", "--json"]).assert_code(0).objects();
    let names: Vec<_> = listed.iter().filter_map(|line| line["host"].as_str()).collect();
    // Each source has one row, for its newest backup.
    assert_eq!(names, ["a1b2", "c3d4"]);
}

#[test]
fn only_drives_of_the_repository_are_shown() {
    let (yore, other) = (Yore::with_repository(), Yore::with_repository());
    let (mine, others) = (MountGuard::new(&yore, &[]), MountGuard::new(&other, &[]));
    let shown = |yore: &Yore| yore.run(["status"]).assert_code(0).out;
    assert!(shown(&yore).contains(text(mine.path())));
    assert!(!shown(&yore).contains(text(others.path())));
    assert!(shown(&other).contains(text(others.path())));
    // Without a repository, all are reported.
    let all = Yore::finish(&mut yore.bare_command(["status"])).assert_code(0).out;
    assert!(all.contains(text(mine.path())) && all.contains(text(others.path())), "{all}");
}
