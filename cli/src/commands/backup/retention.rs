//! Retention after a backup: what the rules of a source do not keep is forgotten, and freed where that is wanted.

use yore_engine::repository::Repository;

use crate::commands::repository::prune;
use crate::config::SourceSettings;
use crate::context::Context;
use crate::failure::{Done, Exit, Outcome};
use crate::job::retention::forget_after_backup;

/// Whether space is freed after snapshots were forgotten, where the configuration wants that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freeing {
    /// At once.
    Now,
    /// Not by this run.
    Later,
}

/// Applies the rules of a source, where that is to be done after each backup.
///
/// `freeing` is later once space was freed. The snapshot is made: that old ones can't be forgotten is told, and is no failure.
///
/// # Errors
/// An interrupt.
pub fn apply(
    context: &Context,
    repository: &Repository,
    source: &SourceSettings,
    freeing: &mut Freeing,
) -> Outcome {
    let rules = context.settings()?.retention_of(source);
    if rules.auto != Some(true) || rules.rules.is_empty() {
        return Ok(Done::Whole);
    }
    let outcome = forget_after_backup(context, repository, source, &rules);
    let outcome = outcome.and_then(|(forgotten, done)| {
        let frees = forgotten > 0 && rules.prune == Some(true) && *freeing == Freeing::Now;
        if frees {
            *freeing = Freeing::Later;
        }
        Ok(match frees {
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
