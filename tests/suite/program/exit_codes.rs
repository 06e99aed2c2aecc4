//! Exit codes of the program, with their messages.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use yore_tests::{MountedAt, Yore, in_shell, needs_root, noise};

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn a_wrong_secret_ends_with_12_one_line_and_a_hint() {
    let yore = Yore::with_repository();
    let run = |variable: &str, value: &Path| {
        let mut command = yore.bare_command(["snapshots"]);
        command.env("YORE_REPO", yore.repository()).env(variable, value);
        Yore::finish(&mut command)
    };
    let ended = run("YORE_PASSWORD", Path::new("wrong")).assert_code(12);
    assert!(lines(&ended.err) <= 2 && ended.err.contains("secret"), "{}", ended.err);
    assert_eq!(ended.out, "");
    let other = Yore::with_repository();
    run("YORE_KEY_FILE", &other.key_file()).assert_code(12);
    let nonsense = yore.scratch.at("nonsense");
    std::fs::write(&nonsense, "no key\n").expect("a file");
    run("YORE_KEY_FILE", &nonsense).assert_code(12);
    let ended = run("YORE_KEY_FILE", &yore.scratch.at("absent")).assert_code(1);
    assert!(ended.err.contains("absent"), "{}", ended.err);
    run("YORE_PASSWORD_COMMAND", Path::new("echo wrong")).assert_code(12);
    run("YORE_PASSWORD_COMMAND", Path::new("false")).assert_code(1);
}

#[test]
fn no_repository_ends_with_10_and_says_what_to_type() {
    let yore = Yore::with_repository();
    let nowhere = yore.scratch.at("nowhere");
    let empty = yore.scratch.folder("empty");
    for place in [&nowhere, &empty] {
        for words in [
            &["snapshots"][..],
            &["check"],
            &["backup", "/etc/hostname"],
            &["stats"],
            &["ls", "latest"],
        ] {
            let mut command = yore.command(words);
            command.env("YORE_REPO", place);
            let ended = Yore::finish(&mut command).assert_code(10);
            let place = place.to_str().expect("text");
            assert!(ended.err.contains(place) && ended.err.contains("init"), "{}", ended.err);
        }
    }
    assert!(!nowhere.exists(), "nothing is made where nothing is");
}

#[test]
fn wrong_usage_ends_with_2() {
    let yore = Yore::with_repository();
    for words in [
        &["nonsense"][..],
        &["backup"],
        &["backup", "--stdin"],
        &["restore", "latest"],
        &["snapshots", "--no-such-option"],
        &["backup", "--name", "x", "/etc/hostname"],
        &["backup", "--exclude", "[z", "/etc/hostname"],
        &["backup", "--time", "2199-01-01", "/etc/hostname"],
        &["restore", "latest", "--target", "x", "--include", "{a,b"],
        &["restore", "latest", "--target", "x", "--exclude", "[b-a]"],
        &["snapshots", "--limit", "x"],
        &["snapshots", "--limit", "99999999999999999999999"],
        &["log", "--limit", "1.5", "/etc/hostname"],
        &["find", "x", "--size", "much"],
        &["mount", "x", "--cache-size", "some"],
        &["mount", "x", "--umask", "999"],
        &["check", "--read-data=200%"],
    ] {
        let ended = yore.run(words).assert_code(2);
        assert_ne!(ended.err, "", "{words:?}");
        assert_eq!(ended.out, "", "{words:?}");
        for jargon in ["parse", "ParseInt", "digit found", "regex", "error parsing"] {
            assert!(!ended.err.contains(jargon), "{words:?}: {}", ended.err);
        }
    }
    let list = yore.scratch.at("list");
    std::fs::write(&list, "# fine\n*.o\n[z\n").expect("a file");
    let ended = yore.run_on("backup /etc/hostname --exclude-file", &[&list]).assert_code(2);
    assert!(ended.err.contains("line 3") && ended.err.contains("never closed"), "{}", ended.err);
    assert_eq!(yore.snapshot_ids().len(), 0);
    let ended = Yore::finish(&mut yore.bare_command(["snapshots"])).assert_code(2);
    assert!(ended.err.contains("--repo"), "{}", ended.err);
    let mut command = yore.bare_command(["snapshots"]);
    let ended = Yore::finish(command.env("YORE_REPO", yore.repository())).assert_code(2);
    assert!(ended.err.contains("--key-file"), "{}", ended.err);
    let ended = yore.run(["--help"]).assert_code(0);
    assert!(ended.out.contains("backup") && ended.out.contains("mount"), "{}", ended.out);
    assert!(yore.run(["--version"]).assert_code(0).out.starts_with("yore "));
}

