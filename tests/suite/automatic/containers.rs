//! Volumes and databases of containers: a real Podman, with files of its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use yore_tests::{DatabaseServer, Disk, Ended, Person, Podman, Yore, in_shell};

/// Types a command of a person's who uses Podman.
fn types(podman: &Podman, person: &Person, words: &[&str]) -> Ended {
    Yore::finish(person.command(words).envs(podman.environment.clone()))
}

/// A program that counts in two files, and never empties them.
const COUNTS: &str = "n=0; while :; do n=$((n + 1)); printf %08d $n 1<> /data/first; printf %08d $n 1<> /data/last; done";

fn person() -> (Person, Podman) {
    let person = Person::with_destinations(&["disk"]);
    let podman = Podman::new(&person.yore.scratch.folder("podman"));
    person.configure(&format!(
        "{}\n[[source]]\nname = \"shop\"\nkind = \"docker\"\nvolumes = [\"uploads\"]\nprogram = \"podman\"\n",
        person.configured()
    ));
    in_shell("chmod 600 \"$1\"", &[&person.configuration()]);
    (person, podman)
}

fn set(person: &Person, key: &str, value: &str) {
    person.types(["config", "set", &format!("source.shop.{key}"), value]).assert_code(0);
}

fn restored(person: &Person, path: &str, to: &str) -> PathBuf {
    let target = person.yore.scratch.folder(to);
    let words = ["restore", &format!("latest:{path}"), "--target", target.to_str().expect("UTF-8")];
    person.types(words).assert_code(0);
    target
}

fn numbers(folder: &Path) -> (u64, u64) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file");
    let number = |name: &str| read(name).trim().parse().expect("a number");
    (number("first"), number("last"))
}

fn report(ended: &Ended) -> Value {
    ended.objects().into_iter().find(|object| object["type"] == "backup").expect("a backup")
}

#[test]
fn volumes_are_saved_by_their_names_and_restored_into_a_new_one() {
    let (person, podman) = person();
    let script = "echo picture > /data/1.jpg; : > /data/ready; /bin/busybox sleep 1000";
    podman.container("app", "uploads", script);
    podman.run(&["volume", "create", "config"]);
    let folder = podman.graph.join("volumes/config/_data");
    in_shell(
        "mkdir \"$1/sub\" && echo 'debug = false' > \"$1/sub/app.toml\" && touch \"$1/x.tmp\"",
        &[&folder],
    );
    in_shell(
        "until [ -e \"$1\" ]; do sleep 0.01; done; sleep 4",
        &[&podman.graph.join("volumes/uploads/_data/ready")],
    );
    person.types(["config", "set", "source.shop.volumes", "uploads", "config"]).assert_code(0);
    set(&person, "exclude", "config/*.tmp");
    set(&person, "retention.last", "1");
    set(&person, "retention.auto", "true");
    let first = report(&types(&podman, &person, &["backup", "--json"]).assert_code(0));
    assert_eq!(first["totals"]["files"], 3, "without x.tmp: {first}");
    in_shell("sleep 4", &[]);
    let again = report(&types(&podman, &person, &["backup", "--json"]).assert_code(0));
    assert_eq!(again["totals"]["files"], 3);
    assert_eq!(again["totals"]["changed_files"], 0, "{again}");
    assert_eq!(
        person.types(["snapshots", "--json"]).assert_code(0).objects().len(),
        1,
        "its rules hold"
    );
    let listed = person.types(["ls", "latest:/shop"]).assert_code(0).out;
    assert!(listed.contains("uploads") && listed.contains("config"), "{listed}");
    // Into a new volume, as the documents say.
    podman.run(&["volume", "create", "again"]);
    let place = podman.run(&["volume", "inspect", "--format", "{{.Mountpoint}}", "again"]);
    let target = restored(&person, "/shop/config", "volumes");
    in_shell("cp -a \"$1/config/.\" \"$2\"", &[&target, Path::new(&place)]);
    let words = [
        "run",
        "--rm",
        "--volume",
        "again:/data",
        "localhost/tools",
        "/bin/busybox",
        "cat",
        "/data/sub/app.toml",
    ];
    assert_eq!(podman.run(&words), "debug = false");
    let sources = person.types(["source", "list"]).assert_code(0).out;
    assert!(sources.contains("volume uploads, volume config"), "{sources}");
    // A message names the folder, where a person can look.
    fs::remove_dir_all(podman.graph.join("volumes/config/_data")).expect("it is removed");
    let gone = types(&podman, &person, &["backup"]).assert_code(1);
    assert!(gone.err.contains("volumes/config/_data"), "{}", gone.err);
    person.types(["check", "--read-data"]).assert_code(0);
}

