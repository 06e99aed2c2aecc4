//! `yore status`: how old the last backups are, what destinations have, and what the mounted drives do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::Value;
use yore_engine::format::{Origin, RepositoryId, Snapshot, SnapshotId};
use yore_engine::snapshots::{Clock, SnapshotEntry};
use yore_platform::{drive_attribute, drives, hostname};

use crate::access::dropped::Dropped;
use crate::args::duration::seconds;
use crate::args::live_path;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::moment::{state as moment_state, suspicion};
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

mod attention;
mod automatic;
mod destinations;

/// The time in which a drive must report its counters.
const PATIENCE: Duration = Duration::from_secs(2);

const HOW_TO_BE_RECENT: &str = "make them: yore backup PATH; one that will not come any more: yore status --forget-source PATH";

/// The options of `status`.
#[derive(Debug, Args)]
pub struct Options {
    /// Fail when the last backup of a source is older, as in 26h or 2d
    #[arg(long, value_name = "AGE")]
    max_age: Option<String>,
    /// Fail when something needs a person: a suspicious change, a snapshot that is missing or can't be read, a
    /// destination that is not there
    #[arg(long, conflicts_with = "forget_source")]
    check: bool,
    /// Drop a source that is not backed up any more: it does not count until it is backed up again
    #[arg(long, value_name = "PATH", conflicts_with = "max_age")]
    forget_source: Option<PathBuf>,
    /// The machine of the source that is dropped, if it is not this one
    #[arg(long, value_name = "HOST", requires = "forget_source", value_parser = NonEmptyStringValueParser::new())]
    host: Option<String>,
}

/// The last backup of a source.
struct LastBackup {
    host: String,
    source: Vec<u8>,
    id: SnapshotId,
    snapshot: Snapshot,
    /// The age; `None` where the time that the snapshot claims is not believed.
    age: Option<Duration>,
    clock: Clock,
    /// Its change was suspicious, and nobody has looked at it.
    needs_attention: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let names_one = context.names_destination() || !context.settings()?.destinations.is_empty();
    if !names_one && options.max_age.is_none() && options.forget_source.is_none() {
        print_drives(context, None)?;
        return Ok(Done::Whole);
    }
    let limit = options.max_age.as_deref().map(|text| seconds("--max-age", text, &context.now));
    let limit = limit.transpose()?.and_then(|seconds| u64::try_from(seconds).ok());
    let repository = context.open().inspect_err(|failure| {
        // Without any, what is known of each is still of use.
        if !context.names_destination() && failure.exit != Exit::WrongSecret {
            destinations::print_unopened(context);
        }
    })?;
    let snapshots = repository.snapshots()?;
    let unread = (snapshots.problems.len() + snapshots.rolled_back.len()) as u64;
    let done = if unread == 0 { Done::Whole } else { Done::Partly };
    moment_state::print_problems(context, snapshots.problems);
    suspicion::print_rolled_back(context, &snapshots.rolled_back);
    let mut dropped = Dropped::read(repository.id())?;
    let suspicious = attention::suspicious(&snapshots.list);
    let is_empty = snapshots.list.is_empty();
    let mut lasts = last_backups(context, snapshots.list);
    if let Some(source) = &options.forget_source {
        forget_source(context, options, source, &lasts, &mut dropped)?;
        return Ok(done);
    }
    let all = lasts.len();
    lasts.retain(|last| !dropped.has(&last.host, &last.source, last.id));
    print_backups(context, &repository.location(), &lasts, is_empty);
    if lasts.len() < all {
        let number = (all - lasts.len()) as u64;
        let those = format::counted(number, "source");
        context.screen.info(format!("Not counted, since dropped: {those}."));
    }
    attention::print(context, &suspicious);
    let here = hostname();
    let mine = lasts.iter().filter(|last| last.host == here).map(|last| last.source.clone());
    destinations::print(context, &repository, &mine.collect::<Vec<_>>())?;
    print_drives(context, Some(repository.id()))?;
    let is_ready = automatic::print(context)?;
    let done = context.done_everywhere(if is_ready { done } else { Done::Partly });
    if options.check {
        attention::must_be_none(context, &suspicious, unread)?;
    }
    match limit {
        Some(_) if lasts.is_empty() && all > 0 => Err(Failure::new(
            Exit::Failed,
            "every source was dropped, and none is backed up any more",
            "back one up, and it counts again: yore backup PATH",
        )),
        Some(limit) => must_be_recent(&lasts, Duration::from_secs(limit)).map(|()| done),
        None => Ok(done),
    }
}

/// Drops a source: from now on its age is no concern, until it is backed up again.
fn forget_source(
    context: &Context,
    options: &Options,
    source: &Path,
    lasts: &[LastBackup],
    dropped: &mut Dropped,
) -> Outcome<()> {
    let path = live_path::absolute(source);
    let host = options.host.clone().unwrap_or_else(hostname);
    let Some(last) = lasts.iter().find(|last| last.host == host && last.source == path) else {
        let known: Vec<String> = lasts
            .iter()
            .map(|last| format!("{} on {}", escape::path(&last.source), escape::text(&last.host)))
            .collect();
        return Err(Failure::usage(
            format!("{} on {} is no source of a backup", escape::path(&path), escape::text(&host)),
            match known.is_empty() {
                true => "nothing was backed up yet".to_owned(),
                false => format!("the sources are {} (--host NAME)", known.join(", ")),
            },
        ));
    };
    dropped.add(&last.host, &last.source, last.id)?;
    let (path, host) = (escape::path(&path), escape::text(&host));
    context.screen.object(&json::DroppedSource { host: &host, path: &path });
    context.screen.info(format!(
        "{path} on {host} does not count any more, until it is backed up again. Its snapshots stay."
    ));
    Ok(())
}

