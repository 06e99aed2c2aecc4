//! The process of a server, with those that it starts.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::in_shell;

/// The longest that a server may take to start: a bound for what hangs, no measure of speed.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that runs, and is killed with its descendants when this is dropped.
pub struct ServerProcess {
    child: Child,
}

/// Returns a port of the loopback address that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl ServerProcess {
    /// Starts a command and waits until it listens on a port; returns `None` when it ends before.
    pub fn start(command: &mut Command, port: u16) -> Option<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut server = Self { child: command.spawn().expect("the server's program runs") };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if server.child.try_wait().expect("its status can be read").is_some() {
                return None;
            }
            assert!(began.elapsed() < DEADLINE, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        Some(server)
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server, and the processes that serve its connections.
    pub fn kill(&mut self) {
        for id in descendants(self.child.id()) {
            // It may have ended by itself.
            in_shell("kill -s KILL \"$1\" 2>/dev/null || true", &[Path::new(&id.to_string())]);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Returns the processes that serve its connections.
    pub fn serving(&self) -> Vec<u32> {
        descendants(self.child.id())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the processes that a process started, and those that they started, the youngest first.
fn descendants(id: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("a list of processes");
    let processes: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, parent(process)?)))
        .collect();
    let mut found = vec![id];
    let mut next = 0;
    while let Some(&above) = found.get(next) {
        found.extend(processes.iter().filter(|(_, parent)| *parent == above).map(|(id, _)| *id));
        next += 1;
    }
    found.remove(0);
    found.reverse();
    found
}

/// Returns the parent of a process; `None` once it has ended.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}
