//! Write-only machines: they back up into inboxes of their own, and their owner collects.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Ended, Person, noise};

/// An owner, and a machine that shares nothing with it but the storage and its key file.
struct Scene {
    owner: Person,
    machine: Person,
    key: PathBuf,
}

impl Scene {
    fn new(destinations: &[&str]) -> Self {
        let (owner, machine) = (Person::with_destinations(destinations), Person::new());
        let key = owner.at("web01.key");
        let path = key.to_str().expect("UTF-8");
        let words = ["key", "add", "--write-only", "web01", "--key-file", path];
        let added = owner.types(words).assert_code(0);
        for name in destinations {
            let inbox = owner.at(name).join("machines/web01");
            let command = format!("destination add {}", inbox.display());
            assert!(added.out.contains(&command), "it tells what to type: {}", added.out);
        }
        let scene = Self { owner, machine, key };
        scene.set_up(destinations);
        scene
    }

    /// Types on the machine what `key add` printed.
    fn set_up(&self, destinations: &[&str]) {
        let key = self.key.to_str().expect("UTF-8");
        for name in destinations {
            let inbox = self.inbox(name);
            let words = ["--key-file", key, "destination", "add"].map(std::ffi::OsStr::new);
            self.machine.types(words.into_iter().chain([inbox.as_os_str()])).assert_code(0);
        }
        self.machine.types(["config", "set", "key-file", key]).assert_code(0);
    }

    fn inbox(&self, destination: &str) -> PathBuf {
        self.owner.at(destination).join("machines/web01")
    }

    fn back_up(&self, source: &Path) -> Ended {
        self.machine.types_on("backup", source).assert_code(0)
    }
}

#[test]
fn a_write_only_machine_backs_up_and_its_owner_collects_and_restores() {
    let scene = Scene::new(&["disk"]);
    let source = scene.machine.folder("data", "the first state");
    fs::write(source.join("large"), noise(3_000_000, 4)).expect("a file");
    scene.back_up(&source);
    fs::write(source.join("file"), "the second state").expect("a file");
    let second = scene.back_up(&source);
    assert!(second.out.contains("1 changed, 1 unchanged"), "{}", second.out);
    let planned = scene.owner.types(["collect", "--dry-run"]).assert_code(0);
    assert!(planned.out.contains("2 snapshots would be collected"), "{}", planned.out);
    let collected = scene.owner.types(["collect", "--json"]).assert_code(0).objects();
    let summary = collected.last().expect("an object");
    assert_eq!((&summary["machine"], &summary["collected"]), (&"web01".into(), &2.into()));
    let target = scene.owner.at("out");
    let moment = format!("latest:{}", source.display());
    let restored = ["restore", &moment, "--host", "web01", "--target"].map(std::ffi::OsStr::new);
    scene.owner.types(restored.into_iter().chain([target.as_os_str()])).assert_code(0);
    let found = |name: &str| fs::read(target.join("data").join(name)).expect("it is restored");
    assert_eq!(found("file"), b"the second state");
    assert_eq!(found("large"), noise(3_000_000, 4));
    scene.owner.types(["check", "--read-data"]).assert_code(0);
    // The older snapshot is forgotten in the inbox, which the machine sees, and goes on.
    let listed = scene.machine.types(["snapshots", "--json"]).assert_code(0).objects();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let third = scene.back_up(&source);
    assert!(third.out.contains("2 unchanged"), "{}", third.out);
    scene.owner.types(["collect", "web01", "--prune"]).assert_code(0);
    let again = scene.owner.types(["collect"]).assert_code(0);
    assert!(again.out.contains("web01: nothing new."), "{}", again.out);
}

#[test]
fn a_machine_whose_key_can_not_be_stored_is_not_added() {
    let owner = Person::with_destinations(&["disk"]);
    let path = owner.at("missing/web01.key");
    let add = |path: &Path| {
        let words = ["key", "add", "--write-only", "web01", "--key-file"].map(std::ffi::OsStr::new);
        owner.types(words.into_iter().chain([path.as_os_str()]))
    };
    add(&path).assert_code(1);
    let listed = owner.types(["key", "list"]).assert_code(0).out;
    assert!(!listed.contains("web01"), "{listed}");
    // A name that is taken leaves no key behind.
    add(&owner.at("web01.key")).assert_code(0);
    add(&owner.at("again.key")).assert_code(2);
    assert!(!owner.at("again.key").exists());
}

#[test]
fn a_write_only_machine_can_do_nothing_else() {
    let scene = Scene::new(&["disk"]);
    let source = scene.machine.folder("data", "not to be read");
    scene.back_up(&source);
    fs::create_dir(scene.machine.at("out")).expect("a folder");
    let file = format!("latest:{}", source.join("file").display());
    for words in [
        vec!["cat", file.as_str()],
        vec!["restore", file.as_str(), "--target", "out"],
        vec!["forget", "latest", "--allow-empty"],
        vec!["prune"],
        vec!["sync"],
        vec!["repair"],
        vec!["pin", "latest"],
        vec!["key", "list"],
        vec!["key", "rotate"],
        vec!["collect"],
        vec!["mount", "out"],
    ] {
        let refused = scene.machine.types(&words).assert_code(1);
        assert!(refused.err.contains("write-only"), "{words:?}: {}", refused.err);
    }
    // It knows the names of its own files, and can look whether everything is there.
    let names = scene.machine.types_on("ls", Path::new(&format!("latest:{}", source.display())));
    assert!(names.assert_code(0).out.contains("file"));
    let checked = scene.machine.types(["check"]).assert_code(0);
    assert!(checked.out.contains("does not open them"), "{}", checked.out);
    // Its key opens neither the owner's repository nor an owner's key its inbox.
    let main = scene.owner.at("disk");
    let with_key = ["--key-file", scene.key.to_str().expect("UTF-8"), "--repo"];
    let open = |person: &Person, repository: &Path, words: &[&str]| {
        let words = words.iter().map(std::ffi::OsStr::new);
        person.types(words.chain([repository.as_os_str(), "snapshots".as_ref()]))
    };
    open(&scene.machine, &main, &with_key).assert_code(12);
    let inbox = open(&scene.owner, &scene.inbox("disk"), &["--key-file", "yore.key", "--repo"]);
    assert!(inbox.assert_code(1).err.contains("is the inbox of a write-only machine"));
}

