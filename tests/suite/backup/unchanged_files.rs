//! The attributes by which a file is known to be unchanged.
//!
//! Each test changes a file's bytes and none of the compared attributes; the saved bytes then show whether the
//! backup read the file.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use yore_tests::{Yore, in_shell, needs_root};

/// A source with one file, and its backups.
struct SingleFile {
    yore: Yore,
    file: PathBuf,
}

impl SingleFile {
    fn new() -> Self {
        let yore = Yore::with_repository();
        let file = yore.scratch.folder("source").join("file");
        write(&file, "old bytes");
        Self { yore, file }
    }

    fn back_up(&self, words: &str, source: &Path) {
        self.yore.run_on(&format!("backup {words}"), &[source]).assert_code(0);
    }

    fn saved(&self, file: &Path) -> String {
        let place = format!("latest:{}", file.display());
        self.yore.run(["cat", &place]).assert_code(0).out
    }
}

/// Writes a file anew under another inode number, with its modification time in 2020.
fn write(file: &Path, text: &str) {
    let other = file.with_extension("other");
    std::fs::write(&other, text).expect("a file");
    in_shell("touch -d 2020-01-01T00:00:00 \"$1\" && mv \"$1\" \"$2\"", &[&other, file]);
}

#[test]
fn with_size_and_mtime_alone_a_copied_source_counts_as_unchanged() {
    let scene = SingleFile::new();
    let source = scene.file.parent().expect("a folder");
    scene.back_up("", source);
    write(&scene.file, "new bytes");
    scene.back_up("--unchanged-by size,mtime", source);
    assert_eq!(scene.saved(&scene.file), "old bytes");
    // Its mode is still updated.
    in_shell("chmod 640 \"$1\"", &[&scene.file]);
    scene.back_up("--unchanged-by size,mtime", source);
    let place = format!("latest:{}", scene.file.display());
    let listed = scene.yore.run(["ls", &place]).assert_code(0).out;
    assert!(listed.starts_with("-rw-r-----"), "{listed}");
    scene.back_up("", source);
    assert_eq!(scene.saved(&scene.file), "new bytes");
    scene.yore.assert_sound();
}

/// Serves a folder through bindfs, which reports modification times as change times.
fn serve(folder: &Path, at: &Path) -> Child {
    let mut command = Command::new("bindfs");
    command.args(["-f", "--ctime-from-mtime"]).args([folder, at]).stdin(Stdio::null());
    let child = command.spawn().expect("bindfs runs");
    let since = std::time::Instant::now();
    while !at.join("file").exists() && since.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

#[test]
fn inode_numbers_are_compared_only_where_a_file_system_keeps_them() {
    needs_root("mount with bindfs");
    let scene = SingleFile::new();
    let at = scene.yore.scratch.folder("served");
    let mut served = serve(scene.file.parent().expect("a folder"), &at);
    let file = at.join("file");
    let all = "--unchanged-by size,mtime,ctime,inode";
    let saved = [("", "old bytes"), ("", "old bytes"), (all, "odd bytes")];
    let mut found = Vec::new();
    for (round, (words, _)) in saved.into_iter().enumerate() {
        if let Some(text) = [None, Some("new bytes"), Some("odd bytes")][round] {
            write(&scene.file, text);
            // The kernel caches attributes of FUSE files for a second.
            std::thread::sleep(std::time::Duration::from_millis(1500));
        }
        let ended = scene.yore.run_on(&format!("backup {words}"), &[&at]);
        let place = format!("latest:{}", file.display());
        found.push((ended.code, scene.yore.run(["cat", &place]).out));
    }
    in_shell("umount \"$1\"", &[&at]);
    served.wait().expect("it ends");
    assert_eq!(found, saved.map(|(_, text)| (Some(0), text.to_owned())));
}
