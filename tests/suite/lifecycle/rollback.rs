//! A destination that was put back to an earlier state.

use std::path::Path;

use yore_tests::{Person, Yore, in_shell};

/// Puts a folder back to what a copy of it has, as a restored disk or a hostile storage does.
fn put_back(folder: &Path, copy: &Path) {
    in_shell("rsync -a --delete \"$1/\" \"$2/\"", &[copy, folder]);
}

#[test]
fn a_destination_that_was_put_back_is_noticed_and_nothing_is_deleted() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let write = |text: &str| std::fs::write(source.join("file"), text).expect("a file");
    write("first");
    yore.run_on("backup", &[&source]).assert_code(0);
    let copy = yore.scratch.at("copy");
    put_back(&copy, &yore.repository());
    write("second");
    let told = yore.run_on("backup", &[&source]).assert_code(0);
    let line = told.out.lines().find(|line| line.contains("head ")).expect("the head is told");
    let head = line.split_whitespace().last().expect("an id").to_owned();
    yore.run(["check", "--expect-head", &head]).assert_code(0);
    put_back(&yore.repository(), &copy);
    for command in [["snapshots", "--limit", "9"], ["ls", "latest", "--recursive"]] {
        let noticed = yore.run(command);
        assert!(noticed.err.contains("put back to an earlier state"), "{noticed:?}");
        assert!(noticed.err.contains(&head[..8]), "{noticed:?}");
    }
    assert!(yore.run(["check"]).assert_code(1).out.contains("nobody forgot it"));
    yore.run(["status", "--check"]).assert_code(1);
    let refused = yore.run(["prune", "--grace", "0"]);
    assert!(refused.code != Some(0) && refused.err.contains("nobody forgot"), "{refused:?}");
    yore.run(["forget", "--keep-last", "1", "--force"]).assert_code(1);
    // A backup is made all the same, and tells.
    write("third");
    let told = yore.run_on("backup", &[&source]).assert_code(3);
    assert!(told.err.contains("put back to an earlier state"), "{told:?}");
    // It stays told until somebody accepts it.
    yore.run(["snapshots"]).assert_code(3);
    yore.run(["acknowledge"]).assert_code(0);
    yore.run(["snapshots"]).assert_code(0);
    yore.run(["prune", "--grace", "0"]).assert_code(0);
    yore.run(["check"]).assert_code(0);
    // The head is not forgotten by that.
    let missed = yore.run(["check", "--expect-head", &head]).assert_code(1);
    assert!(missed.out.contains("the expected snapshot"), "{missed:?}");
    yore.run(["check", "--expect-head", "latest"]).assert_code(2);
}

#[test]
fn an_expected_head_that_was_forgotten_is_no_problem() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.run(["backup", "--force", source.to_str().expect("text")]).assert_code(0);
    let ids = yore.snapshot_ids();
    yore.run(["forget", &ids[0]]).assert_code(0);
    yore.run(["prune", "--grace", "0"]).assert_code(0);
    let told = yore.run(["check", "--expect-head", &ids[0][..16]]).assert_code(0);
    assert!(told.out.contains("was forgotten by"), "{told:?}");
    yore.run(["snapshots"]).assert_code(0);
}

#[test]
fn a_mirror_that_was_put_back_is_noticed_and_healed_by_a_sync() {
    let person = Person::with_destinations(&["one", "two"]);
    let documents = person.folder("Documents", "first");
    person.types(["backup", "Documents"]).assert_code(0);
    let copy = person.at("copy");
    put_back(&copy, &person.at("two"));
    std::fs::write(documents.join("second"), "second").expect("a file");
    person.types(["backup", "Documents"]).assert_code(0);
    put_back(&person.at("two"), &copy);
    let noticed = person.types(["snapshots"]).assert_code(3);
    assert!(noticed.err.contains("two") && !noticed.err.contains("one ("), "{noticed:?}");
    person.types(["sync"]).assert_code(0);
    person.types(["snapshots"]).assert_code(0);
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn a_mirror_that_was_away_is_no_rollback() {
    let person = Person::with_destinations(&["one", "two"]);
    let documents = person.folder("Documents", "first");
    person.types(["backup", "Documents"]).assert_code(0);
    let away = person.at("away");
    std::fs::rename(person.at("two"), &away).expect("moved");
    std::fs::write(documents.join("second"), "second").expect("a file");
    person.types(["backup", "Documents"]).assert_code(3);
    std::fs::rename(&away, person.at("two")).expect("moved");
    std::fs::rename(person.at("one"), &away).expect("moved");
    let alone = person.types(["snapshots"]);
    assert!(!alone.err.contains("put back"), "{alone:?}");
    std::fs::rename(&away, person.at("one")).expect("moved");
    person.types(["sync"]).assert_code(0);
    person.types(["check"]).assert_code(0);
}
