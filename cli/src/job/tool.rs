//! Programs of the system that a backup calls.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use crate::failure::engine_error::reason;

/// Runs a program to its end, and returns what it prints; an error is what it says of its failure.
///
/// An interrupt of this process does not reach it: what it began, it ends.
pub fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    yore_platform::own_process_group(&mut command);
    let ended = command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{program} is not installed here"),
        _ => format!("{program} can't be started: {}", reason(&error)),
    })?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(match said.is_empty() {
        true => format!("{program}: {}", ended.status),
        false => format!("{program}: {}", said.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_what_the_program_says() {
        assert_eq!(output("sh", &["-c", "echo out"]).as_deref(), Ok("out\n"));
        assert_eq!(output("sh", &["-c", "echo so >&2; false"]), Err("sh: so".into()));
        assert_eq!(output("sh", &["-c", "exit 3"]), Err("sh: exit status: 3".into()));
        assert_eq!(output("no-such-tool", &[]), Err("no-such-tool is not installed here".into()));
    }
}
