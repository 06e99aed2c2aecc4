//! Pins, tags, versions, and the policy of the configuration.

use std::fs;

use yore_tests::{Person, Yore};

/// A repository with five snapshots of a file that changes, and one that is deleted after the second.
fn with_history() -> Yore {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for day in 1..=5 {
        fs::write(source.join("changes"), format!("day {day}")).expect("a file");
        match day {
            1 => fs::write(source.join("goes"), "last seen on day 2").expect("a file"),
            3 => fs::remove_file(source.join("goes")).expect("removed"),
            _ => {}
        }
        let time = format!("2026-01-0{day}T12:00");
        yore.run(["backup", "--time", &time, source.to_str().expect("text")]).assert_code(0);
    }
    yore
}

fn days(yore: &Yore) -> Vec<String> {
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    let snapshots = listed.iter().filter(|line| line["type"] == "snapshot");
    snapshots.map(|line| line["time"].as_str().expect("a time")[8..10].to_owned()).collect()
}

#[test]
fn a_pinned_snapshot_is_kept_by_every_policy_until_it_is_unpinned() {
    let yore = with_history();
    let ids = yore.snapshot_ids();
    yore.run(["pin", &ids[1][..12]]).assert_code(0);
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!((&listed[0]["pinned"], &listed[1]["pinned"]), (&false.into(), &true.into()));
    assert!(yore.run(["snapshots"]).assert_code(0).out.contains("(pinned)"));
    let refused = yore.run(["forget", &ids[1]]).assert_code(2);
    assert!(refused.err.contains("pinned") && refused.err.contains("unpin"), "{}", refused.err);
    let kept = yore.run(["forget", "--keep-last", "1", "--force", "--json"]).assert_code(0);
    let reasons = kept.objects().into_iter().find(|one| one["snapshot"] == ids[1].as_str());
    assert_eq!(reasons.expect("it is kept")["reasons"], serde_json::json!(["pinned"]));
    assert_eq!(days(&yore), ["02", "05"]);
    yore.run(["unpin", &ids[1]]).assert_code(0);
    yore.run(["forget", "--keep-last", "1"]).assert_code(0);
    assert_eq!(days(&yore), ["05"]);
    yore.run(["prune", "--grace", "0"]).assert_code(0);
    yore.run(["check", "--read-data"]).assert_code(0);
    let left = fs::read_dir(yore.repository().join("annotations")).expect("a folder").count();
    assert_eq!(left, 0, "annotations go with their snapshots");
}

#[test]
fn tags_are_changed_later_and_decide_what_a_policy_keeps() {
    let yore = with_history();
    let ids = yore.snapshot_ids();
    yore.run(["tag", &ids[0], &ids[2], "--add", "release", "--add", "x"]).assert_code(0);
    yore.run(["tag", &ids[0], "--remove", "x"]).assert_code(0);
    let tagged = yore.run(["snapshots", "--tag", "release", "--json"]).assert_code(0).objects();
    assert_eq!(tagged.len(), 2);
    assert_eq!(tagged[0]["tags"], serde_json::json!(["release"]));
    yore.run(["tag", &ids[0]]).assert_code(2);
    yore.run(["forget", "--keep-tag", "release", "--keep-last", "1"]).assert_code(0);
    assert_eq!(days(&yore), ["01", "03", "05"]);
    yore.assert_sound();
}

#[test]
fn the_last_versions_of_each_file_are_kept_also_of_deleted_ones() {
    let yore = with_history();
    let shown = yore.run(["forget", "--keep-versions", "2", "--dry-run"]).assert_code(0);
    assert!(shown.out.contains("goes"), "{}", shown.out);
    yore.run(["forget", "--keep-versions", "2"]).assert_code(0);
    // Of the file that changes every day the fourth and the fifth, of the deleted one the second.
    assert_eq!(days(&yore), ["02", "04", "05"]);
    let yore = with_history();
    yore.run(["forget", "--keep-versions", "1", "--keep-days", "1", "--force"]).assert_code(0);
    assert_eq!(days(&yore), ["02", "04", "05"]);
    yore.assert_sound();
}

