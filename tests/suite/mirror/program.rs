//! Mirrors as a person meets them: behind, caught up, damaged, healed.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use yore_tests::{Person, in_shell};

/// A person with two destinations and a source, of which there is a snapshot.
fn mirrored() -> Person {
    let person = Person::with_destinations(&["one", "two"]);
    let docs = person.folder("docs", "first");
    fs::write(docs.join("large"), yore_tests::noise(300_000, 5)).expect("a file");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    person
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let list = in_shell("find \"$1\" -type f | sort", &[folder]);
    list.lines().map(PathBuf::from).collect()
}

/// Fails unless one destination alone has so many snapshots, and every byte of it is right.
#[track_caller]
fn assert_sound(person: &Person, name: &str, snapshots: usize) {
    let mut command = person.command(["--repo", name, "--key-file", "yore.key", "check"]);
    command.args(["--read-data", "--json"]);
    let ended = yore_tests::Yore::finish(&mut command).assert_code(0);
    let objects = ended.objects();
    let check = objects.iter().find(|object| object["type"] == "check").expect("a result");
    assert_eq!(check["snapshots"], snapshots, "{name}: {objects:?}");
}

fn of_sync(objects: &[Value], name: &str) -> Value {
    let is_of = |object: &&Value| {
        object["type"] == "sync"
            && object["destination"].as_str().is_some_and(|d| d.starts_with(name))
    };
    objects.iter().find(is_of).expect("a result for the destination").clone()
}

#[test]
fn a_destination_that_was_away_is_caught_up_by_the_next_backup() {
    let person = mirrored();
    fs::rename(person.at("two"), person.at("away")).expect("moved");
    fs::write(person.at("docs/file"), "second").expect("a file");
    let ended = person.types(["backup"]).assert_code(3);
    assert!(ended.err.contains("two"), "{}", ended.err);
    assert_sound(&person, "one", 2);
    fs::rename(person.at("away"), person.at("two")).expect("moved back");
    let status = person.types(["status"]).assert_code(0);
    assert!(status.out.contains("behind by 1 snapshot"), "{}", status.out);
    fs::write(person.at("docs/file"), "third").expect("a file");
    let ended = person.types(["backup"]).assert_code(0);
    assert!(ended.out.contains("copied"), "{}", ended.out);
    for name in ["one", "two"] {
        assert_sound(&person, name, 3);
    }
    let status = person.types(["status"]).assert_code(0);
    assert!(!status.out.contains("behind"), "{}", status.out);
}

#[test]
fn sync_fills_a_destination_that_was_added_later() {
    let person = mirrored();
    person.types_on("destination add --name three", &person.at("three")).assert_code(0);
    let before = person.types(["status"]).assert_code(0);
    assert!(before.out.contains("behind by 1 snapshot"), "{}", before.out);
    let objects = person.types(["sync", "--json"]).assert_code(0).objects();
    let three = of_sync(&objects, "three");
    assert_eq!((&three["whole"], &three["committed"]), (&true.into(), &1.into()));
    assert!(three["copied"].as_u64() > Some(2), "{three}");
    assert_sound(&person, "three", 1);
    let again = person.types(["sync", "--json", "--to", "three"]).assert_code(0).objects();
    assert_eq!(again.len(), 1);
    assert_eq!((&again[0]["copied"], &again[0]["bytes"]), (&0.into(), &0.into()));
    let unknown = person.types(["sync", "--to", "four"]).assert_code(2);
    assert!(unknown.err.contains("four"), "{}", unknown.err);
}

#[test]
fn a_restore_from_a_damaged_destination_is_right_and_heals_it() {
    let person = mirrored();
    let packs = files(&person.at("one/packs"));
    assert!(!packs.is_empty());
    for pack in &packs {
        let mut bytes = fs::read(pack).expect("a pack");
        // Behind the prefix, in each frame, however small.
        bytes.iter_mut().skip(100).step_by(20).for_each(|byte| *byte ^= 4);
        fs::write(pack, bytes).expect("written");
    }
    let ended = person.types(["restore", "latest", "--target", "out"]).assert_code(0);
    assert!(ended.err.contains("healed from another destination"), "{}", ended.err);
    let original = person.at("docs");
    let restored = person.at("out").join(original.strip_prefix("/").expect("absolute"));
    in_shell("diff -r \"$1\" \"$2\"", &[&original, &restored]);
    for name in ["one", "two"] {
        assert_sound(&person, name, 1);
    }
}

/// Damages every object of one destination by itself: whatever it is, `sync --read-data` makes it whole.
#[test]
fn sync_heals_every_object_of_a_destination() {
    let person = mirrored();
    fs::write(person.at("docs/file"), "second").expect("a file");
    person.types(["backup"]).assert_code(0);
    for (number, object) in files(&person.at("two")).into_iter().enumerate() {
        // The parts of a damaged session are deleted together.
        let Ok(mut bytes) = fs::read(&object) else { continue };
        match number % 3 {
            0 => bytes[number % 40] ^= 1,
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes.clear(),
        }
        match bytes.is_empty() {
            true => fs::remove_file(&object).expect("removed"),
            false => fs::write(&object, bytes).expect("written"),
        }
        let ended = person.types(["sync", "--read-data"]);
        assert_eq!(ended.code, Some(0), "{}: {ended:?}", object.display());
        assert_sound(&person, "two", 2);
    }
    assert_sound(&person, "one", 2);
}

#[test]
fn a_plain_copy_of_a_destination_can_be_added() {
    let person = mirrored();
    in_shell("cp -a \"$1\" \"$2\"", &[&person.at("one"), &person.at("copy")]);
    let added = person.types_on("destination add --name copy", &person.at("copy")).assert_code(0);
    assert!(added.out.contains("plain copy"), "{}", added.out);
    let objects = person.types(["sync", "--json"]).assert_code(0).objects();
    let copy = of_sync(&objects, "copy");
    assert_eq!((&copy["copied"], &copy["committed"]), (&0.into(), &1.into()));
    assert_sound(&person, "copy", 1);
}

#[test]
fn check_reports_on_each_destination_by_itself() {
    let person = mirrored();
    let pack = files(&person.at("two/packs")).into_iter().next().expect("a pack");
    fs::remove_file(pack).expect("removed");
    let ended = person.types(["check"]);
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("yore sync --read-data"), "{}", ended.out);
    let lines: Vec<&str> = ended.out.lines().collect();
    let place = |text: &str| lines.iter().position(|line| line.contains(text));
    assert!(place("one (") < place("two ("), "{lines:?}");
    assert!(place("PROBLEM") > place("two ("), "{lines:?}");
}
