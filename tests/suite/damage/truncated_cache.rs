//! A cache that is truncated while a drive uses it.

use std::fs;

use yore_tests::{MountGuard, Yore, assert_same_tree, in_shell, noise};

#[test]
fn a_drive_continues_when_every_file_of_its_cache_is_truncated() {
    let yore = Yore::with_repository();
    let source = yore.scratch.folder("source");
    for folder in 0..20 {
        let path = source.join(format!("{folder}"));
        fs::create_dir(&path).expect("a folder");
        for file in 0..40 {
            let bytes = noise(500 + file * 100, (folder * 100 + file) as u64);
            fs::write(path.join(format!("{file}")), bytes).expect("a file");
        }
    }
    fs::write(source.join("large"), noise(6_000_000, 5)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    let drive = MountGuard::new(&yore, &[]);
    let shown = drive.path_of("latest", &source);
    assert_eq!(fs::read_dir(&shown).expect("it lists").count(), 21);
    let cache = yore.scratch.at("cache");
    let segments = in_shell("find \"$1\" -name '*.segment' -size +0 | wc -l", &[&cache]);
    assert_ne!(segments.trim(), "0");
    in_shell("find \"$1\" -type f -exec truncate -s 0 {} +", &[&cache]);
    assert_same_tree(&shown, &source);
    // Later snapshots appear, too, through a new cache.
    fs::write(source.join("new"), noise(50_000, 6)).expect("a file");
    yore.run_on("backup", &[&source]).assert_code(0);
    in_shell("find \"$1\" -type f -exec truncate -s 0 {} +", &[&cache]);
    drop(drive);
    let drive = MountGuard::new(&yore, &[]);
    assert_same_tree(&drive.path_of("latest", &source), &source);
    yore.assert_sound();
}
