//! `yore key add --write-only NAME`: a machine that can back up, and neither read nor change what is there.

use std::path::Path;

use yore_engine::repository::{Machine, NewMachine, add_machine};
use yore_engine::{Error, Refusal};
use yore_platform::Published;

use super::change;
use crate::access::key_file;
use crate::args::time;
use crate::context::Context;
use crate::failure::engine_error::message;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::json;
use crate::text::escape;

/// Adds a machine, makes its inbox at every destination, and stores its key in a new file.
pub fn add(context: &Context, name: &str, path: &Path) -> Outcome {
    let repository = context.open()?;
    let path = key_file::outside(path, &context.places()?, "key file")?;
    if std::fs::symlink_metadata(&path).is_ok() {
        return Err(key_file::exists(&path));
    }
    // The first interrupt waits for the end, so that no machine is left without its key.
    context.interrupt()?;
    let (now, _) = time::present(&context.now);
    let added = add_machine(&repository, name, now).map_err(explain)?;
    let text = added.secret.to_text().unwrap_or_default();
    if key_file::create_private(&path, text.as_bytes())? == Published::Exists {
        return Err(key_file::exists(&path));
    }
    context.open_inbox(&repository, &added.machine)?;
    Ok(print(context, &added, &path))
}

fn print(context: &Context, added: &NewMachine, path: &Path) -> Done {
    let NewMachine { machine, behind, .. } = added;
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
