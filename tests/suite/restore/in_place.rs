//! Restores in place: they change files of the snapshot, and nothing beside them.

use std::fs;
use std::path::{Path, PathBuf};

use yore_platform::{Metadata, path_metadata};
use yore_tests::{Ended, Yore, in_shell, needs_root};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn symlink(target: &str, link: PathBuf) {
    in_shell("ln -s \"$1\" \"$2\"", &[Path::new(target), &link]);
}

fn file(path: &Path) -> Metadata {
    path_metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

fn mode(path: &Path) -> u32 {
    file(path).mode.expect("a mode")
}

/// Restores a path in place, over existing files.
fn restore(yore: &Yore, place: &str, options: &[&str]) -> Ended {
    let mut words = vec!["restore", place, "--in-place", "--overwrite", "different"];
    words.extend(options);
    yore.run(words)
}

/// Returns the metadata of a folder that a restore could set.
fn about(folder: &Path) -> String {
    in_shell(
        "stat -c '%a %u %g' \"$1\"; getfacl -cpn \"$1\"; getfattr -d --absolute-names \"$1\"",
        &[folder],
    )
}

#[test]
fn a_link_above_a_source_is_followed_and_stays() {
    let yore = Yore::with_repository();
    let top = yore.scratch.folder("srv");
    put(&top, &[("data/docs/plan", "the plan")]);
    yore.run_on("backup", &[&top.join("data/docs")]).assert_code(0);
    fs::rename(top.join("data"), top.join("big")).expect("moved");
    symlink("big", top.join("data"));
    put(&top, &[("big/other", "another"), ("big/docs/plan", "a newer plan")]);
    restore(&yore, "latest", &[]).assert_code(0);
    assert_eq!(fs::read_link(top.join("data")).expect("a link"), Path::new("big"));
    assert_eq!(read(&top.join("data/other")), "another");
    assert_eq!(read(&top.join("big/docs/plan")), "the plan");
    // The same for a path within the source, also where it was deleted.
    fs::remove_dir_all(top.join("big/docs")).expect("removed");
    restore(&yore, &format!("latest:{}/data/docs/plan", text(&top)), &["--delete"]).assert_code(0);
    assert_eq!(read(&top.join("big/docs/plan")), "the plan");
    assert_eq!(read(&top.join("big/other")), "another");
    // A file in place of a folder above is not removed.
    fs::remove_file(top.join("data")).expect("removed");
    fs::write(top.join("data"), "somebody's").expect("a file");
    let ended = restore(&yore, "latest", &["--delete"]).assert_code(3);
    assert!(ended.err.contains("on the way"), "{}", ended.err);
    assert_eq!(read(&top.join("data")), "somebody's");
}

#[test]
fn folders_above_a_source_keep_what_they_have() {
    needs_root("give files away");
    let yore = Yore::with_repository();
    let home = yore.scratch.folder("home");
    let target = yore.scratch.at("target");
    put(&home, &[("me/docs/plan", "the plan")]);
    yore.run_on("backup", &[&home.join("me/docs")]).assert_code(0);
    let me = home.join("me");
    in_shell(
        "chown 1234:1234 \"$1\"; chmod 700 \"$1\"; setfacl -m u:77:rx \"$1\"; \
         setfattr -n user.note -v mine \"$1\"",
        &[&me],
    );
    let before = about(&me);
    fs::write(me.join("docs/plan"), "changed").expect("a file");
    for place in [format!("latest:{}", text(&me)), "latest".into()] {
        restore(&yore, &place, &[]).assert_code(0);
        assert_eq!(about(&me), before, "{place}");
    }
    assert_eq!(read(&me.join("docs/plan")), "the plan");
    // Nor in another target, where they are made with their saved metadata.
    let words = ["restore", "latest", "--target", text(&target)];
    yore.run(words).assert_code(0);
    let there = target.join(me.strip_prefix("/").expect("absolute"));
    assert_eq!(mode(&there), 0o755);
    in_shell("chmod 711 \"$1\"; chown 1234 \"$1\"", &[&there]);
    let before = about(&there);
    yore.run(words).assert_code(0);
    assert_eq!(about(&there), before);
}

#[test]
fn missing_folders_above_are_made_as_the_snapshot_knows_them() {
    let yore = Yore::with_repository();
    let home = yore.scratch.folder("home");
    put(&home, &[("me/docs/sub/plan", "the plan")]);
    in_shell("chmod 750 \"$1\" && chmod 701 \"$1\"/docs", &[&home.join("me")]);
    yore.run_on("backup", &[&home.join("me")]).assert_code(0);
    fs::remove_dir_all(home.join("me")).expect("removed");
    restore(&yore, &format!("latest:{}/me/docs/sub", text(&home)), &[]).assert_code(0);
    assert_eq!((mode(&home.join("me")), mode(&home.join("me/docs"))), (0o750, 0o701));
    assert_eq!(read(&home.join("me/docs/sub/plan")), "the plan");
}

#[test]
fn each_source_has_its_own_list_of_excluded_paths() {
    let yore = Yore::with_repository();
    let top = yore.scratch.folder("top");
    let (a, b) = (top.join("a"), top.join("b"));
    put(&top, &[("a/keep.o", "left out"), ("a/x", "x"), ("b/keep.o", "kept"), ("b/y.o", "out")]);
    yore.run(["backup", text(&a), "--exclude", "*.o"]).assert_code(0);
    yore.run(["backup", text(&b), "--exclude", "*.o", "--exclude", "!keep.o"]).assert_code(0);
    put(&top, &[("a/new", "new"), ("b/new", "new")]);
    restore(&yore, "latest", &["--delete"]).assert_code(0);
    assert_eq!(read(&a.join("keep.o")), "left out");
    assert_eq!(read(&b.join("y.o")), "out");
    assert!(!a.join("new").exists() && !b.join("new").exists());
    // Files of the one source are extra ones there, and only there.
    fs::remove_file(b.join("keep.o")).expect("removed");
    restore(&yore, "latest", &["--delete"]).assert_code(0);
    assert_eq!(
        (read(&a.join("keep.o")), read(&b.join("keep.o"))),
        ("left out".into(), "kept".into())
    );
}

#[test]
fn a_source_in_an_excluded_folder_does_not_claim_that_folder() {
    let yore = Yore::with_repository();
    let top = yore.scratch.folder("top");
    put(&top, &[("cache/never saved", "mine"), ("cache/inner/x", "x"), ("y", "y")]);
    in_shell("chmod 700 \"$1\"", &[&top.join("cache")]);
    yore.run(["backup", text(&top), "--exclude", "cache"]).assert_code(0);
    yore.run_on("backup", &[&top.join("cache/inner")]).assert_code(0);
    in_shell("chmod 711 \"$1\"", &[&top.join("cache")]);
    put(&top, &[("cache/inner/new", "new"), ("new", "new")]);
    restore(&yore, "latest", &["--delete"]).assert_code(0);
    assert_eq!(read(&top.join("cache/never saved")), "mine");
    assert_eq!(mode(&top.join("cache")), 0o711);
    assert!(!top.join("cache/inner/new").exists() && !top.join("new").exists());
}

#[test]
fn when_a_file_can_not_be_removed_everything_keeps_its_name() {
    needs_root("make files immutable");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("kept", "kept")]);
    yore.run_on("backup", &[&source]).assert_code(0);
    put(&source, &[("new/deep/a/1", "1"), ("new/deep/b/fixed", "fixed"), ("new/deep/c/d/2", "2")]);
    let fixed = source.join("new/deep/b/fixed");
    in_shell("chattr +i \"$1\"", &[&fixed]);
    let ended = restore(&yore, "latest", &["--delete"]);
    let names = in_shell("find \"$1\" -name '.yore-*'", &[&source]);
    in_shell("chattr -i \"$1\"", &[&fixed]);
    assert_eq!((ended.code, names.as_str()), (Some(3), ""), "{ended:#?}");
    assert_eq!(read(&fixed), "fixed");
    for (name, content) in [("new/deep/a/1", "1"), ("new/deep/c/d/2", "2")] {
        let left = fs::read_to_string(source.join(name));
        assert!(left.is_err() || left.is_ok_and(|left| left == content), "{name}");
    }
    // The next run finishes it.
    restore(&yore, "latest", &["--delete"]).assert_code(0);
    assert_eq!(fs::read_dir(&source).expect("a folder").count(), 1);
}

