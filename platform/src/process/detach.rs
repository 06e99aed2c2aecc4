//! The report of a process in the background to the process that started it.

use std::io::{self, Read};
use std::path::PathBuf;

/// An error of starting a background process.
#[derive(Debug, thiserror::Error)]
pub enum DetachError {
    /// The background process reported why it can't work.
    #[error("{message}")]
    Refused {
        /// The reason, to be shown as it is.
        message: String,
        /// The exit code that it chose.
        code: u8,
    },
    /// The background process ended before it reported anything.
    #[error("background process ended before it worked ({status})")]
    Died {
        /// The status with which it ended.
        status: String,
        /// The text that it wrote to its standard error.
        stderr: String,
    },
    /// The program could not be started again.
    #[error("can't start {} in the background", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The connection to the background process broke.
    #[error("can't talk to the background process")]
    Io(#[from] io::Error),
}

/// A process that went to the background and works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detached {
    /// The process id.
    pub pid: u32,
    /// The text that it wrote to its standard error before it worked, such as warnings.
    pub stderr: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Ready,
    Error { message: String, code: u8 },
    Nothing,
}

/// Reads until the first line says `ready`, or to the end.
pub(crate) fn read_report(mut from: impl Read) -> io::Result<Report> {
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
