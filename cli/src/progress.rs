//! Progress of a long command: drawn on a terminal, told now and then with `-v`, else silent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use yore_engine::{Event, Observer, Problem};
use yore_platform::Interrupt;

use crate::context::Context;
use crate::engine_error;
use crate::escape;
use crate::format;
use crate::screen::Screen;

/// How often a line is told where nothing can be drawn.
const TOLD: Duration = Duration::from_secs(5);
/// How often a path is put on the screen.
const DRAWN: Duration = Duration::from_millis(100);

const KNOWN: &str = "{verb} {percent:>3}% [{bar:24}] {binary_bytes}/{binary_total_bytes}, {prefix}, \
                     {binary_bytes_per_sec}, {eta} left\n  {wide_msg}";
const UNKNOWN: &str =
    "{verb} {spinner} {binary_bytes}, {prefix}, {binary_bytes_per_sec}\n  {wide_msg}";

/// Watches an operation for a person.
pub struct Progress<'c> {
    screen: &'c Screen,
    interrupt: Option<Interrupt>,
    verb: &'static str,
    bar: Option<ProgressBar>,
    files: AtomicU64,
    bytes: AtomicU64,
    expected_files: AtomicU64,
    /// Guards when something was last shown.
    shown: Mutex<Instant>,
}

impl<'c> Progress<'c> {
    /// Begins; `verb` is what is being done, as `backing up`.
    pub fn start(
        context: &'c Context,
        verb: &'static str,
        interrupt: Option<Interrupt>,
    ) -> Progress<'c> {
        let screen = &context.screen;
        let bar = screen.is_moving().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(UNKNOWN, verb));
            bar.set_prefix("0 files");
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        screen.set_bar(bar.clone());
        Self {
            screen,
            interrupt,
            verb,
            bar,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            expected_files: AtomicU64::new(0),
            shown: Mutex::new(Instant::now()),
        }
    }

    /// Whether `period` has passed since something was shown; if so, it counts as shown now.
    fn is_due(&self, period: Duration) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let due = shown.elapsed() >= period;
        if due {
            *shown = Instant::now();
        }
        due
    }

    fn files_shown(&self) -> String {
        let (done, expected) =
            (self.files.load(Ordering::Relaxed), self.expected_files.load(Ordering::Relaxed));
        match expected {
            0 => format::counted(done, "file"),
            _ => format!("{}/{}", format::count(done), format::counted(expected, "file")),
        }
    }

    fn tell(&self) {
        if self.bar.is_none() && self.screen.is_verbose() && self.is_due(TOLD) {
            let bytes = format::bytes(self.bytes.load(Ordering::Relaxed));
            self.screen.detail(format!("{}: {bytes}, {}", self.verb, self.files_shown()));
        }
    }
}

fn style(template: &str, verb: &str) -> ProgressStyle {
    ProgressStyle::with_template(&template.replace("{verb}", verb))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

impl Observer for Progress<'_> {
    fn event(&self, event: Event) {
        match event {
            Event::Expected { files, bytes } => {
                self.expected_files.store(files, Ordering::Relaxed);
                if let Some(bar) = &self.bar
                    && bytes > 0
                {
                    bar.set_length(bytes);
                    bar.set_style(style(KNOWN, self.verb));
                }
            }
            Event::Done { files, bytes } => {
                self.files.fetch_add(files, Ordering::Relaxed);
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
                if let Some(bar) = &self.bar {
                    bar.inc(bytes);
                    if self.is_due(DRAWN) {
                        bar.set_prefix(self.files_shown());
                    }
                }
                self.tell();
            }
            Event::Planned { .. } => {}
            Event::At(path) => {
                if let Some(bar) = &self.bar
                    && self.is_due(DRAWN)
                {
                    bar.set_prefix(self.files_shown());
                    bar.set_message(escape::text(&path));
                }
            }
        }
    }

    fn problem(&self, problem: Problem) {
        let subject = escape::name(&problem.subject);
        let what = engine_error::words(&problem.error);
        // Many messages name the path themselves.
        let named = what.contains(subject.trim_start_matches('/'));
        // In a snapshot, paths have no slash before them; for people they do.
        let subject = format!("/{}", subject.trim_start_matches('/'));
        self.screen.problem(if named { "" } else { &subject }, &what);
    }

    fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(Interrupt::is_raised)
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.screen.set_bar(None);
    }
}
