//! Snapshots of a watched source thin out by themselves: all of a day, one an hour for a week, one a day after that.
//!
//! Where the configuration has rules for a source, those hold instead, as after any backup.

use std::collections::BTreeSet;

use yore_engine::repository::{Repository, forget};
use yore_engine::snapshots::retention::{GroupBy, group};

use super::told;
use crate::access::state;
use crate::access::writer::writer;
use crate::args::retention::Rules;
use crate::args::time;
use crate::config::{Retention, SourceSettings};
use crate::context::Context;
use crate::failure::Outcome;
use crate::job::retention;

/// The hours of a week.
const HOURS: u32 = 7 * 24;
/// More days than anybody lives.
const DAYS: u32 = 100_000;

/// Thins out the snapshots of some sources; that it fails is no concern of the backup.
pub fn apply(context: &Context, repository: &Repository, names: &BTreeSet<&str>) {
    let Ok(settings) = context.settings() else { return };
    for source in settings.sources.iter().filter(|source| names.contains(source.name.as_str())) {
        let configured = settings.retention_of(source);
        let thinned = match configured.rules.is_empty() {
            false if configured.auto == Some(true) => {
                by_rules(context, repository, source, &configured)
            }
            false => Ok(0),
            true => by_age(context, repository, source),
        };
        match thinned {
            Ok(0) => {}
            Ok(forgotten) => told(context, &source.name, forgotten),
            Err(failure) => context.screen.problem("retention", &failure.what),
        }
    }
}

fn by_rules(
    context: &Context,
    repository: &Repository,
    source: &SourceSettings,
    rules: &Retention,
) -> Outcome<u64> {
    let (forgotten, _) = retention::forget_after_backup(context, repository, source, rules)?;
    Ok(forgotten)
}

/// Keeps all of a day, one an hour of a week, and one of each day. What needs a person is kept.
fn by_age(context: &Context, repository: &Repository, source: &SourceSettings) -> Outcome<u64> {
    let rules = Rules {
        within: Some("1d".into()),
        hourly: Some(HOURS),
        daily: Some(DAYS),
        ..Rules::default()
    };
    let known = retention::complete(context, repository)?;
    let mut ids = Vec::new();
    for group in group(&known.list, GroupBy::default()) {
        let needs_attention = group.snapshots.iter().any(|entry| entry.needs_attention());
        if retention::is_of_source(&group, source) && !needs_attention {
            let retained = retention::retained(context, repository, &group, &rules, false)?;
            ids.extend(retained.dropped_ids());
        }
    }
    if ids.is_empty() {
        return Ok(0);
    }
    let writer = writer(state::client()?, None);
    let (now, _) = time::present(&context.now);
    forget(repository, &ids, &writer, now, "thinned out by watch")?;
    Ok(ids.len() as u64)
}
