//! The result of `yore destination add`.

use std::path::PathBuf;
use std::time::Duration;

use yore_engine::backend::Backend;
use yore_platform::storage_medium;

use super::measure::Measured;
use crate::access::destination::Destination;
use crate::access::place::Place;
use crate::config::{ConfigFile, Settings};
use crate::context::Context;
use crate::failure::engine_error::quoted;
use crate::json;
use crate::text::format;

/// The state of a place when it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A copy of this repository.
    Copy,
    /// Nothing; an empty copy of this repository is there now.
    Created,
    /// A repository, of which there is no other destination.
    Repository,
    /// Nothing, and there is no repository of which a copy could be made.
    Empty,
}

/// A destination that was added, with what was found there.
pub(super) struct Added<'a> {
    /// The destination.
    pub(super) place: &'a Place,
    /// The state in which it was.
    pub(super) found: Found,
    /// Tells whether it creates an object only if it is absent; `None` where that can't be known yet.
    pub(super) create_if_absent: Option<bool>,
    /// The measurements.
    pub(super) measured: Measured,
    /// Tells that the configuration had it before.
    pub(super) is_known: bool,
}

impl Added<'_> {
    /// Prints it, for people or for programs.
    pub(super) fn print(&self, context: &Context, file: &ConfigFile, backend: &dyn Backend) {
        let screen = &context.screen;
        let durable = backend.capabilities().durable;
        let space = backend.space().ok().flatten();
        let name = self.place.name.clone().unwrap_or_default();
        screen.object(&json::AddedDestination {
            name: name.clone(),
            location: self.place.destination.location(),
            found: match self.found {
                Found::Copy => "copy",
                Found::Created => "created",
                Found::Repository => "repository",
                Found::Empty => "empty",
            },
            create_if_absent: self.create_if_absent,
            durable,
            round_trip_seconds: self.measured.round_trip.map(|time| time.as_secs_f64()),
            write_bytes_per_second: self.measured.writing,
            read_bytes_per_second: self.measured.reading,
            free_bytes: space.map(|space| space.free),
        });
        let title = self.place.title();
        screen.info(match self.is_known {
            true => format!("{title} is in {} already.", file.path.display()),
            false => format!("Added destination {title} to {}.", file.path.display()),
        });
        screen.info(match self.found {
            Found::Copy => "  It holds a copy of the repository. `yore sync` brings it up to date.",
            Found::Created => {
                "  An empty copy of the repository was made there. `yore sync` fills it."
            }
            Found::Repository => "  It holds a repository, which the secret opens.",
            Found::Empty => "  It is empty. `yore init` makes the repository.",
        });
        let mut facts = Vec::new();
        facts.extend(self.measured.round_trip.map(request));
        facts.extend(self.measured.writing.map(|rate| format!("writes {}/s", format::bytes(rate))));
        facts.extend(self.measured.reading.map(|rate| format!("reads {}/s", format::bytes(rate))));
        facts.extend(space.map(|space| format!("{} free", format::bytes(space.free))));
        screen.info(format!("  {}", facts.join(", ")));
        for source in self.on_the_same_disk(file) {
            screen.info(format!(
                "  It lies on the same disk as source {source}: what destroys one destroys the other."
            ));
        }
        if self.create_if_absent == Some(false) {
            screen.line(
                "  It does not refuse to create what is there already: backups are safe, but prune will have to run \
                 alone (--exclusive).",
            );
        }
        if !durable {
            screen.line("  It can't be asked to write files to the disk at once (fsync).");
        }
        if matches!(self.place.destination, Destination::Folder(_)) && self.place.is_removable {
            let url = quoted("volume:LABEL/path");
            screen.info(format!("  A disk that may be mounted elsewhere is better named {url}."));
        }
    }
}

impl Added<'_> {
    /// Returns the names of the sources that lie on the same disk.
    fn on_the_same_disk(&self, file: &ConfigFile) -> Vec<String> {
        let Some(medium) = self.place.destination.medium() else { return Vec::new() };
        let sources = Settings::read(&file.text).sources.into_iter();
        let is_there = |path: &PathBuf| storage_medium(path).is_ok_and(|other| other == medium);
        let those = sources.filter(|source| source.paths.iter().any(is_there));
        those.map(|source| source.name).collect()
    }
}

/// Describes the duration of a request.
fn request(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1000.0;
    match milliseconds < 0.1 {
        true => "a request takes under 0.1 ms".to_owned(),
        false => format!("a request takes {milliseconds:.1} ms"),
    }
}
