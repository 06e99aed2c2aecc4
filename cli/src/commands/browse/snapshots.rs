//! `yore snapshots`: lists the moments that were backed up.

use clap::Args;
use jiff::tz::TimeZone;
use yore_engine::format::Snapshot;
use yore_engine::snapshots::SnapshotEntry;

use crate::args::size;
use crate::args::snapshot_filter::SnapshotFilter;
use crate::context::Context;
use crate::failure::Outcome;
use crate::json;
use crate::moment::{clock, state as moment_state};
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The options of `snapshots`.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    filter: SnapshotFilter,
    /// Only the newest N
    #[arg(long, value_name = "N", value_parser = size::parse_count)]
    limit: Option<usize>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let all = known.list.len();
    let mut list: Vec<_> =
        known.list.into_iter().filter(|entry| options.filter.accepts(&entry.snapshot)).collect();
    let beyond = list.len().saturating_sub(options.limit.unwrap_or(usize::MAX));
    list.drain(..beyond);
    if context.screen.is_json() {
        list.iter().for_each(|entry| context.screen.object(&json::Snapshot::from(entry)));
    } else if list.is_empty() {
        context.screen.info(match all {
            0 => "There are no snapshots yet. Make the first: yore backup PATH",
            _ => "No snapshot fits.",
        });
    } else {
        let zone = context.now.time_zone();
        context.screen.table(&table(&list, zone));
    }
    Ok(known.done)
}

/// Lays snapshots out, one a row.
pub fn table(list: &[SnapshotEntry], zone: &TimeZone) -> Table {
    let mut table = Table::new([
        ("id", Column::Fixed),
        ("time", Column::Fixed),
        ("host", Column::Text),
        ("sources", Column::Text),
        ("files", Column::Number),
        ("size", Column::Number),
        ("added", Column::Number),
        ("tags", Column::Text),
    ]);
    list.iter().for_each(|entry| table.row(row(entry, zone)));
    table
}

fn row(entry: &SnapshotEntry, zone: &TimeZone) -> Vec<String> {
    let SnapshotEntry { id, snapshot, .. } = entry;
    vec![
        format!("{id:.8}"),
        clock::time(entry, zone),
        escape::text(&snapshot.host),
        sources(snapshot),
        format::count(snapshot.totals.files),
        format::bytes(snapshot.totals.bytes),
        format::bytes(snapshot.totals.stored_bytes),
        tags(entry),
    ]
}

/// Returns the tags as one cell, with the pin, a suspicious change, and that it is a part.
fn tags(entry: &SnapshotEntry) -> String {
    let tags = entry.snapshot.tags.join(",");
    let texts = [
        (!tags.is_empty()).then_some(tags.as_str()),
        entry.pinned.then_some("(pinned)"),
        entry.needs_attention().then_some("(suspicious change)"),
        entry.snapshot.partial.then_some("(a part: cut short)"),
    ];
    escape::text(&texts.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

/// Returns the sources as one cell.
fn sources(snapshot: &Snapshot) -> String {
    snapshot.sources.iter().map(|source| escape::path(source)).collect::<Vec<_>>().join(", ")
}
