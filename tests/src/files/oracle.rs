//! Trees of files made and compared by scripts in `tests/oracle`, which share no code with the program.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;

use crate::machine::python;

/// Makes a folder with every kind of file that this user may make; returns the kinds that were left out, for
/// lack of privileges or since the file system does not keep them.
pub fn build_matrix(folder: &Path) -> Vec<String> {
    let output = python("oracle/file_kinds.py", &[folder]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the matrix: {errors}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Returns the attributes of a folder and everything below it, by path; paths as Python writes bytes.
pub fn stat_tree(folder: &Path) -> BTreeMap<String, Value> {
    let output = python("oracle/tree.py", &[folder.as_os_str()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "stat of {}: {errors}", folder.display());
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).expect("an object a line");
            (value["path"].as_str().expect("a path").to_owned(), value)
        })
        .collect()
}

/// Fails with the differences between two folders, but for times of change and access.
pub fn assert_same_tree(found: &Path, expected: &Path) {
    let output = python(
        "oracle/tree.py",
        &[OsStr::new("--compare"), found.as_os_str(), expected.as_os_str()],
    );
    let differences = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} differs from {}:\n{differences}{errors}",
        found.display(),
        expected.display()
    );
}