#[test]
fn hard_links_across_two_snapshots_become_two_files() {
    let yore = Yore::with_repository();
    let top = yore.scratch.folder("top");
    let (a, b) = (top.join("a"), top.join("b"));
    put(&a, &[("f", "the same")]);
    // A name that is in neither source.
    fs::hard_link(a.join("f"), top.join("elsewhere")).expect("a link");
    yore.run_on("backup", &[&a]).assert_code(0);
    fs::rename(&a, &b).expect("moved");
    in_shell("chmod 600 \"$1\"", &[&b.join("f")]);
    yore.run_on("backup", &[&b]).assert_code(0);
    fs::remove_dir_all(&b).expect("removed");
    restore(&yore, "latest", &[]).assert_code(0);
    let (old, new) = (file(&a.join("f")), file(&b.join("f")));
    assert_ne!(old.inode, new.inode);
    assert_eq!((old.mode, new.mode), (Some(0o644), Some(0o600)));
}

/// Returns inode number and change time of everything in a folder.
fn changes(folder: &Path) -> String {
    in_shell("find \"$1\" -printf '%P %i %C@ %T@\\n' | sort", &[folder])
}

#[test]
fn files_that_are_right_are_not_written_to() {
    needs_root("make devices");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("plain", "plain"), ("acl", "acl"), ("locked/a", "a"), ("capable", "x")]);
    in_shell(
        "cd \"$1\"; ln plain second; ln -s plain link; ln -s nowhere dangling; mkfifo pipe; \
         mknod device c 1 3; setfacl -m u:77:rw acl; setfacl -d -m u:77:rx locked; \
         setfattr -n user.note -v text acl; setcap cap_net_raw+ep capable; chmod 444 plain; \
         chown 1234:1234 pipe; chmod 6755 capable; chmod 555 locked; touch -d 2001-02-03 *; sync",
        &[&source],
    );
    yore.run_on("backup", &[&source]).assert_code(0);
    let before = changes(&source);
    for options in [&[][..], &["--delete"], &["--verify"]] {
        restore(&yore, "latest", options).assert_code(0);
        assert_eq!(changes(&source), before, "{options:?}");
    }
    let newer = ["restore", "latest", "--in-place", "--overwrite", "newer"];
    yore.run(newer).assert_code(0);
    assert_eq!(changes(&source), before);
    // Without a question, since no file is replaced.
    yore.run(["restore", "latest", "--in-place"]).assert_code(0);
    assert_eq!(changes(&source), before);
    let again = yore.run(["backup", text(&source), "--json"]).assert_code(0).objects();
    let summary = again.iter().find(|line| line["type"] == "backup").expect("a summary");
    assert_eq!(summary["files_new"].as_u64().unwrap_or(0), 0, "{summary}");
}

