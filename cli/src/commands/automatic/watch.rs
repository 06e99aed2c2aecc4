//! `yore watch`: a snapshot soon after files change.
//!
//! ```text
//! feed ──► watched: what changed in which source ──► save ──► thin
//!                      pace: when
//! ```

use std::time::{Duration, Instant};

use clap::Args;

use crate::args::file_system_snapshot::FileSystemSnapshot;
use crate::config::{SourceKind, SourceSettings};
use crate::context::Context;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::text::escape;

use self::pace::times;
use self::watched::Watched;

mod feed;
mod pace;
mod root;
mod save;
mod thin;
mod watched;

/// The options of `watch`.
#[derive(Debug, Args)]
pub struct Options {
    /// Watch these sources of the configuration only (default: all that are files)
    #[arg(long, value_name = "NAME")]
    source: Vec<String>,
    /// Make a snapshot when nothing changed for so long (default: watch.quiet-after, or 60)
    #[arg(long, value_name = "SECONDS")]
    quiet_after: Option<u64>,
    /// Make one at the latest so long after the first change, however much goes on (default: watch.at-latest, or 300)
    #[arg(long, value_name = "SECONDS")]
    at_latest: Option<u64>,
    /// Look at everything after so long, in case a change went unseen; where the system tells no changes, as on network
    /// shares, this is all there is (default: watch.interval, or a day)
    #[arg(long, value_name = "SECONDS")]
    interval: Option<u64>,
    /// End after this many snapshots
    #[arg(long, value_name = "N", hide = true)]
    snapshots: Option<u64>,
}

/// The least time between two looks at whether a source is still there.
const LOOK: Duration = Duration::from_secs(10);
/// The time between two looks at an interrupt.
const TICK: Duration = Duration::from_millis(250);

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let sources = chosen(context, options)?;
    let (mut pace, interval) = times(context, options)?;
    let interrupt = context.interrupt()?;
    context.wait_for_network();
    let repository = context.open()?;
    let mut watched = Watched::new(context, sources, interval)?;
    watched.attach();
    context.screen.info("Watching; Ctrl-C ends it.");
    let (mut done, mut made, mut looked) = (Done::Whole, 0, Instant::now());
    while !interrupt.is_raised() {
        if pace.is_due() {
            pace.begin_anew();
            match watched.save(&repository) {
                Ok((number, outcome)) => {
                    made += number;
                    if outcome != Done::Whole {
                        done = outcome;
                    }
                }
                Err(failure) if failure.exit == Exit::Interrupted => break,
                // It is tried again after a while, as after a change.
                Err(failure) => {
                    context.screen.problem("watch", &failure.what);
                    pace.note_change();
                    done = Done::Partly;
                }
            }
            if options.snapshots.is_some_and(|most| made >= most) {
                break;
            }
        }
        let is_changed = watched.wait(TICK);
        let is_exchanged = looked.elapsed() > LOOK && {
            looked = Instant::now();
            watched.look()
        };
        if is_changed || is_exchanged {
            pace.note_change();
        }
    }
    // What changed just before the end is saved by the next start, which looks at everything.
    Ok(done)
}

fn chosen(context: &Context, options: &Options) -> Outcome<Vec<SourceSettings>> {
    let all = &context.settings()?.sources;
    let known = |name: &String| all.iter().any(|source| source.name == *name);
    if let Some(unknown) = options.source.iter().find(|name| !known(name)) {
        let hint = "`yore source list` lists them";
        return Err(Failure::usage(format!("there is no source {}", escape::text(unknown)), hint));
    }
    let is_wanted = |source: &&SourceSettings| {
        source.kind == SourceKind::Files
            && (options.source.is_empty() || options.source.contains(&source.name))
    };
    let chosen: Vec<SourceSettings> = all.iter().filter(is_wanted).cloned().collect();
    for source in chosen.iter().filter(|source| source.snapshot != FileSystemSnapshot::Never) {
        context.screen.note(&format!(
            "source {}: what changes is read as it is, not from a snapshot of its file system, which `yore backup` makes",
            source.name
        ));
    }
    match chosen.is_empty() {
        false => Ok(chosen),
        true => Err(Failure::usage(
            "there is no source of files to be watched",
            "add one: yore source add ~/Documents; databases and other machines are backed up by a timer: yore schedule install",
        )),
    }
}
