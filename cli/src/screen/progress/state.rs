//! The numbers of an operation, and the bar or the lines that show them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget};
use yore_engine::{Event, Fate, Observer, Problem, Unit};
use yore_platform::Interrupt;

use super::style::{Total, style};
use crate::failure::engine_error;
use crate::json;
use crate::screen::Screen;
use crate::text::{escape, format};

/// The interval of lines where nothing is drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// The interval at which a path is drawn.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// The state of an operation, which a count in the background shares.
pub(super) struct State {
    screen: Arc<Screen>,
    interrupt: Option<Interrupt>,
    verb: &'static str,
    bar: Option<ProgressBar>,
    done: AtomicU64,
    bytes: AtomicU64,
    expected: AtomicU64,
    /// Guards the unit that is counted, and what is known of the whole.
    counting: Mutex<(Unit, Total)>,
    /// Guards the time at which something was last shown.
    shown: Mutex<Instant>,
}

impl State {
    pub(super) fn new(
        screen: Arc<Screen>,
        verb: &'static str,
        interrupt: Option<Interrupt>,
    ) -> Self {
        let bar = screen.draws_progress().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(Total::Unknown, verb, &screen));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        screen.set_bar(bar.clone());
        State {
            screen,
            interrupt,
            verb,
            bar,
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            counting: Mutex::new((Unit::Files, Total::Unknown)),
            shown: Mutex::new(Instant::now()),
        }
    }

    /// Reports whether there is a bar.
    pub(super) fn is_drawn(&self) -> bool {
        self.bar.is_some()
    }

    pub(super) fn remove_bar(&self) {
        self.screen.set_bar(None);
    }

    /// Reports whether `period` has passed since something was shown; if so, it counts as shown now.
    fn is_due(&self, period: Duration) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let due = shown.elapsed() >= period;
        if due {
            *shown = Instant::now();
        }
        due
    }

    fn counting(&self) -> (Unit, Total) {
        *self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> String {
        let (done, expected) =
            (self.done.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed));
        let noun = match self.counting().0 {
            Unit::Files => "file",
            Unit::Packs => "pack",
            Unit::Snapshots => "snapshot",
        };
        let bytes = self.bytes.load(Ordering::Relaxed);
        match expected {
            0 if done == 0 && bytes == 0 => String::new(),
            0 => format!("{}, {}", format::bytes(bytes), format::counted(done, noun)),
            _ => format!("{}/{}", format::count(done), format::counted(expected.max(done), noun)),
        }
    }

    /// Begins to count another unit, from 0.
    fn restart(&self, unit: Unit) {
        *self.counting.lock().unwrap_or_else(PoisonError::into_inner) = (unit, Total::Unknown);
        for counter in [&self.done, &self.bytes, &self.expected] {
            counter.store(0, Ordering::Relaxed);
        }
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.unset_length();
            bar.set_style(style(Total::Unknown, self.verb, &self.screen));
            bar.set_prefix("");
            bar.set_message("");
        }
    }

    fn expect(&self, things: u64, bytes: u64) {
        let total = if bytes > 0 { Total::Bytes } else { Total::Things };
        self.expected.store(things, Ordering::Relaxed);
        self.counting.lock().unwrap_or_else(PoisonError::into_inner).1 = total;
        let Some(bar) = self.bar.as_ref().filter(|_| things > 0) else { return };
        let (length, done) = match total {
            Total::Bytes => (bytes, &self.bytes),
            Total::Things | Total::Unknown => (things, &self.done),
        };
        bar.set_length(length);
        bar.set_position(done.load(Ordering::Relaxed));
        bar.set_style(style(total, self.verb, &self.screen));
        bar.set_prefix(self.counts());
    }

    fn advance(&self, things: u64, bytes: u64) {
        self.done.fetch_add(things, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let Some(bar) = &self.bar else { return self.print_line() };
        bar.inc(match self.counting().1 {
            Total::Bytes | Total::Unknown => bytes,
            Total::Things => things,
        });
        if self.is_due(DRAW_INTERVAL) {
            bar.set_prefix(self.counts());
        }
    }

    fn print_line(&self) {
        if self.screen.is_verbose() && self.is_due(LINE_INTERVAL) {
            self.screen.detail(format!("{}: {}", self.verb, self.counts()));
        }
    }

    /// Prints what the command did with a file.
    fn list(&self, path: &[u8], fate: Fate) {
        let word = match fate {
            Fate::New => "new",
            Fate::Changed => "changed",
            Fate::Unchanged => "unchanged",
            Fate::Restored => "restored",
            Fate::Kept => "kept",
            Fate::Removed => "removed",
        };
        if !self.screen.is_json() {
            return self.screen.line(format!("{word:<9}  {}", escape::path(path)));
        }
        self.screen.object(&json::ProcessedFile { path: json::PathText::new(path), what: word });
    }
}

impl Observer for State {
    fn event(&self, event: Event) {
        match event {
            Event::Counting(unit) => self.restart(unit),
            Event::Expected { files, bytes } => self.expect(files, bytes),
            Event::Done { files, bytes } => self.advance(files, bytes),
            Event::File { path, fate } => self.list(&path, fate),
            Event::Planned { .. } => {}
            Event::At(path) => {
                if let Some(bar) = &self.bar
                    && self.is_due(DRAW_INTERVAL)
                {
                    bar.set_prefix(self.counts());
                    bar.set_message(escape::text(&path));
                }
            }
        }
    }

    fn problem(&self, problem: Problem) {
        // In a snapshot, paths have no slash before them; for people they do.
        let subject = escape::name(&problem.subject);
        let subject = format!("/{}", subject.trim_start_matches('/'));
        let (subject, what) = engine_error::with_subject(&subject, &problem.error);
        self.screen.problem(subject, &what);
    }

    fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(Interrupt::is_raised)
    }

    fn wants_files(&self) -> bool {
        self.screen.is_verbose()
    }
}
