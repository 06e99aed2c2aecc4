//! Healing the objects that readers found damaged or missing at one destination.

use super::objects::{load, load_from_any};
use super::packs::{Action, Copier, PackTask};
use crate::backend::{self, Suspect};
use crate::error::{Error, Result};
use crate::format::id::ObjectId;
use crate::format::object::{Area, ObjectName};
use crate::operation::observer::Observer;
use crate::repository::{Pulse, Repository, removed_somewhere};

/// The result of healing.
#[derive(Debug, Default)]
pub struct HealReport {
    /// The objects that were replaced, each with the number of its destination.
    pub healed: Vec<(usize, ObjectName)>,
    /// The errors of objects that could not be healed; `sync` tries them again.
    pub problems: Vec<Error>,
}

/// Replaces each object that a reader found damaged or missing at one destination, while another had it whole.
///
/// It takes a look at that list when there is nothing to heal. Objects that can't be healed now, for instance
/// because the destination can't be written, are kept for the next time.
pub fn heal(repository: &Repository, observer: &dyn Observer) -> Result<HealReport> {
    let mut report = HealReport::default();
    let mut kept = Vec::new();
    for suspect in repository.take_suspects() {
        if observer.interrupted() {
            kept.push(suspect);
            continue;
        }
        match heal_one(repository, &suspect, observer) {
            Ok(true) => report.healed.push((suspect.destination, suspect.name)),
            Ok(false) => {}
            Err(error) => {
                report.problems.push(error);
                kept.push(suspect);
            }
        }
    }
    repository.keep_suspects(&kept);
    Ok(report)
}

/// Heals an object; returns false if it is whole already, or is not one that other destinations have.
fn heal_one(repository: &Repository, suspect: &Suspect, observer: &dyn Observer) -> Result<bool> {
    let Suspect { destination, name } = suspect;
    let Some(place) = repository.destinations().get(*destination) else { return Ok(false) };
    let to = &**place.backend();
    let sources: Vec<usize> =
        (0..repository.destinations().len()).filter(|number| number != destination).collect();
    let Some(area) = Area::of(name) else { return Ok(false) };
    let is_removed = |id: [u8; 32]| -> Result<bool> {
        let listing = repository.list(&[Area::Keys])?;
        Ok(removed_somewhere(repository, &listing)?.contains(&ObjectId(id)))
    };
    match area {
        Area::Keys if name.id().map(is_removed).transpose()? == Some(true) => Ok(false),
        Area::Packs => heal_pack(repository, suspect, &sources, observer),
        // They belong to one destination each.
        Area::Sessions | Area::Generations => Ok(false),
        // Nothing depends on it: a repair makes it anew from the pack.
        Area::Parity => Ok(false),
        Area::Headers
        | Area::Keys
        | Area::Index
        | Area::Snapshots
        | Area::Forgotten
        | Area::Annotations => {
            match load(repository, to, area, name) {
                Ok(_) => return Ok(false),
                // Each destination has lists of its own, and deletes what they have taken in.
                Err(Error::Missing { .. }) if area == Area::Forgotten => return Ok(false),
                Err(error) if error.is_of_copy() => {}
                Err(error) => return Err(error),
            }
            let bytes = load_from_any(repository, &sources, area, name)?;
            backend::replace(to, name, &bytes)?;
            Ok(true)
        }
    }
}

fn heal_pack(
    repository: &Repository,
    suspect: &Suspect,
    sources: &[usize],
    observer: &dyn Observer,
) -> Result<bool> {
    let Some(id) = suspect.name.id().map(ObjectId) else { return Ok(false) };
    let place = &repository.destinations()[suspect.destination];
    if place.condemned(&repository.keys)?.packs.contains(&id) {
        return Ok(false);
    }
    let mut sizes = Vec::new();
    for &number in sources {
        let backend = repository.destinations()[number].backend();
        let size = backend.size(&suspect.name)?;
        sizes.push((number, size.map(|size| (id, size)).into_iter().collect()));
    }
    let to = &**place.backend();
    let own = to.size(&suspect.name)?;
    let described = repository.open_index()?.index.pack_sizes();
    let Some(&size) = described.get(&id) else { return Ok(false) };
    let action = match own {
        None => Action::Copy,
        Some(own) if own == size => Action::Verify,
        Some(_) => Action::Replace,
    };
    let sources = sizes.iter().map(|(number, sizes)| (*number, sizes)).collect();
    let copier =
        Copier { repository, sources, to, session: None, pulse: Pulse::default(), observer };
    let mut outcome = copier.run(&[PackTask { id, size, action }]);
    match (outcome.error.take(), outcome.failed.pop()) {
        (Some(error), _) | (None, Some((_, error))) => Err(error),
        (None, None) => Ok(outcome.copied > 0 || !outcome.healed.is_empty()),
    }
}
