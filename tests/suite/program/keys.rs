//! `yore key`: secrets that are added, replaced and removed.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;
use yore_tests::{Ended, Person, Yore, on_terminal};

const STRONG: &str = "correct kettle violin marmot";
const OTHER: &str = "purple anchor lemon gravity";

/// Opens a repository with one variable, and no other secret.
fn open(yore: &Yore, variable: &str, value: &str) -> Ended {
    let mut command = yore.bare_command(["snapshots"]);
    Yore::finish(command.env("YORE_REPO", yore.repository()).env(variable, value))
}

/// Returns the objects of a type that a command printed.
fn objects(ended: &Ended, kind: &str) -> Vec<Value> {
    ended.objects().into_iter().filter(|object| object["type"] == kind).collect()
}

/// Returns what opens the repository: kind and label of each, in order.
fn keys(yore: &Yore) -> Vec<(String, String)> {
    let listed = yore.run(["key", "list", "--json"]).assert_code(0);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    objects(&listed, "key").iter().map(|key| (text(&key["kind"]), text(&key["label"]))).collect()
}

/// Returns the beginning of the id of the key with a label.
fn id(yore: &Yore, label: &str) -> String {
    let listed = yore.run(["key", "list", "--json"]).assert_code(0);
    let all = objects(&listed, "key");
    let found = all.iter().find(|key| key["label"] == label).expect("it is listed");
    found["id"].as_str().expect("an id")[..8].to_owned()
}

fn write(yore: &Yore, name: &str, text: &str) -> String {
    let path = yore.scratch.at(name);
    fs::write(&path, format!("{text}\n")).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}

fn assert_private(path: &Path) {
    let mode = yore_platform::path_metadata(path).expect("the file").mode;
    assert_eq!(mode.map(|mode| mode & 0o777), Some(0o600));
}

#[test]
fn an_added_key_of_each_kind_opens_the_repository() {
    let yore = Yore::with_repository();
    let passphrase = write(&yore, "passphrase", STRONG);
    let words = ["key", "add", "--passphrase", "--new-password-file", &passphrase];
    let added = yore.run([&words[..], &["--label", "me", "--json"]].concat()).assert_code(0);
    let [added] = &*objects(&added, "key_added") else { panic!("{added:?}") };
    assert_eq!((&added["kind"], &added["missing"]), (&"passphrase".into(), &Value::Array(vec![])));
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(0);
    let made = yore.scratch.at("second.key");
    let path = made.to_str().expect("UTF-8");
    yore.run(["key", "add", "--key-file", path, "--label", "server"]).assert_code(0);
    assert_private(&made);
    open(&yore, "YORE_KEY_FILE", path).assert_code(0);
    let refused = yore.run(["key", "add", "--key-file", path]).assert_code(1);
    assert!(refused.err.contains("not overwritten"), "{}", refused.err);
    let exported = yore.scratch.at("exported.key");
    yore.run_on("key export", &[&exported]).assert_code(0);
    assert_private(&exported);
    open(&yore, "YORE_KEY_FILE", exported.to_str().expect("UTF-8")).assert_code(0);
    let recovery = yore.run(["key", "recovery", "--json"]).assert_code(0);
    let key = objects(&recovery, "key_added")[0]["recovery_key"].as_str().map(str::to_owned);
    open(&yore, "YORE_PASSWORD", &key.expect("a key")).assert_code(0);
    let kinds: Vec<(String, String)> = keys(&yore);
    for expected in [("passphrase", "me"), ("key_file", "server"), ("key_file", "export")] {
        assert!(kinds.contains(&(expected.0.into(), expected.1.into())), "{kinds:?}");
    }
    assert_eq!(kinds.len(), 6, "with those of init: {kinds:?}");
    let shown = yore.run(["key", "list"]).assert_code(0).out;
    let this_one: Vec<&str> = shown.lines().filter(|line| line.contains("this one")).collect();
    assert!(this_one.len() == 1 && this_one[0].contains("key file"), "{shown}");
    yore.assert_sound();
}

