//! States that are merged from several snapshots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use yore_tests::{Ended, MountGuard, MountedAt, Yore, in_shell, needs_root};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    std::fs::write(path, text).expect("a file");
}

fn cat(yore: &Yore, file: &Path) -> Ended {
    yore.run(["cat", &format!("latest:{}", file.display())])
}

fn new_files(yore: &Yore, words: &str, sources: &[&Path]) -> Option<u64> {
    let ended = yore.run_on(&format!("backup --json {words}"), sources).assert_code(0);
    ended.objects().pop().expect("a summary")["totals"]["new_files"].as_u64()
}

/// Lists the names below `deleted/` on a drive.
fn deleted(drive: &MountGuard, path: &Path) -> Vec<String> {
    let folder = drive.path().join("deleted").join(path.strip_prefix("/").expect("absolute"));
    let Ok(listed) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = listed.map(|name| name.expect("a name").file_name().into_string().expect("text"));
    names.collect()
}

/// Backs up a folder, then the one around it without that folder.
fn shadowed(yore: &Yore, words: &str, around: &Path, inner: &Path) {
    let file = inner.join("me/file");
    assert_eq!(new_files(yore, "", &[inner]), Some(1));
    yore.run_on(&format!("backup {words}"), &[around]).assert_code(0);
    assert_eq!(cat(yore, &file).assert_code(0).out, "first");
    assert_eq!(cat(yore, &around.join("outer")).assert_code(0).out, "outer");
    // The files of the inner source are back.
    assert_eq!(new_files(yore, "", &[inner]), Some(0));
    yore.run_on(&format!("backup {words}"), &[around]).assert_code(0);
    let drive = MountGuard::new(yore, &[]);
    let shown = drive.path_of("latest", &file);
    assert_eq!(std::fs::read_to_string(shown).expect("it is there"), "first");
    assert_eq!(deleted(&drive, &inner.join("me")), Vec::<String>::new());
    let log = yore.run_on("log", &[&file]).assert_code(0).out;
    assert!(!log.contains("deleted") && !log.contains("gone"), "{log}");
}

#[test]
fn what_a_newer_snapshot_left_out_does_not_hide_what_an_older_one_has() {
    let yore = Yore::with_repository();
    let around = yore.scratch.folder("around");
    let inner = around.join("home");
    write(&inner.join("me/file"), "first");
    write(&around.join("outer"), "outer");
    let words = format!("--exclude {}", inner.display());
    shadowed(&yore, &words, &around, &inner);
    // A file that was deleted in the folder itself is deleted.
    std::fs::remove_file(inner.join("me/file")).expect("it is there");
    write(&inner.join("me/other"), "other");
    assert_eq!(new_files(&yore, "", &[&inner]), Some(1));
    yore.run_on(&format!("backup {words}"), &[&around]).assert_code(0);
    assert_eq!(cat(&yore, &inner.join("me/file")).code, Some(1));
    assert_eq!(cat(&yore, &inner.join("me/other")).assert_code(0).out, "other");
    // A snapshot of everything replaces both, and the next one without the folder builds on it.
    write(&inner.join("me/other"), "of all");
    yore.run_on("backup", &[&around]).assert_code(0);
    yore.run_on(&format!("backup {words}"), &[&around]).assert_code(0);
    assert_eq!(cat(&yore, &inner.join("me/other")).assert_code(0).out, "of all");
    yore.assert_sound();
}

#[test]
fn neither_does_one_that_stayed_on_its_file_system() {
    needs_root("mount a second file system");
    let yore = Yore::with_repository();
    let around = yore.scratch.folder("around");
    let inner = yore.scratch.folder("around/home");
    in_shell("mount -t tmpfs none \"$1\"", &[&inner]);
    let _mounted = MountedAt::new(&inner);
    write(&inner.join("me/file"), "first");
    write(&around.join("outer"), "outer");
    shadowed(&yore, "--one-file-system", &around, &inner);
}

fn packs(yore: &Yore) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let mut folders = vec![yore.repository().join("packs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("a name").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path);
            }
        }
    }
    files
}

#[test]
fn the_loss_of_a_pack_stays_with_the_part_that_needs_it() {
    let yore = Yore::with_repository();
    let [lost, kept] = ["lost", "kept"].map(|name| yore.scratch.folder(name));
    let ([lost_file, kept_file], text) =
        ([lost.join("file"), kept.join("file")], "text ".repeat(999));
    write(&lost_file, &text.replace("text", "lost"));
    write(&kept_file, &text);
    yore.run_on("backup", &[&lost]).assert_code(0);
    for pack in packs(&yore) {
        std::fs::remove_file(pack).expect("a pack");
    }
    yore.run_on("backup", &[&kept]).assert_code(0);
    assert!(cat(&yore, &kept_file).assert_code(0).out == text);
    let ended = cat(&yore, &lost_file).assert_code(1);
    assert!(ended.err.contains("missing") || ended.err.contains("can't be read"), "{}", ended.err);
    assert_eq!(new_files(&yore, "", &[&kept]), Some(0));
    let drive = MountGuard::new(&yore, &[]);
    for state in ["latest", "at/now"] {
        let shown = |file: &Path| {
            let below = file.strip_prefix("/").expect("absolute");
            std::fs::read_to_string(drive.path().join(state).join(below))
        };
        assert!(shown(&kept_file).expect("it is there") == text, "{state}");
        // EIO, not "no such file": the content is unknown.
        let error = shown(&lost_file).expect_err("it is lost");
        assert_ne!(error.kind(), std::io::ErrorKind::NotFound, "{state}: {error}");
    }
}
