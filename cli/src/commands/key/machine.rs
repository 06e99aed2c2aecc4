//! `yore key add --write-only NAME`: a machine that can back up, and neither read nor change what is there.

use std::path::Path;

use yore_engine::repository::{Behind, Machine, add_machine, draw_machine};
use yore_engine::{Error, Refusal};

use super::change;
use crate::access::key_file::StoredKey;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::escape;

/// Stores the key of a machine in a new file, adds the machine, and makes its inbox at every destination.
pub fn add(context: &Context, name: &str, path: &Path) -> Outcome {
    let repository = context.open()?;
    // The first interrupt waits for the end, so that no key is left without its machine.
    context.interrupt()?;
    let (now, _) = context.present();
    let new = draw_machine(&repository, name, now).map_err(explain)?;
    let file = StoredKey::store(path, &new.secret, &context.places()?)?;
    let behind = add_machine(&repository, &new)?;
    let path = file.keep();
    context.open_inbox(&repository, &new.machine)?;
    Ok(print(context, &new.machine, &behind, &path))
}

fn print(context: &Context, machine: &Machine, behind: &[Behind], path: &Path) -> Done {
    let shown = path.display().to_string();
    context.screen.object(&json::KeyAdded {
        id: machine.slot.to_string(),
        kind: json::WRITE_ONLY,
        label: machine.name.clone(),
        key_file: Some(&shown),
        missing: change::missing(context, behind),
        ..json::KeyAdded::default()
    });
    let name = escape::text(&machine.name);
    context.screen.info(format!("Added: the write-only machine {name}, with its key in {shown}."));
    context.screen.info("On that machine, with this file and nothing else:");
    for command in commands(context, machine, &shown) {
        context.screen.info(format!("  {command}"));
    }
    context.screen.info("Here, to take over what it has backed up:  yore collect");
    change::print_missing(context, behind)
}

/// Returns the commands that set the machine up.
fn commands(context: &Context, machine: &Machine, key_file: &str) -> Vec<String> {
    let quoted = |text: String| match text.contains([' ', '?', '&', '\'']) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => text,
    };
    let places = context.reached();
    let add = places.iter().map(|place| {
        let inbox = quoted(place.destination.inbox(&machine.name).location());
        format!("yore --key-file {} destination add {inbox}", quoted(key_file.to_owned()))
    });
    let keep = format!("yore config set key-file {}", quoted(key_file.to_owned()));
    add.chain([keep, "yore backup /etc /home".to_owned()]).collect()
}

/// Adds what to do to the refusals of the engine.
fn explain(error: Error) -> Failure {
    let hint = match &error {
        Error::Refused(Refusal::MachineExists { .. }) => {
            "choose another name, or remove that one first: yore key list, yore key remove ID"
        }
        Error::Refused(Refusal::InvalidMachineName { .. }) => {
            "a name has letters, digits, - _ and ., begins with a letter or digit, and has at most 63 of them"
        }
        _ => return error.into(),
    };
    Failure::new(Exit::Usage, message(&error), hint)
}
