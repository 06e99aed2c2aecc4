//! `yore forget`: snapshots that do not count any more.

use clap::Args;
use serde_json::json;
use yore_engine::{Moment, SnapshotEntry, SnapshotId, forget, state};

use super::backup::writer;
use crate::context::Context;
use crate::failure::{Done, Failure, Outcome};
use crate::{format, place, state as own_state, when};

/// The options of `forget`.
#[derive(Debug, Args)]
pub struct Options {
    /// Ids of snapshots or their beginnings, as `yore snapshots` lists them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Tell what would be forgotten, do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    let snapshots = repository.snapshots()?;
    place::tell(context, snapshots.problems);
    // All of them must be there before any is forgotten.
    let mut chosen: Vec<&SnapshotEntry> = Vec::new();
    for id in &options.ids {
        let one = choose(context, &snapshots.list, id)?;
        if !chosen.iter().any(|other| other.id == one.id) {
            chosen.push(one);
        }
    }
    if !options.dry_run {
        let ids: Vec<SnapshotId> = chosen.iter().map(|entry| entry.id).collect();
        let writer = writer(own_state::client()?, None);
        let (now, _) = when::present(&context.now);
        forget(&repository, &ids, &writer, now, "chosen by id")?;
    }
    let done = if options.dry_run { "Would forget" } else { "Forgot" };
    for SnapshotEntry { id, snapshot, .. } in chosen.iter().copied() {
        context.screen.object(&json!({
            "type": "forget",
            "snapshot": id.to_string(),
            "dry_run": options.dry_run,
        }));
        let time = format::time(snapshot.time, context.now.time_zone());
        context.screen.say(format!("{done} snapshot {id:.8} of {time}, {}.", snapshot.host));
    }
    if !options.dry_run {
        context.screen.say("Its space is not free yet: this version does not reclaim it.");
    }
    Ok(Done::Whole)
}

/// Finds the one snapshot that was named.
fn choose<'s>(
    context: &Context,
    list: &'s [SnapshotEntry],
    id: &str,
) -> Outcome<&'s SnapshotEntry> {
    let moment = match Moment::parse(id, &context.now) {
        Some(Moment::Latest) => Moment::Back(0),
        Some(moment @ (Moment::Back(_) | Moment::Id(_))) => moment,
        Some(Moment::At(_)) | None => {
            return Err(Failure::usage(
                format!("{id:?} does not name one snapshot"),
                "name it by its id or the beginning of it: yore snapshots",
            ));
        }
    };
    let parts = state(list, &moment)?;
    parts.first().map(|part| part.snapshot).ok_or_else(|| {
        yore_engine::Error::NotFound { what: format!("there is no snapshot {id}") }.into()
    })
}
