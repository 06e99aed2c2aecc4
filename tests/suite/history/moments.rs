//! Moments, machines and paths as users type them.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Yore, in_shell};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn back_up(yore: &Yore, source: &Path, content: &str, options: &[&str]) {
    fs::write(source.join("file"), content).expect("a file");
    let mut words = vec!["backup", text(source)];
    words.extend(options);
    yore.run(words).assert_code(0);
}

/// Returns the output of a command for the file at a moment, in a time zone.
fn content(yore: &Yore, zone: &str, moment: &str, source: &Path) -> yore_tests::Ended {
    let place = format!("{moment}:{}/file", text(source));
    Yore::finish(yore.command(["cat", &place]).env("TZ", zone))
}

#[test]
fn a_name_of_the_drive_means_the_same_snapshot_in_commands() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let berlin = "Europe/Berlin";
    // The hour from two to three happens twice.
    back_up(&yore, &source, "summer", &["--time", "2026-10-25T00:30:00Z"]);
    back_up(&yore, &source, "winter", &["--time", "2026-10-25T01:45:10Z"]);
    assert_eq!(content(&yore, berlin, "2026-10-25T023000", &source).assert_code(0).out, "summer");
    assert_eq!(content(&yore, berlin, "2026-10-25T024510", &source).assert_code(0).out, "winter");
    assert_eq!(content(&yore, berlin, "2026-10-25T014510Z", &source).assert_code(0).out, "winter");
    let twice = content(&yore, berlin, "2026-10-25T02:50", &source).assert_code(2);
    assert!(
        twice.err.contains("2026-10-25T00:50:59Z") && twice.err.contains("2026-10-25T01:50:59Z"),
        "{}",
        twice.err
    );
    // Of two snapshots in one second, the drive appends digits of the id to one.
    back_up(&yore, &source, "one", &["--time", "2026-10-26T10:00:00Z"]);
    back_up(&yore, &source, "two", &["--time", "2026-10-26T10:00:00Z"]);
    let ids: Vec<String> = yore.snapshot_ids();
    let (mut same, _) = (ids[2..].to_vec(), ());
    same.sort();
    let first = content(&yore, "UTC", "2026-10-26T100000", &source).assert_code(0).out;
    let second = content(&yore, "UTC", &format!("2026-10-26T100000-{}", &same[1][..8]), &source);
    assert_eq!(first, content(&yore, "UTC", &same[0], &source).assert_code(0).out);
    assert_eq!(
        second.assert_code(0).out,
        content(&yore, "UTC", &same[1], &source).assert_code(0).out
    );
}

#[test]
fn a_moment_belongs_to_one_machine() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let file = source.join("file");
    back_up(&yore, &source, "mine", &["--time", "2026-01-15T10:00:00Z"]);
    back_up(&yore, &source, "other's", &["--host", "other", "--time", "2026-01-15T11:00:00Z"]);
    fs::write(&file, "mine").expect("a file");
    assert_eq!(content(&yore, "UTC", "latest", &source).assert_code(0).out, "mine");
    yore.run([
        "restore",
        &format!("latest:{}", text(&source)),
        "--in-place",
        "--overwrite",
        "always",
    ])
    .assert_code(0);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    let place = format!("latest:{}", text(&file));
    assert_eq!(yore.run(["cat", &place, "--host", "other"]).assert_code(0).out, "other's");
    let missing = yore.run(["cat", &place, "--host", "nobody"]).assert_code(2);
    assert!(missing.err.contains("other"), "{}", missing.err);
    yore.run(["cat", &place, "--host", ""]).assert_code(2);
    // A snapshot of another machine, by its id.
    let id = yore.snapshot_ids().pop().expect("one");
    let restore = format!("{id}:{}", text(&file));
    let refused =
        yore.run(["restore", &restore, "--in-place", "--overwrite", "always"]).assert_code(2);
    assert!(refused.err.contains("--host other"), "{}", refused.err);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    yore.run(["restore", &restore, "--in-place", "--overwrite", "always", "--host", "other"])
        .assert_code(0);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "other's");
    let versions = yore.run(["log", text(&file), "--json"]).assert_code(0).objects().len();
    let all =
        yore.run(["log", text(&file), "--all-hosts", "--json"]).assert_code(0).objects().len();
    assert_eq!((versions, all), (1, 2));
}

#[test]
fn the_previous_snapshot_is_found_under_another_host_name() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for name in 0..20 {
        fs::write(source.join(name.to_string()), name.to_string()).expect("a file");
    }
    let backup = |host: &str| {
        let ended = yore.run(["backup", "--json", "--host", host, text(&source)]).assert_code(0);
        ended.objects()[0]["totals"]["new_files"].as_u64()
    };
    assert_eq!((backup("one"), backup("two")), (Some(20), Some(0)));
}

