//! Retention after a backup: what the rules of a source do not keep is forgotten, and freed where that is wanted.

use yore_engine::repository::Repository;

use crate::commands::repository::prune;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::{Done, Exit, Outcome};
use crate::job::retention::forget_after_backup;

/// Applies the rules of a source, where that is to be done after each backup.
///
/// The snapshot is made: that old ones can't be forgotten is told, and is no failure.
///
/// # Errors
/// An interrupt.
pub fn apply(context: &Context, repository: &Repository, source: &SourceSettings) -> Outcome {
    let rules = context.settings()?.retention_of(source);
    if rules.auto != Some(true) || rules.rules.is_empty() {
        return Ok(Done::Whole);
    }
    let outcome = forget_after_backup(context, repository, source, &rules);
    let outcome = outcome.and_then(|(forgotten, done)| {
        Ok(match forgotten > 0 && rules.prune == Some(true) {
            true => done.and(prune::free(context, repository, &prune::settings(context))?),
            false => done,
        })
    });
    match outcome {
        Err(failure) if failure.exit != Exit::Interrupted => {
            context.screen.problem("retention", &failure.what);
            Ok(Done::Partly)
        }
        outcome => outcome,
    }
}
