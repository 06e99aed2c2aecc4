//! The output of a command, to be backed up: it ends well only when the command succeeds.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use yore_platform::{Interrupt, Interruptible};

use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};

/// A running command, read through its standard output. Dropped before its end, it is ended.
pub struct ProgramOutput {
    child: Child,
    output: Option<Interruptible<ChildStdout>>,
    status: Option<io::Result<ExitStatus>>,
}

impl ProgramOutput {
    /// Starts a command in bash, where a pipeline fails when any program of it does; without bash, in `sh`, where
    /// that is so if it knows `pipefail`.
    pub fn start(command: &OsStr, interrupt: Interrupt) -> Outcome<Self> {
        let start = |mut shell: Command| shell_output(&mut shell, command);
        let mut bash = Command::new("bash");
        bash.args(["-o", "pipefail", "-c"]);
        let mut child = match start(bash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut sh = Command::new("sh");
                sh.args(["-c", SH_PIPEFAIL, "sh"]);
                start(sh)
            }
            started => started,
        }
        .map_err(|error| failed(&reason(&error)))?;
        let output = child.stdout.take().map(|output| Interruptible::new(output, interrupt));
        Ok(Self { child, output, status: None })
    }

    /// Returns the reason why the command failed, if it ended and failed.
    pub fn failure(&self) -> Option<Failure> {
        match self.status.as_ref()? {
            Ok(status) if status.success() => None,
            Ok(status) => Some(failed(&status.to_string())),
            Err(error) => Some(failed(&reason(error))),
        }
    }
}

/// Makes a pipeline fail with any program of it, in shells that can, and runs the command that is the next word.
const SH_PIPEFAIL: &str = "(set -o pipefail) 2> /dev/null && set -o pipefail; eval \"$1\"";

fn shell_output(shell: &mut Command, command: &OsStr) -> io::Result<Child> {
    shell.arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
}

fn failed(why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("the command whose output was to be saved failed: {why}"),
        "no snapshot was made; run the command by itself to see what it says",
    )
}

impl Read for ProgramOutput {
    /// Reads on; the end of the output is an error unless the command ended well.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.output.as_mut().map_or(Ok(0), |output| output.read(buffer))?;
        if length > 0 {
            return Ok(length);
        }
        self.output = None;
        let child = &mut self.child;
        match self.status.get_or_insert_with(|| child.wait()) {
            Ok(status) if status.success() => Ok(0),
            Ok(status) => Err(io::Error::other(format!("the command failed: {status}"))),
            Err(error) => Err(io::Error::other(reason(error))),
        }
    }
}

impl Drop for ProgramOutput {
    fn drop(&mut self) {
        self.output = None;
        if self.status.is_none() {
            // Nothing reads its output any more; it may have ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: &str) -> (io::Result<usize>, Vec<u8>, Option<Failure>) {
        let mut output = {
            let interrupt = Interrupt::install().expect("signals can be caught");
            ProgramOutput::start(OsStr::new(command), interrupt).expect("there is a shell")
        };
        let mut bytes = Vec::new();
        let read = output.read_to_end(&mut bytes);
        (read, bytes, output.failure())
    }

    #[test]
    fn a_command_that_fails_after_printing_is_an_error() {
        let (end, bytes, failure) = read("echo half; exit 3");
        assert!(end.is_err() && bytes == b"half\n" && failure.is_some());
        let (end, bytes, failure) = read("(echo half; exit 3) | cat");
        assert!(end.is_err() && bytes == b"half\n" && failure.is_some(), "any of a pipeline");
        let (end, bytes, failure) = read("echo whole");
        assert!(end.is_ok() && bytes == b"whole\n" && failure.is_none());
    }
}