#[test]
fn relative_paths_are_resolved_from_the_working_directory() {
    let yore = Yore::with_repository();
    let home = yore.scratch.folder("home");
    let documents = home.join("Documents");
    fs::create_dir(&documents).expect("a folder");
    back_up(&yore, &documents, "first", &["--time", "2026-01-15T10:00:00Z"]);
    back_up(&yore, &documents, "second", &["--time", "2026-01-16T10:00:00Z"]);
    let run = |words: &[&str], here: &Path| Yore::finish(yore.command(words).current_dir(here));
    assert_eq!(run(&["cat", "latest:file"], &documents).assert_code(0).out, "second");
    assert_eq!(
        run(&["cat", "latest:Documents/../Documents/file"], &home).assert_code(0).out,
        "second"
    );
    assert_eq!(
        run(&["cat", "2026-01-15:~/Documents/file"], &documents).assert_code(0).out,
        "first"
    );
    let from_top =
        format!("latest:{}", text(documents.join("file").strip_prefix("/").expect("absolute")));
    assert_eq!(run(&["cat", &from_top], &home).assert_code(0).out, "second");
    // From a working directory that is a link.
    let link = yore.scratch.at("link");
    in_shell("ln -s \"$1\" \"$2\"", &[&documents, &link]);
    let mut command = yore.command(["cat", "latest:file"]);
    assert_eq!(
        Yore::finish(command.current_dir(&link).env("PWD", &link)).assert_code(0).out,
        "second"
    );

    // A path alone means the newest version, also of a deleted file.
    fs::remove_file(documents.join("file")).expect("removed");
    yore.run([
        "backup",
        "--allow-empty-source",
        "--time",
        "2026-01-17T10:00:00Z",
        text(&documents),
    ])
    .assert_code(0);
    let target = yore.scratch.at("target");
    let folder = format!("{}/", text(&target));
    run(&["restore", "file", "--target", &folder], &documents).assert_code(0);
    assert_eq!(fs::read_to_string(target.join("file")).expect("a file"), "second");
    run(&["restore", "file", "--at", "2026-01-15"], &documents).assert_code(0);
    assert_eq!(fs::read_to_string(documents.join("file")).expect("back in its place"), "first");
    run(&["restore", "latest"], &documents).assert_code(2);
    run(&["restore", "nothing-of-this-name"], &documents).assert_code(1);
}

#[test]
fn a_restore_in_place_changes_nothing_without_consent() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    back_up(&yore, &source, "old", &[]);
    let file: PathBuf = source.join("file");
    fs::write(&file, "newer work").expect("a file");
    fs::write(source.join("new"), "new").expect("a file");
    let place = format!("latest:{}", text(&source));
    for words in
        [vec!["restore", &place, "--in-place"], vec!["restore", &place, "--in-place", "--delete"]]
    {
        let refused = yore.run(words).assert_code(2);
        assert!(
            refused.err.contains("--overwrite") && refused.err.contains("1 newer"),
            "{}",
            refused.err
        );
        assert_eq!(fs::read_to_string(&file).expect("a file"), "newer work");
        assert!(source.join("new").exists());
    }
    let dry =
        yore.run(["restore", &place, "--in-place", "--dry-run", "--json"]).assert_code(0).objects();
    assert_eq!((&dry[0]["replaced"], &dry[0]["newer"]), (&1.into(), &1.into()));
    // Missing files are restored without a question.
    fs::remove_file(&file).expect("removed");
    yore.run(["restore", &place, "--in-place"]).assert_code(0);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "old");
    fs::write(&file, "newer work").expect("a file");
    yore.run(["restore", &place, "--in-place", "--overwrite", "different"]).assert_code(0);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "old");
}

#[test]
fn no_number_in_a_moment_ends_in_a_panic() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    back_up(&yore, &source, "content", &[]);
    let large = u64::MAX.to_string();
    for words in [
        vec!["ls", "19999 years ago"],
        vec!["ls", "9223372036854775807 seconds ago"],
        vec!["ls", "99999999999w"],
        vec!["ls", "9999-12-31"],
        vec!["ls", "-9999-01-01"],
        vec!["ls", "9999-12-31T23:59:59"],
        vec!["find", "x", "--from", "19999 years ago"],
        vec!["find", "x", "--to", "9999-12-31"],
        vec!["find", "x", "--size", "+99999999999999999999G"],
        vec!["find", "x", "--size", "+18446744073709551615"],
        vec!["status", "--max-age", "18446744073709551615d"],
        vec!["status", "--max-age", "18446744073709551615s"],
        vec!["snapshots", "--limit", &large],
        vec!["check", "--read-data=1/0"],
        vec!["check", "--read-data=18446744073709551615/18446744073709551615"],
        vec!["check", "--read-data=1e999%"],
        vec!["backup", "--time", "9999-12-31", text(&source)],
        vec!["backup", "--time", "19999 years ago", text(&source)],
        vec!["mount", "--umask", "77777777777777777777777", "drive"],
        vec!["mount", "--cache-size", "18446744073709551615T", "drive"],
        vec!["mount", "--owner", "4294967296:-1", "drive"],
        vec!["ls", "latest~18446744073709551615"],
    ] {
        let ended = yore.run(&words);
        assert!(matches!(ended.code, Some(0..=3)), "{words:?}: {ended:#?}");
        assert!(!ended.err.contains("panicked"), "{words:?}: {ended:#?}");
    }
    let before = yore.run(["ls", "1999-12-31"]).assert_code(1);
    assert!(before.err.contains("the oldest is of"), "{}", before.err);
}

#[test]
fn a_mistyped_destination_is_refused_and_no_folder_is_made() {
    let yore = Yore::new();
    let here = yore.scratch.folder("here");
    for repo in [
        "s3:bucket",
        "sftp:me@nas:/x",
        "me@nas:/backup",
        "b2:x",
        "rest:http://host/x",
        "C:\\backup",
    ] {
        for words in [vec!["--repo", repo, "init"], vec!["--repo", repo, "snapshots"]] {
            let mut command = yore.command(words);
            let ended =
                Yore::finish(command.env_remove("YORE_REPO").current_dir(&here)).assert_code(2);
            assert!(ended.err.contains("perhaps"), "{repo}: {}", ended.err);
        }
    }
    assert_eq!(fs::read_dir(&here).expect("a folder").count(), 0);
}
