//! `yore stats`: what the repository holds, and what it saves.

use clap::{Args, ValueEnum};
use yore_engine::repository::{Repository, stats};
use yore_engine::usage::{UsageBy, UsageKey, usage};

use crate::context::Context;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::moment::{clock, state as moment_state};
use crate::screen::progress::Progress;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// The options of `stats`.
#[derive(Debug, Args)]
pub struct Options {
    /// Tell what would come free without each snapshot, each path, or each type of files
    #[arg(long, value_name = "WHAT")]
    by: Option<By>,
    /// With --by path: the number of names in a path
    #[arg(long, value_name = "N", default_value_t = 3, requires = "by")]
    depth: usize,
}

/// The parts of which the room is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// Snapshots
    Snapshot,
    /// Files and folders
    Path,
    /// Types of files, by the ends of their names
    Type,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    if let Some(by) = options.by {
        return parts(context, &repository, by, options.depth);
    }
    let stats = stats(&repository)?;
    let figures = json::Stats::new(&repository, &stats);
    context.screen.object(&figures);
    let mut table = Table::untitled([Column::Text, Column::Text]);
    rows(&figures).into_iter().for_each(|(name, value)| table.row(vec![name.to_owned(), value]));
    context.screen.table(&table);
    let is_whole = stats.problems.is_empty();
    moment_state::print_problems(context, stats.problems);
    Ok(if is_whole { Done::Whole } else { Done::Partly })
}

/// Tells the room of each part, the largest first.
fn parts(context: &Context, repository: &Repository, by: By, depth: usize) -> Outcome {
    let known = moment_state::snapshots(context, repository)?;
    let by = match by {
        By::Snapshot => UsageBy::Snapshot,
        By::Path => UsageBy::Path { depth },
        By::Type => UsageBy::Type,
    };
    let progress = Progress::start(&context.screen, "reading", Some(context.interrupt()?));
    let report = usage(repository, &known.list, by, &progress)?;
    drop(progress);
    let mut table =
        Table::new([("alone", Column::Number), ("files", Column::Number), ("what", Column::Text)]);
    for part in report.parts.iter().filter(|part| part.own > 0) {
        context.screen.object(&json::Usage::new(part));
        let what = match &part.key {
            UsageKey::Snapshot(id) => {
                let entry = known.list.iter().find(|entry| entry.id == *id);
                let time = entry.map(|entry| clock::time(entry, context.now.time_zone()));
                format!("{id:.8}  {}", time.unwrap_or_default())
            }
            UsageKey::Path(path) => escape::path(path),
            UsageKey::Type(end) if end.is_empty() => "(no type)".to_owned(),
            UsageKey::Type(end) => format!(".{}", escape::text(&String::from_utf8_lossy(end))),
            UsageKey::Folders => "(folders and names)".to_owned(),
        };
        table.row(vec![format::bytes(part.own), format::count(part.files), what]);
    }
    context.screen.table(&table);
    context.screen.object(&json::UsageTotals { shared: report.shared, unused: report.unused });
    let shared = format::bytes(report.shared);
    context
        .screen
        .info(format!("{shared} are needed by several, and come free without all of them."));
    if report.unused > 0 {
        let unused = format::bytes(report.unused);
        context.screen.info(format!("{unused} are needed by none: `yore prune` frees them."));
    }
    Ok(known.done)
}

/// Returns the lines of the table; those that mean nothing yet are left out.
fn rows(figures: &json::Stats) -> Vec<(&'static str, String)> {
    let size = |name, bytes: u64| (bytes > 0).then(|| (name, format::bytes(bytes)));
    let raw = figures.raw_data_bytes + figures.raw_tree_bytes;
    let saved = |name, saved: Option<u64>, of: u64| saved.map(|bytes| (name, share(bytes, of)));
    let lines = [
        Some(("repository", figures.location.clone())),
        Some(("snapshots", format::count(figures.snapshots))),
        size("files as the snapshots show them", figures.described_bytes),
        size("different content", figures.raw_data_bytes),
        size("folders, names and small files", figures.raw_tree_bytes),
        size("takes in the repository", figures.stored_bytes),
        size("of it, parity", figures.stored_by_area.get("parity").copied().unwrap_or(0)),
        saved(
            "saved by storing the same once",
            figures.deduplication_saved_bytes,
            figures.described_bytes,
        ),
        saved("saved by compression", figures.compression_saved_bytes, raw),
        size("left by killed programs, or being written", figures.unfinished_bytes),
    ];
    lines.into_iter().flatten().collect()
}

/// Shows a part in bytes and in per cent of the whole, rounded down: nothing saves everything.
fn share(part: u64, whole: u64) -> String {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    let percent = if percent == 0 { "under 1".to_owned() } else { percent.to_string() };
    format!("{} ({percent} %)", format::bytes(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(figures: &json::Stats) -> Vec<&'static str> {
        rows(figures).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn an_empty_repository_has_no_lines_about_content_and_savings() {
        let figures = json::Stats { stored_bytes: 500, ..json::Stats::default() };
        assert_eq!(names(&figures), ["repository", "snapshots", "takes in the repository"]);
    }

    #[test]
    fn savings_are_bytes_and_per_cent() {
        let figures = json::Stats {
            described_bytes: 4096,
            raw_data_bytes: 1000,
            raw_tree_bytes: 24,
            deduplication_saved_bytes: Some(3072),
            compression_saved_bytes: Some(1),
            ..json::Stats::default()
        };
        let rows = rows(&figures);
        assert!(rows.contains(&("saved by storing the same once", "3.0 KiB (75 %)".into())));
        assert!(rows.contains(&("saved by compression", "1 B (under 1 %)".into())));
    }

    #[test]
    fn a_repository_larger_than_its_files_saves_nothing() {
        let figures =
            json::Stats { described_bytes: 10, raw_tree_bytes: 300, ..Default::default() };
        assert!(!names(&figures).iter().any(|name| name.starts_with("saved")));
    }
}
