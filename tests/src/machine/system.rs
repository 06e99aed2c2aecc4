//! What the tests ask the system, through the programs that every system has.

use std::path::Path;
use std::process::Command;

/// Runs a line of shell with `$1`, `$2` … set; it must succeed. Returns what it printed.
pub fn in_shell(line: &str, arguments: &[&Path]) -> String {
    let output = Command::new("bash")
        .args(["-c", line, "bash"])
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "`{line}` with {arguments:?}: {}\n{printed}{complaints}",
        output.status
    );
    printed
}

/// Whether the tests run as root, who may make devices and give files away.
pub fn is_root() -> bool {
    yore_platform::current_ids().uid == 0
}

/// Fails a test that only root can run, saying what it does.
#[track_caller]
pub fn needs_root(what: &str) {
    assert!(is_root(), "only root can {what}: run the tests as root");
}

/// The most memory in KiB that a running process has had; `None` when it is gone.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