#[test]
fn inboxes_at_several_destinations_are_collected_and_caught_up() {
    let scene = Scene::new(&["one", "two"]);
    let source = scene.machine.folder("data", "first");
    scene.back_up(&source);
    // One destination is away for a backup; the machine can't copy to it what it lacks afterwards.
    let (place, away) = (scene.owner.at("two"), scene.owner.at("away"));
    fs::rename(&place, &away).expect("it is there");
    fs::write(source.join("file"), "second").expect("a file");
    scene.machine.types_on("backup", &source).assert_code(3);
    fs::rename(&away, &place).expect("it is back");
    fs::write(source.join("file"), "third").expect("a file");
    let behind = scene.machine.types_on("backup", &source).assert_code(3);
    assert!(behind.err.contains("yore collect"), "{}", behind.err);
    let collected = scene.owner.types(["collect"]).assert_code(0);
    assert!(collected.out.contains("3 snapshots collected"), "{}", collected.out);
    fs::write(source.join("file"), "fourth").expect("a file");
    scene.back_up(&source);
    // Each destination has everything by itself.
    fs::rename(scene.owner.at("one"), &away).expect("it is there");
    scene.owner.types(["collect"]).assert_code(3);
    let moment = format!("latest:{}", source.join("file").display());
    let found = scene.owner.types(["cat", "--host", "web01", &moment]);
    assert_eq!(found.out, "fourth", "{}", found.err);
}

#[test]
fn a_machine_that_is_removed_is_collected_from_no_more() {
    let scene = Scene::new(&["disk"]);
    let taken = ["key", "add", "--write-only", "web01", "--key-file", "again.key"];
    let refused = scene.owner.types(taken).assert_code(2);
    assert!(refused.err.contains("already"), "{}", refused.err);
    assert!(!scene.owner.at("again.key").exists());
    let listed = scene.owner.types(["key", "list", "--json"]).assert_code(0).objects();
    let machine = listed.iter().find(|key| key["kind"] == "write_only").expect("it is listed");
    let id = machine["id"].as_str().expect("an id").to_owned();
    scene.owner.types(["key", "rotate", "--yes"]).assert_code(0);
    scene.back_up(&scene.machine.folder("data", "x"));
    let after = scene.owner.types(["collect"]).assert_code(0);
    assert!(after.out.contains("1 snapshot collected"), "after a change of keys: {}", after.out);
    scene.owner.types(["key", "remove", &id]).assert_code(0);
    let none = scene.owner.types(["collect"]).assert_code(0);
    assert!(none.out.contains("There is no write-only machine"), "{}", none.out);
    scene.owner.types(["collect", "web01"]).assert_code(2);
}

#[test]
fn the_second_reader_reads_an_inbox() {
    let scene = Scene::new(&["disk"]);
    let source = scene.machine.folder("data", "one");
    fs::write(source.join("large"), noise(1_000_000, 9)).expect("a file");
    scene.back_up(&source);
    fs::write(source.join("file"), "two").expect("a file");
    scene.back_up(&source);
    scene.owner.types(["collect"]).assert_code(0);
    let (main, key) = (scene.owner.at("disk"), scene.owner.at("yore.key"));
    for inbox in [&["--inbox", "web01"][..], &[]] {
        let mut arguments = vec![main.as_os_str(), "--key-file".as_ref(), key.as_os_str()];
        arguments.extend(inbox.iter().map(std::ffi::OsStr::new));
        arguments.push("check".as_ref());
        let output = yore_tests::python("reader/yore_reader.py", &arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A slot that a removal names may still be at a destination that was away.
#[test]
fn the_second_reader_opens_no_inbox_of_a_machine_that_was_removed() {
    let scene = Scene::new(&["disk"]);
    scene.back_up(&scene.machine.folder("data", "one"));
    let (main, key) = (scene.owner.at("disk"), scene.owner.at("yore.key"));
    let read = || {
        let mut arguments = vec![main.as_os_str(), "--key-file".as_ref(), key.as_os_str()];
        arguments.extend(["--inbox", "web01", "list"].map(std::ffi::OsStr::new));
        yore_tests::python("reader/yore_reader.py", &arguments)
    };
    assert!(read().status.success());
    let listed = scene.owner.types(["key", "list", "--json"]).assert_code(0).objects();
    let slot = listed.iter().find(|line| line["kind"] == "write_only").expect("it is listed");
    let id = slot["id"].as_str().expect("an id");
    let file = main.join("keys").join(id);
    let bytes = fs::read(&file).expect("a slot");
    scene.owner.types(["key", "remove", id, "--yes"]).assert_code(0);
    fs::write(&file, bytes).expect("it is back");
    let refused = read();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && error.contains("no authentic key slot"), "{error}");
}
