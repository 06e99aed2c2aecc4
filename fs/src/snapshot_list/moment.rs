//! The state at a time that a name tells.

use std::sync::Arc;

use jiff::Timestamp as Instant;
use jiff::tz::TimeZone;
use yore_engine::snapshots::{Moment, state};
use yore_platform::VolumeError;

use crate::calendar::moment;
use crate::error::Answer;
use crate::inode::state::State;
use crate::inode::tables::Tables;
use crate::snapshot_list::list::{SnapshotList, state_parts};

/// Finds the state that a name tells: a snapshot's name, or any moment, in `zone`.
///
/// # Errors
/// Not found for what is no time, and for times before the first snapshot.
pub(crate) fn state_at(
    tables: &Tables,
    list: &SnapshotList,
    zone: &TimeZone,
    name: &[u8],
) -> Answer<Arc<State>> {
    let text = std::str::from_utf8(name).map_err(|_| VolumeError::NotFound)?;
    let parts = match list.find(name) {
        // The name of a snapshot is a moment too, but it may share its second with another.
        Some(index) => state(&list.snapshots[..=index], &Moment::Latest),
        None => {
            let now = Instant::now().to_zoned_datetime(zone.clone());
            let moment = moment(text, &now).ok_or(VolumeError::NotFound)?;
            state(&list.snapshots, &moment)
        }
    };
    let parts = parts.map_err(|_| VolumeError::NotFound)?;
    let numbers = list.snapshots.iter().zip(&list.labels);
    let numbers = numbers.map(|(entry, label)| (entry.id, label.origin)).collect();
    let (parts, modified) = state_parts(&parts, &numbers);
    Ok(tables.state(parts, modified))
}
