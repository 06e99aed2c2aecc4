//! An entry of the log, as a line of text, as an object, and as fields of the journal.

use std::borrow::Cow;
use std::fmt::{Debug, Write};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::level_words;
use crate::text::{escape, redact};

/// The field that holds what happened.
const MESSAGE: &str = "message";

/// An entry.
pub(super) struct Entry {
    time: String,
    level: Level,
    message: String,
    /// The facts, in the order of the event.
    facts: Vec<(&'static str, Value)>,
}

impl Entry {
    /// Reads an event.
    pub(super) fn of(event: &Event<'_>) -> Self {
        let level = *event.metadata().level();
        let time = format!("{:.3}", Timestamp::now());
        let mut entry = Self { time, level, message: String::new(), facts: Vec::new() };
        event.record(&mut entry);
        entry
    }

    /// Returns the entry as a line for people.
    pub(super) fn text(&self) -> String {
        let (level, _) = level_words(self.level);
        let pid = std::process::id();
        format!("{} {level:<7} [{pid}] {}", self.time, escape::text(&self.sentence()))
    }

    /// Returns the entry as an object on one line.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("time".into(), self.time.clone().into());
        object.insert("level".into(), level_words(self.level).0.into());
        object.insert("pid".into(), std::process::id().into());
        object.insert(MESSAGE.into(), self.message.clone().into());
        for (name, value) in &self.facts {
            object.insert((*name).to_owned(), value.clone());
        }
        escape::json(&Value::Object(object).to_string())
    }

    /// Returns the entry as fields of the journal.
    pub(super) fn fields_of_journal(&self, profile: &str) -> Vec<(String, String)> {
        let own = |name: &str, value| (format!("YORE_{}", name.to_ascii_uppercase()), value);
        let mut fields = vec![
            ("MESSAGE".to_owned(), self.sentence()),
            ("PRIORITY".to_owned(), level_words(self.level).1.to_owned()),
            ("SYSLOG_IDENTIFIER".to_owned(), "yore".to_owned()),
            own("profile", profile.to_owned()),
        ];
        let facts = self.facts.iter();
        fields.extend(facts.map(|(name, value)| own(name, plain(value).into_owned())));
        fields
    }

    /// Returns what happened, with the facts behind it.
    fn sentence(&self) -> String {
        let mut sentence = self.message.clone();
        for (name, value) in &self.facts {
            let text = plain(value);
            let is_word = !text.is_empty() && !text.contains([' ', '"', '=', '\n']);
            // Writing to a text can't fail.
            let _ = match is_word {
                true => write!(sentence, " {name}={text}"),
                false => write!(sentence, " {name}={text:?}"),
            };
        }
        sentence
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            (MESSAGE, Value::String(text)) => self.message = text,
            (name, value) => self.facts.push((name, value)),
        }
    }
}

impl Visit for Entry {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, ((value * 1000.0).round() / 1000.0).into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, redact::urls(value).into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Returns a value as text without quotes.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
