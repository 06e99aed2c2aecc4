//! A server as a process that listens on a free port of 127.0.0.1.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::free_port;
use crate::machine::Scratch;

/// The time that a server has to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// The ports that are tried, since another process may take one first.
const ATTEMPTS: usize = 5;

type CommandAt = Box<dyn Fn(u16) -> Command + Send + Sync>;

/// A running server.
pub struct HttpProcess {
    child: Child,
    /// Makes the command that starts it on a port.
    command: CommandAt,
    /// The port on which it listens.
    pub port: u16,
    /// The file with everything that it printed.
    pub log: PathBuf,
}

impl HttpProcess {
    /// Starts a server on a free port; returns once it answers HTTP.
    pub fn start(
        scratch: &Scratch,
        command: impl Fn(u16) -> Command + Send + Sync + Clone + 'static,
    ) -> Self {
        let log = scratch.at("server.log");
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let child = spawn(command(port), &log);
            let command = Box::new(command.clone());
            let mut server = HttpProcess { child, command, port, log: log.clone() };
            if server.answers() {
                return server;
            }
        }
        panic!("no server after {ATTEMPTS} attempts: {}", printed(&log));
    }

    /// Kills the server and starts it again on its port; returns once it answers.
    pub fn kill_and_restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = spawn((self.command)(self.port), &self.log);
        assert!(self.answers(), "it starts again on its port");
    }

    /// Waits until it answers; returns false when it ended.
    fn answers(&mut self) -> bool {
        let began = Instant::now();
        while !speaks_http(self.port) {
            if self.child.try_wait().expect("a process").is_some() {
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "no answer: {}", printed(&self.log));
            std::thread::sleep(Duration::from_millis(50));
        }
        true
    }
}

impl Drop for HttpProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server whose messages go to the end of a file.
fn spawn(mut command: Command, log: &Path) -> Child {
    let out = File::options().create(true).append(true).open(log).expect("a file");
    command.stdin(Stdio::null()).stdout(out.try_clone().expect("a file")).stderr(out);
    match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("{command:?} does not start: {error}"),
    }
}

fn speaks_http(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
    let request = format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    let mut answer = [0; 5];
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *b"HTTP/"
}

fn printed(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}

/// Returns a tool that `tests/run` installs: the path in a variable, or its place in the usual cache folder.
pub(super) fn tool(variable: &str, usual: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let path = named.unwrap_or_else(|| {
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        cache.join("yore-tests/tools").join(usual)
    });
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}
