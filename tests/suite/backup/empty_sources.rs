//! Sources that appear empty because their disk is not mounted.

use std::path::Path;

use serde_json::Value;
use yore_tests::{MountedAt, Yore, in_shell, needs_root};

fn back_up(yore: &Yore, words: &str, source: &Path, code: i32) -> Value {
    let ended = yore.run_on(&format!("backup --json {words}"), &[source]).assert_code(code);
    ended.objects().pop().expect("a summary")
}

fn files(report: &Value) -> Option<u64> {
    report["totals"]["files"].as_u64()
}

fn fill(folder: &Path, count: u32) {
    std::fs::create_dir_all(folder.join("deep")).expect("a folder");
    for number in 0..count {
        std::fs::write(folder.join(format!("deep/{number}")), "text").expect("a file");
    }
}

#[test]
fn a_source_that_had_files_and_has_none_keeps_its_last_state() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    // An empty source that never had files is no error.
    assert_eq!(files(&back_up(&yore, "", &source, 0)), Some(0));
    fill(&source, 20);
    assert_eq!(files(&back_up(&yore, "", &source, 0)), Some(20));
    std::fs::remove_dir_all(source.join("deep")).expect("it is there");
    std::fs::create_dir(source.join("lost+found")).expect("a folder");
    for _ in 0..2 {
        let report = back_up(&yore, "", &source, 3);
        assert_eq!(report["emptied"][0]["files_before"].as_u64(), Some(20), "{report}");
    }
    let place = format!("latest:{}/deep/7", source.display());
    assert_eq!(yore.run(["cat", &place]).assert_code(0).out, "text");
    let ended = yore.run_on("backup", &[&source]).assert_code(3);
    assert!(ended.out.contains("is its disk mounted?"), "{}", ended.out);
    let report = back_up(&yore, "--allow-empty-source", &source, 0);
    assert_eq!((files(&report), report["removed_files"].as_u64()), (Some(0), Some(20)));
    assert_eq!(yore.run(["cat", &place]).code, Some(1));
    assert_eq!(files(&back_up(&yore, "", &source, 0)), Some(0));
    yore.assert_sound();
}

#[test]
fn what_was_removed_is_counted() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fill(&source, 20);
    std::fs::write(source.join("kept"), "").expect("a file");
    back_up(&yore, "", &source, 0);
    std::fs::remove_file(source.join("deep/3")).expect("it is there");
    assert_eq!(back_up(&yore, "", &source, 0)["removed_files"].as_u64(), Some(1));
    std::fs::remove_dir_all(source.join("deep")).expect("it is there");
    let report = back_up(&yore, "", &source, 0);
    assert_eq!(report["removed_files"].as_u64(), Some(19), "{report}");
    assert_eq!(report["emptied"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_disk_that_is_not_mounted_is_noticed_wherever_it_belongs() {
    needs_root("mount a second file system");
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    let disk = yore.scratch.folder("source/disk");
    std::fs::write(source.join("file"), "").expect("a file");
    // A file written into the mountpoint while the disk was not mounted.
    std::fs::write(disk.join("stray"), "").expect("a file");
    in_shell("mount -t tmpfs none \"$1\"", &[&disk]);
    let mounted = MountedAt::new(&disk);
    fill(&disk, 30);
    let whole = back_up(&yore, "", &source, 0);
    let alone = back_up(&yore, "", &disk, 0);
    drop(mounted);
    assert_eq!((files(&whole), files(&alone)), (Some(31), Some(30)));
    let inside = back_up(&yore, "", &source, 3);
    let as_source = back_up(&yore, "", &disk, 3);
    for report in [inside, as_source] {
        let path = report["emptied"][0]["path"].as_str().map(str::to_owned);
        assert_eq!(path, Some(disk.display().to_string()), "{report}");
    }
    let place = format!("latest:{}/deep/7", disk.display());
    assert_eq!(yore.run(["cat", &place]).assert_code(0).out, "text");
    // Deleting a folder and making it again changes the folder above it: the disk did not just vanish.
    std::fs::remove_dir_all(&disk).expect("it is there");
    std::fs::create_dir(&disk).expect("it is not there");
    let report = back_up(&yore, "", &source, 0);
    assert_eq!(report["emptied"].as_array().map(Vec::len), Some(0), "{report}");
    yore.assert_sound();
}

#[test]
fn a_source_with_everything_excluded_is_named() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    fill(&source, 3);
    let report = back_up(&yore, "--exclude *", &source, 3);
    let path = source.display().to_string();
    assert_eq!(report["left_out"]["whole_sources"], serde_json::json!([path]));
    back_up(&yore, "--exclude * --allow-empty-source", &source, 0);
}
