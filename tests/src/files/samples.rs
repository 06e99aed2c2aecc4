//! Small folders to back up, the same for the same seed.

use std::fs;
use std::path::Path;

use crate::machine::{Random, noise};

/// Makes a folder with every kind of file that needs no privileges.
pub fn small_source(folder: &Path, seed: u64) {
    let mut random = Random(seed);
    fs::create_dir_all(folder.join("sub/deep/empty")).expect("folders");
    fs::write(folder.join("empty"), b"").expect("a file");
    fs::write(folder.join("tiny"), b"x").expect("a file");
    fs::write(folder.join("text"), "the same words again and again\n".repeat(200)).expect("a file");
    fs::write(folder.join("large"), noise(150_000, seed)).expect("a file");
    for n in 0..8 {
        let length = random.below(9_000) as usize;
        fs::write(folder.join(format!("sub/{n}")), noise(length, seed + n + 1)).expect("a file");
    }
    fs::hard_link(folder.join("text"), folder.join("sub/deep/the same")).expect("a hard link");
    let sparse = fs::File::create(folder.join("sub/deep/sparse")).expect("a file");
    sparse.set_len(1 << 20).expect("a hole");
    let target = yore_platform::TargetDir::create(folder).expect("a folder");
    target.symlink(b"link", b"sub/deep/the same").expect("a link");
    target.make_fifo(b"fifo").expect("a pipe");
}

/// Changes, adds and removes some of a folder that [`small_source`] made.
pub fn change_source(folder: &Path, seed: u64) {
    fs::write(folder.join("large"), noise(120_000, seed)).expect("a file");
    fs::write(folder.join("new"), noise(20_000, seed + 1)).expect("a file");
    fs::create_dir_all(folder.join("more/of it")).expect("folders");
    fs::write(folder.join("more/of it/file"), noise(3_000, seed + 2)).expect("a file");
    let _ = fs::remove_file(folder.join("sub/3"));
}
