//! A plain copy of a repository's folder, made by `cp` or `rclone`, as a destination.

use std::sync::Arc;

use yore_engine::backend::Backend;
use yore_engine::repository::{Repository, adopt_copy};

use crate::access::place::Place;
use crate::access::state;
use crate::access::writer::writer;
use crate::context::Context;
use crate::failure::Outcome;
use crate::text::escape;

/// Gives a plain copy an id of its own, so that it is a destination by itself.
///
/// The sessions that came with the copy do not count there any more; `yore sync` commits its snapshots.
pub fn adopt(
    context: &Context,
    repository: &mut Repository,
    backend: &Arc<dyn Backend>,
    place: &Place,
) -> Outcome<()> {
    let writer = writer(state::client()?, None);
    adopt_copy(repository, backend, &writer, context.present().0)?;
    repository.add_destination(Arc::clone(backend))?;
    context.screen.info(format!(
        "{} was a plain copy of another destination; it is one by itself now.",
        escape::text(&place.destination.location())
    ));
    Ok(())
}