#[test]
fn a_right_link_stays_and_a_wrong_one_is_replaced() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for name in ["right", "wrong", "file", "touched"] {
        symlink(name, source.join(name));
    }
    yore.run_on("backup", &[&source]).assert_code(0);
    let number = |name: &str| file(&source.join(name)).inode;
    let (right, touched) = (number("right"), number("touched"));
    in_shell(
        "cd \"$1\"; ln -sfn elsewhere wrong; rm file; echo text > file; touch -h -d 2001-01-01 touched",
        &[&source],
    );
    restore(&yore, "latest", &[]).assert_code(0);
    for name in ["right", "wrong", "file", "touched"] {
        assert_eq!(fs::read_link(source.join(name)).expect("a link"), Path::new(name));
    }
    assert_eq!((number("right"), number("touched")), (right, touched));
    assert_eq!(fs::read_dir(&source).expect("a folder").count(), 4);
}

#[test]
fn leftovers_of_a_killed_restore_are_removed_and_reported() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("a", "a")]);
    yore.run_on("backup", &[&source]).assert_code(0);
    // The temporary name of a link before it replaces another.
    let left = in_shell(
        "python3 - \"$1\" <<'END'\n\
         import os, sys\n\
         def mix(n):\n\
        \x20   n = (n + 0x9e3779b97f4a7c15) & (2**64 - 1)\n\
        \x20   n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9 & (2**64 - 1)\n\
        \x20   n = (n ^ (n >> 27)) * 0x94d049bb133111eb & (2**64 - 1)\n\
        \x20   return n ^ (n >> 31)\n\
         name = '.yore-%016x-%016x.new' % (7, mix(7 ^ mix(os.stat(sys.argv[1]).st_ino)))\n\
         os.symlink('a', os.path.join(sys.argv[1], name))\n\
         END\n",
        &[&source],
    );
    assert_eq!((left.as_str(), fs::read_dir(&source).expect("a folder").count()), ("", 2));
    let ended = restore(&yore, "latest", &["--json"]).assert_code(0);
    assert_eq!(ended.objects()[0]["leftovers"], 1, "{}", ended.out);
    assert_eq!(fs::read_dir(&source).expect("a folder").count(), 1);
}

