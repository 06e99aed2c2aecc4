//! `yore history`: the runs of this machine.

use clap::Args;
use serde_json::Value;
use yore_platform::Timestamp;

use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::runs::{Files, History};
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The options of `history`.
#[derive(Debug, Args)]
pub struct Options {
    /// Show the last N only
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Show only those that failed or were not whole
    #[arg(long)]
    failed: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let files = Files::of(context).ok_or_else(|| {
        let hint = "name a folder: export YORE_STATE_DIR=/var/lib/yore";
        Failure::new(Exit::Failed, "there is no folder in which runs are remembered", hint)
    })?;
    let runs = History::read(&files.history).runs;
    let is_wanted = |run: &&Value| !options.failed || run["result"] != "success";
    let runs: Vec<&Value> = runs.iter().filter(is_wanted).collect();
    let runs = &runs[runs.len().saturating_sub(options.limit)..];
    if runs.is_empty() {
        context.screen.info("No run of configured sources is recorded.");
    }
    let mut table = Table::new([
        ("time", Column::Fixed),
        ("command", Column::Fixed),
        ("result", Column::Fixed),
        ("took", Column::Fixed),
        ("", Column::Text),
    ]);
    for run in runs {
        context.screen.object(run);
        table.row(row(context, run));
    }
    if !runs.is_empty() {
        context.screen.table(&table);
    }
    Ok(Done::Whole)
}

fn row(context: &Context, run: &Value) -> Vec<String> {
    let text = |key: &str| escape::text(run[key].as_str().unwrap_or_default());
    let ended = Timestamp { seconds: run["ended"].as_i64().unwrap_or(0), nanos: 0 };
    let took = std::time::Duration::try_from_secs_f64(run["seconds"].as_f64().unwrap_or(0.0));
    let sources = run["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names = sources.iter().filter_map(|source| source["source"].as_str());
    let what = match run["error"].as_str() {
        Some(error) => escape::text(error),
        None => escape::text(&names.collect::<Vec<_>>().join(", ")),
    };
    vec![
        format::time(ended, context.now.time_zone()),
        text("command"),
        text("result"),
        format::duration(took.unwrap_or_default()),
        what,
    ]
}
