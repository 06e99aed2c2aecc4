//! Bytes in place of a configuration: for the fuzzer, and for the tests of what it found (tests/fuzz/corpus).

use std::hint::black_box;

use super::check::mistakes;
use super::{Settings, edit, get, to_json};

/// Keys of each kind, with values that are right for them.
const CHANGES: [(&str, &str); 12] = [
    ("key-file", "/etc/key \"'#\\"),
    ("limit.upload", "5 MB/s"),
    ("cache.size", "4G"),
    ("retention.daily", "7"),
    ("retention.auto", "true"),
    ("destination.a.url", "/mnt/disk"),
    ("destination.a.limit.upload", "08:00-18:00 1 MB/s"),
    ("destination.a.removable", "yes"),
    ("source.a.paths", "/srv"),
    ("source.a.exclude", "*.o"),
    ("source.a.hooks.before", "true"),
    ("source.a.retention.weekly", "4"),
];

/// Reads what a change made, which may have a mistake then: a key can be for sources of another kind.
fn read(changed: &str) {
    assert!(changed.parse::<toml_edit::DocumentMut>().is_ok(), "{changed:?} is no TOML");
    if mistakes(changed).is_empty() {
        black_box(Settings::read(changed));
    }
}

/// Reads, shows and changes a configuration, as commands do with what a person wrote.
///
/// # Panics
/// A mistake is outside of the text; what is set is not read back, or what was not set is removed.
pub fn feed(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let found = mistakes(text);
    for mistake in &found {
        let line = text.split('\n').nth(mistake.line - 1).expect("a mistake is in a line");
        assert!(mistake.column <= line.chars().count() + 1, "{mistake:?} is in {line:?}");
    }
    // A command goes no further with a text that has mistakes.
    if !found.is_empty() {
        return;
    }
    black_box(Settings::read(text));
    black_box(to_json(text));
    for (key, typed) in CHANGES {
        let before = get(text, key);
        if let Ok(changed) = edit::set(text, key, &[typed.to_owned()]) {
            assert!(matches!(get(&changed, key), Ok(Some(_))), "{key} is set in {changed:?}");
            read(&changed);
        }
        if let Ok(changed) = edit::unset(text, key) {
            assert!(matches!(before, Ok(Some(_))), "{key} was set in {text:?}");
            assert!(matches!(get(&changed, key), Ok(None)), "{key} is not set in {changed:?}");
            read(&changed);
        }
    }
    for list in ["destination", "source", "alert"] {
        let names = edit::names(text, list);
        if let Ok(changed) = edit::remove_entry(text, list, "a") {
            assert_eq!(edit::names(&changed, list).len() + 1, names.len(), "{changed:?}");
            read(&changed);
        }
        let fields = [("name", edit::Field::Text("b".into()))];
        if let Ok(changed) = edit::add_entry(text, list, &fields) {
            assert_eq!(edit::names(&changed, list).len(), names.len() + 1, "{changed:?}");
            read(&changed);
        }
    }
}