#[test]
fn with_keep_both_nothing_is_overwritten() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("report.odt", "old"), ("same", "same"), ("gone", "gone"), ("folder/x", "x")]);
    symlink("old", source.join("link"));
    fs::hard_link(source.join("report.odt"), source.join("second.odt")).expect("a link");
    yore.run(["backup", text(&source), "--time", "2026-01-15T10:30:00Z"]).assert_code(0);
    let time = " (2026-01-15 10.30)";
    fs::remove_dir_all(source.join("folder")).expect("removed");
    for name in ["report.odt", "second.odt", "gone", "link"] {
        fs::remove_file(source.join(name)).expect("removed");
    }
    let taken = format!("report{time}.odt");
    put(&source, &[("report.odt", "newer"), ("second.odt", "newer too"), (&taken, "somebody's")]);
    put(&source, &[("folder", "a file by now")]);
    symlink("new", source.join("link"));
    let words = ["restore", "latest", "--in-place", "--keep-both", "--json"];
    let report = yore.run(words).assert_code(0).objects();
    assert_eq!((&report[0]["replaced"], &report[0]["kept_both"]), (&0.into(), &4.into()));
    let listing =
        || in_shell("cd \"$1\"; grep -r . . | sort; readlink link*; ls -R | sort", &[&source]);
    let names = [
        ("report.odt", "newer"),
        ("second.odt", "newer too"),
        (&taken, "somebody's"),
        ("report (2026-01-15 10.30, 2).odt", "old"),
        (&format!("second{time}.odt"), "old"),
        ("gone", "gone"),
        ("same", "same"),
        ("folder", "a file by now"),
        (&format!("folder{time}/x"), "x"),
    ];
    for (name, content) in names {
        assert_eq!(read(&source.join(name)), content, "{name}");
    }
    let old_link = source.join(format!("link{time}"));
    assert_eq!(fs::read_link(old_link).expect("a link"), Path::new("old"));
    assert_eq!(fs::read_link(source.join("link")).expect("a link"), Path::new("new"));
    // A second run finds both.
    let before = listing();
    let report = yore.run(words).assert_code(0).objects();
    assert_eq!((&report[0]["files"], &report[0]["kept_both"]), (&0.into(), &0.into()));
    assert_eq!(listing(), before);
    yore.run(["restore", "latest", "--in-place", "--keep-both", "--delete"]).assert_code(2);
}

