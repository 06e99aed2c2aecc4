//! Going to the background: the program starts itself again, and the first process stays until the
//! second one says that it works.
//!
//! Not by fork, which takes along one thread of many and the locks of all. Nothing secret passes
//! through arguments or environment: the child reads it from a pipe, its standard input. Its
//! standard output is the pipe on which it reports: `ready`, or `error` with an exit code and a text.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Why a background process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// The background process said why it can't work.
    #[error("{message}")]
    Refused {
        /// Its reason, to be shown as it is.
        message: String,
        /// The exit code that it chose.
        code: u8,
    },
    /// The background process ended before it said anything.
    #[error("background process ended without a word ({status})")]
    Died {
        /// How it ended.
        status: String,
    },
    /// The background process could not be started.
    #[error("can't start the background process")]
    Io(#[from] io::Error),
}

/// A process that went to the background and works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detached {
    /// Its number.
    pub pid: u32,
}

/// Starts this program again with `arguments` in the background, and waits until it is ready.
///
/// The child must call [`Readiness::take`] first of all. It gets `secret`, no terminal, and `log`
/// (made 0600, appended to) as its standard error, or none.
pub fn spawn_detached<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    secret: &[u8],
    log: Option<&Path>,
) -> Result<Detached, DetachError> {
    let stderr = match log {
        Some(log) => OpenOptions::new().append(true).create(true).mode(0o600).open(log)?.into(),
        None => Stdio::null(),
    };
    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ended already is explained below.
        let _ = stdin.write_all(secret);
    }
    let report = match child.stdout.take() {
        Some(stdout) => read_report(stdout)?,
        None => Report::Nothing,
    };
    match report {
        Report::Ready => Ok(Detached { pid: child.id() }),
        Report::Error { message, code } => {
            child.wait()?;
            Err(DetachError::Refused { message, code })
        }
        Report::Nothing => Err(died(child)?),
    }
}

fn died(mut child: Child) -> io::Result<DetachError> {
    // It may have closed its output and live; without a report it is of no use.
    child.kill()?;
    let status = child.wait()?.to_string();
    Ok(DetachError::Died { status })
}

/// Room for any secret, so that its memory is not moved while it is read.
const SECRET_BYTES: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Report {
    Ready,
    Error { message: String, code: u8 },
    Nothing,
}

/// Reads until the first line says `ready`, or to the end.
fn read_report(mut from: impl Read) -> io::Result<Report> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\n") && from.read(&mut byte)? == 1 {
        text.extend_from_slice(&byte);
    }
    if text == b"ready\n" {
        return Ok(Report::Ready);
    }
    let first = String::from_utf8_lossy(&text);
    let Some(code) = first.strip_prefix("error ") else {
        return Ok(Report::Nothing);
    };
    let code = code.trim().parse().unwrap_or(1);
    let mut message = Vec::new();
    from.read_to_end(&mut message)?;
    let message = String::from_utf8_lossy(&message).trim_end().to_owned();
    Ok(Report::Error { message, code })
}

/// The background process's word to the process that started it.
///
/// Dropped without a word, it tells that this process does not work.
#[derive(Debug)]
pub struct Readiness {
    report: File,
}

impl Readiness {
    /// Leaves the terminal and the session, and reads the secret.
    ///
    /// To be called once, before anything else, in a process started by [`spawn_detached`]; its
    /// standard input and output are `/dev/null` afterwards.
    pub fn take() -> io::Result<(Readiness, Vec<u8>)> {
        // Refused only to the leader of a group, which a child of `spawn_detached` is not.
        rustix::process::setsid()?;
        // Not through the standard library's buffer, where a copy of the secret would stay.
        let stdin = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let mut secret = Vec::with_capacity(SECRET_BYTES);
        File::from(stdin).read_to_end(&mut secret)?;
        let report = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nothing)?;
        rustix::stdio::dup2_stdout(&nothing)?;
        let report = File::from(report);
        Ok((Readiness { report }, secret))
    }

    /// Tells that this process works; the one that started it ends.
    pub fn ready(mut self) {
        // Whoever has stopped waiting needs no word.
        let _ = self.report.write_all(b"ready\n");
    }

    /// Tells why this process can't work, and with which code the one that started it should exit.
    pub fn refuse(mut self, message: &str, code: u8) {
        let _ = write!(self.report, "error {code}\n{message}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let read = |text: &[u8]| read_report(text).expect("a slice can be read");
        assert_eq!(read(b"ready\n"), Report::Ready);
        let error = Report::Error { message: "two\nlines".to_owned(), code: 10 };
        assert_eq!(read(b"error 10\ntwo\nlines\n"), error);
        for broken in [&b""[..], b"read", b"nonsense\n"] {
            assert_eq!(read(broken), Report::Nothing);
        }
    }
}