#[test]
fn a_missing_source_is_an_error_before_anything_is_written() {
    let yore = Yore::with_repository();
    let before = in_shell("find \"$1\" | sort", &[&yore.repository()]);
    let source = yore.scratch.folder("source");
    let ended = yore.run_on("backup", &[&source, &yore.scratch.at("absent")]);
    assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
    assert!(ended.err.contains("absent"), "{}", ended.err);
    assert_eq!(in_shell("find \"$1\" | sort", &[&yore.repository()]), before);
}

#[test]
fn init_refuses_what_is_not_empty_and_leaves_it_alone() {
    let yore = Yore::with_repository();
    let before = in_shell("find \"$1\" -type f | sort | xargs sha256sum", &[&yore.repository()]);
    let ended = yore.run(["init"]).assert_code(1);
    assert!(ended.err.contains("repository already"), "{}", ended.err);
    assert_eq!(
        in_shell("find \"$1\" -type f | sort | xargs sha256sum", &[&yore.repository()]),
        before
    );
    let full = yore.scratch.folder("full");
    std::fs::write(full.join("file"), "mine").expect("a file");
    let mut command = yore.command(["init"]);
    let ended = Yore::finish(command.env("YORE_REPO", &full)).assert_code(1);
    assert!(ended.err.contains("not empty"), "{}", ended.err);
    assert_eq!(std::fs::read_dir(&full).expect("a folder").count(), 1);
    // This is reported before any secret is read.
    let mut command = yore.bare_command(["init"]);
    let ended = Yore::finish(command.env("YORE_REPO", &full)).assert_code(1);
    assert!(ended.err.contains("not empty"), "{}", ended.err);
    let marker = yore.scratch.at("marker");
    let mut command = yore.bare_command(["init", "--password-command", "touch marker; echo x"]);
    Yore::finish(command.env("YORE_REPO", &full)).assert_code(1);
    assert!(!marker.exists(), "the command for the passphrase did not run");
}

#[test]
fn moments_are_understood_and_missing_ones_are_named() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for day in ["14", "15"] {
        std::fs::write(source.join("file"), day).expect("a file");
        let time = format!("2026-01-{day}T10:30:00Z");
        yore.run(["backup", "--time", &time, source.to_str().expect("text")]).assert_code(0);
    }
    let cat = |moment: &str| yore.run(["cat", &format!("{moment}:{}/file", source.display())]);
    let ids = yore.snapshot_ids();
    for (moment, expected) in [
        ("latest", "15"),
        ("latest~1", "14"),
        ("2026-01-14", "14"),
        ("2026-01-15", "15"),
        ("2026-01-15T10:29", "14"),
        ("2026-01-15T10:30", "15"),
        ("yesterday", "15"),
        (&ids[0][..10], "14"),
        (&ids[1], "15"),
    ] {
        assert_eq!(cat(moment).assert_code(0).out, expected, "{moment}");
    }
    for moment in ["2020-01-01", "latest~2", "ffffffffffffffff"] {
        let ended = cat(moment).assert_code(1);
        assert!(ended.err.contains("yore"), "{}", ended.err);
    }
    let ended = yore.run(["cat", "latest:/no/such/file"]).assert_code(1);
    assert!(
        ended.err.contains("/no/such/file") || ended.err.contains("no/such/file"),
        "{}",
        ended.err
    );
    let mut future = yore.command(["backup", "--time", "2999-01-01T00:00:00Z"]);
    assert_ne!(Yore::finish(future.arg(&source)).code, Some(0));
    assert_eq!(yore.snapshot_ids().len(), 2);
}

