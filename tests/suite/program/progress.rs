//! Progress of long commands, and the lines of `--verbose`.

use std::fs;
use std::path::{Path, PathBuf};

use yore_tests::{Yore, noise, on_terminal};

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Returns everything that a terminal got while a command ran, with its progress.
fn drawn(yore: &Yore, columns: u16, arguments: &[&str]) -> String {
    on_terminal(columns, &yore.command(arguments), "").assert_code(0).out
}

/// Makes a folder that is large enough for progress to be drawn.
fn large_source(yore: &Yore) -> PathBuf {
    let source = yore.scratch.folder("source");
    for n in 0..40 {
        fs::write(source.join(format!("file {n}")), noise(2_000_000, n)).expect("a file");
    }
    for n in 0..100 {
        fs::write(source.join(format!("small {n}")), n.to_string()).expect("a file");
    }
    source
}

#[test]
fn backup_restore_and_check_show_per_cent_total_and_the_time_left() {
    let yore = Yore::with_repository();
    let source = large_source(&yore);
    let left_out = source.join("left out");
    fs::write(&left_out, noise(30_000_000, 99)).expect("a file");
    let backup = ["backup", text(&source), "--exclude", "left out"];
    let shown = drawn(&yore, 120, &backup);
    for word in ["%", "left", "/140 files", "/76.29 MiB"] {
        assert!(shown.contains(word), "{word:?} is missing in {shown}");
    }
    let target = yore.scratch.at("target");
    let shown = drawn(&yore, 120, &["restore", "latest", "--target", text(&target)]);
    for word in ["%", "left", "/140 files", "/76.29 MiB"] {
        assert!(shown.contains(word), "{word:?} is missing in {shown}");
    }
    let shown = drawn(&yore, 120, &["check", "--read-data"]);
    let packs = yore.run(["stats", "--json"]).assert_code(0).objects()[0]["packs"].clone();
    for word in ["%", "left", &format!("/{packs} packs"), "/1 snapshot"] {
        assert!(shown.contains(word), "{word:?} is missing in {shown}");
    }
    assert!(!shown.contains("0 files,"), "packs are no files: {shown}");
}

/// Runs with `-v`; returns the lines about files.
fn fates(yore: &Yore, arguments: &[&str]) -> Vec<(String, String)> {
    let words = [&["-v"], arguments].concat();
    let told = yore.run(words).assert_code(0).out;
    let known = ["new", "changed", "unchanged", "restored", "kept", "removed"];
    let fate = |line: &str| {
        let (word, path) = line.split_once(' ')?;
        let name = path.trim().rsplit('/').next()?;
        known.contains(&word).then(|| (word.to_owned(), name.to_owned()))
    };
    told.lines().filter_map(fate).collect()
}

fn pairs(fates: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> = fates.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    pairs.sort_unstable();
    pairs
}

#[test]
fn verbose_lists_every_file_with_its_change_also_in_dry_runs() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::create_dir(source.join("sub")).expect("a folder");
    for name in ["same", "other", "sub/deep"] {
        fs::write(source.join(name), name).expect("a file");
    }
    yore.run(["backup", text(&source)]).assert_code(0);
    // Files that are younger than the resolution of the coarsest clock are read again.
    fs::write(source.join("other"), "changed").expect("a file");
    fs::write(source.join("young"), "new").expect("a file");
    let expected =
        [("changed", "other"), ("new", "young"), ("unchanged", "deep"), ("unchanged", "same")];
    let dry = fates(&yore, &["backup", "--dry-run", text(&source)]);
    assert_eq!(pairs(&dry), expected);
    let real = fates(&yore, &["backup", text(&source)]);
    assert_eq!(pairs(&real), expected);
    let objects = yore.run(["-v", "--json", "backup", text(&source)]).assert_code(0).objects();
    let files: Vec<_> = objects.iter().filter(|object| object["type"] == "file").collect();
    assert!(files.len() == 4 && files.iter().all(|f| f["what"] == "unchanged"), "{objects:?}");

    let place = format!("latest:{}", text(&source));
    fs::remove_file(source.join("young")).expect("removed");
    fs::write(source.join("extra"), "extra").expect("a file");
    fs::write(source.join("other"), "yet another").expect("a file");
    let restore = ["restore", &place, "--in-place", "--overwrite", "different", "--delete"];
    let expected = [
        ("removed", "extra"),
        ("restored", "other"),
        ("restored", "young"),
        ("unchanged", "deep"),
        ("unchanged", "same"),
    ];
    let dry = fates(&yore, &[&restore[..], &["--dry-run"]].concat());
    assert_eq!(pairs(&dry), expected);
    assert_eq!(pairs(&fates(&yore, &restore)), expected);
    let kept = fates(&yore, &["restore", &place, "--in-place", "--overwrite", "never"]);
    assert!(kept.len() == 4 && kept.iter().all(|(fate, _)| fate == "kept"), "{kept:?}");
    // Without `-v` no file is listed.
    assert!(!yore.run(["backup", text(&source)]).assert_code(0).out.contains("sub/deep"));
}

#[test]
fn quiet_prints_nothing_on_success() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fs::write(source.join("file"), "content").expect("a file");
    let target = yore.scratch.at("target");
    for words in [
        vec!["backup", text(&source)],
        vec!["backup", "--dry-run", text(&source)],
        vec!["restore", "latest", "--target", text(&target)],
        vec!["restore", "latest", "--target", text(&target), "--dry-run"],
        vec!["check", "--read-data"],
        vec!["backup", "--command", "echo x", "--name", "x"],
        vec!["forget", "latest~1"],
    ] {
        let ended = yore.run([&["-q"], &words[..]].concat()).assert_code(0);
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""), "{words:?}");
        let mut command = yore.command([&["-q"], &words[..]].concat());
        if words[0] != "forget" {
            let shown = on_terminal(80, command.env("TERM", "xterm"), "").assert_code(0).out;
            assert_eq!(shown, "", "{words:?} on a terminal");
        }
    }
    // `--quiet` does not suppress results.
    assert_ne!(yore.run(["-q", "snapshots"]).assert_code(0).out, "");
}