/// Returns the newest snapshot of each source of each machine. An installation that goes by another name now, as a container
/// does at each start, counts under its newest name.
fn last_backups(context: &Context, list: Vec<SnapshotEntry>) -> Vec<LastBackup> {
    let now = context.now.timestamp().as_second();
    let mut lasts: BTreeMap<(String, Vec<u8>), SnapshotEntry> = BTreeMap::new();
    // A part of a backup is no backup of its sources, and an imported folder is of the past.
    let counts = |snapshot: &Snapshot| {
        !snapshot.partial && !matches!(snapshot.origin, Some(Origin::Folder(_)))
    };
    for entry in list.into_iter().filter(|entry| counts(&entry.snapshot)) {
        let Snapshot { host, client, sources, .. } = &entry.snapshot;
        for source in sources {
            // The same source of this installation, under a former name.
            let former = lasts.iter().find(|((name, of), last)| {
                name != host
                    && of == source
                    && last.snapshot.client == *client
                    // The same path of a server is another one.
                    && last.snapshot.machine() == entry.snapshot.machine()
            });
            if let Some(former) = former.map(|(former, _)| former.clone()) {
                lasts.remove(&former);
            }
            lasts.insert((host.clone(), source.clone()), entry.clone());
        }
    }
    let last = |((host, source), entry): ((String, Vec<u8>), SnapshotEntry)| {
        let needs_attention = entry.needs_attention();
        let SnapshotEntry { id, snapshot, clock, .. } = entry;
        // Clocks of two machines differ a little.
        let seconds = u64::try_from(now.saturating_sub(snapshot.time.seconds)).unwrap_or(0);
        let age = (clock != Clock::Wrong).then(|| Duration::from_secs(seconds));
        LastBackup { host, source, id, snapshot, age, clock, needs_attention }
    };
    lasts.into_iter().map(last).collect()
}

fn print_backups(context: &Context, location: &str, lasts: &[LastBackup], is_empty: bool) {
    if context.screen.is_json() {
        for last in lasts {
            context.screen.object(&json::Source {
                repository: location,
                host: &last.host,
                path: json::lossy_path(&last.source),
                snapshot: last.id.to_string(),
                time: format::exact_time(last.snapshot.time),
                age_seconds: last.age.map(|age| age.as_secs()),
                clock: json::clock_word(last.clock),
                unreadable: last.snapshot.totals.unreadable,
                suspicious: last.needs_attention,
            });
        }
        return;
    }
    if lasts.is_empty() {
        let what = match is_empty {
            true => "holds no snapshots yet.",
            false => "holds snapshots, but no backup that counts.",
        };
        return context.screen.info(format!("{location} {what}"));
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
            escape::path(&last.source),
            escape::text(&last.host),
            format::time(last.snapshot.time, zone),
            last.age.map_or_else(|| "wrong clock".to_owned(), format::duration),
        ]);
    }
    context.screen.table(&table);
}

/// Fails with every source whose last backup is older than `limit`, or of an unknown age.
fn must_be_recent(lasts: &[LastBackup], limit: Duration) -> Outcome<()> {
    let fail = |what: String| Err(Failure::new(Exit::Failed, what, HOW_TO_BE_RECENT));
    if lasts.is_empty() {
        return fail("nothing was backed up yet".to_owned());
    }
    let shown = |last: &LastBackup| {
        let (source, host) = (escape::path(&last.source), escape::text(&last.host));
        let age = match last.age {
            Some(age) => format!("{} old", format::duration(age)),
            None => "its clock was wrong, or this one's is".to_owned(),
        };
        format!("{source} on {host} ({age})")
    };
    let is_stale = |last: &&LastBackup| last.age.is_none_or(|age| age > limit);
    let stale: Vec<String> = lasts.iter().filter(is_stale).map(shown).collect();
    match stale.as_slice() {
        [] => Ok(()),
        [one] => fail(format!("the last backup is too old: {one}")),
        several => {
            fail(format!("{} last backups are too old: {}", several.len(), several.join(", ")))
        }
    }
}

/// Prints what drives do: those of a repository, or all. One that does not answer may be of any repository.
fn print_drives(context: &Context, of: Option<RepositoryId>) -> Outcome<()> {
    let found =
        drives().map_err(|error| Failure::local(Path::new("/proc/self/mountinfo"), error))?;
    for drive in found {
        let ask = |name: &str| drive_attribute(&drive, name, PATIENCE).ok();
        let answer = ask("user.yore.counters");
        let repository = answer.as_ref().and_then(|_| ask("user.yore.repository"));
        let repository = repository.and_then(|id| String::from_utf8(id).ok());
        if let (Some(of), Some(repository)) = (of, &repository)
            && of.to_string() != *repository
        {
            continue;
        }
        let counters = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer).ok());
        let shown = drive.display().to_string();
        if context.screen.is_json() {
            context.screen.object(&json::Drive {
                mountpoint: &shown,
                repository: repository.as_deref(),
                counters: counters.as_ref(),
            });
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
