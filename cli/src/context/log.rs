//! The log: what happened when nobody looked, for the journal of the system or a file of the profile.
//!
//! ```text
//! events (engine, program) ─► Log ─► journal, where there is one
//!                                └─► log-PROFILE.log in the state folder, 0600, four files of 1 MiB at most
//! ```
//!
//! Only events of this project are taken: libraries may log what they send, with passwords. Nothing here fails: where
//! an entry can't be stored, it is lost. Nothing is opened before the first entry.

mod entry;
mod file;

use std::path::PathBuf;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use yore_platform::{send_to_journal, stderr_is_journal};

use crate::access::state::state_folder;
use crate::args::global::Global;
use crate::config::{ConfigFile, LogForm, LogPlace, LogSettings};

use entry::Entry;

/// The target of what the program prints as well.
const PRINTED: &str = "yore::screen";

/// The log of this process.
struct Log {
    settings: LogSettings,
    profile: String,
    /// The file; `None` where there is no state folder.
    file: Option<PathBuf>,
    /// What is printed reaches the journal by another way.
    prints_to_journal: OnceLock<bool>,
}

/// Begins the log that the configuration wants; with `--repo`, too.
///
/// A configuration with mistakes is reported by the command, and logs as usual.
pub fn begin(global: &Global) {
    let text = ConfigFile::load(global).map(|file| file.text).unwrap_or_default();
    let settings = LogSettings::read(&text);
    if settings.place == LogPlace::Nowhere {
        return;
    }
    let profile = global.profile.clone().unwrap_or_else(|| "default".to_owned());
    let file = state_folder().map(|folder| folder.join(format!("log-{profile}.log")));
    let log = Log { settings, profile, file, prints_to_journal: OnceLock::new() };
    // Only the first of a process counts, and this is called once.
    let _ = tracing::subscriber::set_global_default(log);
}

impl Log {
    fn store(&self, entry: &Entry, is_printed: bool) {
        let is_in_journal = match self.settings.place {
            LogPlace::File | LogPlace::Nowhere => false,
            LogPlace::Auto | LogPlace::Journal => {
                (is_printed && self.prints_to_journal())
                    || send_to_journal(&entry.fields_of_journal(&self.profile)).is_ok()
            }
        };
        if is_in_journal || self.settings.place == LogPlace::Journal {
            return;
        }
        if let Some(file) = &self.file {
            let line = match self.settings.form {
                LogForm::Text => entry.text(),
                LogForm::Json => entry.json(),
            };
            file::append(file, &line);
        }
    }

    fn prints_to_journal(&self) -> bool {
        let stream = || std::env::var("JOURNAL_STREAM").unwrap_or_default();
        *self.prints_to_journal.get_or_init(|| stderr_is_journal(&stream()))
    }
}

/// Tells whether an event is of this project: `yore::…`, `yore_engine::…`.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    name == "yore" || name.starts_with("yore_")
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && is_ours(metadata) && *metadata.level() <= self.settings.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.settings.level))
    }

    fn event(&self, event: &Event<'_>) {
        let entry = Entry::of(event);
        self.store(&entry, event.metadata().target() == PRINTED);
    }

    // There are no spans.
    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Returns the word for a level, and its number in the journal.
fn level_words(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::ERROR => ("error", "3"),
        Level::WARN => ("warning", "4"),
        Level::INFO => ("info", "6"),
        Level::DEBUG | Level::TRACE => ("debug", "7"),
    }
}