#[test]
fn with_json_results_are_one_object_a_line() {
    let yore = Yore::new();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("a \"file\"\n\u{1b}[31m"), "x").expect("a file");
    let source_word = source.to_str().expect("text").to_owned();
    let target = yore.scratch.at("target").to_str().expect("text").to_owned();
    for (words, kind) in [
        (vec!["init"], "repository"),
        (vec!["backup", &source_word], "backup"),
        (vec!["snapshots"], "snapshot"),
        (vec!["ls", "-R", "latest"], "node"),
        (vec!["stats"], "stats"),
        (vec!["check", "--read-data"], "check"),
        (vec!["restore", "latest", "--target", &target], "restore"),
    ] {
        let ended = yore.run(["--json"].iter().chain(&words)).assert_code(0);
        let objects = ended.objects();
        assert!(objects.iter().any(|object| object["type"] == kind), "{words:?}: {}", ended.out);
        assert!(!ended.out.contains('\u{1b}'), "{words:?} passes control characters on");
        assert_eq!(ended.err, "");
    }
    let mut command = yore.bare_command(["--json", "snapshots"]);
    command.env("YORE_REPO", yore.repository()).env("YORE_PASSWORD", "wrong");
    let ended = Yore::finish(&mut command).assert_code(12);
    let error: serde_json::Value = serde_json::from_str(ended.err.trim()).expect("an object");
    assert_eq!((error["type"].as_str(), error["code"].as_u64()), (Some("error"), Some(12)));
    let ended = yore.run(["--json", "nonsense"]).assert_code(2);
    serde_json::from_str::<serde_json::Value>(ended.err.trim()).expect("an object");
}

#[test]
fn names_in_a_snapshot_can_not_control_the_terminal() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("\u{1b}]0;owned\u{7}\u{1b}[2J"), "x").expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    for words in [&["ls", "-R", "latest"][..], &["ls", "-R", "-l", "latest"]] {
        let ended = yore.run(words).assert_code(0);
        assert!(!ended.out.contains(['\u{1b}', '\u{7}']), "{:?}", ended.out);
        assert!(ended.out.contains("owned"));
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("large"), noise(5_000_000, 1)).expect("a file");
    for n in 0..3000 {
        std::fs::write(source.join(format!("a file with a name {n}")), "").expect("a file");
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let place = format!("latest:{}/large", source.display());
    for words in [&["cat", place.as_str()][..], &["ls", "-R", "latest"]] {
        let mut child = yore.start(words);
        let mut start = [0; 10];
        child.stdout.take().expect("a pipe").read_exact(&mut start).expect("it prints");
        // The pipe is closed here, with output left.
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "", "{words:?}: {:?}", output.status);
    }
}

#[test]
fn a_stream_is_backed_up_whole_or_not_at_all() {
    let yore = Yore::with_repository();
    let dump = yore.scratch.at("dump");
    std::fs::write(&dump, noise(3_000_000, 4)).expect("a file");
    let mut command = yore.command(["backup", "--stdin", "--name", "db/dump.sql"]);
    command.stdin(Stdio::from(std::fs::File::open(&dump).expect("it opens")));
    Yore::finish(&mut command).assert_code(0);
    let copy = yore.scratch.at("copy");
    let mut command = yore.command(["cat", "latest:db/dump.sql"]);
    command.stdout(Stdio::from(std::fs::File::create(&copy).expect("a file")));
    assert!(command.status().expect("it runs").success());
    in_shell("cmp \"$1\" \"$2\"", &[&dump, &copy]);
    let ended = yore.run(["backup", "--command", "echo fine", "--name", "x"]).assert_code(0);
    assert_eq!(ended.err, "");
    assert_eq!(yore.run(["cat", "latest:x"]).assert_code(0).out, "fine\n");
    let before = yore.snapshot_ids().len();
    let ended =
        yore.run(["backup", "--command", "echo half; exit 7", "--name", "x"]).assert_code(1);
    assert!(ended.err.contains('7'), "{}", ended.err);
    assert_eq!(yore.snapshot_ids().len(), before, "nothing is kept of a command that failed");
    yore.assert_sound();
}

#[test]
fn a_full_disk_ends_a_backup_with_many_large_files_in_its_queue() {
    needs_root("mount a small file system");
    let yore = Yore::new();
    let disk = yore.scratch.folder("repository");
    in_shell("mount -t tmpfs -o size=5m none \"$1\"", &[&disk]);
    let _disk = MountedAt::new(&disk);
    yore.run(["init"]).assert_code(0);
    let source = yore.scratch.folder("source");
    let first = source.join("0");
    std::fs::write(&first, noise(8_000_000, 1)).expect("a file");
    // More files than wait for the reader threads, each in a batch of its own.
    for n in 1..100 {
        let folder = source.join(format!("folder {n}"));
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::hard_link(&first, folder.join("link")).expect("a link");
    }
    for _ in 0..3 {
        let ended = yore.run_on("backup", &[&source]).assert_code(1);
        assert!(ended.err.contains("space"), "{}", ended.err);
    }
    assert_eq!(yore.snapshot_ids().len(), 0);
}