#[test]
fn the_key_file_that_opens_is_named_before_the_command_and_the_new_one_after_it() {
    let yore = Yore::with_repository();
    let (old, new) = (yore.key_file(), yore.scratch.at("new.key"));
    let (old, new) = (old.to_str().expect("UTF-8"), new.to_str().expect("UTF-8"));
    let repository = yore.repository();
    let run = |words: &[&str]| Yore::finish(yore.bare_command(words).env("YORE_REPO", &repository));
    run(&["--key-file", old, "key", "add", "--key-file", new]).assert_code(0);
    let third = format!("{new}3");
    run(&["key", "add", "--opened-by", new, "--key-file", &third]).assert_code(0);
    run(&["--key-file", &third, "snapshots"]).assert_code(0);
    run(&["key", "add", "--passphrase", "--key-file", old]).assert_code(2);
    let inside = repository.join("key");
    let inside = inside.to_str().expect("UTF-8");
    run(&["--key-file", old, "key", "export", inside]).assert_code(2);
    assert!(!repository.join("key").exists());
}

#[test]
fn a_new_passphrase_replaces_the_old_one() {
    let yore = Yore::new();
    let make = |words: &[&str], passphrase: &str| {
        let mut command = yore.bare_command(words);
        command.env("YORE_REPO", yore.repository()).env("YORE_PASSWORD", passphrase);
        command
    };
    Yore::finish(&mut make(&["init"], STRONG)).assert_code(0);
    let file = write(&yore, "new", OTHER);
    let words = ["key", "passwd", "--new-password-file", &file, "--json"];
    let changed = Yore::finish(&mut make(&words, STRONG)).assert_code(0);
    let (added, removed) = (objects(&changed, "key_added"), objects(&changed, "key_removed"));
    assert_eq!((added.len(), removed.len()), (1, 1));
    assert_eq!(
        (&added[0]["label"], &removed[0]["label"]),
        (&"passphrase".into(), &"passphrase".into())
    );
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(12);
    open(&yore, "YORE_PASSWORD", OTHER).assert_code(0);
    // Nothing is changed by what can't be a passphrase, and where nobody can type one.
    for text in ["", "\n"] {
        let file = write(&yore, "empty", text);
        let words = ["key", "passwd", "--new-password-file", &file];
        Yore::finish(&mut make(&words, OTHER)).assert_code(2);
    }
    let ended = Yore::finish(&mut make(&["key", "passwd"], OTHER)).assert_code(2);
    assert!(ended.err.contains("--new-password-file"), "{}", ended.err);
    // On a terminal it is asked for twice, and a weak one is told.
    let command = make(&["--no-progress", "key", "passwd"], OTHER);
    let shown = on_terminal(100, &command, "short\nother\n").assert_code(1).out;
    assert!(shown.contains("differ"), "{shown}");
    let shown = on_terminal(100, &command, "short\nshort\n").assert_code(0).out;
    assert!(shown.contains("5 characters"), "{shown}");
    open(&yore, "YORE_PASSWORD", "short").assert_code(0);
    Yore::finish(&mut make(&["check", "--read-data"], "short")).assert_code(0);
}

#[test]
fn the_only_passphrase_is_replaced_whatever_opened_the_repository() {
    let yore = Yore::with_repository();
    let (first, second) = (write(&yore, "first", STRONG), write(&yore, "second", OTHER));
    let none = yore.run(["key", "passwd", "--new-password-file", &first]).assert_code(1);
    assert!(none.err.contains("key add --passphrase"), "{}", none.err);
    yore.run(["key", "add", "--new-password-file", &first, "--label", "one"]).assert_code(0);
    yore.run(["key", "passwd", "--new-password-file", &second]).assert_code(0);
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(12);
    open(&yore, "YORE_PASSWORD", OTHER).assert_code(0);
    yore.run(["key", "add", "--new-password-file", &first, "--label", "two"]).assert_code(0);
    let several = yore.run(["key", "passwd", "--new-password-file", &first]).assert_code(2);
    assert!(several.err.contains("one") && several.err.contains("two"), "{}", several.err);
    let two = id(&yore, "two");
    yore.run(["key", "passwd", &two, "--new-password-file", &second]).assert_code(0);
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(12);
}

