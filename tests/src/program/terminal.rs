//! The program on a pseudo terminal of a given width, with typed input.

use std::io::Write;
use std::process::{Command, Stdio};

use super::yore::{Ended, Yore};

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Runs a prepared command on a pseudo terminal of so many columns, on which `typed` is typed.
///
/// Everything printed is in `out`, as a terminal gets it: results, errors and questions together.
#[track_caller]
pub fn on_terminal(columns: u16, command: &Command, typed: &str) -> Ended {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<String> = words.map(|word| quoted(word.to_str().expect("UTF-8"))).collect();
    let line = format!("stty cols {columns} rows 40 -echo; exec {}", words.join(" "));
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("TERM", "xterm").env("NO_COLOR", "1").env("SHELL", "/bin/sh");
    if let Some(folder) = command.get_current_dir() {
        script.current_dir(folder);
    }
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = script.spawn().expect("script runs (Debian package bsdutils)");
    let mut keyboard = child.stdin.take().expect("a pipe");
    // A program without questions ends without reading.
    let _ = keyboard.write_all(typed.as_bytes());
    drop(keyboard);
    let output = child.wait_with_output().expect("its output");
    Ended {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Yore {
    /// Runs a command on a terminal of so many columns, without progress.
    #[track_caller]
    pub fn run_on_terminal(&self, columns: u16, arguments: &[&str]) -> Ended {
        let arguments = [&["--no-progress"], arguments].concat();
        on_terminal(columns, &self.command(arguments), "")
    }
}
