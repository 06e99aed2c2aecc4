//! What a configuration and options ask of a bucket, and the requests of an unchanged backup there.

use std::fs;

use serde_json::{Value, json};
use yore_tests::{
    Action, BucketAt, FaultyProxy, Moto, Person, Scratch, Yore, noise, print_measured,
};

/// The names of the objects of a bucket below a folder of the repository.
fn names(at: &BucketAt, folder: &str) -> Vec<String> {
    let slash = if at.prefix.is_empty() { "" } else { "/" };
    let prefix = json!({"Prefix": format!("{}{slash}{folder}", at.prefix)});
    let listed = at.s3("list_objects_v2", prefix).expect("it lists");
    let objects = listed["Contents"].as_array().cloned().unwrap_or_default();
    objects.iter().filter_map(|object| object["Key"].as_str().map(str::to_owned)).collect()
}

fn head(at: &BucketAt, key: &str) -> Value {
    at.s3("head_object", json!({"Key": key})).expect("it is there")
}

#[test]
fn the_configuration_gives_a_bucket_its_storage_class_and_credentials() {
    let moto = Moto::shared();
    let at = moto.at("configured");
    let person = Person::new();
    let credentials = json!({
        "Version": 1, "AccessKeyId": at.access, "SecretAccessKey": at.secret,
    });
    fs::write(person.at("credentials.json"), credentials.to_string()).expect("a file");
    person.configure(&format!(
        "key-file = \"~/yore.key\"\n\n[[destination]]\nname = \"bucket\"\nurl = \"{}\"\n\
         storage-class = \"STANDARD_IA\"\ncredentials-command = \"cat {}\"\n",
        at.url(),
        person.at("credentials.json").display()
    ));
    person.folder("docs", "content");
    person.types(["init"]).assert_code(0);
    person.types(["backup", "docs"]).assert_code(0);
    let packs = names(&at, "packs/");
    assert!(!packs.is_empty());
    for pack in packs {
        assert_eq!(head(&at, &pack)["StorageClass"], "STANDARD_IA", "{pack}");
    }
    for snapshot in names(&at, "snapshots/") {
        assert_eq!(head(&at, &snapshot)["StorageClass"], Value::Null, "{snapshot}");
    }
    // A folder has neither.
    let folder = person.configured().replace(&at.url(), "/backup");
    person.configure(&folder);
    let refused = person.types(["config", "show"]).assert_code(2);
    for key in ["storage-class", "credentials-command"] {
        assert!(refused.err.contains(&format!("destination.{key} is for buckets")), "{refused:?}");
    }
}

#[test]
fn sync_extends_the_locks_of_what_is_in_use() {
    let moto = Moto::shared();
    let at = moto.bucket_with_lock("extended");
    let yore = Yore::new();
    let source = yore.scratch.folder("source");
    let source = source.to_str().expect("text");
    let locking = format!("{}&lock=compliance:1d", at.url());
    let run = |url: &str, arguments: &[&str]| {
        Yore::finish(at.command(&yore, arguments).env("YORE_REPO", url))
    };
    run(&locking, &["init"]).assert_code(0);
    for content in ["first", "second"] {
        fs::write(yore.scratch.at("source").join("file"), content).expect("a file");
        run(&locking, &["backup", source]).assert_code(0);
    }
    let snapshots = run(&locking, &["snapshots", "--json"]).assert_code(0).objects();
    let first = snapshots.iter().find(|line| line["type"] == "snapshot").expect("a snapshot");
    let first = first["id"].as_str().expect("an id").to_owned();
    run(&locking, &["forget", &first]).assert_code(0);
    let is_forgotten = |name: &String| name.starts_with("snapshots/") && name.contains(&first);
    let until = |name: &String| head(&at, name)["ObjectLockRetainUntilDate"].to_string();
    let all = names(&at, "");
    let before: Vec<String> = all.iter().map(until).collect();
    let longer = format!("{}&lock=compliance:9d", at.url());
    let ended = run(&longer, &["sync", "--extend-lock", "--json"]).assert_code(0);
    let report = ended.objects().into_iter().find(|line| line["type"] == "locks").expect("locks");
    assert_eq!(report["extended"], all.len() - 1, "{report}");
    for (name, before) in all.iter().zip(before) {
        let is_longer = until(name) != before;
        assert_eq!(is_longer, !is_forgotten(name), "{name}: {before}, {}", until(name));
    }
    // A shorter period shortens nothing, and says what counts.
    let ended = run(&locking, &["sync", "--extend-lock"]).assert_code(0);
    assert!(ended.err.contains("locked until") || ended.out.contains("locked until"), "{ended:?}");
    assert!(all.iter().all(|name| until(name) != "null"));
    let without = run(&at.url(), &["sync", "--extend-lock"]).assert_code(2);
    assert!(without.err.contains("lock=compliance:30d"), "{}", without.err);
}

#[test]
fn prune_says_what_is_locked_and_until_when_and_keeps_it() {
    let moto = Moto::shared();
    let at = moto.bucket_with_lock("pruned");
    let yore = Yore::new();
    let source = yore.scratch.folder("source");
    let words = ["backup", source.to_str().expect("text")];
    let locking = format!("{}&lock=governance:5d", at.url());
    let run =
        |arguments: &[&str]| Yore::finish(at.command(&yore, arguments).env("YORE_REPO", &locking));
    run(&["init"]).assert_code(0);
    for seed in [1, 2] {
        fs::write(source.join("file"), noise(2_000_000, seed)).expect("a file");
        run(&words).assert_code(0);
    }
    let listed = run(&["snapshots", "--json"]).assert_code(0).objects();
    let first = listed[0]["id"].as_str().expect("an id").to_owned();
    run(&["forget", &first]).assert_code(0);
    // The first prune marks what is to be deleted; the next one may, but for the lock.
    let before = names(&at, "packs/");
    let mut said = String::new();
    for _ in 0..2 {
        let ended = run(&["prune", "--grace", "0"]);
        assert!(matches!(ended.code, Some(0 | 3)), "{ended:?}");
        said = ended.out + &ended.err;
    }
    assert!(said.contains("locked by the destination until"), "{said}");
    assert!(before.iter().all(|name| names(&at, "packs/").contains(name)), "nothing is deleted");
    run(&["check", "--read-data"]).assert_code(0);
}

#[test]
fn an_unchanged_backup_finds_that_in_at_most_six_requests() {
    let moto = Moto::shared();
    let at = moto.at("unchanged");
    let yore = Yore::new();
    // A folder above it that changes would change the root tree.
    let quiet = Scratch::in_quiet_place();
    let source = quiet.folder("source");
    fs::write(source.join("file"), "content").expect("a file");
    let relay = FaultyProxy::start(&at.endpoint, |_| Action::Relay);
    let at = at.through(&relay.endpoint());
    let run = |words: &[&str]| Yore::finish(&mut at.command(&yore, words)).assert_code(0);
    run(&["init"]);
    let backup = ["backup", source.to_str().expect("text")];
    run(&backup);
    run(&backup);
    let before = relay.seen().len();
    run(&backup);
    let seen = relay.seen().split_off(before);
    let lines: Vec<String> =
        seen.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    let found = seen.iter().position(|request| request.method == "PUT").expect("a session");
    print_measured(format!(
        "an unchanged backup to a bucket: {} requests, {found} of them before it writes",
        seen.len()
    ));
    assert!(found <= 4, "{lines:#?}");
    // Of these, some are sent at once.
    assert!(seen.len() <= 12, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("packs/")), "{lines:#?}");
}
