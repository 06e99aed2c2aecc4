//! Processes: going to the background, telling processes apart, limits, names.

mod descriptors;
mod detach;
mod group;
mod identity;
mod interrupt;
mod memory;
mod priority;
mod strain;

pub use detach::{Readiness, open_log, spawn_detached};
pub use group::{kill_process_group, own_process_group};
pub(crate) use identity::{has_ended, process_mark};
pub use identity::{hostname, is_alive, machine_digest, process_identity, user_name};
pub use interrupt::{Interrupt, Interruptible, restore_sigpipe};
pub use memory::return_freed_memory;
pub use priority::lower_thread_priority;
pub use strain::{load_average, on_battery};

use rustix::process::{Resource, Rlimit};

/// Raises the limit of open files to what the system permits, and returns it.
pub fn raise_open_file_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // A refusal leaves the lower limit, which is returned.
    let _ = rustix::process::setrlimit(Resource::Nofile, raised);
    let limit = rustix::process::getrlimit(Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}
