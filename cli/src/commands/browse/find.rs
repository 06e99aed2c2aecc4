//! `yore find`: names across all snapshots.

use std::collections::HashMap;

use clap::{Args, ValueEnum};
use yore_engine::TreePath;
use yore_engine::format::SnapshotId;
use yore_engine::history::{Catalog, Hit, Pattern, Query};
use yore_engine::snapshots::SnapshotEntry;
use yore_platform::Kind;

use crate::args::snapshot_filter::SnapshotFilter;
use crate::args::{machine, size, time};
use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::moment::{clock, state as moment_state};
use crate::screen::progress::Progress;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The options of `find`.
#[derive(Debug, Args)]
pub struct Options {
    /// A name or part of one, or with wildcards a whole one: '*.odt', 'docs/*.odt'
    #[arg(value_name = "PATTERN", value_parser = parse_pattern)]
    pattern: Pattern,
    /// Only in snapshots from this moment on
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// Only in snapshots up to this moment
    #[arg(long, value_name = "MOMENT")]
    to: Option<String>,
    /// Only what is of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Type>,
    /// Only files of this size, as in +10M (at least), -1G (at most) or 0
    #[arg(long, value_name = "SIZE", value_parser = parse_sizes, allow_hyphen_values = true)]
    size: Option<std::ops::RangeInclusive<u64>>,
    #[command(flatten)]
    filter: SnapshotFilter,
    /// Search the snapshots of all machines, not only of this one
    #[arg(long, conflicts_with = "host")]
    all_hosts: bool,
}

/// The types that can be searched for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    /// Files
    #[value(alias = "f")]
    File,
    /// Folders
    #[value(alias = "d", alias = "directory")]
    Folder,
    /// Symbolic links
    #[value(alias = "l", alias = "symlink")]
    Link,
}

fn parse_pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text)
}

fn parse_sizes(text: &str) -> Result<std::ops::RangeInclusive<u64>, String> {
    Ok(match text.split_at_checked(1) {
        Some(("+", least)) => size::parse(least)?..=u64::MAX,
        Some(("-", most)) => 0..=size::parse(most)?,
        _ => {
            let exact = size::parse(text)?;
            exact..=exact
        }
    })
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let now = &context.now;
    let from = options.from.as_deref().map(|text| time::beginning(text, now)).transpose()?;
    let to = options.to.as_deref().map(|text| time::ending(text, now)).transpose()?;
    let repository = context.open()?;
    let known = moment_state::snapshots(context, &repository)?;
    let timeline = known.list;
    let (reader, problems) = repository.reader(moment_state::BUDGET)?;
    moment_state::print_problems(context, problems);
    let all_hosts = options.all_hosts || !options.filter.host.is_empty();
    let is_of_machine = machine::is_of_this_machine(&timeline, all_hosts);
    let counts = |entry: &SnapshotEntry| {
        let second = entry.since.seconds;
        options.filter.accepts(&entry.snapshot)
            && is_of_machine(entry)
            && from.is_none_or(|from| second >= from)
            && to.is_none_or(|to| second <= to)
    };
    let chosen: HashMap<SnapshotId, usize> = timeline
        .iter()
        .enumerate()
        .filter(|(_, entry)| counts(entry))
        .map(|(number, entry)| (entry.id, number))
        .collect();
    let mut query = Query::names(options.pattern.clone());
    query.kinds = options.kind.map(kinds).unwrap_or_default();
    query.sizes = options.size.clone().unwrap_or(0..=u64::MAX);
    let catalog = Catalog::open(&repository)?;
    let interrupt = context.interrupt()?;
    let progress = Progress::start(&context.screen, "indexing", Some(interrupt));
    let counted = |id: &SnapshotId| chosen.get(id).copied();
    let found = catalog.find((&reader, &timeline), &query, &counted, &progress);
    drop(progress);
    let (mut hits, problems) = found?;
    let paths = options.filter.paths();
    let is_below = |hit: &Hit| paths.iter().any(|path| is_below(path, &hit.path));
    hits.retain(|hit| paths.is_empty() || is_below(hit));
    let done = if problems.is_empty() { known.done } else { Done::Partly };
    moment_state::print_problems(context, problems);
    print_hits(context, &timeline, &hits);
    Ok(done)
}

fn is_below(folder: &[u8], path: &[u8]) -> bool {
    TreePath::new(path).starts_with(TreePath::new(folder))
}

fn kinds(kind: Type) -> Vec<Kind> {
    vec![match kind {
        Type::File => Kind::File,
        Type::Folder => Kind::Directory,
        Type::Link => Kind::Symlink,
    }]
}

fn print_hits(context: &Context, timeline: &[SnapshotEntry], hits: &[Hit]) {
    if context.screen.is_json() {
        return hits.iter().for_each(|hit| context.screen.object(&object(timeline, hit)));
    }
    if hits.is_empty() {
        return context.screen.info("Nothing fits.");
    }
    let zone = context.now.time_zone();
    let row = |hit: &Hit| {
        let size = if hit.kind == Kind::File { format::bytes(hit.size) } else { "-".into() };
        let end = if hit.kind == Kind::Directory { "/" } else { "" };
        let time = |number: usize| clock::time(&timeline[number], zone);
        vec![time(hit.first), time(hit.last), size, format!("{}{end}", escape::path(&hit.path))]
    };
    let mut table = Table::new([
        ("first seen", Column::Fixed),
        ("last seen", Column::Fixed),
        ("size", Column::Number),
        ("path", Column::Text),
    ]);
    hits.iter().for_each(|hit| table.row(row(hit)));
    context.screen.table(&table);
}

fn object(timeline: &[SnapshotEntry], hit: &Hit) -> json::Hit {
    json::Hit {
        path: json::PathText::new(&hit.path),
        kind: json::kind_name(hit.kind),
        size: hit.size,
        modified: format::exact_time(hit.modified),
        first: json::SnapshotTime::from(&timeline[hit.first]),
        last: json::SnapshotTime::from(&timeline[hit.last]),
    }
}
