//! Several destinations: added, absent, broken, and looked at.

use std::path::Path;

use serde_json::Value;
use yore_tests::{Person, in_shell, needs_root};

/// Lists all that is in a folder but the log, in which every command is.
fn tree(folder: &Path) -> String {
    in_shell("find \"$1\" ! -name 'log-*.log' -printf '%P %s %T@\\n' | sort", &[folder])
}

fn of_type<'o>(objects: &'o [Value], kind: &str) -> Vec<&'o Value> {
    objects.iter().filter(|object| object["type"] == kind).collect()
}

#[test]
fn init_makes_a_copy_at_every_destination_and_a_backup_writes_to_each() {
    let person = Person::with_destinations(&["one", "two", "three"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    for name in ["one", "two", "three"] {
        let mut command = person.command(["--repo", name, "--key-file", "yore.key", "check"]);
        let ended = yore_tests::Yore::finish(command.arg("--read-data")).assert_code(0);
        assert!(ended.out.contains("1 snapshot"), "{name}: {}", ended.out);
    }
    let again = person.types(["init"]).assert_code(1);
    assert!(again.err.contains("repository already"), "{}", again.err);
}

#[test]
fn what_is_added_is_a_copy_or_empty_and_anything_else_is_refused_and_left_alone() {
    let person = Person::with_destinations(&["one"]);
    let other = Person::with_destinations(&["theirs"]);
    let full = person.folder("full", "mine");
    let before = person.configured();
    for (folder, part) in [
        (other.at("theirs"), "another repository"),
        (full, "not empty"),
        (person.at("one/packs"), "lie in one another"),
        (person.at(""), "lie in one another"),
        (person.at("yore.key"), "not a folder"),
    ] {
        let state = tree(&folder);
        let ended = person.types_on("destination add", &folder);
        assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
        assert!(ended.err.contains(part), "{}", ended.err);
        assert_eq!(person.configured(), before, "{part}");
        assert_eq!(tree(&folder), state, "{part}");
    }
    let added = person.types_on("destination add --json --name two", &person.at("two"));
    let added = added.assert_code(0).objects();
    let facts = &added[0];
    assert_eq!(
        (facts["type"].as_str(), facts["found"].as_str()),
        (Some("destination_added"), Some("created"))
    );
    assert_eq!((&facts["create_if_absent"], &facts["durable"]), (&true.into(), &true.into()));
    assert!(facts["round_trip_seconds"].is_f64() && facts["write_bytes_per_second"].is_u64());
    let state = tree(&person.at("two"));
    let again = person.types_on("destination add --json", &person.at("two")).assert_code(0);
    assert_eq!(again.objects()[0]["found"], "copy");
    assert_eq!(tree(&person.at("two")), state, "nothing is left of the measurements");
    assert_eq!(person.configured().matches("[[destination]]").count(), 2);
    let taken = person.types_on("destination add --name two", &person.at("three")).assert_code(2);
    assert!(taken.err.contains("two"), "{}", taken.err);
}

#[test]
fn a_plain_copy_of_a_destination_becomes_one_by_itself() {
    let person = Person::with_destinations(&["one"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let original = tree(&person.at("one"));
    in_shell("cp -a \"$1\" \"$2\"", &[&person.at("one"), &person.at("two")]);
    let added = person.types(["destination", "add", "two"]).assert_code(0);
    assert!(added.out.contains("plain copy"), "{}", added.out);
    assert_eq!(tree(&person.at("one")), original, "the original is as it was");
    person.types(["sync"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let told = person.types(["status", "--json"]).assert_code(0).objects();
    for state in of_type(&told, "destination_status") {
        assert_eq!((&state["objects_behind"], &state["snapshots_behind"]), (&0.into(), &0.into()));
    }
    for name in ["one", "two"] {
        let mut command = person.command(["--repo", name, "--key-file", "yore.key", "snapshots"]);
        let listed = yore_tests::Yore::finish(command.arg("--json")).assert_code(0).objects();
        assert_eq!(listed.len(), 2, "{name}");
    }
}

#[test]
fn a_repository_that_is_there_already_is_added_with_its_secret() {
    let first = Person::with_destinations(&["one"]);
    let second = Person::new();
    let add = |key: &Path| {
        let mut command = second.command(["destination", "add", "--json"]);
        command.arg(first.at("one")).env("YORE_KEY_FILE", key);
        yore_tests::Yore::finish(&mut command)
    };
    let other = Person::with_destinations(&["x"]);
    add(&other.at("yore.key")).assert_code(12);
    assert!(!second.configuration().exists());
    assert_eq!(add(&first.at("yore.key")).assert_code(0).objects()[0]["found"], "repository");
}

#[test]
fn a_read_only_place_and_a_second_name_of_one_are_refused() {
    needs_root("mount file systems");
    let person = Person::with_destinations(&["one"]);
    let share = person.folder("share", "");
    let bound = person.folder("bound", "");
    in_shell("mount --bind \"$1\" \"$2\"", &[&person.at("one"), &bound]);
    let same = person.types_on("destination add", &bound);
    in_shell("umount \"$1\"", &[&bound]);
    assert!(same.assert_code(2).err.contains("under another name"));
    in_shell("mount -t tmpfs -o ro,size=1m none \"$1\"", &[&share]);
    let before = person.configured();
    let ended = person.types_on("destination add", &share);
    in_shell("umount \"$1\"", &[&share]);
    let ended = ended.assert_code(1);
    assert!(ended.err.contains("read-only"), "{}", ended.err);
    assert_eq!(person.configured(), before);
}

#[test]
fn a_disk_that_is_away_is_normal_and_a_share_that_is_away_is_told() {
    let person = Person::with_destinations(&["one", "two"]);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    std::fs::rename(person.at("two"), person.at("away")).expect("moved");
    for words in [&["backup"][..], &["check"], &["status"]] {
        let ended = person.types(words).assert_code(3);
        assert_eq!(ended.err.matches("no repository at").count(), 1, "{}", ended.err);
        assert!(ended.err.contains("two"), "{}", ended.err);
    }
    // What only reads is whole, and tells it.
    let listed = person.types(["snapshots"]).assert_code(0);
    assert!(listed.err.contains("two"), "{}", listed.err);
    assert!(!person.at("two").exists(), "nothing is made where the share should be");
    person.types(["config", "set", "destination.two.removable", "true"]).assert_code(0);
    for words in [&["backup"][..], &["check"], &["status"], &["snapshots"]] {
        let ended = person.types(words).assert_code(0);
        assert!(ended.err.contains("note: two"), "{}", ended.err);
    }
    let told = person.types(["snapshots", "--json"]).assert_code(0);
    assert!(told.err.contains("\"remark\""), "{}", told.err);
    std::fs::rename(person.at("one"), person.at("gone")).expect("moved");
    let none = person.types(["backup"]).assert_code(10);
    assert!(none.err.contains("one"), "{}", none.err);
    std::fs::rename(person.at("away"), person.at("two")).expect("moved");
    let other = person.types(["backup"]).assert_code(3);
    assert!(other.out.contains("Saved snapshot"), "{}", other.out);
}

#[test]
fn another_repository_at_a_destination_is_never_normal() {
    let person = Person::with_destinations(&["one", "two"]);
    let other = Person::with_destinations(&["theirs"]);
    person.types(["config", "set", "destination.two.removable", "true"]).assert_code(0);
    in_shell("rm -r \"$1\" && cp -a \"$2\" \"$1\"", &[&person.at("two"), &other.at("theirs")]);
    let ended = person.types(["check"]).assert_code(3);
    assert!(ended.err.contains("another repository"), "{}", ended.err);
    // Whichever comes first: the secret opens the other one.
    in_shell(
        "mv \"$1\" \"$1.x\" && mv \"$2\" \"$1\" && mv \"$1.x\" \"$2\"",
        &[&person.at("one"), &person.at("two")],
    );
    let ended = person.types(["check"]).assert_code(3);
    assert!(ended.err.contains("another repository"), "{}", ended.err);
    let mut command = person.command(["check", "--key-file"]);
    let none =
        yore_tests::Yore::finish(command.arg(Person::with_destinations(&["x"]).at("yore.key")));
    none.assert_code(12);
}

#[test]
fn status_tells_of_each_destination_what_it_misses_and_whether_the_copies_suffice() {
    let person = Person::with_destinations(&["one", "two"]);
    let docs = person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    std::fs::rename(person.at("two"), person.at("away")).expect("moved");
    std::fs::write(docs.join("file"), yore_tests::noise(10_000, 7)).expect("a file");
    person.types(["backup"]).assert_code(3);
    let told = person.types(["status", "--json"]).assert_code(3).objects();
    let away = of_type(&told, "destination_status")[1].clone();
    assert_eq!((&away["reachable"], &away["name"]), (&false.into(), &"two".into()));
    assert!(away["last_contact"].is_string() && away["problem"].is_string(), "{away}");
    std::fs::rename(person.at("away"), person.at("two")).expect("moved");
    let told = person.types(["status", "--json"]).assert_code(0).objects();
    let [one, two] = of_type(&told, "destination_status")[..] else { panic!("two") };
    assert_eq!((&one["packs_behind"], &one["snapshots_behind"]), (&0.into(), &0.into()));
    assert_eq!(two["snapshots_behind"], 1, "{two}");
    assert!(two["objects_behind"].as_u64() > two["packs_behind"].as_u64(), "{two}");
    assert!(two["packs_behind"].as_u64().is_some_and(|packs| packs > 0), "{two}");
    assert!(one["free_bytes"].is_u64() && one["create_if_absent"] == true, "{one}");
    let rule = of_type(&told, "copies")[0];
    assert_eq!((&rule["copies"], &rule["off_site"]), (&2.into(), &false.into()));
    assert_eq!((&rule["media"], &rule["satisfied"]), (&1.into(), &false.into()));
    let text = person.types(["status"]).assert_code(0).out;
    assert!(text.contains("behind by 1 snapshot") && text.contains("yore sync"), "{text}");
    person.types(["config", "set", "destination.one.create-if-absent", "false"]).assert_code(0);
    person.types(["status"]).assert_code(0);
}

#[test]
fn three_copies_on_two_media_of_which_one_is_elsewhere_keep_the_rule() {
    let person = Person::new();
    let memory = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    person.types(["config", "set", "key-file", "~/yore.key"]).assert_code(0);
    person.types(["destination", "add", "one"]).assert_code(0);
    let second = memory.path().join("two");
    person.types_on("destination add --offsite", &second).assert_code(0);
    person.types(["init"]).assert_code(0);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let told = person.types(["status", "--json"]).assert_code(0).objects();
    let rule = of_type(&told, "copies")[0];
    assert_eq!((&rule["copies"], &rule["media"]), (&3.into(), &2.into()), "{rule}");
    assert_eq!((&rule["off_site"], &rule["satisfied"]), (&true.into(), &true.into()));
    let text = person.types(["status"]).assert_code(0).out;
    assert!(text.contains("the 3-2-1 rule is kept"), "{text}");
}

#[test]
fn removing_a_destination_forgets_it_and_keeps_its_data() {
    let person = Person::with_destinations(&["one", "two"]);
    let state = tree(&person.at("two"));
    let removed = person.types(["destination", "remove", "two"]).assert_code(0);
    assert!(removed.out.contains("stays there"), "{}", removed.out);
    assert_eq!(tree(&person.at("two")), state);
    let listed = person.types(["destination", "list", "--json"]).assert_code(0).objects();
    assert_eq!(listed.len(), 1);
    let unknown = person.types(["destination", "remove", "two"]).assert_code(2);
    assert!(unknown.err.contains("there are one"), "{}", unknown.err);
}

#[test]
fn each_source_is_a_snapshot_and_one_that_fails_keeps_no_other_from_being_saved() {
    let person = Person::with_destinations(&["one"]);
    let [first, second] = ["first", "second"].map(|name| person.folder(name, name));
    std::fs::write(first.join("left.out"), "x").expect("a file");
    person.types(["source", "add", "first", "--exclude", "*.out", "--tag", "a"]).assert_code(0);
    person.types(["source", "add", "second", "--name", "other"]).assert_code(0);
    let saved = person.types(["backup", "--json"]).assert_code(0).objects();
    let names: Vec<_> = saved.iter().filter_map(|object| object["source"].as_str()).collect();
    assert_eq!(names, ["first", "other"]);
    assert_eq!(saved[0]["left_out"]["by_patterns"], 1);
    std::fs::remove_dir_all(&first).expect("removed");
    let ended = person.types(["backup"]).assert_code(1);
    assert!(ended.err.contains("source first") && ended.out.contains("of other"), "{ended:?}");
    let listed = person.types(["snapshots", "--json"]).assert_code(0).objects();
    let of = |path: &Path| {
        listed.iter().filter(|s| s["sources"][0] == path.to_str().expect("text")).count()
    };
    assert_eq!((of(&first), of(&second)), (1, 2));
    person.types(["backup", "--source", "other", "--tag", "b"]).assert_code(0);
    let unknown = person.types(["backup", "--source", "none"]).assert_code(2);
    assert!(unknown.err.contains("first, other"), "{}", unknown.err);
    person.types(["source", "remove", "first"]).assert_code(0);
    person.types(["backup"]).assert_code(0);
    let twice = person.types(["source", "add", "second", "--name", "other"]).assert_code(2);
    assert!(twice.err.contains("already"), "{}", twice.err);
    assert_eq!(person.types(["source", "add", "absent"]).code, Some(1));
}

#[test]
fn status_shows_the_destinations_when_none_can_be_opened() {
    let person = Person::with_destinations(&["one", "two"]);
    person.types(["config", "set", "destination.two.removable", "true"]).assert_code(0);
    person.types(["status"]).assert_code(0);
    for name in ["one", "two"] {
        std::fs::rename(person.at(name), person.at(&format!("{name} away"))).expect("moved");
    }
    let ended = person.types(["status", "--json"]).assert_code(10);
    let told = ended.objects();
    let states = of_type(&told, "destination_status");
    assert_eq!(states.len(), 2, "{}", ended.out);
    for state in states {
        assert!(state["reachable"] == false && state["last_contact"].is_string(), "{state}");
    }
}

#[test]
fn no_second_repository_is_made_while_the_disk_with_the_first_is_away() {
    let person = Person::with_destinations(&["disk"]);
    person.types(["config", "set", "destination.disk.removable", "true"]).assert_code(0);
    std::fs::rename(person.at("disk"), person.at("away")).expect("moved");
    let refused = person.types(["destination", "add", "second"]).assert_code(10);
    assert!(refused.err.contains("disk"), "{}", refused.err);
    person.configure(&format!(
        "{}\n[[destination]]\nname = \"second\"\nurl = \"{}\"\n",
        person.configured(),
        person.at("second").display()
    ));
    let refused = person.types(["init"]).assert_code(10);
    assert!(refused.err.contains("held the repository before"), "{}", refused.err);
    assert!(!person.at("second").exists());
}
