//! Python scripts, and the second reader of the format, which is one.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use crate::project::root;

/// Runs a script of the folder `tests` with the system's Python, which has what the scripts need.
pub fn python<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Output {
    let interpreter = match Path::new("/usr/bin/python3").exists() {
        true => "/usr/bin/python3",
        false => "python3",
    };
    Command::new(interpreter)
        .arg("-B")
        .arg(root().join("tests").join(script))
        .args(arguments)
        .env("PYTHONUTF8", "1")
        .output()
        .expect("Python runs")
}

/// Runs the second reader, which must succeed; returns the objects that it prints.
pub fn reader(repository: &Path, secret: [&OsStr; 2], command: &[&str]) -> Vec<serde_json::Value> {
    let mut arguments = vec![repository.as_os_str(), secret[0], secret[1]];
    arguments.extend(command.iter().map(OsStr::new));
    let output = python("reader/yore_reader.py", &arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the second reader, {command:?}: {errors}");
    assert_eq!(errors, "", "the second reader, {command:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let object = |line: &str| serde_json::from_str(line).expect("an object a line");
    text.lines().filter(|line| line.starts_with('{')).map(object).collect()
}