#[test]
fn an_include_without_a_match_is_reported() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("docs/a.txt", "a"), ("docs/b.txt", "b")]);
    yore.run_on("backup", &[&source]).assert_code(0);
    let target = yore.scratch.at("target");
    let run = |patterns: &[&str]| {
        let mut words = vec!["restore", "latest", "--target", text(&target)];
        patterns.iter().for_each(|pattern| words.extend(["--include", pattern]));
        yore.run(words)
    };
    run(&["docs", "a.txt", "*.txt", "*"]).assert_code(0);
    let ended = run(&["*.txt", "nothing.odt"]).assert_code(3);
    assert!(ended.err.contains("nothing.odt") && ended.err.contains("fits"), "{}", ended.err);
}

/// Runs a command on a terminal, and answers its question.
fn answered(yore: &Yore, words: &[&str], answer: &str, meanwhile: &str) -> String {
    let log = yore.scratch.at("screen");
    let script = yore.scratch.at("script");
    let command = yore.command(words);
    let mut line = String::from("env -i");
    for (key, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_string_lossy();
        line.push_str(&format!(" {}='{value}'", key.to_string_lossy()));
    }
    line.push_str(&format!(" TERM=xterm '{}'", yore_tests::binary().display()));
    words.iter().for_each(|word| line.push_str(&format!(" '{word}'")));
    let text = format!("{line}; echo \"ended with $?\"; sleep 600\n");
    fs::write(&script, text).expect("a script");
    in_shell(
        "socket=$1.socket; tmux -S \"$socket\" -f /dev/null new-session -d -x 200 -y 50 \"bash '$2'\"; \
         see() { for n in {1..300}; do tmux -S \"$socket\" capture-pane -p > \"$1\"; \
         grep -q \"$2\" \"$1\" && return; sleep 0.1; done; cat \"$1\" >&2; return 1; }; \
         see \"$1\" 'y/N' && eval \"$4\" && tmux -S \"$socket\" send-keys \"$3\" Enter \
         && see \"$1\" 'ended with'; code=$?; tmux -S \"$socket\" kill-server; exit $code",
        &[&log, &script, Path::new(answer), Path::new(meanwhile)],
    );
    read(&log)
}

#[test]
fn after_a_question_on_a_terminal_only_the_listed_changes_are_made() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    put(&source, &[("changed", "old"), ("edited", "old"), ("gone", "gone")]);
    yore.run_on("backup", &[&source]).assert_code(0);
    let change = || {
        put(&source, &[("changed", "newer"), ("edited", "newer"), ("extra", "extra")]);
        drop(fs::remove_file(source.join("gone")));
    };
    change();
    let words = ["restore", "latest", "--in-place", "--delete"];
    let screen = answered(&yore, &words, "n", "true");
    assert!(screen.contains("OLDER") && screen.contains("source/changed"), "{screen}");
    assert!(screen.contains("source/extra") && screen.contains("ended with 1"), "{screen}");
    assert!(read(&source.join("changed")) == "newer" && !source.join("gone").exists());
    // A file that changes while the question waits is no longer the listed one.
    let meanwhile = format!(
        "echo 'newest work' > '{0}/edited'; echo 'came meanwhile' > '{0}/late'; \
         echo 'came meanwhile' > '{0}/gone'",
        source.display()
    );
    let screen = answered(&yore, &words, "y", &meanwhile);
    assert!(screen.contains("ended with 3"), "{screen}");
    assert!(screen.contains("changed since the plan was shown"), "{screen}");
    assert_eq!(read(&source.join("changed")), "old");
    assert_eq!(read(&source.join("edited")), "newest work\n");
    assert_eq!(read(&source.join("late")), "came meanwhile\n");
    assert_eq!(read(&source.join("gone")), "came meanwhile\n");
    assert!(!source.join("extra").exists());
    // Nothing has changed meanwhile.
    change();
    fs::remove_file(source.join("late")).expect("removed");
    let screen = answered(&yore, &words, "yes", "true");
    assert!(screen.contains("ended with 0"), "{screen}");
    assert_eq!(fs::read_dir(&source).expect("a folder").count(), 3);
    assert!(["changed", "edited"].iter().all(|name| read(&source.join(name)) == "old"));
}
