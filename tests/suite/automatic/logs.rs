//! The log: what is in it, where it goes, and what must never be in it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use yore_tests::{MessageSink, MountedAt, Person, Yore, in_shell, needs_root, noise};

fn person(destinations: &[&str]) -> Person {
    let person = Person::with_destinations(destinations);
    person.folder("docs", "x");
    person.types(["source", "add", "docs"]).assert_code(0);
    person
}

/// Makes a person who logs to files of JSON, all that there is.
fn logging(destinations: &[&str]) -> Person {
    let person = person(destinations);
    for (key, value) in [("log.to", "file"), ("log.format", "json"), ("log.level", "debug")] {
        person.types(["config", "set", key, value]).assert_code(0);
    }
    // It has lines of the other form.
    fs::remove_file(folder(&person).join("log-default.log")).expect("it is there");
    person
}

/// Adds lines to the configuration.
fn add(person: &Person, lines: &str) {
    person.configure(&format!("{}\n{lines}\n", person.configured()));
}

fn folder(person: &Person) -> PathBuf {
    person.at(".local/state/yore")
}

fn log(person: &Person) -> String {
    fs::read_to_string(folder(person).join("log-default.log")).expect("a log")
}

fn entries(person: &Person) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    log(person).lines().map(parse).collect()
}

fn of<'e>(entries: &'e [Value], message: &str) -> Vec<&'e Value> {
    entries.iter().filter(|entry| entry["message"] == message).collect()
}

