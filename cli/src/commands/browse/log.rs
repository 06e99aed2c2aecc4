//! `yore log`: every distinct version that a file or folder had.

use std::path::PathBuf;

use clap::Args;
use yore_engine::TreePath;
use yore_engine::history::{Version, path_versions};
use yore_engine::snapshots::SnapshotEntry;
use yore_platform::Kind;

use crate::args::snapshot_filter::SnapshotFilter;
use crate::args::{live_path, machine, size};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::json;
use crate::moment::{clock, state as moment_state};
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The options of `log`.
#[derive(Debug, Args)]
pub struct Options {
    /// A file or folder, as it is or was on this machine
    #[arg(value_name = "PATH")]
    file: PathBuf,
    #[command(flatten)]
    filter: SnapshotFilter,
    /// Show the versions of all machines, not only of this one
    #[arg(long, conflicts_with = "host")]
    all_hosts: bool,
    /// Only the newest N versions
    #[arg(long, value_name = "N", value_parser = size::parse_count)]
    limit: Option<usize>,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let written = live_path::absolute(&options.file);
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let mut timeline = known.list;
    let all_hosts = options.all_hosts || !options.filter.host.is_empty();
    let is_of_machine = machine::is_of_this_machine(&timeline, all_hosts);
    timeline.retain(|entry| options.filter.accepts(&entry.snapshot) && is_of_machine(entry));
    let (reader, problems) = repository.reader(moment_state::BUDGET)?;
    moment_state::print_problems(context, problems);
    let mut found = Vec::new();
    let mut path = written.clone();
    for spelling in live_path::spellings(written) {
        found = path_versions(&reader, &timeline, TreePath::new(&spelling))?;
        if !found.is_empty() {
            path = spelling;
            break;
        }
    }
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            format!("no snapshot has {}", escape::path(&path)),
            "`yore find NAME` looks for a name everywhere, `yore snapshots` shows what was backed up",
        ));
    }
    let beyond = found.len().saturating_sub(options.limit.unwrap_or(usize::MAX));
    found.drain(..beyond);
    if context.screen.is_json() {
        found.iter().for_each(|v| context.screen.object(&object(&path, &timeline, v)));
    } else {
        let mut table = Table::new([
            ("since", Column::Fixed),
            ("last seen", Column::Fixed),
            ("size", Column::Number),
            ("snapshot", Column::Fixed),
            ("host", Column::Text),
            ("", Column::Fixed),
        ]);
        found.iter().for_each(|version| table.row(row(context, &timeline, version)));
        context.screen.table(&table);
    }
    Ok(known.done)
}

fn row(context: &Context, timeline: &[SnapshotEntry], version: &Version) -> Vec<String> {
    let zone = context.now.time_zone();
    let SnapshotEntry { id, snapshot: first, .. } = &timeline[version.first];
    let last = &timeline[version.last];
    let (size, what) = match &version.what {
        None => (String::from("-"), "deleted"),
        Some(seen) => match seen.node.kind {
            Kind::File => (format::bytes(seen.node.size), ""),
            Kind::Directory => (String::from("-"), "folder"),
            Kind::Symlink => (String::from("-"), "link"),
            Kind::Fifo | Kind::Socket | Kind::CharDevice | Kind::BlockDevice => {
                (String::from("-"), "special file")
            }
        },
    };
    vec![
        clock::time(&timeline[version.first], zone),
        clock::time(last, zone),
        size,
        format!("{id:.8}"),
        escape::text(&first.host),
        what.to_owned(),
    ]
}

fn object(path: &[u8], timeline: &[SnapshotEntry], version: &Version) -> json::Version {
    json::Version {
        first: json::SnapshotTime::from(&timeline[version.first]),
        last: json::SnapshotTime::from(&timeline[version.last]),
        host: timeline[version.first].snapshot.host.clone(),
        node: version.what.as_ref().map(|seen| super::ls::object(path, &seen.node)),
    }
}
