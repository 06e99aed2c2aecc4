//! `at`: the state at any time that somebody can write down. Looked up, never listed.

use std::sync::Arc;

use jiff::Timestamp as Instant;
use yore_engine::{Moment, state};
use yore_platform::{Entry, VolumeError};

use crate::calendar::moment;
use crate::inode::number::PlaceNo;
use crate::inode::place::Lasting;
use crate::snapshot_list::list::{Shown, made};
use crate::snapshot_list::scope::ScopeNo;
use crate::tree::state_tree::State;
use crate::volume::SnapshotVolume;

/// Finds the state at the time that a name tells.
///
/// # Errors
/// Not found for what is no time, and for times before the first snapshot.
pub(crate) fn find(
    volume: &SnapshotVolume,
    place: PlaceNo,
    scope: ScopeNo,
    name: &[u8],
) -> Result<Entry, VolumeError> {
    let shown = volume.shown(scope)?;
    let state = state_at(volume, &shown, name)?;
    volume.entry_of(volume.tables.place_state(place, name, (&state, Lasting::Soon)))
}

/// The state at the time that a name tells: a snapshot's name, or any moment.
pub(crate) fn state_at(
    volume: &SnapshotVolume,
    shown: &Shown,
    name: &[u8],
) -> Result<Arc<State>, VolumeError> {
    let text = std::str::from_utf8(name).map_err(|_| VolumeError::NotFound)?;
    let parts = match shown.find(name) {
        // The name of a snapshot is a moment too, but it may share its second with another.
        Some(number) => state(&shown.list[..=number], &Moment::Latest),
        None => {
            let now = Instant::now().to_zoned_datetime(volume.options.zone.clone());
            let moment = moment(text, &now).ok_or(VolumeError::NotFound)?;
            state(&shown.list, &moment)
        }
    };
    let parts = parts.map_err(|_| VolumeError::NotFound)?;
    let origins = shown.list.iter().zip(&shown.labels);
    let origins = origins.map(|(entry, (_, origin))| (entry.id, *origin)).collect();
    let (made, modified) = made(&parts, &origins);
    Ok(volume.tables.state(made, modified))
}
