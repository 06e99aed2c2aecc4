//! The priority of threads.

#![allow(unsafe_code)]

/// The value of the least wanted processes (`setpriority(2)`).
const LEAST: libc::c_int = 19;
/// The class of I/O that is served while no other waits (`ioprio_set(2)`).
const CLASS_IDLE: libc::c_int = 3;
const CLASS_SHIFT: libc::c_int = 13;
const WHO_PROCESS: libc::c_int = 1;

/// Lets the calling thread work only while no other wants the processor or the disk.
///
/// A refusal leaves it as it is.
pub fn lower_thread_priority() {
    // SAFETY: both calls take numbers, and by 0 mean the calling thread.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, LEAST);
        libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
    }
}
