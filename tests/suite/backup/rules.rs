//! Contents of a backup: excludes, unreadable files, owners, other file systems.

use std::path::{Path, PathBuf};
use std::process::Command;

use yore_tests::{Ended, MountedAt, Yore, binary, in_shell, is_root, needs_root};

/// Lists the paths below the source in the newest snapshot.
fn held(yore: &Yore, source: &Path) -> Vec<String> {
    let place = format!("latest:{}", source.display());
    let listed = yore.run(["ls", "--recursive", "--json", &place]).assert_code(0).objects();
    let top = format!("{}/", source.display());
    let paths = listed.iter().filter_map(|line| line["path"].as_str());
    let mut below: Vec<String> =
        paths.filter_map(|path| path.strip_prefix(&top).map(str::to_owned)).collect();
    below.sort();
    below
}

fn write(path: PathBuf, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    std::fs::write(path, text).expect("a file");
}

#[test]
fn excluded_paths_are_left_out() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for path in [
        "a.txt",
        "b.o",
        "sub/c.o",
        "sub/d.txt",
        "build/x",
        "keep.o",
        "cache/data",
        "no/x",
        "t/z.tmp",
    ] {
        write(source.join(path), path);
    }
    write(source.join("cache/CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    write(source.join("no/.nobackup"), "");
    let list = yore.scratch.at("excludes");
    std::fs::write(&list, "# a comment\n\n*.tmp\n").expect("a file");
    let source_word = source.to_str().expect("text");
    let list_word = list.to_str().expect("text");
    let words = [
        "backup",
        "--exclude",
        "*.o",
        "--exclude",
        "!keep.o",
        "--exclude",
        "build/",
        "--exclude-file",
        list_word,
        "--exclude-caches",
        "--exclude-if-present",
        ".nobackup",
        source_word,
    ];
    yore.run(words).assert_code(0);
    let expected = [
        "a.txt",
        "cache",
        "cache/CACHEDIR.TAG",
        "keep.o",
        "no",
        "no/.nobackup",
        "sub",
        "sub/d.txt",
        "t",
    ];
    assert_eq!(held(&yore, &source), expected);
    yore.run(["backup", source_word]).assert_code(0);
    assert!(held(&yore, &source).contains(&"cache/data".to_owned()));
    yore.assert_sound();
}

#[test]
fn the_repository_inside_a_source_is_left_out() {
    let yore = Yore::with_repository();
    let source = yore.scratch.path().to_owned();
    write(source.join("file"), "x");
    yore.run_on("backup", &[&source]).assert_code(0);
    let held = held(&yore, &source);
    assert!(held.contains(&"file".to_owned()));
    assert!(!held.iter().any(|path| path.starts_with("repository/")), "{held:?}");
    let ended = yore.run_on("backup", &[&yore.repository()]).assert_code(2);
    assert!(ended.err.contains("repository"), "{}", ended.err);
}

/// Runs as a user without privileges: the current one, or `nobody` when that is root.
fn as_nobody(yore: &Yore, words: &[&Path]) -> Ended {
    let mut command = match is_root() {
        false => return yore.run(words),
        true => Command::new("setpriv"),
    };
    let home = yore.scratch.at("nobody");
    in_shell(
        "mkdir -p \"$1\" && cp \"$2\" \"$1\"/key 2>/dev/null; chown -R 65534:65534 \"$1\"; chmod 755 \"$3\"",
        &[&home, &yore.key_file(), yore.scratch.path()],
    );
    // The program's file may lie in a folder that `nobody` can't enter.
    in_shell("cp \"$1\" \"$2\"/yore", &[yore_tests::binary(), &home]);
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(home.join("yore"));
    command.args(words).env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
    command.env("HOME", &home).env("YORE_STATE_DIR", home.join("state"));
    command.env("YORE_CACHE_DIR", home.join("cache")).current_dir(&home);
    command.env("YORE_REPO", home.join("repository")).env("YORE_KEY_FILE", home.join("key"));
    Yore::finish(&mut command)
}

#[test]
fn unreadable_files_are_listed_and_counted() {
    let yore = Yore::new();
    let source = yore.scratch.folder("source");
    for path in ["readable", "secret", "closed/inside"] {
        write(source.join(path), path);
    }
    in_shell("chmod -R a+rX \"$1\"", &[&source]);
    as_nobody(&yore, &["init".as_ref()]).assert_code(0);
    as_nobody(&yore, &["backup".as_ref(), &source]).assert_code(0);
    in_shell(
        "chmod 000 \"$1\"/secret \"$1\"/closed; echo more >> \"$1\"/secret || true",
        &[&source],
    );
    in_shell("touch \"$1\"/closed", &[&source]);
    let ended = as_nobody(&yore, &["--json".as_ref(), "backup".as_ref(), &source]).assert_code(3);
    assert!(ended.err.contains("secret") && ended.err.contains("closed"), "{}", ended.err);
    let report = ended.objects().pop().expect("a report");
    assert_eq!(report["totals"]["unreadable"].as_u64(), Some(2), "{report}");
    let cat = |path: &str| {
        let place = format!("latest:{}/{path}", source.display());
        as_nobody(&yore, &["cat".as_ref(), Path::new(&place)])
    };
    assert_eq!(cat("readable").assert_code(0).out, "readable");
    assert_eq!(cat("secret").assert_code(0).out, "secret", "its state of before");
    assert_eq!(cat("closed/inside").assert_code(0).out, "closed/inside", "its state of before");
    as_nobody(&yore, &["check".as_ref(), "--read-data".as_ref()]).assert_code(0);
    in_shell("chmod 700 \"$1\"/closed", &[&source]);
}

#[test]
fn a_restore_by_another_user_lists_the_owners_that_it_could_not_set() {
    needs_root("back up the files of others");
    let yore = Yore::new();
    let source = yore.scratch.folder("source");
    write(source.join("file"), "x");
    in_shell("chmod -R a+rX \"$1\"", &[&source]);
    as_nobody(&yore, &["init".as_ref()]).assert_code(0);
    as_nobody(&yore, &["backup".as_ref(), &source]).assert_code(0);
    let target = yore.scratch.at("nobody").join("restored");
    let words = ["restore".as_ref(), "latest".as_ref(), "--target".as_ref(), target.as_path()];
    let ended = as_nobody(&yore, &words).assert_code(3);
    assert!(ended.err.contains("owner"), "{}", ended.err);
    let restored = target.join(source.strip_prefix("/").expect("absolute")).join("file");
    assert_eq!(std::fs::read_to_string(restored).expect("it reads"), "x");
}

#[test]
fn a_file_of_the_same_size_and_time_with_other_bytes_is_noticed() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let file = source.join("file");
    for round in 0..20 {
        let text = format!("round {round:02}");
        std::fs::write(&file, &text).expect("a file");
        in_shell("touch -d 2020-01-01T00:00:00 \"$1\"", &[&file]);
        yore.run_on("backup", &[&source]).assert_code(0);
        let place = format!("latest:{}", file.display());
        assert_eq!(yore.run(["cat", &place]).assert_code(0).out, text);
    }
}

