//! Figures for Prometheus, in the text format of its node exporter.

use std::fmt::Write;
use std::path::Path;

use yore_platform::DurableFile;

use super::state::{SourceState, State};
use crate::config::Settings;

/// Writes the figures of what the configuration has into a file, which is replaced as a whole.
pub(super) fn write(path: &Path, state: &State, settings: &Settings) -> std::io::Result<()> {
    let mut state = state.clone();
    let is_source = |name: &String| settings.sources.iter().any(|source| source.name == *name);
    let is_place = |title: &String| settings.destinations.iter().any(|one| one.title() == *title);
    state.sources.retain(|name, _| is_source(name));
    state.destinations.retain(|title, _| is_place(title));

    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("yore.prom");
    let mut file = DurableFile::create(folder, name)?;
    file.append(figures(&state).as_bytes())?;
    file.replace()?;
    // The exporter is another user's.
    yore_platform::make_readable(path)
}

/// A figure with what it says, and its values with their labels.
type Family = (&'static str, &'static str, Vec<(String, f64)>);

/// Returns the figures.
fn figures(state: &State) -> String {
    let mut out = String::new();
    let families = [of_runs(state), of_sources(state), of_the_rest(state)].concat();
    for (name, help, values) in families.into_iter().filter(|(_, _, values)| !values.is_empty()) {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{labels} {value}");
        }
    }
    out
}

/// Returns the value of a figure without labels, if there is one.
fn one(value: Option<f64>) -> Vec<(String, f64)> {
    value.map(|value| (String::new(), value)).into_iter().collect()
}

fn number(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn of_runs(state: &State) -> Vec<Family> {
    let last = state.last.as_ref();
    let success = last.map(|last| number(last.result == "success"));
    let (time, seconds) = (last.map(|last| last.time as f64), last.map(|last| last.seconds));
    vec![
        ("yore_last_run_success", "1 if the last run saved everything.", one(success)),
        ("yore_last_run_timestamp_seconds", "The end of the last run.", one(time)),
        ("yore_last_run_duration_seconds", "The duration of the last run.", one(seconds)),
    ]
}

fn of_sources(state: &State) -> Vec<Family> {
    let values = |value: &dyn Fn(&SourceState) -> Option<f64>| {
        let sources = state.sources.iter();
        let values =
            sources.filter_map(|(name, source)| Some((label("source", name), value(source)?)));
        values.collect::<Vec<_>>()
    };
    let of_snapshot = |value: fn(&SourceState) -> u64| {
        values(&|source| source.saved.map(|_| value(source) as f64))
    };
    vec![
        (
            "yore_source_saved_timestamp_seconds",
            "The end of the last run that saved the source.",
            values(&|source| source.saved.map(|saved| saved as f64)),
        ),
        ("yore_source_files", "Files of the last snapshot.", of_snapshot(|source| source.files)),
        ("yore_source_bytes", "Bytes of the last snapshot.", of_snapshot(|source| source.bytes)),
        (
            "yore_source_stored_bytes",
            "Bytes that the last snapshot added to the repository.",
            of_snapshot(|source| source.stored_bytes),
        ),
        (
            "yore_source_suspicious",
            "1 if unusually much changed.",
            values(&|source| Some(number(source.suspicious))),
        ),
    ]
}

fn of_the_rest(state: &State) -> Vec<Family> {
    let destinations = state.destinations.iter();
    let drill = state.drill.as_ref();
    vec![
        (
            "yore_destination_complete_timestamp_seconds",
            "The time when the destination had everything.",
            destinations.map(|(title, time)| (label("destination", title), *time as f64)).collect(),
        ),
        (
            "yore_drill_success",
            "1 if the last drill restored what was saved.",
            one(drill.map(|drill| number(drill.is_right))),
        ),
        (
            "yore_drill_timestamp_seconds",
            "The end of the last drill.",
            one(drill.map(|drill| drill.time as f64)),
        ),
        (
            "yore_drill_duration_seconds",
            "The time that the last drill took to restore.",
            one(drill.map(|drill| drill.seconds)),
        ),
        (
            "yore_condition",
            "What is wrong now.",
            state.conditions.keys().map(|key| (label("condition", key), 1.0)).collect(),
        ),
    ]
}

fn label(name: &str, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{{{name}=\"{escaped}\"}}")
}
