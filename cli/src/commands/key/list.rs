//! `yore key list`: what opens the repository.

use yore_engine::repository::{Behind, BehindCause, KnownSlot, Repository, known_slots};
use yore_platform::Timestamp;

use super::change;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Outcome};
use crate::json;
use crate::text::table::{Column, Table};
use crate::text::{escape, format};

/// Runs the command.
pub fn run(context: &Context) -> Outcome {
    let repository = context.open()?;
    let known = known_slots(&repository)?;
    let is_whole = known.problems.is_empty() && known.unread.is_empty();
    known.problems.iter().for_each(|error| context.screen.problem("", &message(error)));
    for Behind { destination, cause } in &known.unread {
        if let BehindCause::Failed(error) = cause {
            context.screen.problem(&context.title(*destination), &message(error));
        }
    }
    let mut table = Table::new([
        ("id", Column::Fixed),
        ("kind", Column::Fixed),
        ("label", Column::Text),
        ("created", Column::Fixed),
        ("", Column::Text),
    ]);
    for one in &known.list {
        context.screen.object(&object(context, &repository, one));
        table.row(row(context, &repository, one));
    }
    context.screen.table(&table);
    Ok(if is_whole { context.done_everywhere(Done::Whole) } else { Done::Partly })
}

fn created(one: &KnownSlot) -> Timestamp {
    Timestamp { seconds: one.slot.created, nanos: 0 }
}

fn is_this_one(repository: &Repository, one: &KnownSlot) -> bool {
    repository.opened_with() == Some(one.slot.id)
}

fn titles(context: &Context, destinations: &[usize]) -> Vec<String> {
    destinations.iter().map(|number| context.title(*number)).collect()
}

fn object(context: &Context, repository: &Repository, one: &KnownSlot) -> json::Key {
    json::Key {
        id: one.slot.id.to_string(),
        kind: json::key_kind(&one.slot),
        label: one.slot.label.clone(),
        created: format::exact_time(created(one)),
        this_one: is_this_one(repository, one),
        removed: one.is_removed,
        destinations: titles(context, &one.destinations),
    }
}

fn row(context: &Context, repository: &Repository, one: &KnownSlot) -> Vec<String> {
    let mut notes = Vec::new();
    if is_this_one(repository, one) {
        notes.push("this one".to_owned());
    }
    let all = repository.destinations().len();
    let there = titles(context, &one.destinations).join(", ");
    if one.is_removed {
        notes.push(format!("removed, and still opens {there}"));
    } else if one.destinations.len() < all {
        notes.push(format!("only at {there}"));
    }
    if one.slot.is_of_unknown_kind() {
        notes.push("of a kind that this version does not know".to_owned());
    }
    vec![
        format!("{:.8}", one.slot.id),
        match one.slot.is_of_unknown_kind() {
            true => "unknown".to_owned(),
            false => change::kind(&one.slot).to_owned(),
        },
        escape::text(&one.slot.label),
        format::time(created(one), context.now.time_zone()),
        escape::text(&notes.join("; ")),
    ]
}
