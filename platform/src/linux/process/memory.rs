//! The process's memory.

#![allow(unsafe_code)]

/// Makes memory of large buffers go back to the system when they are freed.
///
/// Otherwise glibc keeps freed memory for the thread that freed it, and several threads that
/// hand buffers to each other keep a multiple of what is in use (measured: a drive's daemon of
/// 128 MiB of frames peaked at 232 to 275 MiB without, 131 MiB with it). Buffers that are used
/// again and again are pooled by their users.
pub fn return_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        /// Larger than what is allocated often, smaller than any buffer of a frame.
        const THRESHOLD: libc::c_int = 256 << 10;
        // SAFETY: mallopt only sets a parameter of the allocator, which is thread-safe in glibc.
        unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, THRESHOLD) };
    }
}
