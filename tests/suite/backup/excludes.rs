//! Patterns of a backup and of a restore, as users type them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use yore_tests::{Ended, Yore, in_shell};

/// A source of a few files, at `home/me/x` in the scratch folder.
struct Source {
    yore: Yore,
    path: PathBuf,
}

const FILES: [&str; 7] = [
    "a.txt",
    "cache/data",
    "Documents/private/diary",
    "Documents/public",
    "sub/cache/data",
    "x/cache/data",
    "#recycle/old",
];

impl Source {
    fn new() -> Self {
        let yore = Yore::with_repository();
        let path = yore.scratch.folder("home/me/x");
        for file in FILES {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
            std::fs::write(&file, "text").expect("a file");
        }
        Self { yore, path }
    }

    /// Backs up from inside the source; returns the program's summary.
    fn back_up(&self, words: &[&str]) -> Value {
        let mut command = self.yore.command(["backup", "--json"]);
        command.args(words).arg(&self.path).current_dir(&self.path);
        command.env("HOME", self.yore.scratch.at("home/me"));
        Yore::finish(&mut command).assert_code(0).objects().pop().expect("a summary")
    }

    /// Lists those of `FILES` that the newest snapshot has.
    fn saved(&self) -> Vec<&'static str> {
        saved(&self.yore, &self.path)
    }

    /// Returns `FILES` without some.
    fn all_but(left_out: &[&str]) -> Vec<&'static str> {
        FILES.into_iter().filter(|file| !left_out.contains(file)).collect()
    }
}

fn saved(yore: &Yore, source: &Path) -> Vec<&'static str> {
    let place = format!("latest:{}", source.display());
    let listed = yore.run(["ls", "--recursive", "--json", &place]).assert_code(0).objects();
    let has = |file: &&str| {
        let path = source.join(file).display().to_string();
        listed.iter().any(|line| line["path"] == path.as_str())
    };
    FILES.into_iter().filter(has).collect()
}

#[test]
fn a_pattern_excludes_the_paths_that_its_form_names() {
    let source = Source::new();
    for (pattern, left_out) in [
        ("Documents/private", &["Documents/private/diary"][..]),
        ("./cache", &["cache/data"]),
        ("cache", &["cache/data", "sub/cache/data", "x/cache/data"]),
        // Matches in the folder x of the source x, and in the source x itself.
        ("x/cache", &["cache/data", "x/cache/data"]),
        ("~/x/sub", &["sub/cache/data"]),
        ("../x/sub/", &["sub/cache/data"]),
        ("Documents/private   ", &["Documents/private/diary"]),
        ("#recycle", &["#recycle/old"]),
        ("**/cache/data", &["cache/data", "sub/cache/data", "x/cache/data"]),
    ] {
        let report = source.back_up(&["--exclude", pattern]);
        assert_eq!(source.saved(), Source::all_but(left_out), "{pattern}");
        assert_eq!(report["left_out"]["unused_patterns"].as_array().map(Vec::len), Some(0));
        let counted = report["left_out"]["by_patterns"].as_u64();
        assert_eq!(counted, Some(left_out.len() as u64), "{pattern}: {report}");
        // In a file a # begins a comment, and a path is relative to the source.
        if pattern.starts_with(['#', '.']) {
            continue;
        }
        let list = source.yore.scratch.at("patterns");
        std::fs::write(&list, format!("\u{feff}{pattern}\r\n# a comment\n\n")).expect("a file");
        source.back_up(&["--exclude-file", list.to_str().expect("text")]);
        assert_eq!(source.saved(), Source::all_but(left_out), "{pattern} in a file");
    }
    source.yore.assert_sound();
}

#[test]
fn a_pattern_without_a_match_is_named() {
    let source = Source::new();
    let report = source.back_up(&["--exclude", "Documents/privat", "--exclude", "*.txt"]);
    let unused = &report["left_out"]["unused_patterns"];
    assert_eq!(*unused, serde_json::json!(["Documents/privat"]));
    let words = ["backup", "--exclude", "Documents/privat"];
    let ended = source.yore.run_on(&words.join(" "), &[&source.path]).assert_code(0);
    assert!(ended.out.contains("the pattern Documents/privat fits nothing"), "{}", ended.out);
    for pattern in ["[z", "{a,b}", "", "  "] {
        let ended = source.yore.run(["backup", "--exclude", pattern, "home"]);
        assert_eq!(ended.code, Some(2), "{pattern:?}: {ended:?}");
    }
}

