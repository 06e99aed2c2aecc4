//! Going to the background: the program starts itself again, and the first process stays until the
//! second one says that it works.
//!
//! Not by fork, which takes along one thread of many and the locks of all. Nothing secret passes
//! through arguments or environment: the child reads it from a pipe, its standard input. Its
//! standard output is the pipe on which it reports: `ready`, or `error` with an exit code and a text.
//! Text on its standard error before that is kept in memory for the first process to show.
//!
//! A child that works has `/` as its working directory and nothing open that it was not given, so
//! that it keeps no disk busy.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::fs::MemfdFlags;

use super::descriptors::close_on_exec;
use crate::process::detach::{DetachError, Detached, Report, read_report};

/// Starts this program again with `arguments` in the background, and waits until it is ready.
///
/// The child must call [`Readiness::take`] first of all. It gets `secret`, no terminal, and nothing
/// that this process has open.
pub fn spawn_detached<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    secret: &[u8],
) -> Result<Detached, DetachError> {
    // Not a pipe: a child that says much must not wait for a reader.
    let stderr =
        rustix::fs::memfd_create(c"stderr", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
    let stderr = File::from(stderr);
    let program = std::env::current_exe()?;
    close_on_exec()?;
    let mut child = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr.try_clone()?)
        .spawn()
        .map_err(|source| DetachError::NotStarted { program, source })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A child that ended already is explained below.
        let _ = stdin.write_all(secret);
    }
    let report = match child.stdout.take() {
        Some(stdout) => read_report(stdout)?,
        None => Report::Nothing,
    };
    match report {
        Report::Ready => Ok(Detached { pid: child.id(), stderr: text_of(&stderr)? }),
        Report::Error { message, code } => {
            child.wait()?;
            Err(DetachError::Refused { message, code })
        }
        Report::Nothing => {
            let status = end(child)?;
            Err(DetachError::Died { status, stderr: text_of(&stderr)? })
        }
    }
}

/// Ends a child that closed its output without a report, and tells how it ended.
fn end(mut child: Child) -> io::Result<String> {
    // It may live on; without a report it is of no use.
    child.kill()?;
    Ok(child.wait()?.to_string())
}

/// The bytes of a child's standard error that are kept.
const STDERR_BYTES: usize = 64 * 1024;

/// Returns what was written to a file, from its beginning.
fn text_of(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; STDERR_BYTES];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64)? {
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a log that grows at its end, readable by its owner only.
pub fn open_log(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Room for any secret, so that its memory is not moved while it is read.
const SECRET_BYTES: usize = 64 * 1024;

/// The report that a background process owes the process that started it.
///
/// Dropped without a report, it tells that this process does not work.
#[derive(Debug)]
pub struct Readiness {
    report: File,
}

impl Readiness {
    /// Leaves the terminal and the session, and reads the secret.
    ///
    /// To be called once, before anything else, in a process started by [`spawn_detached`]; its
    /// standard input and output are `/dev/null` afterwards. What it says on its standard error is
    /// shown by the process that started it.
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
    ///
    /// The standard error becomes `log`, or `/dev/null`, and the working directory `/`.
    ///
    /// # Errors
    /// The system refuses that; then this process does not work.
    pub fn ready(mut self, log: Option<File>) -> io::Result<()> {
        let stderr = match log {
            Some(log) => log,
            None => OpenOptions::new().write(true).open("/dev/null")?,
        };
        rustix::stdio::dup2_stderr(&stderr)?;
        std::env::set_current_dir("/")?;
        // A process that has stopped waiting needs no report.
        let _ = self.report.write_all(b"ready\n");
        Ok(())
    }

    /// Tells why this process can't work, and with which code the one that started it should exit.
    pub fn refuse(mut self, message: &str, code: u8) {
        let _ = write!(self.report, "error {code}\n{message}\n");
    }
}
