//! Programs whose standard streams carry a protocol: `rclone serve sftp --stdio`, or the `ProxyCommand` of SSH.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

/// The longest line of a program's messages that is kept, in bytes.
const LINE: u64 = 4 << 10;

/// The time that a program which closed its output has to end and to say why.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A program to start, with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program: a path, or a name in one of the folders of `PATH`.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// Starts the program; returns what it prints, what it reads, and itself.
    pub(super) fn start(&self) -> io::Result<(ChildStdout, ChildStdin, RunningProgram)> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        let (Some(input), Some(output), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let messages = Arc::new(Messages { name: self.name(), ..Messages::default() });
        let reader = tokio::spawn(keep(stderr, Arc::clone(&messages)));
        Ok((output, input, RunningProgram { messages, child, reader }))
    }

    fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    fn not_started(&self, error: &io::Error) -> io::Error {
        let name = self.name();
        let text = match error.kind() {
            io::ErrorKind::NotFound => format!("the program {name} is not installed"),
            _ => format!("the program {name} could not be started: {error}"),
        };
        io::Error::new(io::ErrorKind::Unsupported, text)
    }
}

/// A program that runs; it is ended when this is dropped.
pub(super) struct RunningProgram {
    messages: Arc<Messages>,
    child: Child,
    reader: JoinHandle<()>,
}

/// What a program prints beside its answers, as far as it is kept.
#[derive(Default)]
pub(super) struct Messages {
    /// The name of the program.
    name: String,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last_line: String,
    /// The line that tells of a full storage, until it was used to explain a failure.
    full: Option<String>,
}

impl Messages {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: String) {
        let mut kept = self.lock();
        if is_of_a_full_storage(&line) {
            kept.full = Some(line.clone());
        }
        kept.last_line = line;
    }

    /// Returns the error of a full storage if the program told of one; the protocol has no code for it.
    pub async fn explain_full(&self) -> Option<io::Error> {
        // The message is printed before the answer, and may be read after it.
        for _ in 0..10 {
            if let Some(line) = self.lock().full.take() {
                let text = format!("{} says: {line}", self.name);
                return Some(io::Error::new(io::ErrorKind::StorageFull, text));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }
}

impl RunningProgram {
    /// Waits for a program that closed its output to end; returns what it said last.
    async fn last_words(&mut self) -> Option<String> {
        let ended = tokio::time::timeout(LAST_WORDS, async {
            let _ = self.child.wait().await;
            let _ = (&mut self.reader).await;
        });
        // Without an end, the line so far has to do.
        let _ = ended.await;
        let line = self.messages.lock().last_line.clone();
        (!line.is_empty()).then_some(line)
    }

    /// Returns what it prints beside its answers.
    pub fn messages(&self) -> Arc<Messages> {
        Arc::clone(&self.messages)
    }

    /// Says why the program ended before it served anything.
    pub async fn explain_start(&mut self) -> io::Error {
        let Some(words) = self.last_words().await else {
            let text = format!("{} ended without a message", self.messages.name);
            return io::Error::other(text);
        };
        let kind = match is_of_the_network(&words) {
            true => io::ErrorKind::HostUnreachable,
            false => io::ErrorKind::Other,
        };
        io::Error::new(kind, format!("{} says: {words}", self.messages.name))
    }

    /// Says why the program ended while it served.
    pub async fn explain_end(&mut self) -> io::Error {
        let said = self.last_words().await.map(|words| format!(", and said: {words}"));
        let text = format!("{} ended{}", self.messages.name, said.unwrap_or_default());
        io::Error::new(io::ErrorKind::ConnectionReset, text)
    }

    /// Waits for the program, whose input is closed, to end; ends it after `patience`.
    pub async fn end(&mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
            // It may have ended at this moment.
            let _ = self.child.kill().await;
        }
    }
}

/// Reads a program's messages to their end, and keeps some.
async fn keep(stderr: ChildStderr, messages: Arc<Messages>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stderr).take(LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = clean(&String::from_utf8_lossy(&line));
                if !text.is_empty() {
                    messages.add(text);
                }
            }
        }
    }
}

/// Returns a line without a time before it, control characters, and secrets in URLs.
fn clean(line: &str) -> String {
    let line: String = line.trim().chars().filter(|c| !c.is_control()).collect();
    let is_time = |word: &str| {
        word.contains(['/', ':']) && word.bytes().all(|b| b.is_ascii_digit() || b"/:.".contains(&b))
    };
    let mut rest = line.as_str();
    while let Some((word, after)) = rest.split_once(' ')
        && is_time(word)
    {
        rest = after.trim_start();
    }
    without_logins(rest)
}

/// Removes `user:password@` behind each `://`.
fn without_logins(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['/', '?', ' ', '"']).unwrap_or(part.len());
        let (authority, rest) = part.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or_default();
        clean.push_str("://");
        clean.push_str(host);
        clean.push_str(rest);
    }
    clean
}

/// Recognises the words with which programs report a network that does not answer.
fn is_of_the_network(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let known = [
        "connection refused",
        "connection reset",
        "timeout",
        "timed out",
        "no route to host",
        "network is unreachable",
        "temporary failure",
    ];
    known.iter().any(|known| words.contains(known))
}

/// Recognises the words with which programs report that a storage is full.
fn is_of_a_full_storage(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    let known = ["no space left", "quota", "insufficient storage", "storage is full"];
    known.iter().any(|known| words.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_no_time_and_no_secret() {
        for (line, expected) in [
            ("2026/11/30 00:10:00 Failed to create: x\n", "Failed to create: x"),
            ("plain words\r\n", "plain words"),
            ("Get \"https://me:secret@host/x\": refused", "Get \"https://host/x\": refused"),
            ("Get https://me:se@cret@host: refused", "Get https://host: refused"),
            ("\x1b[31mred", "[31mred"),
            ("", ""),
        ] {
            assert_eq!(clean(line), expected, "{line}");
        }
    }

    #[test]
    fn a_full_storage_is_recognised() {
        let line = "ERROR : x: Rcat failed: write /mnt/x: no space left on device";
        assert!(is_of_a_full_storage(line));
        assert!(is_of_a_full_storage("googleapi: Error 403: storageQuotaExceeded"));
        assert!(!is_of_a_full_storage("IO error: read/write on closed pipe"));
    }

    #[test]
    fn a_refused_connection_of_the_program_is_temporary() {
        assert!(is_of_the_network("dial tcp 127.0.0.1:1: connect: connection refused"));
        assert!(!is_of_the_network("didn't find section in config file"));
    }
}