#[test]
fn a_named_source_is_saved_although_a_pattern_matches_it() {
    let source = Source::new();
    let named = source.path.join("sub/cache");
    let out = "sub/cache/data";
    std::fs::write(source.path.join("sub/other"), "").expect("a file");
    let other = format!("latest:{}/sub/other", source.path.display());
    for words in
        [&["--exclude", "sub"][..], &["--exclude", "cache"], &["--exclude-if-present", "a.txt"]]
    {
        let mut command = source.yore.command(["backup"]);
        command.args(words).args([&source.path, &named]).current_dir(&source.path);
        Yore::finish(&mut command).assert_code(0);
        assert!(source.saved().contains(&out), "{words:?}: {:?}", source.saved());
        let around = source.yore.run(["cat", &other]).code;
        let is_out = source.saved().len() < FILES.len() || around == Some(1);
        assert!(is_out, "{words:?} leaves something out: {:?}", source.saved());
    }
    source.yore.assert_sound();
}

#[test]
fn a_pattern_through_a_link_matches_the_target_of_the_link() {
    let source = Source::new();
    let link = source.yore.scratch.at("link");
    in_shell("ln -s home \"$1\"", &[&link]);
    let through = link.join("me/x");
    let pattern = format!("{}/Documents/private", through.display());
    let words = ["--exclude", &pattern, through.to_str().expect("text")];
    source.yore.run(["backup"].iter().chain(&words)).assert_code(0);
    assert_eq!(source.saved(), Source::all_but(&["Documents/private/diary"]));
    // Both paths find the saved file, also after it was deleted.
    std::fs::remove_file(source.path.join("a.txt")).expect("it is there");
    let file = through.join("a.txt");
    for words in ["log", "snapshots --path", "find a.txt --path"] {
        let listed = source.yore.run_on(words, &[&file]).assert_code(0).out;
        assert!(listed.lines().count() > 1, "{words}: {listed}");
    }
    let place = format!("latest:{}", file.display());
    assert_eq!(source.yore.run(["cat", &place]).assert_code(0).out, "text");
    source.yore.run_on("restore", &[&file]).assert_code(0);
    assert!(source.path.join("a.txt").exists());
}

#[test]
fn a_marker_file_counts_only_with_its_option() {
    let source = Source::new();
    std::fs::write(source.path.join("sub/.nobackup"), "").expect("a file");
    source.back_up(&[]);
    assert_eq!(source.saved(), FILES);
    let report = source.back_up(&["--exclude-if-present", ".nobackup"]);
    assert_eq!(source.saved(), Source::all_but(&["sub/cache/data"]));
    assert_eq!(report["left_out"]["by_marks"], serde_json::json!({ ".nobackup": 1 }));
}

#[test]
fn a_file_above_the_size_limit_is_left_out_unless_it_is_named() {
    let source = Source::new();
    let large = source.path.join("sub/large");
    std::fs::write(&large, vec![7; 5000]).expect("a file");
    let words = "backup --json --exclude-larger-than 4K";
    let ended = source.yore.run_on(words, &[&source.path]).assert_code(0);
    let report = ended.objects().pop().expect("a summary");
    assert_eq!((report["left_out"]["too_large"].as_u64(), files(&report)), (Some(1), Some(7)));
    let ended = source.yore.run_on(words, &[&large]).assert_code(0);
    assert_eq!(files(&ended.objects().pop().expect("a summary")), Some(1));
}

fn files(report: &Value) -> Option<u64> {
    report["totals"]["files"].as_u64()
}

fn restored(ended: &Ended) -> Option<u64> {
    ended.objects().pop().expect("a summary")["files"].as_u64()
}

#[test]
fn a_restore_takes_the_same_patterns() {
    let source = Source::new();
    source.back_up(&[]);
    let place = format!("latest:{}", source.path.display());
    for (words, expected) in [
        (&["--include", "Documents/private"][..], 1),
        (&["--include", "~/x/Documents"], 2),
        (&["--exclude", "./cache"], 6),
        (&["--exclude", "x/cache"], 5),
    ] {
        let target = source.yore.scratch.at("target");
        let mut command = source.yore.command(["restore", "--json", &place, "--target"]);
        command.arg(&target).args(words).current_dir(&source.path);
        command.env("HOME", source.yore.scratch.at("home/me"));
        let ended = Yore::finish(&mut command).assert_code(0);
        assert_eq!(restored(&ended), Some(expected), "{words:?}");
        std::fs::remove_dir_all(&target).expect("it was made");
    }
}
