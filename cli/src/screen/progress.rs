//! Progress of a long command: drawn on a terminal, told now and then with `-v`, else silent.
//!
//! With `-v`, a line for each file says what became of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use yore_engine::{Event, Fate, Observer, Problem, Unit};
use yore_platform::{Interrupt, lower_thread_priority};

use crate::failure::engine_error;
use crate::json;
use crate::screen::Screen;
use crate::text::{escape, format};

mod counter;

use counter::{Counter, EndOnDrop};

/// How often a line is told where nothing can be drawn.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// How often a path is put on the screen.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);
/// From so many columns on there is room for everything.
const WIDE: usize = 90;

/// What of the whole is done, as a bar can show it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Total {
    /// Nobody knows how much there is.
    Unknown,
    /// So many things are expected, of whatever size.
    Things,
    /// So many bytes are expected.
    Bytes,
}

/// Watches an operation for a person.
pub struct Progress {
    state: Arc<State>,
}

/// What is total of an operation; a count that nobody waits for holds it, too.
struct State {
    screen: Arc<Screen>,
    interrupt: Option<Interrupt>,
    verb: &'static str,
    bar: Option<ProgressBar>,
    done: AtomicU64,
    bytes: AtomicU64,
    expected: AtomicU64,
    /// Guards what is counted, and what is total of the whole.
    counting: Mutex<(Unit, Total)>,
    /// Guards when something was last shown.
    shown: Mutex<Instant>,
}

impl Progress {
    /// Begins; `verb` is what is being done, as `backing up`.
    pub fn start(screen: &Arc<Screen>, verb: &'static str, interrupt: Option<Interrupt>) -> Self {
        let screen = Arc::clone(screen);
        let bar = screen.draws_progress().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style(Total::Unknown, verb, &screen));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        screen.set_bar(bar.clone());
        let state = State {
            screen,
            interrupt,
            verb,
            bar,
            done: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            counting: Mutex::new((Unit::Files, Total::Unknown)),
            shown: Mutex::new(Instant::now()),
        };
        Self { state: Arc::new(state) }
    }

    /// Works while `count` finds out how much there is to do; it ends when the work does.
    ///
    /// It does not begin where nobody would see it.
    pub fn counting<T>(
        &self,
        count: impl FnOnce(&dyn Observer) + Send,
        work: impl FnOnce() -> T,
    ) -> T {
        if self.state.bar.is_none() {
            return work();
        }
        let counter = Counter::of(&self.state);
        thread::scope(|scope| {
            scope.spawn(|| count(&counter));
            // Also when the work panics, the count must end, or nobody would see why.
            let _over = EndOnDrop(&counter);
            work()
        })
    }

    /// Does the same with a count that gives way to everybody else. Nobody waits for its end, since on a busy machine
    /// it may take long until it sees that the work is over.
    pub fn counting_in_background<T>(
        &self,
        count: impl FnOnce(&dyn Observer) + Send + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        if self.state.bar.is_none() {
            return work();
        }
        let counter = Arc::new(Counter::of(&self.state));
        let counting = Arc::clone(&counter);
        thread::spawn(move || {
            lower_thread_priority();
            count(&*counting);
        });
        let _over = EndOnDrop(&counter);
        work()
    }
}

impl State {
    /// Whether `period` has passed since something was shown; if so, it counts as shown now.
    fn is_due(&self, period: Duration) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let due = shown.elapsed() >= period;
        if due {
            *shown = Instant::now();
        }
        due
    }

    fn counting_now(&self) -> (Unit, Total) {
        *self.counting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_shown(&self) -> String {
        let (done, expected) =
            (self.done.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed));
        let noun = match self.counting_now().0 {
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

    /// Begins to count something else.
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
        bar.set_prefix(self.count_shown());
    }

    fn advance(&self, things: u64, bytes: u64) {
        self.done.fetch_add(things, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let Some(bar) = &self.bar else { return self.print_line() };
        bar.inc(match self.counting_now().1 {
            Total::Bytes | Total::Unknown => bytes,
            Total::Things => things,
        });
        if self.is_due(DRAW_INTERVAL) {
            bar.set_prefix(self.count_shown());
        }
    }

    fn print_line(&self) {
        if self.screen.is_verbose() && self.is_due(LINE_INTERVAL) {
            self.screen.detail(format!("{}: {}", self.verb, self.count_shown()));
        }
    }

    /// Prints what became of a file.
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

fn style(total: Total, verb: &str, screen: &Screen) -> ProgressStyle {
    let is_wide = screen.width_of_progress() >= WIDE;
    let template = match (total, is_wide) {
        (Total::Bytes, true) => {
            "{verb} {percent:>3}% [{bar:24}] {binary_bytes}/{binary_total_bytes}, {prefix}, \
             {binary_bytes_per_sec}, {eta} left\n  {wide_msg}"
        }
        (Total::Things, true) => {
            "{verb} {percent:>3}% [{bar:24}] {prefix}, {eta} left\n  {wide_msg}"
        }
        (Total::Bytes | Total::Things, false) => {
            "{verb} {percent:>3}%, {eta} left\n  {prefix}\n  {wide_msg}"
        }
        (Total::Unknown, _) => "{verb} {spinner} {prefix}\n  {wide_msg}",
    };
    ProgressStyle::with_template(&template.replace("{verb}", verb))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
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
                    bar.set_prefix(self.count_shown());
                    bar.set_message(escape::text(&path));
                }
            }
        }
    }

    fn problem(&self, problem: Problem) {
        // In a snapshot, paths have no slash before them; for people they do.
        let subject = escape::name(&problem.subject);
        let subject = format!("/{}", subject.trim_start_matches('/'));
        let (subject, what) = engine_error::beside(&subject, &problem.error);
        self.screen.problem(subject, &what);
    }

    fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(Interrupt::is_raised)
    }

    fn wants_files(&self) -> bool {
        self.screen.is_verbose()
    }
}

impl Observer for Progress {
    fn event(&self, event: Event) {
        self.state.event(event);
    }

    fn problem(&self, problem: Problem) {
        self.state.problem(problem);
    }

    fn interrupted(&self) -> bool {
        self.state.interrupted()
    }

    fn wants_files(&self) -> bool {
        self.state.wants_files()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.state.screen.set_bar(None);
    }
}
