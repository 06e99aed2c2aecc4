//! The history of paths, by commands and on the drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use yore_tests::{MountGuard, Yore, in_shell};

/// Makes three snapshots of a folder an hour apart: one file changes and is deleted, another is added.
fn with_history() -> (Yore, PathBuf) {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let write = |name: &str, text: &str| fs::write(source.join(name), text).expect("a file");
    write("report.txt", "first\n");
    write("kept", "kept");
    back_up(&yore, &source, "2026-01-15T10:30:00Z");
    write("report.txt", "first\nsecond\n");
    write("new.txt", "new");
    back_up(&yore, &source, "2026-01-15T11:30:00Z");
    fs::remove_file(source.join("report.txt")).expect("it goes");
    back_up(&yore, &source, "2026-01-15T12:30:00Z");
    (yore, source)
}

fn back_up(yore: &Yore, source: &Path, time: &str) {
    let source = source.to_str().expect("text");
    yore.run(["backup", "--time", time, source]).assert_code(0);
}

#[test]
fn log_lists_every_version_and_every_deletion() {
    let (yore, source) = with_history();
    let report = source.join("report.txt");
    let told = yore.run_on("log --json", &[&report]).assert_code(0).objects();
    let sizes: Vec<_> = told.iter().map(|version| version["node"]["size"].as_u64()).collect();
    assert_eq!(sizes, [Some(6), Some(13), None]);
    assert_eq!(told[0]["first"]["time"], "2026-01-15T10:30:00Z");
    assert_eq!(told[2]["node"], serde_json::Value::Null);
    let shown = yore.run_on("log", &[&report]).assert_code(0);
    assert!(shown.out.contains("deleted") && shown.out.contains("13 B"), "{}", shown.out);
    let last = yore.run_on("log --limit 1 --json", &[&report]).assert_code(0).objects();
    assert_eq!(last, told[2..]);
    // A relative path, and one that no snapshot has.
    let mut command = yore.command(["log", "../source/./kept", "--json"]);
    let here = Yore::finish(command.current_dir(&source)).assert_code(0).objects();
    assert_eq!(here.len(), 1);
    let none = yore.run_on("log", &[&source.join("never")]).assert_code(1);
    assert!(none.err.contains("never") && none.err.contains("yore find"), "{}", none.err);
}

#[test]
fn log_of_a_damaged_tree_is_an_error_and_not_an_empty_answer() {
    let (yore, source) = with_history();
    for pack in in_shell("find \"$1/packs\" -type f", &[&yore.repository()]).lines() {
        let mut bytes = fs::read(pack).expect("a pack");
        let middle = bytes.len() / 2;
        bytes[100..middle].fill(0);
        fs::write(pack, bytes).expect("a pack");
    }
    let ended = yore.run_on("log", &[&source.join("report.txt")]).assert_code(1);
    assert!(ended.err.contains("damaged") || ended.err.contains("pack"), "{}", ended.err);
    let ended = yore.run(["find", "report"]).assert_code(3);
    assert!(ended.err.contains("nothing was searched"), "{}", ended.err);
}

#[test]
fn a_snapshot_that_can_not_be_read_is_named_and_makes_each_answer_a_partial_one() {
    let (yore, source) = with_history();
    let listed = yore.run(["snapshots", "--json"]).assert_code(0).objects();
    let first = listed.iter().find(|line| line["type"] == "snapshot").expect("a snapshot");
    let name = format!("snapshots/{}", first["id"].as_str().expect("an id"));
    let path = yore.repository().join(&name);
    let mut bytes = fs::read(&path).expect("a snapshot");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::remove_file(&path).expect("it is read-only");
    fs::write(&path, bytes).expect("damaged");
    // What the machine has read of it before is not needed any more.
    fs::remove_dir_all(yore.scratch.at("cache")).expect("there is a cache");
    let kept = source.join("kept");
    for answer in
        [yore.run(["find", "kept"]), yore.run_on("log", &[&kept]), yore.run(["snapshots"])]
    {
        let answer = answer.assert_code(3);
        assert!(answer.err.contains(&name), "{}", answer.err);
        assert!(!answer.out.is_empty(), "what can be read is shown");
    }
}

#[test]
fn diff_lists_added_removed_and_modified_files() {
    let (yore, source) = with_history();
    let lines = |words: &[&str]| -> Vec<String> {
        let ended = yore.run(words).assert_code(0);
        ended.out.lines().map(str::to_owned).collect()
    };
    let at = |name: &str| source.join(name).display().to_string();
    let first = lines(&["diff", "latest~2", "latest~1"]);
    assert_eq!(first, [format!("+ {}", at("new.txt")), format!("M {}", at("report.txt"))]);
    assert_eq!(lines(&["diff", "latest~1", "latest"]), [format!("- {}", at("report.txt"))]);
    assert_eq!(lines(&["diff", "latest", "latest"]), Vec::<String>::new());
    let stat = lines(&["diff", "latest~2", "latest", "--stat"]);
    assert_eq!(stat, ["1 added, 1 removed, 0 modified"]);
    let content = lines(&["diff", "latest~2", "latest~1", "--content"]);
    assert!(content.contains(&"+second".to_owned()), "{content:?}");
    let place = |moment: &str| format!("{moment}:{}", at("report.txt"));
    let file = lines(&["diff", &place("2026-01-15T10:30"), &place("latest~1")]);
    assert_eq!(file, [format!("M {}", at("report.txt"))]);
    yore.run(["diff", "latest", "soon"]).assert_code(2);
}

