//! The rooms of this program: each folder uses only those below it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, the lowest first. Each may use those before it.
const ORDER: [&str; 17] = [
    "text", "failure", "json", "args", "screen", "access", "config", "context", "moment", "drive",
    "runs", "job", "commands", "usage", "program", "lib", "bin",
];

/// The number of files that may stand side by side.
const SIDE_BY_SIDE: usize = 16;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Collects the files of a folder and of every folder in it.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let paths = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut here = 0;
    for path in paths {
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            here += usize::from(!path.ends_with("lib.rs"));
            files.push(path);
        }
    }
    assert!(here <= SIDE_BY_SIDE, "{} holds {here} files side by side", folder.display());
}

/// Returns the names that follow `crate::` in a text.
fn used(text: &str) -> BTreeSet<&str> {
    let word = |text: &'_ str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(0);
    text.split("crate::").skip(1).map(|rest| &rest[..word(rest)]).collect()
}

#[test]
fn each_room_uses_only_rooms_below_it_and_holds_few_files() {
    let mut files = Vec::new();
    rust_files(&source(), &mut files);
    assert!(files.len() > ORDER.len());
    for file in files {
        let inside = file.strip_prefix(source()).expect("it is a source");
        let room = inside.iter().next().and_then(|name| name.to_str()).expect("a name");
        let room = room.trim_end_matches(".rs");
        if room == "rooms" {
            continue;
        }
        let position = |name: &str| ORDER.iter().position(|room| *room == name);
        let own = position(room).unwrap_or_else(|| panic!("{room} is no room in the order"));
        let text = fs::read_to_string(&file).expect("a source");
        for name in used(&text).into_iter().filter(|name| !name.is_empty()) {
            let other = position(name).unwrap_or_else(|| panic!("{name} is no room in the order"));
            assert!(other <= own, "{} uses {name}, which is above it", inside.display());
        }
    }
}