#[test]
fn keys_are_removed_by_the_beginnings_of_their_ids_but_for_the_last() {
    let yore = Yore::with_repository();
    let recovery = id(&yore, "recovery key");
    let refused = yore.run(["key", "remove", &recovery]).assert_code(1);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    yore.run(["key", "remove", &recovery, "--force"]).assert_code(0);
    let last = id(&yore, "key file");
    let refused = yore.run(["key", "remove", &last, "--force"]).assert_code(1);
    assert!(refused.err.contains("nothing would open"), "{}", refused.err);
    yore.run(["key", "remove", "zz"]).assert_code(2);
    yore.run(["key", "remove", ""]).assert_code(2);
    // Of 17 ids two begin with the same digit.
    let mut made = Vec::new();
    for number in 0..16 {
        made.push(yore.scratch.at(&format!("key {number}")));
        yore.run_on("key export", &[&made[number]]).assert_code(0);
    }
    let listed = yore.run(["key", "list", "--json"]).assert_code(0);
    let all = objects(&listed, "key");
    let firsts = all.iter().filter_map(|key| key["id"].as_str()).map(|id| id[..1].to_owned());
    let twice = firsts.clone().find(|one| firsts.clone().filter(|other| other == one).count() > 1);
    let ended = yore.run(["key", "remove", &twice.expect("two of them")]).assert_code(2);
    assert!(ended.err.contains("several keys"), "{}", ended.err);
    assert!(ended.err.matches("export").count() >= 1, "the candidates: {}", ended.err);
    assert_eq!(keys(&yore).len(), 17, "nothing was removed");
    let mut exported = all.iter().filter(|key| key["label"] == "export");
    let mut next = || exported.next().and_then(|key| key["id"].as_str()).expect("an id");
    let (one, two) = (next(), next());
    yore.run(["key", "remove", &one[..20], &one[..30], two]).assert_code(0);
    assert_eq!(keys(&yore).len(), 15);
    yore.assert_sound();
}

#[test]
fn a_question_is_asked_on_a_terminal_before_keys_are_removed() {
    let yore = Yore::with_repository();
    yore.run(["key", "recovery", "--label", "second"]).assert_code(0);
    let (one, two) = (id(&yore, "recovery key"), id(&yore, "second"));
    let command = |id: &str| yore.command(["--no-progress", "key", "remove", id]);
    let shown = on_terminal(100, &command(&one), "n\n").assert_code(1).out;
    assert!(shown.contains("Remove 1 key?") && shown.contains(&one), "{shown}");
    assert_eq!(keys(&yore).len(), 3);
    on_terminal(100, &command(&one), "y\n").assert_code(0);
    let shown = on_terminal(100, &command(&two), "y\nn\n").assert_code(1).out;
    assert!(shown.contains("Only key files"), "{shown}");
    assert_eq!(keys(&yore).len(), 2);
    on_terminal(100, &command(&two), "y\ny\n").assert_code(0);
    assert_eq!(keys(&yore).len(), 1);
}

#[test]
fn the_page_to_print_holds_a_key_that_opens_and_the_earlier_key_does_not() {
    let yore = Yore::new();
    let made = yore.run(["init", "--json"]).assert_code(0);
    let old = made.objects()[0]["recovery_key"].as_str().expect("a key").to_owned();
    let page = yore.scratch.at("page.html");
    let words = ["key", "recovery", "--replace", "--page", page.to_str().expect("UTF-8")];
    let shown = yore.run(words).assert_code(0).out;
    assert_private(&page);
    let html = fs::read_to_string(&page).expect("UTF-8");
    let key = html.split("<p class=\"key\">").nth(1).and_then(|rest| rest.split('<').next());
    let key = key.expect("the key").to_owned();
    assert!(shown.contains(&key), "{shown}");
    open(&yore, "YORE_PASSWORD", &key).assert_code(0);
    open(&yore, "YORE_PASSWORD", &old).assert_code(12);
    let id = made.objects()[0]["id"].as_str().expect("an id").to_owned();
    let location = yore.repository();
    for part in [&id, location.to_str().expect("UTF-8"), "<svg", "yore --repo", "restore latest"] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let before = keys(&yore);
    yore.run(words).assert_code(1);
    assert_eq!(keys(&yore), before, "no key is made for a page that can't be written");
    assert_eq!(fs::read_to_string(&page).expect("UTF-8"), html);
    yore.assert_sound();
}

