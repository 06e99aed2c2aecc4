//! The runs of this machine: their history, what is wrong since when, and who was told.
//!
//! ```text
//! begin      the lock; the dead man's switch hears of the start
//! end        history, state, figures for Prometheus; the switch hears of the end
//!            conditions: what is wrong now ─► messages for those that are new or gone
//! ```
//!
//! Nothing here makes a run fail: what can't be stored or sent is reported, and tried again at the next run.

mod alert;
mod conditions;
mod history;
mod log;
mod metrics;
mod state;

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub use conditions::{Sent, tell, test};
pub use history::History;
pub use state::{Drilled, State};

use crate::access::state::state_folder;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::json::{HistoryRun, SourceRun};

/// The pause between two attempts to get the lock.
const PAUSE: Duration = Duration::from_millis(500);

/// A run of the configured sources, from its start; only one at a time on a machine.
pub struct Run {
    command: &'static str,
    began: Instant,
    /// Held until the end.
    _lock: Option<File>,
}

/// Whether a run waits for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// It waits until the other has ended.
    Yes,
    /// It fails at once.
    No,
}

impl Run {
    /// Begins a run.
    ///
    /// # Errors
    /// [`Exit::Busy`] while another one runs, unless it waits.
    pub fn begin(context: &Context, command: &'static str, waiting: Waiting) -> Outcome<Self> {
        let lock = lock(context, waiting)?;
        if let Some(url) = &context.settings()?.healthcheck {
            hear(context, &format!("{}/start", url.trim_end_matches('/')), "");
        }
        log::begins(command);
        Ok(Self { command, began: Instant::now(), _lock: lock })
    }

    /// Ends a run: what came of it is stored, and whoever has to know is told.
    pub fn end(self, context: &Context, sources: Vec<SourceRun>, outcome: &Outcome) {
        let entry = HistoryRun::new(
            self.command,
            self.began.elapsed(),
            sources,
            outcome
                .as_ref()
                .map(|done| done.code())
                .map_err(|f| (f.exit.code(None), f.what.clone())),
        );
        let Ok(settings) = context.settings() else { return };
        if let Some(url) = &settings.healthcheck {
            let url = url.trim_end_matches('/');
            match entry.result {
                "success" => hear(context, url, ""),
                // The switch tells if no other run follows.
                "interrupted" => {}
                _ => hear(context, &format!("{url}/fail"), entry.error.as_deref().unwrap_or("")),
            }
        }
        record(context, &entry);
    }
}

/// Stores what came of a run, and tells whoever has to know.
pub fn record(context: &Context, entry: &HistoryRun) {
    log::ends(entry);
    let Some(files) = Files::of(context) else { return };
    history::append(&files.history, entry);
    let (reached, unreached) = (context.reached(), context.unreached());
    update(context, &files, |state| state.take(entry, &reached, &unreached));
}

/// Stores the result of a drill, and tells whoever has to know.
///
/// Nothing is stored where the options name a repository: the state is that of the configuration.
pub fn record_drill(context: &Context, drilled: Drilled) {
    let Some(files) = Files::of(context).filter(|_| !context.names_destination()) else { return };
    update(context, &files, |state| state.drill = Some(drilled));
}

/// Returns the time when a watch freed space last, in seconds since 1970.
pub fn freed(context: &Context) -> Option<i64> {
    let files = Files::of(context).filter(|_| !context.names_destination())?;
    State::load(&files.state).freed
}

/// Stores the time when a watch freed space, in seconds since 1970.
pub fn record_freed(context: &Context, time: i64) {
    let Some(files) = Files::of(context).filter(|_| !context.names_destination()) else { return };
    update(context, &files, |state| state.freed = Some(time));
}

fn update(context: &Context, files: &Files, change: impl FnOnce(&mut State)) {
    let (_, sent) = settle(context, files, change);
    for one in &sent {
        if let Err(why) = &one.outcome {
            context.screen.problem(&format!("alert {}", one.alert), &format!("not sent: {why}"));
        }
    }
}

/// Changes the state, compares it with what is wrong, sends what is new, and stores all of it.
///
/// Only one process at a time does that, so that no change is lost and no message is sent twice.
pub fn settle(
    context: &Context,
    files: &Files,
    change: impl FnOnce(&mut State),
) -> (State, Vec<Sent>) {
    // Where no lock is to be had, as on a full disk, the run is told all the same.
    let lock = File::options().create(true).append(true).open(&files.state_lock);
    let lock = lock.and_then(|file| file.lock().map(|()| file));
    let mut state = State::load(&files.state);
    change(&mut state);
    let sent = tell(context, &mut state);
    state.save(&files.state);
    drop(lock);
    log::sent(&sent);
    if let Ok(settings) = context.settings()
        && let Some(file) = &settings.metrics_file
        && let Err(error) = metrics::write(file, &state, settings)
    {
        context.screen.problem("metrics", &Failure::local(file, error).what);
    }
    (state, sent)
}

/// The files of a profile in the state folder.
pub struct Files {
    /// The runs, a line each.
    pub history: PathBuf,
    /// What is known of sources, destinations and messages.
    pub state: PathBuf,
    /// Held while the state is changed.
    state_lock: PathBuf,
    /// Held by a run from its start to its end.
    run_lock: PathBuf,
}

impl Files {
    /// Returns the files; `None` where there is no state folder.
    pub fn of(context: &Context) -> Option<Self> {
        let folder = state_folder()?;
        yore_platform::create_private_dir(&folder).ok()?;
        let profile = context.global.profile.as_deref().unwrap_or("default");
        let file = |kind: &str, end: &str| folder.join(format!("{kind}-{profile}.{end}"));
        Some(Self {
            history: file("history", "jsonl"),
            state: file("runs", "json"),
            state_lock: file("runs", "lock"),
            run_lock: file("run", "lock"),
        })
    }
}

fn lock(context: &Context, waiting: Waiting) -> Outcome<Option<File>> {
    let Some(files) = Files::of(context) else { return Ok(None) };
    let local = |error| Failure::local(&files.run_lock, error);
    let file = File::options().create(true).append(true).open(&files.run_lock).map_err(local)?;
    let mut was_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(local(error)),
            Err(TryLockError::WouldBlock) if waiting == Waiting::No => {
                return Err(Failure::new(
                    Exit::Busy,
                    "another run of this configuration is not finished",
                    "it goes on; to wait for it: yore backup --wait",
                ));
            }
            Err(TryLockError::WouldBlock) => {
                if !was_told {
                    context.screen.note("another run is not finished: waiting for it");
                    was_told = true;
                }
                if context.screen.is_interrupted() {
                    return Err(Failure::new(Exit::Interrupted, "interrupted", "nothing was done"));
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Tells the dead man's switch; that it can't be reached is no concern of the run.
fn hear(context: &Context, url: &str, text: &str) {
    if let Err(why) = alert::ping(url, text) {
        context.screen.problem("healthcheck", &format!("it was not told: {why}"));
    }
}
