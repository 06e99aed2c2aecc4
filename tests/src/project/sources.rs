//! The project's own files, for the tests of its rules.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the project.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its path from the root of the project.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Returns the root of the project.
pub fn root() -> PathBuf {
    // The checkout that the test runs in, not the one it was built in: several may share a build.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
    Path::new(&here).parent().expect("the package is in the project").to_owned()
}

/// Reads every text file of the project.
pub fn source_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    for path in paths() {
        let whole = root().join(&path);
        if let Ok(text) = std::fs::read_to_string(&whole) {
            files.push(SourceFile { path, text });
        }
    }
    assert!(files.len() > 50, "only {} files were found", files.len());
    files
}

/// Lists the files that git knows, or all files without git.
fn paths() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    if let Ok(output) = listed
        && output.status.success()
    {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        return text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    }
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let is_dir = entry.file_type().expect("a kind").is_dir();
        match (is_dir, name.as_str()) {
            (true, "target" | ".git" | "__pycache__") => {}
            (true, _) => walk(&entry.path(), &format!("{path}/"), found),
            (false, _) => found.push(path),
        }
    }
}
