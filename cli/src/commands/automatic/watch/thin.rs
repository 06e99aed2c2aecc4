//! Snapshots of a watched source thin out by themselves: all of a day, one an hour for a week, one a day after that.
//!
//! Where the configuration has rules for a source, those hold instead, as after any backup.

use std::collections::BTreeSet;

use yore_engine::repository::{Repository, forget};
use yore_engine::snapshots::retention::{GroupBy, group};

use crate::access::state;
use crate::access::writer::writer;
use crate::args::retention::Rules;
use crate::commands::backup::retention::{self, Freeing};
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::{Done, Exit, Outcome};
use crate::job::retention::{complete, is_of_source, retained};
use crate::text::{escape, format};

/// The hours of a week.
const HOURS: u32 = 7 * 24;
/// More days than anybody lives.
const DAYS: u32 = 100_000;

/// Thins out the snapshots of some sources. That it fails is told, and is no failure of the backup.
///
/// # Errors
/// An interrupt.
pub fn apply(
    context: &Context,
    repository: &Repository,
    names: &BTreeSet<&str>,
    freeing: &mut Freeing,
) -> Outcome {
    let settings = context.settings()?;
    let mut done = Done::Whole;
    for source in settings.sources.iter().filter(|source| names.contains(source.name.as_str())) {
        done = done.and(match settings.retention_of(source).rules.is_empty() {
            false => retention::apply(context, repository, source, freeing)?,
            true => match by_age(context, repository, source) {
                Ok(thinned) => thinned,
                Err(failure) if failure.exit == Exit::Interrupted => return Err(failure),
                Err(failure) => {
                    context.screen.problem("retention", &failure.what);
                    Done::Partly
                }
            },
        });
    }
    Ok(done)
}

/// Keeps all of a day, one an hour of a week, and one of each day. What needs a person is kept.
fn by_age(context: &Context, repository: &Repository, source: &SourceSettings) -> Outcome {
    let rules = Rules {
        within: Some("1d".into()),
        hourly: Some(HOURS),
        daily: Some(DAYS),
        ..Rules::default()
    };
    let known = complete(context, repository)?;
    let mut ids = Vec::new();
    for group in group(&known.list, GroupBy::default()) {
        let needs_attention = group.snapshots.iter().any(|entry| entry.needs_attention());
        if is_of_source(&group, source) && !needs_attention {
            let retained = retained(context, repository, &group, &rules, false)?;
            ids.extend(retained.dropped_ids());
        }
    }
    if ids.is_empty() {
        return Ok(Done::Whole);
    }
    let writer = writer(state::client()?, None);
    let (now, _) = context.present();
    let report = forget(repository, &ids, &writer, now, "thinned out by watch")?;
    let counted = format::counted(ids.len() as u64, "snapshot");
    context.screen.detail(format!("{}: {counted} thinned out", escape::text(&source.name)));
    Ok(if report.behind.is_empty() { Done::Whole } else { Done::Partly })
}
