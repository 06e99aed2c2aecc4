//! The job of a source of the configuration.

use yore_engine::Run;
use yore_engine::backup::{EmptySources, FileSystems, Reading};

use super::{BackupJob, ExcludeLists, Input};
use crate::args::files::FileArgs;
use crate::config::SourceSettings;

impl BackupJob {
    /// Makes the job of a source: one run is one snapshot of its paths.
    pub fn of_source(source: &SourceSettings) -> Self {
        let files = FileArgs {
            paths: source.paths.clone(),
            files_from: Vec::new(),
            files_from0: Vec::new(),
        };
        Self {
            source: Some(source.name.clone()),
            input: Input::Files(files),
            excludes: ExcludeLists {
                patterns: source.exclude.clone(),
                files: source.exclude_file.clone(),
                caches: source.exclude_caches,
                if_present: source.exclude_if_present.clone(),
                larger_than: source.exclude_larger_than,
            },
            reading: Reading::Changed,
            unchanged_by: source.unchanged_by.unwrap_or_default(),
            file_systems: match source.one_file_system {
                true => FileSystems::One,
                false => FileSystems::All,
            },
            empty_sources: match source.allow_empty_source {
                true => EmptySources::Accept,
                false => EmptySources::KeepLast,
            },
            run: Run::Real,
            tags: source.tags.clone(),
            time: None,
            host: source.host.clone(),
        }
    }
}
