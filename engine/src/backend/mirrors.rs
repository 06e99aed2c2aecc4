//! Reading from several destinations that hold the same objects.
//!
//! Objects are the same bytes everywhere, so a read may use any destination: the nearest one that has the object
//! whole. A destination that lacks an object or returns damaged bytes is passed over for that object alone, and the
//! object is recorded, so that it can be healed. One that can't be reached is passed over for a while.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Backend;
use crate::error::{Error, Result};
use crate::format::object::ObjectName;

/// The time for which a destination that could not be reached is not tried, while another one is.
const PAUSE: Duration = Duration::from_secs(15);

/// An object that a destination lacks, or of which it has other bytes than were written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suspect {
    /// The destination, by its number among those of the repository.
    pub destination: usize,
    /// The object.
    pub name: ObjectName,
}

/// The destinations of a repository as its readers use them.
pub(crate) struct Mirrors {
    /// The nearest first.
    mirrors: Vec<Mirror>,
    /// Guards the objects that another destination had to provide.
    suspects: Mutex<BTreeSet<Suspect>>,
}

struct Mirror {
    /// The number of the destination.
    number: usize,
    backend: Arc<dyn Backend>,
    /// Guards the time before which it is not tried.
    paused_until: Mutex<Option<Instant>>,
}

impl Mirror {
    fn is_distant(&self) -> bool {
        !self.backend.capabilities().cheap_requests
    }

    fn is_paused(&self) -> bool {
        let until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn pause(&self) {
        let mut until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + PAUSE);
    }
}

impl Mirrors {
    /// Reads from these destinations. Those whose requests are cheap come first, otherwise the order is kept.
    pub(crate) fn new(backends: impl Iterator<Item = Arc<dyn Backend>>) -> Self {
        let mirror = |(number, backend)| Mirror { number, backend, paused_until: Mutex::default() };
        let mut mirrors: Vec<Mirror> = backends.enumerate().map(mirror).collect();
        mirrors.sort_by_key(Mirror::is_distant);
        Self { mirrors, suspects: Mutex::default() }
    }

    /// Returns true if the requests of every destination cost round trips.
    pub(crate) fn are_distant(&self) -> bool {
        // The nearest comes first.
        self.mirrors.first().is_some_and(Mirror::is_distant)
    }

    /// Reads an object by `read` from the first destination that has it whole.
    ///
    /// # Errors
    /// The error of the nearest destination that was tried, when none has it whole.
    pub(crate) fn read<T>(
        &self,
        name: &ObjectName,
        mut read: impl FnMut(&dyn Backend) -> Result<T>,
    ) -> Result<T> {
        if let [only] = &*self.mirrors {
            return read(&*only.backend);
        }
        let (paused, tried): (Vec<&Mirror>, Vec<&Mirror>) =
            self.mirrors.iter().partition(|mirror| mirror.is_paused());
        let (mut first_error, mut suspects) = (None, Vec::new());
        for mirror in tried.into_iter().chain(paused) {
            match read(&*mirror.backend) {
                Ok(value) => {
                    self.record(suspects);
                    return Ok(value);
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    match error.is_of_copy() {
                        true => {
                            let (destination, name) = (mirror.number, name.clone());
                            suspects.push(Suspect { destination, name });
                        }
                        false => mirror.pause(),
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.expect("a repository is opened at a destination"))
    }

    /// Records objects that one destination had and the others did not have whole.
    fn record(&self, suspects: Vec<Suspect>) {
        if !suspects.is_empty() {
            self.suspects.lock().unwrap_or_else(PoisonError::into_inner).extend(suspects);
        }
    }

    /// Returns true if objects were recorded since they were taken last.
    pub(crate) fn has_suspects(&self) -> bool {
        !self.suspects.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Returns the objects that were recorded since the last call.
    pub(crate) fn take_suspects(&self) -> Vec<Suspect> {
        let mut suspects = self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *suspects).into_iter().collect()
    }
}