#[test]
fn the_policy_of_the_configuration_is_applied_after_each_backup_of_its_source() {
    let person = Person::with_destinations(&["one"]);
    let (documents, pictures) = (person.folder("Documents", "0"), person.folder("Pictures", "p"));
    person.types(["source", "add", "Documents"]).assert_code(0);
    person.types(["source", "add", "Pictures"]).assert_code(0);
    person.types(["config", "set", "retention.last", "3"]).assert_code(0);
    person.types(["config", "set", "source.pictures.retention.last", "1"]).assert_code(0);
    person.types(["config", "set", "retention.daily", "many"]).assert_code(2);
    person.types(["config", "set", "retention.within", "a while"]).assert_code(2);
    for state in 1..=4 {
        fs::write(documents.join("file"), state.to_string()).expect("a file");
        person.types(["backup"]).assert_code(0);
    }
    let count = |path: &std::path::Path| {
        let listed = person.types(["snapshots", "--json"]).assert_code(0).objects();
        let path = path.to_str().expect("text");
        listed.iter().filter(|one| one["sources"][0] == path).count()
    };
    assert_eq!((count(&documents), count(&pictures)), (4, 4), "not before it is switched on");
    person.types(["config", "set", "retention.auto", "true"]).assert_code(0);
    fs::write(documents.join("file"), "5").expect("a file");
    // Of the pictures it would forget most: a person decides.
    let told = person.types(["backup"]).assert_code(3);
    assert!(told.err.contains("more than half"), "{}", told.err);
    assert_eq!((count(&documents), count(&pictures)), (3, 5));
    person.types(["forget", "--force"]).assert_code(0);
    assert_eq!((count(&documents), count(&pictures)), (3, 1));
    person.types(["config", "set", "retention.prune", "true"]).assert_code(0);
    fs::write(documents.join("file"), "6").expect("a file");
    let told = person.types(["backup"]).assert_code(0);
    assert!(told.out.contains("Retention: 1 snapshot forgotten"), "{}", told.out);
    assert_eq!((count(&documents), count(&pictures)), (3, 1));
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn a_path_is_removed_from_all_snapshots_but_pinned_ones() {
    let yore = with_history();
    let ids = yore.snapshot_ids();
    yore.run(["pin", &ids[0]]).assert_code(0);
    yore.run(["rewrite"]).assert_code(2);
    let dry = yore.run(["rewrite", "--exclude", "goes", "--dry-run", "--json"]).assert_code(0);
    let would: Vec<_> =
        dry.objects().into_iter().filter(|one| one["type"] == "rewritten").collect();
    assert_eq!(would.len(), 1, "the pinned one stays");
    assert_eq!(yore.snapshot_ids(), ids);
    let done = yore.run(["rewrite", "--exclude", "goes"]).assert_code(3);
    assert!(done.err.contains("pinned"), "{}", done.err);
    assert_eq!(days(&yore), ["01", "02", "03", "04", "05"]);
    let after = yore.snapshot_ids();
    assert!(after[0] == ids[0] && after[1] != ids[1] && after[2..] == ids[2..], "{after:?}");
    yore.run(["unpin", &ids[0]]).assert_code(0);
    yore.run(["rewrite", "--exclude", "goes"]).assert_code(0);
    let found = yore.run(["find", "goes", "--json"]).assert_code(0).objects();
    assert!(found.iter().all(|one| one["type"] != "hit"), "{found:?}");
    yore.run(["prune", "--grace", "0"]).assert_code(0);
    yore.run(["check", "--read-data"]).assert_code(0);
}

#[test]
fn the_room_is_told_by_snapshot_path_and_type() {
    let yore = with_history();
    for by in ["snapshot", "path", "type"] {
        let told = yore.run(["stats", "--by", by, "--json"]).assert_code(0).objects();
        assert!(told.iter().any(|one| one["type"] == "usage_totals"), "{by}: {told:?}");
        yore.run(["stats", "--by", by]).assert_code(0);
    }
    yore.run(["stats", "--by", "colour"]).assert_code(2);
}