#[test]
fn containers_stand_still_while_their_volumes_are_read_and_go_on() {
    let (person, podman) = person();
    podman.container("counter", "uploads", COUNTS);
    podman.container("other", "others", "/bin/busybox sleep 1000");
    set(&person, "containers", "pause");
    // The files change while it reads them.
    let dry = types(&podman, &person, &["backup", "--dry-run"]);
    assert!(matches!(dry.code, Some(0 | 3)), "{dry:?}");
    assert!(!podman.events("counter").contains(&"pause".to_owned()), "a dry run leaves it alone");
    types(&podman, &person, &["backup"]).assert_code(0);
    let (first, last) = numbers(&restored(&person, "/shop/uploads", "paused").join("uploads"));
    assert!(first == last || first == last + 1, "{first} and {last}");
    assert_eq!(podman.status("counter"), "running");
    let events = podman.events("counter");
    assert!(events.ends_with(&["pause".to_owned(), "unpause".to_owned()]), "{events:?}");
    set(&person, "containers", "stop");
    types(&podman, &person, &["backup"]).assert_code(0);
    assert_eq!(podman.status("counter"), "running");
    assert!(
        podman.events("counter").contains(&"died".to_owned()),
        "{:?}",
        podman.events("counter")
    );
    let others = podman.events("other");
    assert!(!others.iter().any(|event| event == "pause" || event == "died"), "{others:?}");
    // One that was stopped before stays so.
    podman.run(&["stop", "--time", "0", "counter"]);
    types(&podman, &person, &["backup"]).assert_code(0);
    assert_eq!(podman.status("counter"), "exited");
}

#[test]
fn with_a_snapshot_of_the_file_system_containers_stand_still_for_that_alone() {
    let person = Person::with_destinations(&["disk"]);
    let mut disk = Disk::new(&person.yore.scratch, 512, "mkfs.btrfs -q");
    let top = person.yore.scratch.at("data");
    disk.mount(&top);
    let podman = Podman::new(&top);
    podman.container("counter", "uploads", COUNTS);
    let words = ["source", "add", "--kind", "docker", "--volume", "uploads", "--name", "shop"];
    types(
        &podman,
        &person,
        &[&words[..], &["--containers", "pause", "--snapshot", "btrfs"]].concat(),
    );
    set(&person, "program", "podman");
    let status = "podman inspect --format '{{.State.Status}}' counter >> ~/log";
    set(&person, "hooks.snapshot-after", status);
    types(&podman, &person, &["backup"]).assert_code(0);
    let folder = restored(&person, "/shop/uploads", "frozen").join("uploads");
    let (first, last) = numbers(&folder);
    assert!(first == last || first == last + 1, "{first} and {last}");
    let log = || fs::read_to_string(person.at("log")).expect("a log");
    assert_eq!((log().as_str(), podman.status("counter").as_str()), ("paused\n", "running"));
    // A backup that is killed meanwhile leaves it paused; the next lets it go on, and says so.
    set(&person, "hooks.snapshot-after", "kill -9 $PPID");
    let killed = types(&podman, &person, &["backup"]);
    assert_eq!(killed.code, None, "{killed:?}");
    assert_eq!(podman.status("counter"), "paused");
    set(&person, "hooks.snapshot-after", "true");
    let told = types(&podman, &person, &["backup"]).assert_code(0);
    assert!(told.err.contains("they go on"), "{}", told.err);
    assert_eq!(podman.status("counter"), "running");
    // An interrupt, and a failure, let it go on at once.
    for (line, code) in [("kill -INT $PPID; sleep 0.3", 130), ("false", 1)] {
        set(&person, "hooks.snapshot-after", line);
        types(&podman, &person, &["backup"]).assert_code(code);
        assert_eq!(podman.status("counter"), "running", "{line}");
    }
    let left = fs::read_dir(&top).expect("a folder").flatten();
    assert!(
        !left.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".yore"))
    );
    drop(podman);
}