#[test]
fn find_lists_each_path_once_with_its_first_and_last_snapshot() {
    let (yore, source) = with_history();
    let found = |words: &[&str]| -> Vec<(String, String, String)> {
        let words = ["find", "--json"].iter().chain(words);
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        let hit = |hit: &serde_json::Value| {
            let name = text(&hit["path"]).rsplit('/').next().expect("a name").to_owned();
            (name, text(&hit["first"]["time"]), text(&hit["last"]["time"]))
        };
        yore.run(words).assert_code(0).objects().iter().map(hit).collect()
    };
    let time = |hour: &str| format!("2026-01-15T{hour}:30:00Z");
    let report = ("report.txt".to_owned(), time("10"), time("11"));
    let new = ("new.txt".to_owned(), time("11"), time("12"));
    assert_eq!(found(&["*.txt"]), [new.clone(), report.clone()]);
    assert_eq!(found(&["REPORT"]), []);
    assert_eq!(found(&["eport"]), std::slice::from_ref(&report));
    assert_eq!(found(&["*.txt", "--size", "-5"]), std::slice::from_ref(&new));
    assert_eq!(
        found(&["*.txt", "--from", "2026-01-15T12:00"]),
        [("new.txt".into(), time("12"), time("12"))]
    );
    assert_eq!(
        found(&["*", "--type", "folder", "--path", source.to_str().expect("text")]).len(),
        1
    );
    // Without a catalog, with a damaged one, and after a snapshot was forgotten.
    for catalog in
        in_shell("find \"$1\" -name 'catalog.sqlite'", &[&yore.scratch.at("cache")]).lines()
    {
        fs::write(catalog, "nonsense").expect("a file");
    }
    assert_eq!(found(&["*.txt"]), [new.clone(), report]);
    fs::remove_dir_all(yore.scratch.at("cache")).expect("it goes");
    yore.run(["forget", &yore.snapshot_ids()[0]]).assert_code(0);
    assert_eq!(found(&["*.txt"]), [new, ("report.txt".into(), time("11"), time("11"))]);
    yore.run(["find", "[z"]).assert_code(2);
}

#[test]
fn status_reports_ages_and_the_work_of_drives() {
    let (yore, source) = with_history();
    yore.run(["status", "--max-age", "26h"]).assert_code(1);
    yore.run_on("backup", &[&source]).assert_code(0);
    let told = yore.run(["status", "--json", "--max-age", "26h"]).assert_code(0).objects();
    let ours = told.iter().find(|line| line["type"] == "source").expect("the source");
    assert_eq!(ours["path"], source.to_str().expect("text"));
    assert!(ours["age_seconds"].as_u64().expect("an age") < 3600);
    let drive = MountGuard::new(&yore, &["--max-fetch-rate", "100M"]);
    let read = fs::read(drive.path_of("latest", &source).join("new.txt")).expect("it reads");
    assert_eq!(read, b"new");
    let told = yore.run(["status", "--json"]).assert_code(0).objects();
    let point = drive.path().to_str().expect("text");
    let ours = told.iter().find(|line| line["mountpoint"] == point).expect("the drive");
    let counters = &ours["counters"];
    for name in ["lookups", "reads", "bytes_read", "requests_fetched", "bytes_fetched"] {
        assert!(counters[name].as_u64().expect("a number") > 0, "{name}: {counters}");
    }
    assert_eq!(counters["errors"], 0);
}

