//! Heartbeats: signs of life of a session that lasts for days.
//!
//! A session without a sign of life for a week is taken for dead, so a writer leaves one every few hours. A shorter
//! session has none.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use yore_platform::Timestamp;

use super::{DestinationSession, OpenSession};
use crate::error::{Error, Result};
use crate::format::keys::Keys;
use crate::format::object::{Kind, ObjectName};
use crate::format::record::Heartbeat;
use crate::format::seal;
use crate::operation::clock::now;
use crate::repository::{Destination, Repository, load_sealed};

/// The time between two heartbeats.
const INTERVAL: Duration = Duration::from_secs(6 * 60 * 60);

/// Tells when the next heartbeat of a session is due.
pub(crate) struct Pulse {
    /// Guards the time of the last sign of life, and the number of the next heartbeat.
    last: Mutex<(Instant, u32)>,
    interval: Duration,
}

impl Default for Pulse {
    fn default() -> Self {
        Self::every(INTERVAL)
    }
}

impl Pulse {
    /// Beats at most once in an interval.
    pub(crate) fn every(interval: Duration) -> Self {
        Self { last: Mutex::new((Instant::now(), 0)), interval }
    }

    /// Returns the number of the heartbeat that is due, if one is.
    pub(crate) fn due(&self) -> Option<u32> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (time, number) = *last;
        if time.elapsed() < self.interval {
            return None;
        }
        *last = (Instant::now(), number.saturating_add(1));
        Some(number)
    }
}

impl OpenSession {
    /// Seals the heartbeat of this number for one of its destinations.
    pub(crate) fn heartbeat(
        &self,
        repository: &Repository,
        open: &DestinationSession,
        number: u32,
    ) -> (ObjectName, Vec<u8>) {
        let destination = repository.destinations()[open.destination].id();
        let beat = Heartbeat { number: number.into(), time: now(), destination };
        let (name, content) = (ObjectName::heartbeat(open.id, number), beat.encode());
        let keys: &Keys = &repository.keys;
        let salt = keys.draw_salt(&content);
        let object = seal::seal_by_any(keys, Kind::Heartbeat, &name, salt, &content);
        (name, object)
    }
}

impl Destination {
    /// Loads the time of a heartbeat.
    pub(in crate::repository) fn heartbeat(
        &self,
        keys: &Keys,
        name: &ObjectName,
    ) -> Result<Timestamp> {
        let content = load_sealed(&**self.backend(), keys, Kind::Heartbeat, name)?;
        let beat = Heartbeat::decode(&content)
            .map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
        Ok(beat.time)
    }
}
