//! Processes that are ended together with those that they have started.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process_group as kill};

/// Makes a command that is to be started the first of a process group of its own.
pub fn own_process_group(command: &mut Command) {
    command.process_group(0);
}

/// Kills a process that was started so, with all that it has started and that have not left its group.
pub fn kill_process_group(child: &mut Child) {
    // It is not waited for yet, so its number is no other's.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill(group, Signal::KILL);
    }
    let _ = child.kill();
}