#[test]
fn a_volume_or_a_program_that_is_missing_is_said_before_the_night() {
    let (person, podman) = person();
    podman.run(&["volume", "create", "uploads"]);
    types(&podman, &person, &["status"]).assert_code(0);
    set(&person, "volumes", "nowhere");
    let status = types(&podman, &person, &["status"]).assert_code(3);
    assert!(status.err.contains("the volume nowhere was not found"), "{}", status.err);
    let failed = types(&podman, &person, &["backup"]).assert_code(1);
    assert!(failed.err.contains("the volume nowhere was not found"), "{}", failed.err);
    assert!(failed.err.contains("podman volume ls"), "{}", failed.err);
    // At once, when the source is added; without any program, that is what is said.
    let bare = |words: &[&str]| {
        let mut command = person.command(words);
        Yore::finish(command.env("PATH", person.at("")))
    };
    let words = ["source", "add", "--kind", "docker", "--volume", "else"];
    let added = bare(&words).assert_code(0);
    assert!(added.err.contains("docker, which it needs, is not installed here"), "{}", added.err);
    let missing = bare(&["status"]).assert_code(3);
    assert!(missing.err.contains("podman, which it needs, is not installed"), "{}", missing.err);
    let none = person.types(["source", "add", "--kind", "docker", "--name", "none"]);
    assert!(none.err.contains("has no volumes"), "{}", none.err);
    none.assert_code(2);
}

#[test]
fn a_database_in_a_container_is_dumped_through_it() {
    let server = DatabaseServer::mariadb();
    server.run("", "create database shop");
    server.run("shop", "create table goods (name text); insert into goods values ('Käse')");
    let (person, podman) = person();
    person.types(["source", "remove", "shop"]).assert_code(0);
    let options = server.options();
    let socket = options[0].strip_prefix("--socket=").expect("a socket");
    let folder = Path::new(socket).parent().expect("a folder").display();
    // A container with the programs of this system, which reaches the server by its socket.
    let (mounted, sleep) =
        (format!("{folder}:{folder}"), ["--rootfs", "/:O", "/bin/sleep", "1000"]);
    podman.run(&[&["run", "--detach", "--name", "db", "--volume", &mounted][..], &sleep].concat());
    let words = ["source", "add", "--kind", "mariadb", "--name", "db", "--database", "shop"];
    let through =
        ["--through", "podman exec -i db", "--option", &options[0], "--option", &options[1]];
    person.types(words.into_iter().chain(through)).assert_code(0);
    types(&podman, &person, &["backup"]).assert_code(0);
    let dump = person.types(["cat", "latest:/db/shop.sql"]).assert_code(0).out;
    assert!(dump.contains("Käse") && dump.contains("Dump completed"), "{dump}");
    // An image of MySQL has the programs by their former names only.
    let rename = "cd /usr/bin; rm mysql mysqldump; mv mariadb mysql; mv mariadb-dump mysqldump";
    podman.run(&["exec", "db", "sh", "-c", rename]);
    server.run("shop", "insert into goods values ('Brot')");
    types(&podman, &person, &["backup"]).assert_code(0);
    let dump = person.types(["cat", "latest:/db/shop.sql"]).assert_code(0).out;
    assert!(dump.contains("Brot") && dump.contains("Dump completed"), "{dump}");
    podman.run(&["exec", "db", "sh", "-c", "cd /usr/bin; mv mysql mariadb"]);
    // Anything that a program in a container prints; and one that is not there.
    let words = ["source", "add", "--kind", "command", "--name", "text", "--file", "t/goods.tsv"];
    let line = format!(
        "podman exec -i db mariadb --socket={socket} -uroot --default-character-set=utf8mb4 -N -e 'select * from goods' shop"
    );
    person.types(words.into_iter().chain(["--command", &line])).assert_code(0);
    types(&podman, &person, &["backup", "--source", "text"]).assert_code(0);
    assert_eq!(person.types(["cat", "latest:/t/goods.tsv"]).assert_code(0).out, "Käse\nBrot\n");
    podman.run(&["rm", "--force", "--time", "0", "db"]);
    let before = person.types(["snapshots", "--json"]).assert_code(0).objects().len();
    types(&podman, &person, &["backup"]).assert_code(1);
    assert_eq!(person.types(["snapshots", "--json"]).assert_code(0).objects().len(), before);
}
