//! Values of the configuration: what each type takes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use toml_edit::Value;

use super::rate;
use super::schema::{self, Kind};
use super::server::is_of_server;
use crate::access::destination;
use crate::args::{duration, exclude, percent, size, unchanged_by};

/// Checks a value; an error says what is wrong with it, in words that follow its key.
pub fn check(kind: Kind, value: &Value) -> Result<(), String> {
    let wrong = || Err(format!("must be {}, not {}", kind.expected(), described(value)));
    match kind {
        Kind::Bool if value.as_bool().is_none() => wrong(),
        Kind::Bool => Ok(()),
        Kind::Size if value.as_integer().is_some_and(|bytes| bytes >= 0) => Ok(()),
        Kind::Count if value.as_integer().is_some_and(|n| u32::try_from(n).is_ok()) => Ok(()),
        Kind::Count => wrong(),
        Kind::Rates
        | Kind::Paths
        | Kind::SourcePaths
        | Kind::Patterns
        | Kind::FileNames
        | Kind::Words => match texts(value) {
            Some(texts) if kind == Kind::Rates => rate::parse(texts).map(drop).map_err(is),
            Some(texts) if value.is_array() => {
                texts.into_iter().try_for_each(|text| check_text(kind, text))
            }
            _ => wrong(),
        },
        Kind::Table(_) | Kind::List(_) => wrong(),
        _ => match value.as_str() {
            Some(text) => check_text(kind, text),
            None => wrong(),
        },
    }
}

fn is(what: String) -> String {
    format!("can't be used: {what}")
}

/// Checks a text, or one of an array.
pub fn check_text(kind: Kind, text: &str) -> Result<(), String> {
    let shown = format!("{text:?}");
    if text.contains('\0') {
        return Err("can't contain a zero byte".into());
    }
    match kind {
        Kind::Name if !schema::is_name(text) => {
            Err(format!("must be {}, not {shown}", kind.expected()))
        }
        Kind::SourcePaths if is_of_server(text) => check_url(text),
        Kind::Path | Kind::Paths | Kind::SourcePaths if path(text).is_none() => {
            Err(format!("must be an absolute path, or one that begins with ~/, not {shown}"))
        }
        Kind::Url => check_url(text),
        Kind::Size => size::parse(text).map(drop).map_err(is),
        Kind::Percent => percent::parse(text).map(drop).map_err(is),
        Kind::Duration => {
            let seconds = duration::seconds("it", text, &jiff::ZonedDateTime::now());
            seconds.map(drop).map_err(|_| format!("must be {}, not {shown}", kind.expected()))
        }
        Kind::Patterns => exclude::parse(text).map(drop).map_err(is),
        Kind::FileNames if text.is_empty() || text.contains('/') => {
            Err(format!("must be the name of a file, not {shown}"))
        }
        Kind::Choice(words) if !words.contains(&text) => {
            Err(format!("must be one of {}, not {shown}", words.join(", ")))
        }
        Kind::UnchangedBy => unchanged_by::parse(text).map(drop).map_err(is),
        Kind::Text | Kind::Command | Kind::Words if text.trim().is_empty() => {
            Err("must not be empty".into())
        }
        _ => Ok(()),
    }
}

fn check_url(text: &str) -> Result<(), String> {
    // A relative path would mean another folder in each working directory.
    if !text.starts_with(['/', '~']) && !text.contains(':') {
        return Err(format!("must be an absolute path or a URL, not {text:?}"));
    }
    let found = url(text).ok_or_else(|| format!("{text:?} needs a home folder"))?;
    destination::parse(OsStr::new(&found)).map(drop).map_err(|failure| {
        is(match failure.hint {
            Some(hint) => format!("{} ({hint})", failure.what),
            None => failure.what,
        })
    })
}

/// Returns a place with the home folder instead of `~/`.
pub fn url(text: &str) -> Option<String> {
    match text.starts_with("~/") {
        true => path(text)?.to_str().map(str::to_owned),
        false => Some(text.to_owned()),
    }
}

/// Returns an absolute path, with the home folder instead of `~/`; `None` for any other.
pub fn path(text: &str) -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    match text.strip_prefix("~/") {
        Some(rest) => Some(home()?.join(rest)),
        None if text == "~" => home(),
        None => Some(Path::new(text).to_owned()).filter(|path| path.is_absolute()),
    }
}

/// Returns the texts of a value: itself, or those of an array of nothing else.
pub fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text.value()]),
        Value::Array(array) => array.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

/// Describes a value that is of a wrong type.
fn described(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text {:?}", text.value()),
        Value::Integer(number) => format!("the number {}", number.value()),
        Value::Float(number) => format!("the number {}", number.value()),
        Value::Boolean(word) => word.value().to_string(),
        Value::Datetime(_) => "a date".into(),
        Value::Array(array) if array.is_empty() => "an empty list".into(),
        Value::Array(_) => "a list".into(),
        Value::InlineTable(_) => "a table".into(),
    }
}
