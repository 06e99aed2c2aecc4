//! Servers that take messages and keep them.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::process::{ServerProcess, free_port};
use crate::machine::Scratch;
use crate::project::root;

/// The longest that a message may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server that takes mails or requests, and writes each as a line of JSON.
pub struct MessageSink {
    _process: ServerProcess,
    scratch: Scratch,
    /// The port of the loopback address.
    pub port: u16,
}

impl MessageSink {
    /// Starts a server of mails.
    pub fn mail() -> Self {
        Self::start("mail", "ok")
    }

    /// Starts a server of web requests.
    pub fn http() -> Self {
        Self::start("http", "ok")
    }

    /// Starts a server of web requests that answers each with an error.
    pub fn broken_http() -> Self {
        Self::start("http", "broken")
    }

    fn start(kind: &str, answer: &str) -> Self {
        let (scratch, port) = (Scratch::new(), free_port());
        let mut command = Command::new("/usr/bin/python3");
        command.arg("-B").arg(root().join("tests/oracle/sink.py")).args([kind, &port.to_string()]);
        command.arg(scratch.at("messages")).arg(answer);
        let process = ServerProcess::start(&mut command, port).expect("the sink starts");
        Self { _process: process, scratch, port }
    }

    /// Returns the messages so far.
    pub fn messages(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.scratch.at("messages")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    }

    /// Waits until so many messages have come, and returns them.
    pub fn wait_for(&self, number: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let messages = self.messages();
            if messages.len() >= number {
                return messages;
            }
            assert!(began.elapsed() < DEADLINE, "{number} were expected: {messages:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