#[test]
fn a_run_is_logged_with_its_facts_and_nothing_more_is_printed() {
    let person = logging(&["one", "two"]);
    let web = MessageSink::http();
    let url = format!("http://127.0.0.1:{}/x", web.port);
    add(&person, &format!("[[alert]]\nname = \"web\"\nwebhook = \"{url}\""));
    let quiet = person.types(["backup", "--quiet"]).assert_code(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let first = entries(&person);
    let saved = of(&first, "source saved");
    let history = person.types(["history", "--json"]).assert_code(0).objects();
    assert_eq!(saved[0]["snapshot"], history[0]["sources"][0]["snapshot"], "{saved:?}");
    assert_eq!((&saved[0]["files"], &saved[0]["source"]), (&1.into(), &"docs".into()));
    let ends = of(&first, "run ends");
    assert_eq!((&ends[0]["result"], &ends[0]["level"]), (&"success".into(), &"info".into()));
    assert_eq!(of(&first, "run begins").len(), 1);
    // A destination that is away, a file that can't be read, and a message that tells it.
    fs::rename(person.at("two"), person.at("away")).expect("it is there");
    person.folder("docs", "changed");
    person.types(["backup"]).assert_code(3);
    let second = entries(&person);
    let partial: Vec<_> =
        of(&second, "run ends").into_iter().filter(|e| e["result"] == "partial").collect();
    assert_eq!((partial.len(), &partial[0]["level"]), (1, &"warning".into()), "{partial:?}");
    assert!(second.iter().any(|e| e["subject"] == "two" && e["level"] == "warning"), "{second:?}");
    assert_eq!(of(&second, "alert sent").len(), 1, "{second:?}");
    // Back again: it is caught up.
    fs::rename(person.at("away"), person.at("two")).expect("it is there");
    person.types(["backup"]).assert_code(0);
    let third = entries(&person);
    let caught_up = of(&third, "destination caught up");
    let title = caught_up[0]["destination"].as_str().expect("a title");
    assert!(title.starts_with("two "), "{title}");
    // What is damaged at one destination is healed from the other.
    let packs = in_shell("find \"$1/packs\" -type f | sort", &[&person.at("two")]);
    for pack in packs.lines() {
        fs::write(pack, noise(fs::metadata(pack).expect("a pack").len() as usize, 1))
            .expect("damaged");
    }
    person.types(["sync", "--read-data"]).assert_code(0);
    assert_eq!(of(&entries(&person), "damage healed from another destination").len(), 1);
    let mode = in_shell("stat -c %a \"$1\"", &[&folder(&person).join("log-default.log")]);
    assert_eq!(mode.trim(), "600");
}

#[test]
fn each_profile_has_a_log_and_none_is_made_where_none_is_wanted() {
    let person = logging(&["one"]);
    let other = person.configuration().with_file_name("work.toml");
    fs::copy(person.configuration(), other).expect("a second profile");
    person.types(["--profile", "work", "backup"]).assert_code(0);
    assert!(folder(&person).join("log-work.log").exists());
    person.types(["backup"]).assert_code(0);
    let before = log(&person);
    person.types(["config", "set", "log.to", "none"]).assert_code(0);
    let after = log(&person);
    person.types(["backup"]).assert_code(0);
    assert_eq!(log(&person), after);
    assert!(after.starts_with(&before));
    let wrong = person.types(["config", "set", "log.level", "loud"]).assert_code(2);
    assert!(wrong.err.contains("error, warning, info, debug"), "{}", wrong.err);
}

/// Everything that is secret is given by each way that there is, at the level that logs most.
#[test]
fn no_secret_and_no_content_is_ever_logged() {
    let person = logging(&["one"]);
    let secrets =
        ["Xq7-passphrase", "Xq7-wrong", "Xq7-token", "Xq7-path", "Xq7-url", "Xq7-content"];
    let token = person.at("token");
    fs::write(&token, secrets[2]).expect("a file");
    let web = MessageSink::broken_http();
    let url = "http://127.0.0.1:1/Xq7-path";
    person.types(["config", "set", "healthcheck.url", url]).assert_code(0);
    let (token, port) = (token.display(), web.port);
    let url = format!("http://user:Xq7-path@127.0.0.1:{port}/Xq7-path?token=Xq7-path");
    add(
        &person,
        &format!("[[alert]]\nname = \"web\"\ntoken-file = \"{token}\"\nwebhook = \"{url}\""),
    );
    add(&person, "[[alert]]\nname = \"no\"\nwebhook = \"http://:Xq7-path:/ Xq7-path\"");
    person.folder("docs", secrets[5]);
    person.types(["backup"]);
    person.types(["alert", "test"]).assert_code(1);
    person.types(["key", "add", "--passphrase", "--password-command", "echo Xq7-passphrase"]);
    let with = |name: &str, value: &str, words: &[&str]| {
        Yore::finish(person.command(words).env(name, value));
    };
    with(
        "YORE_PASSWORD",
        secrets[1],
        &["--repo", person.at("one").to_str().expect("UTF-8"), "check"],
    );
    with(
        "YORE_PASSWORD_COMMAND",
        "echo Xq7-wrong; exit 3",
        &["restore", "latest", "--target", "x"],
    );
    let far = "sftp://me:Xq7-url@127.0.0.1:1/yore";
    for words in [
        &["--repo", far, "backup", "docs"][..],
        &["--repo", "s3://Xq7-url:Xq7-url@bucket/x?secret=Xq7-url", "backup", "docs"],
        &["destination", "add", far],
        &["config", "set", "key-file", "Xq7-url"],
        &["backup", "--command", "echo Xq7-content; exit 3; # Xq7-url", "--name", "x"],
        &["backup", "--command", "no-such-program Xq7-url", "--name", "x"],
        &["restore", "latest:Xq7-content"],
    ] {
        person.types(words);
    }
    person.types(["config", "set", "hooks.before", "exit 3 # Xq7-url"]).assert_code(0);
    person.types(["backup"]).assert_code(1);
    let key = fs::read_to_string(person.at("yore.key")).expect("the key file");
    let log = log(&person);
    assert!(log.lines().count() > 20, "{log}");
    for secret in secrets.iter().copied().chain(key.lines().filter(|line| line.len() > 8)) {
        // What a person names is no secret, and what it says is not logged.
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn a_full_disk_under_the_log_does_not_concern_the_backup() {
    needs_root("mount a file system");
    let person = logging(&["one"]);
    let disk = person.at("state");
    fs::create_dir(&disk).expect("a folder");
    in_shell("mount -t tmpfs -o size=1m,mode=0700 tmpfs \"$1\"", &[&disk]);
    let _mounted = MountedAt::new(&disk);
    let back_up = || Yore::finish(person.command(["backup"]).env("YORE_STATE_DIR", &disk));
    back_up().assert_code(0);
    let log = disk.join("log-default.log");
    // The rest of its last page is filled, too.
    let fill = "dd if=/dev/zero of=\"$1/full\" bs=1k 2> /dev/null
                dd if=/dev/zero bs=1 count=4096 2> /dev/null >> \"$1/log-default.log\"; true";
    in_shell(fill, &[&disk]);
    let before = fs::metadata(&log).expect("a log").len();
    person.folder("docs", "changed");
    back_up().assert_code(0);
    assert_eq!(fs::metadata(&log).expect("a log").len(), before, "the disk is full");
    fs::remove_file(disk.join("full")).expect("it is there");
    back_up().assert_code(0);
    let text = fs::read_to_string(&log).expect("a log");
    let lines = text.lines().filter(|line| !line.contains('\0'));
    let entries: Vec<Value> =
        lines.map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(of(&entries, "run ends").len(), 2, "{text}");
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), 3);
}

/// A real journald in a mount namespace of its own takes the entries, and its own program reads them.
#[test]
fn the_journal_of_the_system_gets_the_log_where_there_is_one() {
    needs_root("start a journal");
    let person = person(&["one"]);
    let before = log(&person);
    let backup = person.command(["backup"]);
    let script = r#"
        set -e
        mount -t tmpfs tmpfs /run
        mkdir -p /run/systemd/journal /run/log/journal
        /usr/lib/systemd/systemd-journald > "$2/journald" 2>&1 &
        journald=$!
        for i in $(seq 300); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
        "$1" backup
        rm -r "$2/docs"
        "$1" backup || true
        journalctl --sync
        journalctl --directory /run/log/journal -o json SYSLOG_IDENTIFIER=yore > "$2/entries"
        kill $journald
    "#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", script, "bash"]).arg(backup.get_program());
    command.arg(person.at("")).current_dir(person.at("")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(backup.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let ended = command.output().expect("unshare runs");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let text = fs::read_to_string(person.at("entries")).expect("the entries");
    let entries: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    let ends: Vec<&Value> =
        entries.iter().filter(|entry| entry["YORE_RESULT"].is_string()).collect();
    assert_eq!(ends.len(), 2, "{text}");
    let message = ends[0]["MESSAGE"].as_str().expect("a text");
    assert!(message.starts_with("run ends run=backup result=success exit=0 "), "{message}");
    assert_eq!((&ends[0]["PRIORITY"], &ends[0]["YORE_PROFILE"]), (&"6".into(), &"default".into()));
    assert_eq!((&ends[1]["YORE_RESULT"], &ends[1]["PRIORITY"]), (&"failure".into(), &"3".into()));
    assert_eq!(ends[0]["_TRANSPORT"], "journal");
    assert_eq!(log(&person), before, "nothing goes to the file");
}