#[test]
fn a_full_disk_is_reported_commits_nothing_and_the_next_run_continues() {
    needs_root("mount a small file system");
    let yore = Yore::new();
    let disk = yore.scratch.folder("repository");
    in_shell("mount -t tmpfs -o size=12m none \"$1\"", &[&disk]);
    let _disk = MountedAt::new(&disk);
    yore.run(["init"]).assert_code(0);
    let source = yore.scratch.folder("source");
    std::fs::write(source.join("small"), noise(100_000, 1)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    for n in 0..12 {
        std::fs::write(source.join(format!("{n}")), noise(3_000_000, n)).expect("a file");
    }
    let ended = yore.run_on("backup", &[&source]).assert_code(1);
    assert!(ended.err.contains("space"), "{}", ended.err);
    assert!(lines(&ended.err) <= 3, "{}", ended.err);
    assert_eq!(yore.snapshot_ids().len(), 1, "nothing is committed");
    yore.assert_sound();
    in_shell("mount -o remount,size=100m \"$1\"", &[&disk]);
    yore.run_on("backup", &[&source]).assert_code(0);
    assert_eq!(yore.snapshot_ids().len(), 2);
    yore.assert_sound();
    // A restore to a full target.
    let target = yore.scratch.folder("target");
    in_shell("mount -t tmpfs -o size=4m none \"$1\"", &[&target]);
    let _target = MountedAt::new(&target);
    let ended = yore.run(["restore", "latest", "--target", target.to_str().expect("text")]);
    assert_ne!(ended.code, Some(0));
    assert!(ended.err.contains("space"), "{}", ended.err);
}

#[test]
fn try_demonstrates_everything_and_leaves_nothing() {
    let yore = Yore::new();
    let temporary = yore.scratch.folder("tmp");
    let mut command = yore.bare_command(["try"]);
    let ended = Yore::finish(command.env("TMPDIR", &temporary)).assert_code(0);
    for word in ["snapshots", "latest", "20"] {
        assert!(ended.out.contains(word), "{word:?} is not in {}", ended.out);
    }
    assert_eq!(std::fs::read_dir(&temporary).expect("a folder").count(), 0, "it leaves nothing");
    assert!(!yore.scratch.at("state").exists() && !yore.scratch.at("home").exists());
    let own = yore.scratch.folder("own");
    std::fs::write(own.join("mine"), "untouched").expect("a file");
    let mut command = yore.bare_command(["try"]);
    Yore::finish(command.arg(&own).env("TMPDIR", &temporary)).assert_code(0);
    assert_eq!(std::fs::read_to_string(own.join("mine")).expect("it reads"), "untouched");
    assert_eq!(std::fs::read_dir(&own).expect("a folder").count(), 1);
}

#[test]
fn two_backups_at_once_both_succeed() {
    let yore = Yore::with_repository();
    let mut children = Vec::new();
    for n in 0..4 {
        let source = yore.scratch.folder(&format!("source {n}"));
        for file in 0..50 {
            std::fs::write(source.join(format!("{file}")), noise(20_000, file)).expect("a file");
        }
        children.push(yore.start(["backup", source.to_str().expect("text")]));
    }
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    assert_eq!(yore.snapshot_ids().len(), 4);
    yore.assert_sound();
}

#[test]
fn the_cache_may_be_deleted_or_damaged_at_any_time() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let cat = || {
        let place = format!("latest:{}/file", source.display());
        yore.run(["cat", &place]).assert_code(0).out
    };
    for round in 0..3 {
        std::fs::write(source.join("file"), format!("{round}")).expect("a file");
        yore.run_on("backup", &[&source]).assert_code(0);
    }
    let cache = yore.scratch.at("cache");
    in_shell("rm -rf \"$1\"", &[&cache]);
    assert_eq!(cat(), "2");
    for damage in [
        "truncate -s 3",
        "truncate -s 0",
        "dd if=/dev/urandom conv=notrunc status=none bs=64 count=4 of=",
    ] {
        let line = match damage.ends_with('=') {
            true => format!(
                "find \"$1\" -type f | while read -r f; do chmod u+w \"$f\"; {damage}\"$f\"; done"
            ),
            false => format!(
                "find \"$1\" -type f | while read -r f; do chmod u+w \"$f\"; {damage} \"$f\"; done"
            ),
        };
        in_shell(&line, &[&cache]);
        assert_eq!(cat(), "2", "after {damage}");
        yore.run_on("backup", &[&source]).assert_code(0);
        yore.assert_sound();
    }
}