#[test]
fn a_removed_key_opens_a_destination_that_was_away_until_that_is_reached() {
    let person = Person::with_destinations(&["one", "two"]);
    let recovery = |code| {
        let made = person.types(["key", "recovery", "--replace", "--json"]).assert_code(code);
        let key = objects(&made, "key_added")[0]["recovery_key"].as_str().map(str::to_owned);
        (key.expect("a key"), made)
    };
    let opens = |name: &str, key: &str| {
        let mut command = person.command(["--repo", name, "snapshots"]);
        Yore::finish(command.env("YORE_PASSWORD", key)).code == Some(0)
    };
    let (first, made) = recovery(0);
    assert_eq!(objects(&made, "key_removed")[0]["still_opens"], Value::Array(vec![]));
    fs::rename(person.at("two"), person.at("away")).expect("moved");
    let (second, made) = recovery(3);
    assert!(made.err.contains("still opens it until"), "{}", made.err);
    let left = objects(&made, "key_removed")[0]["still_opens"].to_string();
    assert!(left.contains("two"), "{left}");
    fs::rename(person.at("away"), person.at("two")).expect("moved back");
    assert!(opens("two", &first) && !opens("two", &second));
    assert!(!opens("one", &first) && opens("one", &second));
    let listed = person.types(["key", "list"]).assert_code(0).out;
    assert!(listed.contains("removed, and still opens two"), "{listed}");
    let synced = person.types(["sync", "--json"]).assert_code(0);
    let removed: Vec<_> =
        objects(&synced, "sync").iter().map(|s| s["removed_keys"].clone()).collect();
    assert!(removed.contains(&1.into()), "{removed:?}");
    for name in ["one", "two"] {
        assert!(!opens(name, &first) && opens(name, &second), "{name}");
    }
    let again = person.types(["sync"]).assert_code(0).out;
    assert_eq!(again.matches("up to date").count(), 2, "{again}");
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn after_a_change_of_the_keys_only_the_named_secrets_open_and_everything_is_read() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("old"), "old").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let passphrase = write(&yore, "passphrase", STRONG);
    let kept = yore.scratch.at("kept.key");
    let kept = kept.to_str().expect("UTF-8");
    yore.run(["key", "add", "--passphrase", "--new-password-file", &passphrase]).assert_code(0);
    yore.run(["key", "add", "--key-file", kept, "--label", "server"]).assert_code(0);
    // Nobody is asked here, so the others have to be given up by a word.
    let refused = yore.run(["key", "rotate"]).assert_code(1);
    assert!(refused.err.contains("nothing was changed") && refused.err.contains("passphrase"));
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(0);
    let rotated =
        yore.run(["key", "rotate", "--keep-key-file", kept, "--yes", "--json"]).assert_code(0);
    let added = objects(&rotated, "key_added");
    assert_eq!(added.len(), 3, "{added:?}");
    let recovery = added.iter().find_map(|key| key["recovery_key"].as_str()).expect("it is shown");
    open(&yore, "YORE_PASSWORD", recovery).assert_code(0);
    open(&yore, "YORE_KEY_FILE", kept).assert_code(0);
    open(&yore, "YORE_PASSWORD", STRONG).assert_code(12);
    fs::write(source.join("new"), yore_tests::noise(200_000, 4)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    yore.assert_sound();
    let target = yore.scratch.at("restored");
    yore.run(["restore", "latest", "--target", target.to_str().expect("UTF-8")]).assert_code(0);
    let restored = target.join(source.strip_prefix("/").expect("absolute"));
    for name in ["old", "new"] {
        assert_eq!(fs::read(restored.join(name)).ok(), fs::read(source.join(name)).ok(), "{name}");
    }
    // Prune seals anew what it moves.
    yore.run(["forget", "latest~1"]).assert_code(0);
    yore.run(["prune", "--max-unused", "0", "--grace", "0"]).assert_code(0);
    yore.assert_sound();
    let own = yore.key_file();
    let secret = [OsStr::new("--key-file"), own.as_os_str()];
    assert_eq!(yore_tests::reader(&yore.repository(), secret, &["list"]).len(), 1);
}