#[test]
fn a_source_on_another_file_system_is_entered_unless_told_otherwise() {
    needs_root("mount a second file system");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let other = yore.scratch.folder("source/other");
    in_shell("mount -t tmpfs none \"$1\"", &[&other]);
    let mounted = MountedAt::new(&other);
    write(source.join("file"), "x");
    write(other.join("file"), "x");
    let all = yore.run_on("backup", &[&source]);
    let held_all = held(&yore, &source);
    let one = yore.run_on("backup --one-file-system", &[&source]);
    let held_one = held(&yore, &source);
    drop(mounted);
    all.assert_code(0);
    one.assert_code(0);
    assert_eq!(held_all, ["file", "other", "other/file"]);
    assert_eq!(held_one, ["file", "other"]);
}

#[test]
fn a_restore_of_a_root_deletes_nothing_that_the_backup_excluded() {
    needs_root("take another root");
    let yore = Yore::new();
    let root = yore.scratch.folder("root");
    let with_libraries = "cp --parents $(ldd \"$1\" | grep --only-matching '/[^ ]*') \"$2\" && cp \"$1\" \"$2/yore\"";
    in_shell(with_libraries, &[binary(), &root]);
    let yore = |words: &str| {
        let mut command = Command::new("chroot");
        command.arg(&root).arg("/yore").args(words.split(' ')).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs([("HOME", "/home"), ("YORE_REPO", "/repository"), ("YORE_KEY_FILE", "/key")]);
        Yore::finish(&mut command)
    };
    yore("init").assert_code(0);
    write(root.join(".nobackup"), "");
    write(root.join("precious"), "");
    yore("backup / --exclude-if-present .nobackup").assert_code(0);
    let restored = yore("restore latest --in-place --delete --overwrite different");
    assert!(restored.err.contains("left out"), "{}", restored.err);
    assert!(root.join("precious").exists());
    std::fs::remove_file(root.join(".nobackup")).expect("it is there");
    yore("backup /").assert_code(0);
    write(root.join("extra"), "");
    // The exit code is 3 where the C library needs /proc to set a mode.
    let restored = yore("restore latest --in-place --delete --overwrite different");
    assert!(restored.out.contains("1 removed"), "{}", restored.out);
    assert!(root.join("precious").exists() && !root.join("extra").exists());
}
