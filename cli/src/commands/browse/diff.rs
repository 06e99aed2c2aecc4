//! `yore diff`: what was added, removed and modified between two moments.

use std::ffi::OsString;
use std::ops::ControlFlow;

use clap::Args;
use similar::TextDiff;
use yore_engine::TreePath;
use yore_engine::format::Node;
use yore_engine::history::{Change, diff, is_modified};
use yore_engine::read::{DirRef, Lookup, Reader};
use yore_platform::Kind;

use crate::args::machine::MachineArgs;
use crate::commands::browse::ls;
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome, engine_error};
use crate::json::{self, ChangeCounts};
use crate::moment::content::copy_out;
use crate::moment::state::MomentState;
use crate::moment::{moment_path, state as moment_state};
use crate::text::{escape, format};

/// The size above which files are not compared line by line.
const TEXT: u64 = 16 << 20;

/// The options of `diff`.
#[derive(Debug, Args)]
pub struct Options {
    /// The earlier one: MOMENT or MOMENT:PATH
    #[arg(value_name = "A")]
    from: OsString,
    /// The later one
    #[arg(value_name = "B")]
    to: OsString,
    /// Only how much changed
    #[arg(long, conflicts_with = "content")]
    stat: bool,
    /// Show what changed in text files, line by line
    #[arg(long)]
    content: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let from = moment_path::parse(&options.from, &context.now)?;
    let to = moment_path::parse(&options.to, &context.now)?;
    let repository = context.open()?;
    let from_state = moment_state::open(context, &repository, &from, &options.machine)?;
    let to_state = moment_state::open(context, &repository, &to, &options.machine)?;
    let (_, before) = moment_state::locate(&from_state, &from)?;
    let (to_path, after) = moment_state::locate(&to_state, &to)?;
    let mut counts = ChangeCounts::default();
    let mut done = Done::Whole;
    let mut each = |path: &[u8], change: Change| {
        count(&mut counts, &change);
        if !options.stat {
            print_change(context, path, &change);
        }
        if let (true, Change::Modified { from, to }) = (options.content, &change)
            && let Err(error) =
                print_content(context, path, (&from_state, &from.node), (&to_state, &to.node))
        {
            context.screen.problem(&escape::path(path), &error.what);
            done = Done::Partly;
        }
        ControlFlow::Continue(())
    };
    let mut failed = false;
    match (dir(&before), dir(&after)) {
        (Some(before), Some(after)) => {
            let top = &to_path;
            diff(
                &to_state.reader,
                before,
                after,
                &mut |path, change| each(&join(top, path), change),
                &mut |path, error| {
                    let subject = escape::path(&join(top, path));
                    let (subject, what) = engine_error::with_subject(&subject, &error);
                    context.screen.problem(subject, &what);
                    failed = true;
                },
            );
        }
        (None, None) => {
            if let (Lookup::Node(before), Lookup::Node(after)) = (before, after)
                && is_modified(&before.node, &after.node)
            {
                let _: ControlFlow<()> =
                    each(&to_path, Change::Modified { from: before, to: after });
            }
        }
        (Some(_), None) | (None, Some(_)) => return Err(not_comparable()),
    }
    if options.stat {
        print_counts(context, &counts);
    }
    Ok(if failed { Done::Partly } else { done })
}

fn not_comparable() -> Failure {
    Failure::new(
        Exit::Failed,
        "a folder can't be compared with a file",
        "name two folders or two files",
    )
}

fn dir(found: &Lookup) -> Option<&DirRef> {
    match found {
        Lookup::Root(dir) => Some(dir),
        Lookup::Node(seen) => seen.dir.as_ref(),
    }
}

fn join(top: &[u8], path: TreePath<'_>) -> Vec<u8> {
    TreePath::new(top).join(path.as_bytes()).into_bytes()
}

fn count(counts: &mut ChangeCounts, change: &Change) {
    let count = match change {
        Change::Added(_) => &mut counts.added,
        Change::Removed(_) => &mut counts.removed,
        Change::Modified { .. } => &mut counts.modified,
    };
    *count += 1;
}

fn print_change(context: &Context, path: &[u8], change: &Change) {
    let (sign, word, seen) = match change {
        Change::Added(seen) => ('+', "added", seen),
        Change::Removed(seen) => ('-', "removed", seen),
        Change::Modified { to, .. } => ('M', "modified", to),
    };
    if context.screen.is_json() {
        let node = ls::object(path, &seen.node);
        context.screen.object(&json::Change { change: word, node });
    } else {
        let end = if seen.dir.is_some() { "/" } else { "" };
        context.screen.line(format!("{sign} {}{end}", escape::path(path)));
    }
}

fn print_counts(context: &Context, counts: &ChangeCounts) {
    let ChangeCounts { added, removed, modified } = counts;
    if context.screen.is_json() {
        return context.screen.object(counts);
    }
    context.screen.line(format!(
        "{} added, {} removed, {} modified",
        format::count(*added),
        format::count(*removed),
        format::count(*modified)
    ));
}

/// Shows the lines that differ in a text file.
fn print_content(
    context: &Context,
    path: &[u8],
    (from_state, from): (&MomentState, &Node),
    (to_state, to): (&MomentState, &Node),
) -> Outcome<()> {
    if from.kind != Kind::File || to.kind != Kind::File || context.screen.is_json() {
        return Ok(());
    }
    let texts = (text(&from_state.reader, from)?, text(&to_state.reader, to)?);
    let (Some(from), Some(to)) = texts else {
        context.screen.line("  (not text, or longer than 16 MiB)");
        return Ok(());
    };
    let changes = TextDiff::from_lines(&from, &to);
    let shown = changes.unified_diff().context_radius(3).to_string();
    let name = escape::path(path);
    if !shown.is_empty() {
        context.screen.literal(format!("--- {name}"));
        context.screen.literal(format!("+++ {name}"));
    }
    shown.lines().for_each(|line| context.screen.literal(escape::text(line)));
    Ok(())
}

/// Returns the text of a file; `None` when it is none, or too long.
fn text(reader: &Reader, node: &Node) -> Outcome<Option<String>> {
    if node.size > TEXT {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    copy_out(reader, node, &mut |more| {
        bytes.extend_from_slice(more);
        true
    })?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}
