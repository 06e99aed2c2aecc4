//! `yore forget`: it lists the snapshots, asks on a terminal, and keeps the last of a source.

use std::path::Path;

use yore_tests::{Yore, on_terminal};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Makes three snapshots of one source on three days, and one of another machine.
fn with_snapshots() -> Yore {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for (day, host) in [("14", None), ("15", None), ("16", None), ("17", Some("other"))] {
        std::fs::write(source.join("file"), day).expect("a file");
        let time = format!("2026-01-{day}T10:30:00Z");
        let mut words = vec!["backup", "--time", &time, text(&source)];
        words.extend(host.iter().flat_map(|host| ["--host", host]));
        yore.run(words).assert_code(0);
    }
    yore
}

#[test]
fn a_moment_of_this_machine_names_the_snapshot_that_is_forgotten() {
    let yore = with_snapshots();
    let ids = yore.snapshot_ids();
    for (moment, id) in [
        ("latest", &ids[2]),
        ("latest~1", &ids[1]),
        ("2026-01-15", &ids[1]),
        ("2026-01-15T103000", &ids[1]),
        ("2026-01-16T10:29", &ids[1]),
        (&ids[0][..10], &ids[0]),
    ] {
        let told = yore.run(["--json", "forget", "--dry-run", moment]).assert_code(0).objects();
        assert_eq!(told[0]["snapshot"].as_str(), Some(id.as_str()), "{moment}");
    }
    let other = ["--json", "forget", "--dry-run", "--allow-empty", "latest", "--host", "other"];
    assert_eq!(yore.run(other).assert_code(0).objects()[0]["snapshot"].as_str(), Some(&*ids[3]));
    assert!(yore.run(["forget", "2026-01-13"]).assert_code(1).err.contains("the oldest is of"));
    yore.run(["forget", "latest:/etc"]).assert_code(2);
    assert_eq!(yore.snapshot_ids(), ids);
    yore.run(["forget", "2026-01-15"]).assert_code(0);
    assert_eq!(yore.snapshot_ids(), [&ids[0], &ids[2], &ids[3]].map(Clone::clone));
    yore.assert_sound();
}

#[test]
fn the_last_snapshot_of_a_source_is_forgotten_only_with_its_option() {
    let yore = with_snapshots();
    let ids = yore.snapshot_ids();
    let refused = yore.run(["forget", &ids[0], &ids[1], &ids[2]]).assert_code(2);
    assert!(
        refused.err.contains("source") && refused.err.contains("--allow-empty"),
        "{}",
        refused.err
    );
    let refused = yore.run(["forget", &ids[3]]).assert_code(2);
    assert!(refused.err.contains("other"), "another machine's do not count: {}", refused.err);
    assert_eq!(yore.snapshot_ids(), ids);
    yore.run(["forget", "--allow-empty", &ids[3]]).assert_code(0);
    assert_eq!(yore.snapshot_ids(), ids[..3]);
}

#[test]
fn on_a_terminal_forget_lists_the_snapshots_and_asks() {
    let yore = with_snapshots();
    let ids = yore.snapshot_ids();
    let forget = yore.command(["forget", &ids[0], "latest~1"]);
    for typed in ["n\n", "\n", "perhaps\n"] {
        let ended = on_terminal(100, &forget, typed).assert_code(1);
        for word in [&ids[0][..8], &ids[1][..8], "2026-01-14 10:30:00", "Forget 2 snapshots?"] {
            assert!(ended.out.contains(word), "{word} is missing in {}", ended.out);
        }
        assert_eq!(yore.snapshot_ids(), ids, "{typed:?} is no yes");
    }
    on_terminal(100, &forget, "y\n").assert_code(0);
    assert_eq!(yore.snapshot_ids(), ids[2..]);
    let unasked = yore.command(["forget", "--yes", "--allow-empty", &ids[2]]);
    let ended = on_terminal(100, &unasked, "").assert_code(0);
    assert!(!ended.out.contains('?'), "{}", ended.out);
    assert_eq!(yore.snapshot_ids(), ids[3..]);
}

#[test]
fn snapshots_whose_records_are_gone_are_forgotten_only_when_somebody_says_so() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for text in ["one", "two", "three"] {
        std::fs::write(source.join("file"), text).expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
    }
    yore.run(["forget", "--missing"]).assert_code(0);
    let lost = yore.snapshot_ids()[1].clone();
    std::fs::remove_file(yore.repository().join("snapshots").join(&lost)).expect("it was there");
    let refused = yore.run(["prune"]);
    assert!(refused.code != Some(0) && refused.err.contains(&lost[..8]), "{}", refused.err);
    let told = yore.run(["forget", "--missing", "--dry-run"]).assert_code(0);
    assert!(told.out.contains(&format!("Would forget snapshot {}", &lost[..8])), "{}", told.out);
    let refused = yore.run(["forget", "--missing"]).assert_code(1);
    assert!(refused.err.contains("say --yes") || refused.err.contains("nothing was forgotten"));
    yore.run(["check"]).assert_code(1);
    yore.run(["forget", "--missing", "--yes"]).assert_code(0);
    yore.run(["prune"]).assert_code(0);
    yore.run(["check"]).assert_code(0);
    assert_eq!(yore.snapshot_ids().len(), 2);
}
