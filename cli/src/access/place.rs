//! A destination as a configuration or an option names it.

use std::sync::Arc;

use yore_engine::backend::{Backend, Timetable, VerifiedWrites};

use crate::access::destination::Destination;
use crate::failure::Outcome;

/// The limits of transfers in both directions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Towards the destination.
    pub upload: Timetable,
    /// From the destination.
    pub download: Timetable,
}

/// A destination with its name and its treatment.
#[derive(Debug, Clone)]
pub struct Place {
    /// The name in the configuration; `None` where an option names the destination.
    pub name: Option<String>,
    /// The destination.
    pub destination: Destination,
    /// Tells that it is normal for it to be absent.
    pub is_removable: bool,
    /// Tells whether it is in another building, where the configuration says so.
    pub off_site: Option<bool>,
    /// Tells that what is written there is read back.
    pub verify_writes: bool,
    /// Tells whether it creates an object only if it is absent, as it was found when it was added.
    pub create_if_absent: Option<bool>,
    /// The limits of transfers.
    pub limits: Limits,
}

impl Place {
    /// Makes the place of a destination that no configuration names.
    pub fn unnamed(destination: Destination) -> Self {
        Self {
            name: None,
            is_removable: destination.is_removable(),
            destination,
            off_site: None,
            verify_writes: false,
            create_if_absent: None,
            limits: Limits::default(),
        }
    }

    /// Returns the name and the location for people.
    pub fn title(&self) -> String {
        let location = self.destination.location();
        match &self.name {
            Some(name) => format!("{name} ({location})"),
            None => location,
        }
    }

    /// Makes the engine's access to it.
    ///
    /// # Errors
    /// It is on a disk that is not there.
    pub fn backend(&self) -> Outcome<Arc<dyn Backend>> {
        let backend = self.destination.backend()?;
        Ok(match self.verify_writes {
            true => Arc::new(VerifiedWrites::new(backend)),
            false => backend,
        })
    }
}
