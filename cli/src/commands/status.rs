//! `yore status`: how old the last backups are, and what the mounted drives do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use yore_engine::{Clock, Snapshot, SnapshotEntry, SnapshotId};
use yore_platform::{drive_attribute, drives};

use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::table::{Column, Table};
use crate::{clock, escape, format, place};

/// How long a drive may take to tell its counters.
const PATIENCE: Duration = Duration::from_secs(2);

/// The options of `status`.
#[derive(Debug, Args)]
pub struct Options {
    /// Fail when the last backup of a source is older, as in 26h or 2d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    max_age: Option<Duration>,
}

fn parse_age(text: &str) -> Result<Duration, String> {
    let wrong = || "write it as 90m, 26h or 2d".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number = text.strip_suffix(unit).and_then(|number| number.parse::<u64>().ok());
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => return Err(wrong()),
    };
    let seconds = number.ok_or_else(wrong)?.checked_mul(seconds).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

/// The last backup of a source.
struct Last {
    host: String,
    source: Vec<u8>,
    id: SnapshotId,
    snapshot: Snapshot,
    /// `None` where the time that the snapshot claims is not believed.
    age: Option<Duration>,
    clock: Clock,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let names_one = context.global.repo.as_ref().is_some_and(|repo| !repo.is_empty());
    let mut done = Done::Whole;
    if names_one || options.max_age.is_some() {
        let repository = context.open()?;
        let snapshots = repository.snapshots()?;
        if !snapshots.problems.is_empty() {
            done = Done::Partly;
        }
        place::tell(context, snapshots.problems);
        let lasts = last_backups(context, snapshots.list);
        tell_backups(context, &repository.location(), &lasts);
        if let Some(limit) = options.max_age {
            must_be_recent(context, &lasts, limit)?;
        }
    }
    tell_drives(context)?;
    Ok(done)
}

/// The newest snapshot of each source of each machine.
fn last_backups(context: &Context, list: Vec<SnapshotEntry>) -> Vec<Last> {
    let now = context.now.timestamp().as_second();
    let mut lasts: BTreeMap<(String, Vec<u8>), SnapshotEntry> = BTreeMap::new();
    for entry in list {
        for source in &entry.snapshot.sources {
            lasts.insert((entry.snapshot.host.clone(), source.clone()), entry.clone());
        }
    }
    let last = |((host, source), entry): ((String, Vec<u8>), SnapshotEntry)| {
        let SnapshotEntry { id, snapshot, clock, .. } = entry;
        // Clocks of two machines differ a little.
        let seconds = u64::try_from(now.saturating_sub(snapshot.time.seconds)).unwrap_or(0);
        let age = (clock != Clock::Wrong).then(|| Duration::from_secs(seconds));
        Last { host, source, id, snapshot, age, clock }
    };
    lasts.into_iter().map(last).collect()
}

fn tell_backups(context: &Context, location: &str, lasts: &[Last]) {
    if context.screen.is_json() {
        for last in lasts {
            context.screen.object(&json!({
                "type": "source",
                "repository": location,
                "host": last.host,
                "path": format!("/{}", String::from_utf8_lossy(&last.source)),
                "snapshot": last.id.to_string(),
                "time": format::exact_time(last.snapshot.time),
                "age_seconds": last.age.map(|age| age.as_secs()),
                "clock": clock::word(last.clock),
                "unreadable": last.snapshot.totals.unreadable,
            }));
        }
        return;
    }
    if lasts.is_empty() {
        return context.screen.say(format!("{location} holds no snapshots yet."));
    }
    let zone = context.now.time_zone();
    let mut table = Table::new([
        ("source", Column::Text),
        ("host", Column::Text),
        ("last backup", Column::Fixed),
        ("age", Column::Fixed),
    ]);
    for last in lasts {
        table.row(vec![
            place::shown(&last.source),
            escape::text(&last.host),
            format::time(last.snapshot.time, zone),
            last.age.map_or_else(|| "wrong clock".to_owned(), format::duration),
        ]);
    }
    context.screen.table(&table);
}

fn must_be_recent(context: &Context, lasts: &[Last], limit: Duration) -> Outcome<()> {
    let oldest = lasts.iter().max_by_key(|last| last.age.unwrap_or(Duration::MAX));
    let what = match oldest {
        None => "nothing was backed up yet".to_owned(),
        Some(last) if last.age.is_none() => format!(
            "nobody knows how old the last backup of {} on {} is: its clock was wrong, or this one's is",
            place::shown(&last.source),
            escape::text(&last.host),
        ),
        Some(last) if last.age.is_some_and(|age| age > limit) => format!(
            "the last backup of {} on {} is {} old",
            place::shown(&last.source),
            escape::text(&last.host),
            format::duration(last.age.unwrap_or_default())
        ),
        Some(_) => return Ok(()),
    };
    tell_drives(context)?;
    Err(Failure::new(Exit::Failed, what, "make one: yore backup PATH"))
}

fn tell_drives(context: &Context) -> Outcome<()> {
    let found =
        drives().map_err(|error| Failure::local(Path::new("/proc/self/mountinfo"), error))?;
    for drive in found {
        let told = drive_attribute(&drive, "user.yore.counters", PATIENCE);
        let counters = told.ok().and_then(|told| serde_json::from_slice::<Value>(&told).ok());
        let shown = drive.display().to_string();
        if context.screen.is_json() {
            let object = json!({ "type": "drive", "mountpoint": shown, "counters": counters });
            context.screen.object(&object);
            continue;
        }
        let number = |name: &str| counters.as_ref().and_then(|c| c[name].as_u64()).unwrap_or(0);
        context.screen.line(match counters {
            None => format!("drive at {}: does not answer", escape::text(&shown)),
            Some(_) => format!(
                "drive at {}: {} read by programs, {} fetched in {}, {} failed",
                escape::text(&shown),
                format::bytes(number("bytes_read")),
                format::bytes(number("bytes_fetched")),
                format::counted(number("requests_fetched"), "request"),
                format::count(number("errors") + number("failed_fetches")),
            ),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_understood() {
        assert_eq!(parse_age("26h"), Ok(Duration::from_secs(26 * 3600)));
        assert_eq!(parse_age("2d"), Ok(Duration::from_secs(172_800)));
        assert!(parse_age("soon").is_err() && parse_age("").is_err() && parse_age("3ä").is_err());
    }
}
