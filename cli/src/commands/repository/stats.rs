//! `yore stats`: what the repository holds, and what it saves.

use clap::Args;
use yore_engine::stats;

use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::past::place;
use crate::text::format;
use crate::text::table::{Column, Table};

/// The options of `stats`.
#[derive(Debug, Args)]
pub struct Options {}

/// Runs the command.
pub fn run(context: &Context, _options: &Options) -> Outcome {
    let repository = context.open()?;
    let stats = stats(&repository)?;
    context.screen.object(&json::Stats::new(&repository, &stats));
    let times = |ratio: Option<f64>| ratio.map_or("-".into(), |ratio| format!("{ratio:.1} times"));
    let rows = [
        ("repository", repository.location()),
        ("snapshots", format::count(stats.snapshots)),
        ("files as the snapshots show them", format::bytes(stats.described)),
        ("different content", format::bytes(stats.raw_data)),
        ("folders and names", format::bytes(stats.raw_trees)),
        ("takes in the repository", format::bytes(stats.stored_bytes())),
        ("saved by storing the same once", times(stats.deduplication())),
        ("saved by compression", times(stats.compression())),
    ];
    let mut table = Table::untitled([Column::Text, Column::Text]);
    let unfinished = ("left by killed programs, or being written", format::bytes(stats.unfinished));
    let unfinished = (stats.unfinished > 0).then_some(unfinished);
    rows.into_iter()
        .chain(unfinished)
        .for_each(|(name, value)| table.row(vec![name.to_owned(), value]));
    context.screen.table(&table);
    let is_whole = stats.problems.is_empty();
    place::tell(context, stats.problems);
    Ok(if is_whole { Done::Whole } else { Done::Partly })
}
