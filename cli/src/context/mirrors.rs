//! Opening a repository at several destinations, of which some may not be there.

use std::path::PathBuf;
use std::sync::Arc;

use yore_engine::Error;
use yore_engine::backend::Backend;
use yore_engine::format::Secret;
use yore_engine::repository::Repository;

use crate::access::place::Place;
use crate::failure::{Exit, Failure, Outcome};

/// A destination that could not be reached, and why.
#[derive(Debug, Clone)]
pub struct Unreached {
    /// The destination.
    pub place: Place,
    /// The reason.
    pub failure: Failure,
}

/// A repository, and the destinations at which it was opened and was not.
pub struct Opened {
    /// The repository.
    pub repository: Repository,
    /// The destinations, in the order of the repository's.
    pub reached: Vec<Place>,
    /// The other ones.
    pub unreached: Vec<Unreached>,
}

impl Unreached {
    /// Tells whether it is a disk that comes and goes, and is not there now.
    pub fn is_normal(&self) -> bool {
        self.place.is_removable && self.failure.exit == Exit::NoRepository
    }
}

/// Opens a repository at the first place that has it, and adds those of the others that can be reached.
///
/// A place that the secret does not open holds another repository, if the secret opens one elsewhere.
///
/// # Errors
/// The secret is wrong everywhere, or none can be reached: then the failure of the first that should be there.
pub fn open(
    places: &[Place],
    secret: &Secret,
    cache: Option<PathBuf>,
    access: impl Fn(&Place) -> Outcome<Arc<dyn Backend>>,
) -> Outcome<Opened> {
    let mut opened: Option<Repository> = None;
    let (mut reached, mut unreached, mut locked) = (Vec::new(), Vec::new(), Vec::new());
    let mut backends: Vec<Arc<dyn Backend>> = Vec::new();
    let begin = |backend| yore_engine::repository::open(backend, secret, cache.clone());
    for place in places {
        let backend = match access(place) {
            Ok(backend) => backend,
            Err(failure) => {
                unreached.push(Unreached { place: place.clone(), failure });
                continue;
            }
        };
        let added = match &mut opened {
            None => begin(Arc::clone(&backend)).map(|repository| opened = Some(repository)),
            Some(repository) => match repository.add_destination(Arc::clone(&backend)) {
                // The keys were changed there, and not yet at those before: it is opened first, then.
                Err(Error::OutdatedSecret { .. }) => {
                    begin(Arc::clone(&backend)).and_then(|mut newer| {
                        let mut before = backends.iter();
                        before.try_for_each(|one| newer.add_destination(Arc::clone(one)))?;
                        *repository = newer;
                        Ok(())
                    })
                }
                added => added,
            },
        };
        match added {
            Ok(()) => {
                // In the order of the repository's destinations.
                let is_first = opened
                    .as_ref()
                    .is_some_and(|one| !reached.is_empty() && one.location() == backend.location());
                let at = if is_first { 0 } else { reached.len() };
                reached.insert(at, place.clone());
                backends.insert(at, backend);
            }
            Err(error) => {
                if opened.is_none() && matches!(error, Error::WrongSecret { .. }) {
                    locked.push((place, backend));
                }
                unreached.push(Unreached { place: place.clone(), failure: error.into() });
            }
        }
    }
    let Some(mut repository) = opened else { return Err(none_reached(unreached)) };
    for (place, backend) in locked {
        let failure = repository.add_destination(backend).err().map(Failure::from);
        let known = unreached.iter_mut().find(|known| known.place.name == place.name);
        if let (Some(known), Some(failure)) = (known, failure) {
            known.failure = failure;
        }
    }
    Ok(Opened { repository, reached, unreached })
}

/// Returns the failure when no destination is there.
fn none_reached(mut unreached: Vec<Unreached>) -> Failure {
    let is_wrong = |unreached: &Unreached| unreached.failure.exit == Exit::WrongSecret;
    let wrong = unreached.iter().position(is_wrong);
    let first = unreached.iter().position(|unreached| !unreached.is_normal());
    let others = unreached.len().saturating_sub(1);
    let mut failure = unreached.swap_remove(wrong.or(first).unwrap_or(0)).failure;
    if others > 0 && wrong.is_none() {
        failure.what = format!("{} (and no other destination can be reached)", failure.what);
    }
    failure
}
