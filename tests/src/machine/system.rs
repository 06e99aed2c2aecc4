//! Calls to the system through programs that every system has.

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

/// Returns true as root, who may make devices and give files away.
pub fn is_root() -> bool {
    yore_platform::current_ids().uid == 0
}

/// Fails a test that only root can run, with what it needs to do.
#[track_caller]
pub fn needs_root(what: &str) {
    assert!(is_root(), "only root can {what}: run the tests as root");
}

/// Returns the peak memory of a running process in KiB; `None` once it has ended.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}
