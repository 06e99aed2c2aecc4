//! `yore repair`, typed by a nervous person.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Person, Yore, in_shell, noise};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Flips a byte of the largest pack below a folder.
fn damage(repository: &Path) -> PathBuf {
    let found =
        in_shell("find \"$1/packs\" -type f -printf '%s %p\\n' | sort -n | tail -1", &[repository]);
    let path = PathBuf::from(found.trim().split_once(' ').expect("a size and a path").1);
    let mut bytes = fs::read(&path).expect("a pack");
    bytes[300] ^= 1;
    fs::remove_file(&path).expect("removed");
    fs::write(&path, bytes).expect("written");
    path
}

fn fill(folder: &Path) {
    for number in 0..20_u32 {
        let bytes =
            (0..20_000_u32).flat_map(|n| (n + number).wrapping_mul(2_654_435_761).to_be_bytes());
        fs::write(folder.join(number.to_string()), bytes.collect::<Vec<u8>>()).expect("a file");
    }
}

#[test]
fn what_is_lost_is_listed_and_the_next_backup_makes_every_snapshot_whole_again() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fill(&source);
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.run(["repair"]).assert_code(0);
    damage(&yore.repository());
    let found = yore.run(["check", "--read-data"]).assert_code(1);
    assert!(found.out.contains("yore repair"), "{}", found.out);
    let dry = yore.run(["repair", "--dry-run"]).assert_code(0);
    assert!(dry.out.contains("would be put aside"), "{}", dry.out);
    let repaired = yore.run(["repair"]).assert_code(1);
    assert!(repaired.out.contains("LOST") && repaired.out.contains("/source/"), "{}", repaired.out);
    assert!(repaired.out.contains("has what can be saved of"), "{}", repaired.out);
    assert_eq!(yore.snapshot_ids().len(), 2, "one more, of what can be saved");
    // What is not lost is restored.
    let target = yore.scratch.at("restored");
    let ids = yore.snapshot_ids();
    let partly = yore.run(["restore", &ids[0], "--target", text(&target)]).assert_code(3);
    assert!(partly.err.contains("missing"), "{}", partly.err);
    // The newest is what could be saved, and says so.
    let saved = yore.run(["ls", "latest"]).assert_code(0);
    assert!(saved.err.contains("what a repair could save"), "{}", saved.err);
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    let intact = fs::read_dir(&restored).expect("a folder").flatten().filter(|entry| {
        fs::read(entry.path()).ok() == fs::read(source.join(entry.file_name())).ok()
    });
    assert!(intact.count() > 10);
    yore.run(["repair"]).assert_code(1);
    assert_eq!(yore.snapshot_ids(), ids, "made once");
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.run(["check", "--read-data"]).assert_code(0);
    yore.run(["prune", "--grace", "0"]).assert_code(0);
    yore.run(["check", "--read-data"]).assert_code(0);
    assert_eq!(fs::read_dir(yore.repository().join("quarantine")).expect("a folder").count(), 1);
}

#[test]
fn what_another_destination_has_is_healed_from_there() {
    let person = Person::with_destinations(&["one", "two"]);
    let documents = person.folder("Documents", "x");
    fill(&documents);
    person.types(["backup", "Documents"]).assert_code(0);
    let damaged = damage(&person.at("one"));
    let healed = person.types(["repair"]).assert_code(0);
    assert!(healed.out.contains("healed from another destination"), "{}", healed.out);
    assert!(damaged.exists() && !person.at("one").join("quarantine").exists());
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn the_intact_parts_of_a_damaged_file_are_restored_with_a_list_of_its_gaps() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    // Small enough to be written at once, and large enough to be written in stretches.
    for (name, size) in [("small.bin", 5 << 20), ("large.bin", 40 << 20)] {
        fs::write(source.join(name), noise(size, size as u64)).expect("a file");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let whole = yore.scratch.at("whole");
    yore.run(["restore", "latest", "--target", text(&whole), "--salvage"]).assert_code(0);
    damage(&yore.repository());
    let target = yore.scratch.at("restored");
    let salvaged = yore.run(["restore", "latest", "--target", text(&target), "--salvage"]);
    salvaged.assert_code(3);
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    let mut gaps_of = 0;
    for name in ["small", "large"] {
        let original = fs::read(source.join(format!("{name}.bin"))).expect("a file");
        let Ok(parts) = fs::read(restored.join(format!("{name} (salvaged).bin"))) else {
            assert_eq!(fs::read(restored.join(format!("{name}.bin"))).expect("whole"), original);
            continue;
        };
        assert!(!restored.join(format!("{name}.bin")).exists(), "no part is taken for the whole");
        assert_eq!(parts.len(), original.len());
        let list = fs::read_to_string(restored.join(format!("{name} (salvaged).bin.gaps.txt")));
        let mut expected = original;
        for line in list.expect("a list").lines() {
            let (from, to) = line.split_once(' ').expect("two numbers");
            let gap = from.parse().expect("a number")..to.parse::<usize>().expect("a number");
            expected[gap].fill(0);
            gaps_of += 1;
        }
        assert!(parts == expected, "{name}");
    }
    assert!(gaps_of > 0);
}
