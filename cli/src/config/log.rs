//! `[log]`: where the log goes, in what form, and how much of it.

use toml_edit::{DocumentMut, Item};
use tracing::Level;

/// The words for places; the first is the usual one.
pub const PLACES: [&str; 4] = ["auto", "journal", "file", "none"];
/// The words for forms of a file; the first is the usual one.
pub const FORMS: [&str; 2] = ["text", "json"];
/// The words for levels.
pub const LEVELS: [&str; 4] = ["error", "warning", "info", "debug"];

/// What the configuration says of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Where it goes.
    pub place: LogPlace,
    /// The form of lines in a file.
    pub form: LogForm,
    /// The least important that is logged.
    pub level: Level,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// To the journal of the system, or to a file where there is none.
    Auto,
    /// To the journal alone.
    Journal,
    /// To a file alone.
    File,
    /// There is none.
    Nowhere,
}

/// The form of lines in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogForm {
    /// For people.
    Text,
    /// An object each.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { place: LogPlace::Auto, form: LogForm::Text, level: Level::INFO }
    }
}

impl LogSettings {
    /// Reads the text of a configuration; what has a mistake is as if it were not there.
    pub fn read(text: &str) -> Self {
        let document: DocumentMut = text.parse().unwrap_or_default();
        let table = document.get("log").and_then(Item::as_table_like);
        let word = |key: &str| table.and_then(|table| table.get(key)).and_then(Item::as_str);
        Self {
            place: match word("to") {
                Some("journal") => LogPlace::Journal,
                Some("file") => LogPlace::File,
                Some("none") => LogPlace::Nowhere,
                _ => LogPlace::Auto,
            },
            form: match word("format") {
                Some("json") => LogForm::Json,
                _ => LogForm::Text,
            },
            level: match word("level") {
                Some("error") => Level::ERROR,
                Some("warning") => Level::WARN,
                Some("debug") => Level::DEBUG,
                _ => Level::INFO,
            },
        }
    }
}
