//! The one snapshot that a moment means.

use yore_engine::Error;
use yore_engine::snapshots::{Moment, SnapshotEntry, last_instant, state};

use super::clock;
use super::moment_path::MomentPath;
use crate::args::machine::MachineArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::text::{escape, format};

/// Finds the one snapshot that a moment means: by its id or name, or because it alone is the state then.
pub fn one(
    context: &Context,
    moment_path: &MomentPath,
    all: &[SnapshotEntry],
    machine: &MachineArgs,
) -> Outcome<SnapshotEntry> {
    let (list, moment) = match named(context, moment_path, all)? {
        Some(moment) => (all.to_vec(), moment),
        None => {
            let list = machine.select(all.to_vec())?;
            match unambiguous_moment(context, moment_path, &list)? {
                Moment::Latest => (list, Moment::Back(0)),
                moment => (list, moment),
            }
        }
    };
    let parts =
        state(&list, &moment).map_err(|error| no_state_error(context, &moment, &list, error))?;
    let mut snapshots: Vec<&SnapshotEntry> = Vec::new();
    for part in parts {
        if !snapshots.iter().any(|one| one.id == part.snapshot.id) {
            snapshots.push(part.snapshot);
        }
    }
    match snapshots.as_slice() {
        [one] => Ok((*one).clone()),
        several => {
            let ids: Vec<String> = several.iter().map(|one| format!("{:.8}", one.id)).collect();
            Err(Failure::usage(
                format!("{} means no single snapshot", escape::text(&moment_path.text)),
                match ids.is_empty() {
                    true => "`yore snapshots` lists them".to_owned(),
                    false => {
                        format!("several sources make up that state; name one: {}", ids.join(", "))
                    }
                },
            ))
        }
    }
}

/// Finds the one snapshot that is meant by its name in the drive or by its id.
pub(super) fn named(
    context: &Context,
    moment_path: &MomentPath,
    all: &[SnapshotEntry],
) -> Outcome<Option<Moment>> {
    let named = yore_fs::find_snapshot(all, &moment_path.text, context.now.time_zone());
    if let Some(id) = named {
        return Ok(Some(Moment::Id(id.to_string())));
    }
    let is_year = moment_path.text.len() == 4 && matches!(moment_path.moment, Some(Moment::At(_)));
    if is_year
        && let Some(one) = all.iter().find(|one| one.id.to_string().starts_with(&moment_path.text))
    {
        return Err(Failure::usage(
            format!("{0} is a year, and snapshot {1:.8} begins so", moment_path.text, one.id),
            format!(
                "write {0}-12-31 for the end of the year, or more digits of the id",
                moment_path.text
            ),
        ));
    }
    match &moment_path.moment {
        Some(moment @ Moment::Id(_)) => Ok(Some(moment.clone())),
        Some(Moment::Latest | Moment::Back(_) | Moment::At(_)) => Ok(None),
        None => Err(Failure::new(
            Exit::Failed,
            format!("there is no snapshot {}", escape::text(&moment_path.text)),
            "`yore snapshots` lists them",
        )),
    }
}

/// Refuses a time in an hour that the clock repeated, where the two readings are different states.
pub(super) fn unambiguous_moment(
    context: &Context,
    moment_path: &MomentPath,
    list: &[SnapshotEntry],
) -> Outcome<Moment> {
    let moment = moment_path.moment.clone().unwrap_or(Moment::Latest);
    let Some(later) = &moment_path.later else { return Ok(moment) };
    let ids = |moment: &Moment| {
        let parts = state(list, moment).unwrap_or_default();
        parts.iter().map(|part| part.snapshot.id).collect::<Vec<_>>()
    };
    if ids(&moment) == ids(later) {
        return Ok(moment);
    }
    let instant = |moment: &Moment| match moment {
        Moment::At(second) => {
            format::exact_time(last_instant(*second)).split('.').next().map(|t| format!("{t}Z"))
        }
        _ => None,
    };
    let both = [&moment, later].map(|moment| instant(moment).unwrap_or_default());
    Err(Failure::usage(
        format!(
            "the clock showed {} twice, with different states",
            escape::text(&moment_path.text)
        ),
        format!(
            "write {} or {}, or a name of `yore snapshots`; this zone is {}",
            both[0],
            both[1],
            context.now.time_zone().iana_name().unwrap_or("unnamed")
        ),
    ))
}

/// Makes the failure of a moment without a state; it names the oldest snapshot where there was none yet.
pub(super) fn no_state_error(
    context: &Context,
    moment: &Moment,
    list: &[SnapshotEntry],
    error: Error,
) -> Failure {
    match (moment, list.iter().min_by_key(|entry| entry.since)) {
        (Moment::At(_), Some(oldest)) => Failure::new(
            Exit::Failed,
            "there is no snapshot at that time",
            format!("the oldest is of {}", clock::time(oldest, context.now.time_zone())),
        ),
        _ => error.into(),
    }
}
