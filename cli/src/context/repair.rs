//! Filling destinations that are behind, and healing what was damaged at one of several.

use yore_engine::repository::{Behind, BehindCause, Repository};
use yore_engine::sync::{FillReport, HealReport, SyncOptions, SyncReport, heal, sync};

use super::Context;
use crate::access::state;
use crate::access::writer::writer;
use crate::failure::Outcome;
use crate::failure::engine_error::message;
use crate::screen::progress::Progress;
use crate::text::format;

impl Context {
    /// Returns the title of a destination of the repository by its number.
    pub fn title(&self, number: usize) -> String {
        self.reached().get(number).map(|place| place.title()).unwrap_or_default()
    }

    /// Copies to destinations what they lack, and heals what is damaged.
    pub fn sync(&self, repository: &Repository, options: &SyncOptions) -> Outcome<SyncReport> {
        let interrupt = self.interrupt()?;
        let writer = writer(state::client()?, None);
        let progress = Progress::start(&self.screen, "copying", Some(interrupt));
        Ok(sync(repository, options, &writer, &progress)?)
    }

    /// Tells which destinations did not get a snapshot, and copies it to those that only lacked something or were slow.
    ///
    /// Returns true when every destination that was opened has the snapshot now.
    pub fn catch_up(&self, repository: &Repository, behind: &[Behind]) -> Outcome<bool> {
        let mut is_whole = true;
        let mut lacking = Vec::new();
        for Behind { destination, cause } in behind {
            let title = self.title(*destination);
            match cause {
                BehindCause::Lacking | BehindCause::Slow => {
                    tracing::info!(destination = title, "destination is behind, and is caught up");
                    lacking.push(*destination);
                }
                BehindCause::Failed(error) => {
                    is_whole = false;
                    let reason = message(error);
                    self.screen.problem(
                        &title,
                        &format!(
                            "it does not have this snapshot: {reason} (`yore sync` copies it later)"
                        ),
                    );
                }
            }
        }
        if lacking.is_empty() {
            return Ok(is_whole);
        }
        if repository.is_write_only() {
            // Its key opens no data, so it can't tell whether what it would copy is whole.
            for destination in lacking {
                let what = "it lacks earlier data, and gets no backups of this machine until `yore collect` was run on \
                            one with the repository's own key";
                self.screen.problem(&self.title(destination), what);
            }
            return Ok(false);
        }
        let options = SyncOptions { to: Some(lacking), ..SyncOptions::default() };
        let report = self.sync(repository, &options)?;
        report.destinations.iter().for_each(|filled| self.print_filled(filled));
        Ok(is_whole && report.is_whole())
    }

    /// Prints the result of filling a destination.
    pub fn print_filled(&self, filled: &FillReport) {
        let title = self.title(filled.destination);
        let problems = filled.problems.iter().chain(&filled.error);
        problems.for_each(|error| self.screen.problem(&title, &message(error)));
        if !filled.healed.is_empty() {
            let objects = filled.healed.len();
            tracing::warn!(destination = title, objects, "damage healed from another destination");
            self.screen.line(format!(
                "{title}: {} damaged, and healed from another destination.",
                match filled.healed.len() as u64 {
                    1 => "1 object was".to_owned(),
                    more => format!("{} objects were", format::count(more)),
                }
            ));
        }
        if !filled.incomplete.is_empty() {
            self.screen.line(format!(
                "{title}: {} not copied, since no destination has all of it whole.",
                match filled.incomplete.len() as u64 {
                    1 => "1 snapshot was".to_owned(),
                    more => format!("{} snapshots were", format::count(more)),
                }
            ));
        }
        if filled.removed_slots > 0 {
            let keys = format::counted(filled.removed_slots, "key");
            let open = if filled.removed_slots == 1 { "opens" } else { "open" };
            self.screen.line(format!("{title}: {keys} that were removed {open} it no more."));
        }
        if filled.is_unchanged() {
            self.screen.info(format!("{title}: up to date."));
        } else if filled.copied + filled.committed > 0 {
            let FillReport { copied, bytes, committed, .. } = filled;
            tracing::info!(destination = title, copied, bytes, committed, "destination caught up");
            self.screen.info(format!(
                "{title}: copied {} ({}); {} there now.",
                format::counted(filled.copied, "object"),
                format::bytes(filled.bytes),
                match filled.committed {
                    1 => "1 snapshot more is".to_owned(),
                    more => format!("{} snapshots more are", format::count(more)),
                }
            ));
        }
    }

    /// Heals what was read in a damaged form from one destination and whole from another, and reports it.
    ///
    /// A failure to heal is reported, too, and does not concern the command: what was read is right.
    pub fn heal(&self, repository: &Repository) -> Outcome<()> {
        if repository.destinations().len() == 1 {
            return Ok(());
        }
        let progress = Progress::start(&self.screen, "healing", Some(self.interrupt()?));
        let HealReport { healed, problems } = heal(repository, &progress)?;
        drop(progress);
        for (destination, name) in healed {
            let title = self.title(destination);
            self.screen.problem(
                &title,
                &format!("{name} was damaged or missing, and is healed from another destination"),
            );
        }
        for error in problems {
            let what = message(&error);
            self.screen.problem("", &format!("not healed yet: {what} (`yore sync` tries again)"));
        }
        Ok(())
    }
}
