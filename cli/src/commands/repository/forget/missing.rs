//! `yore forget --missing`: snapshots of which nothing is left but the sessions that committed them.

use yore_engine::repository::{Behind, forget_missing, missing_snapshots};

use super::{Options, finish};
use crate::access::state as own_state;
use crate::access::writer::writer;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::json;
use crate::screen::question;
use crate::text::format;

/// Forgets them, once somebody agrees: what is missing may be a loss.
pub fn run(context: &Context, options: &Options) -> Outcome {
    let repository = context.open()?;
    if !context.unreached().is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "a destination can't be reached, and may have what is missing at the others",
            "connect it, or take it out: yore destination remove NAME",
        ));
    }
    let missing = missing_snapshots(&repository)?;
    if missing.is_empty() {
        context.screen.info("No snapshot is missing.");
    }
    for id in &missing {
        context.screen.info(format!("Snapshot {id:.8} was committed, and its record is gone."));
    }
    let mut behind: Vec<Behind> = Vec::new();
    if !options.dry_run && !missing.is_empty() {
        if !options.yes {
            let those = format::counted(missing.len() as u64, "snapshot");
            let question = format!("Forget {those} that can't be restored any more?");
            if !question::is_agreed(&context.screen, &question, "say --yes")? {
                return Err(Failure::new(
                    Exit::Failed,
                    "nothing was forgotten",
                    "`yore repair` brings back what another destination or parity has",
                ));
            }
        }
        let writer = writer(own_state::client()?, None);
        let (now, _) = context.present();
        behind = forget_missing(&repository, &writer, now)?.behind;
    }
    for id in &missing {
        let dry_run = options.dry_run;
        context.screen.object(&json::Forget { snapshot: id.to_string(), dry_run });
        let done = if dry_run { "Would forget" } else { "Forgot" };
        context.screen.info(format!("{done} snapshot {id:.8}."));
    }
    finish(context, &repository, options, &behind)
}
