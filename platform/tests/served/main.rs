//! Drives served by a process of their own.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
#[path = "../mount/memory.rs"]
#[allow(dead_code, reason = "what only the tests that mount by themselves look at")]
mod memory;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}
