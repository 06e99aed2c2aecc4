//! The snapshots that a watch makes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use yore_engine::backup::ChangedPaths;
use yore_engine::repository::Repository;

use super::pace::DAY;
use super::thin;
use super::watched::{Observed, Watched};
use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::commands::backup::retention::Freeing;
use crate::commands::backup::summary;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::job::{self, RunRecord};
use crate::json::SourceRun;
use crate::runs::{self, Run, Waiting};

impl Watched<'_> {
    /// Makes a snapshot of each source that changed; returns the number of snapshots.
    pub fn save(&mut self, repository: &Repository) -> Outcome<(u64, Done)> {
        // What has been reported is older than the snapshot that is made now.
        self.wait(Duration::ZERO);
        let context = self.context;
        if !self.sources.iter().any(Observed::is_due) {
            return Ok((0, Done::Whole));
        }
        let run = Run::begin(context, "backup", Waiting::Yes)?;
        let (mut ledger, mut done, mut made) = (Vec::new(), Done::Whole, 0);
        let mut first: Option<Failure> = None;
        for source in self.sources.iter_mut().filter(|source| source.is_due()) {
            let changed = source.changed.take();
            let scan = std::mem::take(&mut source.wants_scan);
            let hint = (!scan).then(|| changed.clone());
            let mut entry =
                SourceRun { source: source.settings.name.clone(), ..SourceRun::default() };
            let began = SystemTime::now();
            match save_one(context, repository, &source.settings, hint) {
                Ok(record) => {
                    made += 1;
                    note(&mut entry, &record);
                    if record.done() != Done::Whole {
                        done = record.done();
                        entry.error = Some("it was not saved as a whole".to_owned());
                    }
                    if scan {
                        (source.scanned, source.known_since) = (Instant::now(), began);
                    }
                }
                Err(failure) => {
                    // It is saved with the next change.
                    source.changed.extend(changed);
                    source.wants_scan |= scan;
                    entry.error = Some(failure.what.clone());
                    first.get_or_insert(failure);
                }
            }
            ledger.push(entry);
        }
        let outcome = match first {
            Some(failure) => Err(failure),
            None => Ok(done),
        };
        run.end(context, ledger, &outcome);
        let names: BTreeSet<&str> =
            self.sources.iter().map(|source| source.settings.name.as_str()).collect();
        // A prune for each snapshot would leave a list of what is to be deleted each time.
        let now = context.present().0.seconds;
        let day = |freed: i64| freed..freed.saturating_add(DAY.as_secs().cast_signed());
        // A clock that was set back makes it due, too.
        let is_due = self.freed.is_none_or(|freed| !day(freed).contains(&now));
        let mut freeing = if is_due { Freeing::Now } else { Freeing::Later };
        let thinned = thin::apply(context, repository, &names, &mut freeing);
        if is_due && freeing == Freeing::Later {
            self.freed = Some(now);
            runs::record_freed(context, now);
        }
        let thinned = thinned?;
        outcome.map(|done| (made, done.and(thinned)))
    }
}

/// Makes a snapshot of a source, and looks only at what changed where that is known.
fn save_one(
    context: &Context,
    repository: &Repository,
    source: &SourceSettings,
    changed: Option<ChangedPaths>,
) -> Outcome<RunRecord> {
    let mut jobs = job::jobs(source)?;
    let mut job = jobs.pop().expect("files are one job");
    let looked_at = if changed.is_some() { "what changed" } else { "everything" };
    job.changed = changed;
    // What changed is read as it is now; a snapshot each minute would keep the file system busy.
    job.snapshot = FileSystemSnapshot::Never;
    let record = job::prepare(context, job)?.run(context, repository)?;
    context.screen.detail(format!("looked at {looked_at} of {}", source.name));
    summary::print(&context.screen, &record);
    Ok(record)
}

fn note(entry: &mut SourceRun, record: &RunRecord) {
    let totals = &record.report.totals;
    entry.snapshot = record.report.snapshot.map(|id| id.to_string());
    (entry.files, entry.bytes) = (totals.files, totals.bytes);
    (entry.new_bytes, entry.stored_bytes) = (totals.new_bytes, totals.stored_bytes);
    entry.suspicious = record.report.suspicion.is_some();
    entry.behind.clone_from(&record.behind);
    entry.seconds = record.took.as_secs_f64();
}
