//! Everything that is printed.
//!
//! Results go to standard output, the rest to standard error. Every text passes through `escape`;
//! only the content of files, which `cat` prints, does not.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::ProgressBar;
use serde::Serialize;
use terminal_size::{Height, Width, terminal_size_of};
use yore_platform::Interrupt;

use crate::args::global::Global;
use crate::failure::engine_error::reason;
use crate::failure::{Failure, Outcome};
use crate::json;
use crate::text::escape;
use crate::text::table::Table;
use crate::text::wrap::wrap;

pub mod progress;
pub mod question;

/// The width of a terminal that does not report its own.
const USUAL_WIDTH: usize = 80;
/// The most warnings of a process that are logged.
const MOST_LOGGED: u64 = 1000;
/// The least width of a line.
const LEAST_WIDTH: usize = 20;

/// The output of a command, for people or for programs.
pub struct Screen {
    form: Form,
    verbosity: Verbosity,
    draws_progress: bool,
    state: Mutex<State>,
    /// The number of warnings so far.
    logged: AtomicU64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Verbosity {
    Quiet,
    Normal,
    Verbose,
}

/// The state of printing.
#[derive(Default)]
struct State {
    bar: Option<ProgressBar>,
    failed: Option<io::Error>,
    interrupt: Option<Interrupt>,
}

/// Returns the standard error of this process for a program that it starts, whose output is no result.
pub fn standard_error() -> std::process::Stdio {
    std::process::Stdio::from(io::stderr())
}

impl Screen {
    /// Makes the screen that the options describe.
    pub fn new(global: &Global) -> Self {
        let form = if global.json { Form::Json } else { Form::Text };
        let verbosity = match (global.quiet, global.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        let draws_progress = !global.quiet && !global.no_progress && io::stderr().is_terminal();
        let (state, logged) = (Mutex::default(), AtomicU64::new(0));
        Self { form, verbosity, draws_progress, state, logged }
    }

    /// Makes a screen for errors before the options are known; it looks for `--json` only.
    pub fn before_arguments() -> Self {
        let is_json = std::env::args_os().any(|argument| argument == "--json");
        let form = if is_json { Form::Json } else { Form::Text };
        let (state, logged) = (Mutex::default(), AtomicU64::new(0));
        Self { form, verbosity: Verbosity::Normal, draws_progress: false, state, logged }
    }

    /// Reports whether results are objects.
    pub fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Reports whether details are printed.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Reports whether progress is drawn.
    pub fn draws_progress(&self) -> bool {
        self.draws_progress
    }

    /// Reports whether results go to a terminal.
    pub fn is_terminal_output(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Takes the handler of interrupts, which knows the signal for the exit code.
    pub fn set_interrupt(&self, interrupt: Interrupt) {
        self.state().interrupt = Some(interrupt);
    }

    /// Tells whether the person or the system asked the command to stop.
    pub fn is_interrupted(&self) -> bool {
        self.state().interrupt.is_some_and(Interrupt::is_raised)
    }

    /// Returns the columns of the terminal on which results appear; `None` where lines have no end.
    pub fn width(&self) -> Option<usize> {
        columns(io::stdout().is_terminal(), terminal_size_of(io::stdout()))
    }

    /// Returns the columns of the terminal on which progress is drawn.
    pub fn width_of_progress(&self) -> usize {
        let size = terminal_size_of(io::stderr());
        columns(io::stderr().is_terminal(), size).unwrap_or(USUAL_WIDTH)
    }

    /// Prints a line of the result, broken between words where it is wider than the terminal.
    pub fn line(&self, text: impl AsRef<str>) {
        if self.form == Form::Text {
            self.to_stdout(&wrapped(&escape::text(text.as_ref()), self.width(), 0));
        }
    }

    /// Prints a line of the result that is no prose: its spaces mean something.
    pub fn literal(&self, text: impl AsRef<str>) {
        if self.form == Form::Text {
            self.to_stdout(&escape::text(text.as_ref()));
        }
    }

    /// Prints a table of the result.
    pub fn table(&self, table: &Table) {
        if self.form == Form::Text {
            table.lines(self.width()).iter().for_each(|line| self.literal(line));
        }
    }

    /// Prints a line for people, which `--quiet` leaves out.
    pub fn info(&self, text: impl AsRef<str>) {
        if self.verbosity >= Verbosity::Normal {
            self.line(text);
        }
    }

    /// Prints an object of the result.
    pub fn object(&self, object: &impl Serialize) {
        if self.form == Form::Json {
            self.to_stdout(&json_line(object));
        }
    }

    /// Prints the content of a file as it is.
    pub fn content(&self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().lock().write_all(bytes)
    }

    /// Prints a detail, which is shown with `-v` only.
    pub fn detail(&self, text: impl AsRef<str>) {
        if self.verbosity == Verbosity::Verbose && self.form == Form::Text {
            self.wrap_to_stderr(text.as_ref(), 0);
        }
    }

    /// Prints a warning of something that went wrong without ending the command, and logs it.
    pub fn problem(&self, subject: &str, what: &str) {
        self.log(subject, what);
        match (self.form, subject.is_empty()) {
            (Form::Text, true) => self.wrap_to_stderr(&format!("warning: {what}"), 2),
            (Form::Text, false) => self.wrap_to_stderr(&format!("warning: {subject}: {what}"), 2),
            (Form::Json, _) => {
                self.to_stderr(&json_line(&json::Problem { subject, message: what }));
            }
        }
    }

    /// Logs a warning, unless so many were logged that more would only push others out of the log.
    fn log(&self, subject: &str, what: &str) {
        let subject = Some(subject).filter(|subject| !subject.is_empty());
        match self.logged.fetch_add(1, Ordering::Relaxed) {
            ..MOST_LOGGED => tracing::warn!(subject, "{what}"),
            MOST_LOGGED => tracing::warn!("there are more warnings than are logged"),
            _ => {}
        }
    }

    /// Prints a note of something that is as it may be, which `--quiet` leaves out.
    pub fn note(&self, what: &str) {
        match self.form {
            Form::Text if self.verbosity == Verbosity::Quiet => {}
            Form::Text => self.wrap_to_stderr(&format!("note: {what}"), 2),
            Form::Json => self.to_stderr(&json_line(&json::Remark { message: what })),
        }
    }

    /// Prints a line of a question, on standard error.
    pub fn ask(&self, line: &str) {
        self.wrap_to_stderr(line, 0);
    }

    /// Draws a bar below what is printed, or removes it.
    pub fn set_bar(&self, bar: Option<ProgressBar>) {
        let old = std::mem::replace(&mut self.state().bar, bar);
        if let Some(old) = old {
            old.finish_and_clear();
        }
    }

    /// Ends printing, and returns the exit code.
    pub fn finish(&self, outcome: Outcome) -> ExitCode {
        self.set_bar(None);
        let outcome = match (outcome, self.state().failed.take()) {
            (Ok(_), Some(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
                crate::failure::Exit::Failed,
                format!("the result could not be printed: {}", reason(&error)),
                "check where standard output goes",
            )),
            (outcome, _) => outcome,
        };
        match outcome {
            Ok(done) => ExitCode::from(done.code()),
            Err(failure) => {
                let signal = self.state().interrupt.and_then(Interrupt::signal);
                let code = failure.exit.code(signal);
                self.failure(&failure, code);
                ExitCode::from(code)
            }
        }
    }

    fn failure(&self, failure: &Failure, code: u8) {
        match self.form {
            Form::Text => {
                self.wrap_to_stderr(&format!("yore: {}", failure.what), 2);
                if let Some(hint) = &failure.hint {
                    self.wrap_to_stderr(&format!("  {hint}"), 0);
                }
            }
            Form::Json => {
                let (message, hint) = (&failure.what, failure.hint.as_deref());
                self.to_stderr(&json_line(&json::Failed { message, hint, code }));
            }
        }
    }

    /// Prints a line on standard error, broken between words, with a further indent of `indent`.
    fn wrap_to_stderr(&self, text: &str, indent: usize) {
        let width = columns(io::stderr().is_terminal(), terminal_size_of(io::stderr()));
        self.to_stderr(&wrapped(&escape::text(text), width, indent));
    }

    fn to_stdout(&self, line: &str) {
        let bar = self.state().bar.clone();
        let print = || writeln!(io::stdout(), "{line}");
        let printed = match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
        if let Err(error) = printed {
            self.state().failed.get_or_insert(error);
        }
    }

    fn to_stderr(&self, line: &str) {
        let bar = self.state().bar.clone();
        let print = || writeln!(io::stderr(), "{line}");
        // There is nowhere to report a failure of this.
        let _ = match bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The width of a stream: that of its terminal, or what `COLUMNS` says of it; `None` for what is no terminal.
fn columns(is_terminal: bool, size: Option<(Width, Height)>) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
    let width = said.or(size.map(|(width, _)| usize::from(width.0))).unwrap_or(USUAL_WIDTH);
    is_terminal.then(|| width.max(LEAST_WIDTH))
}

/// Breaks a line into lines; what follows begins as far in as the line does, and `indent` further.
fn wrapped(line: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width else { return line.to_owned() };
    let begins = line.len() - line.trim_start_matches(' ').len();
    wrap(line, width, begins + indent).join("\n")
}

/// Writes an object on one line, its fields in alphabetical order.
fn json_line(object: &impl Serialize) -> String {
    let value = serde_json::to_value(object).expect("the objects have fields of text names");
    escape::json(&value.to_string())
}

/// Prints the help or the version that was asked for.
pub fn text(text: &clap::Error) -> ExitCode {
    // There is nowhere to report a failure of this.
    let _ = text.print();
    ExitCode::SUCCESS
}