#[test]
fn ordinary_programs_read_old_versions_on_the_drive() {
    let (yore, source) = with_history();
    let drive = MountGuard::new(&yore, &[]);
    let at = |top: &str, name: &str| drive.path_of(top, &source.join(name));
    let text =
        |path: PathBuf| fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    let listed = in_shell("ls -1 \"$1\"", &[&at("versions", "report.txt")]);
    assert_eq!(listed, "report.2026-01-15T103000.txt\nreport.2026-01-15T113000.txt\n");
    for name in ["report.2026-01-15T103000.txt", "2026-01-15T103000.txt"] {
        assert_eq!(text(at("versions", "report.txt").join(name)), "first\n");
    }
    assert_eq!(text(at("deleted", "report.txt")), "first\nsecond\n");
    assert_eq!(text(at("at/2026-01-15T10:45", "report.txt")), "first\n");
    let deleted = in_shell("cd \"$1\" && find . -type f", &[&drive.path().join("deleted")]);
    assert_eq!(deleted.lines().count(), 1, "{deleted}");
    let changes = drive.path().join("changes/2026-01-15T103000..2026-01-15T113000");
    let found = in_shell("cd \"$1\" && find . -type f -printf '%P\\n' | sort", &[&changes]);
    let relative = source.strip_prefix("/").expect("absolute").display().to_string();
    let expected = format!("added/{relative}/new.txt\nmodified/{relative}/report.txt\n");
    assert_eq!(found, expected);
    // The links of a search lead to the versions.
    let hits = in_shell("cd \"$1\" && cat -- *", &[&drive.path().join("search/*.txt")]);
    assert_eq!(hits, "newfirst\nsecond\n");
    // Also after so many other searches that the drive has dropped the first one.
    let script = "cd \"$1\" && ls -l > /dev/null
        for n in $(seq 40); do ls -d \"../*$n*.txt\" && ls \"../*$n*.txt\"; done > /dev/null
        cat -- *";
    let hits = in_shell(script, &[&drive.path().join("search/*.txt")]);
    assert_eq!(hits, "newfirst\nsecond\n");
    let host = in_shell("ls \"$1\"", &[&drive.path().join("hosts")]);
    let scope = drive.path().join("hosts").join(host.trim());
    assert_eq!(in_shell("ls \"$1/snapshots\" | wc -l", &[&scope]).trim(), "4");
    // An unchanged file in two snapshots has one inode number.
    let numbers = ["2026-01-15T103000", "2026-01-15T113000", "2026-01-15T123000"]
        .map(|name| in_shell("stat -c %i \"$1\"", &[&at(&format!("snapshots/{name}"), "kept")]));
    assert_eq!(numbers[0], numbers[1]);
    assert_eq!(numbers[0], numbers[2]);
}

#[test]
fn a_person_finds_an_explanation_and_examples_at_the_top() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("lost.txt"), "found").expect("a file");
    back_up(&yore, &source, "2025-01-15T10:30:00Z");
    let drive = MountGuard::new(&yore, &[]);
    let listed = in_shell("ls -1 \"$1\"", &[drive.path()]);
    let readme = drive.path().join("READ ME.txt");
    let text = fs::read_to_string(&readme).expect("it reads");
    for folder in listed.lines().filter(|name| *name != "READ ME.txt") {
        assert!(text.contains(&format!("\n  {folder} ")), "{folder} is not explained: {text}");
    }
    assert_eq!(listed.lines().count(), 10, "{listed}");
    assert!(fs::write(&readme, "changed").is_err());
    let number = || in_shell("stat -c %i \"$1\"", &[&readme]);
    let before = number();
    back_up(&yore, &source, "2025-01-15T11:30:00Z");
    yore.run_on("umount", &[drive.path()]).assert_code(0);
    drop(drive);
    let drive = MountGuard::new(&yore, &[]);
    assert_eq!(number(), before, "the same in another mount");

    let at = drive.path().join("at");
    let examples = in_shell("ls -1 \"$1\"", &[&at]);
    assert_eq!(examples, "a month ago\na week ago\na year ago\nyesterday\n");
    for example in examples.lines() {
        let file = drive.path_of(&format!("at/{example}"), &source).join("lost.txt");
        assert_eq!(fs::read_to_string(file).expect("it reads"), "found", "{example}");
    }
    drop(drive);
    let drive = MountGuard::new(&yore, &["--no-readme"]);
    assert_eq!(in_shell("ls -1 \"$1\"", &[drive.path()]).lines().count(), 9);
    assert!(!drive.path().join("READ ME.txt").exists());
}

#[test]
fn snapshots_come_and_go_while_the_drive_is_mounted() {
    let (yore, source) = with_history();
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    assert!(!shown.join("report.txt").exists());
    let old =
        fs::File::open(drive.path_of("at/latest~2", &source).join("report.txt")).expect("it opens");
    let soon = |what: &str, is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    fs::write(source.join("live"), "alive").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    soon("the new file appears", &|| shown.join("live").exists());
    let versions = drive.path_of("versions", &source).join("live");
    soon("so do its versions", &|| fs::read_dir(&versions).is_ok_and(|dir| dir.count() == 1));
    let first = yore.snapshot_ids()[0].clone();
    yore.run(["forget", &first]).assert_code(0);
    let gone = drive.path().join("snapshots/2026-01-15T103000");
    soon("the forgotten one goes", &|| !gone.exists());
    let mut content = String::new();
    std::io::Read::read_to_string(&mut &old, &mut content).expect("who had it open reads on");
    assert_eq!(content, "first\n");
    let versions = drive.path_of("versions", &source).join("report.txt");
    soon("its version goes", &|| fs::read_dir(&versions).is_ok_and(|dir| dir.count() == 1));
}
