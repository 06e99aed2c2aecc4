//! The program with folders and an environment of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::machine::Scratch;
use crate::project::root;

/// The time after which a command counts as hanging.
const DEADLINE: Duration = Duration::from_secs(600);

/// The program with a path for a repository, a key file and folders of its own.
pub struct Yore {
    /// The folder that holds everything.
    pub scratch: Scratch,
}

/// The exit code and the output of a run of the program.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The text on its standard output.
    pub out: String,
    /// The text on its standard error.
    pub err: String,
}

impl Ended {
    /// Fails unless the exit code is this one.
    #[track_caller]
    pub fn assert_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Parses the objects of a run with `--json`, one a line.
    #[track_caller]
    pub fn objects(&self) -> Vec<Value> {
        let object = |line: &str| match serde_json::from_str(line) {
            Ok(value) => value,
            Err(error) => panic!("{line:?} is no object: {error}"),
        };
        self.out.lines().map(object).collect()
    }
}

/// Returns the path of the program: `YORE_BINARY`, or one that cargo builds now.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("YORE_BINARY") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--package", "yore", "--message-format", "json"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the program does not build");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = messages.filter(|message| message["target"]["name"] == "yore");
    let mut files = files.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    files.next_back().expect("cargo names the program's file")
}

impl Yore {
    /// Makes the folders, without a repository.
    pub fn new() -> Self {
        Self { scratch: Scratch::new() }
    }

    /// Makes the folders and an empty repository, opened by the key file.
    pub fn with_repository() -> Self {
        let yore = Self::new();
        yore.run(["init"]).assert_code(0);
        yore
    }

    /// The path of the repository.
    pub fn repository(&self) -> PathBuf {
        self.scratch.at("repository")
    }

    /// The path of the key file.
    pub fn key_file(&self) -> PathBuf {
        self.scratch.at("key")
    }

    /// Returns a command of the program, with nothing of this process's environment.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.bare_command(arguments);
        command.env("YORE_REPO", self.repository()).env("YORE_KEY_FILE", self.key_file());
        command
    }

    /// Returns such a command without repository and secret.
    pub fn bare_command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).env_clear().current_dir(self.scratch.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.scratch.at("home")).env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
        command.env("YORE_STATE_DIR", self.scratch.at("state"));
        command.env("YORE_CACHE_DIR", self.scratch.at("cache"));
        command.env("YORE_CONFIG", self.scratch.at("config.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ended {
        Self::finish(&mut self.command(arguments))
    }

    /// Runs a command with paths among its words.
    pub fn run_on(&self, command: &str, paths: &[&Path]) -> Ended {
        let words = command.split_ascii_whitespace().map(OsStr::new);
        self.run(words.chain(paths.iter().map(|path| path.as_os_str())))
    }

    /// Runs a prepared command to its end; kills it and fails when it hangs.
    #[track_caller]
    pub fn finish(command: &mut Command) -> Ended {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the program runs");
        let id = child.id().to_string();
        let (ended, end) = channel::<()>();
        let watch = thread::spawn(move || {
            let hangs = end.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout);
            hangs && Command::new("kill").args(["-s", "KILL", &id]).status().is_ok()
        });
        let output = child.wait_with_output().expect("its output");
        drop(ended);
        assert!(!watch.join().expect("a thread"), "it does not end: {command:?}, {output:?}");
        Ended {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a command and leaves it running.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Child {
        self.command(arguments).spawn().expect("the program runs")
    }

    /// Reads everything in the repository and fails when something is wrong.
    #[track_caller]
    pub fn assert_sound(&self) {
        self.run(["check", "--read-data"]).assert_code(0);
    }

    /// Lists the ids of all snapshots, oldest first.
    pub fn snapshot_ids(&self) -> Vec<String> {
        let listed = self.run(["snapshots", "--json"]).assert_code(0).objects();
        let mut those: Vec<_> = listed.iter().filter(|line| line["type"] == "snapshot").collect();
        those.sort_by_key(|line| line["time"].as_str().map(str::to_owned));
        those.iter().filter_map(|line| line["id"].as_str().map(str::to_owned)).collect()
    }
}

impl Default for Yore {
    fn default() -> Self {
        Self::new()
    }
}
