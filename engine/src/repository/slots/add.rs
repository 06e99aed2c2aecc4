//! Adding a key slot.

use yore_platform::Timestamp;

use super::{first_error, known_slots, load, save_and_read_back};
use crate::error::{Error, Refusal, Result};
use crate::format::keys::{Keys, MasterSecret};
use crate::format::object::ObjectName;
use crate::format::secret::{Secret, SecretKind};
use crate::format::slot::{self, Cost, Slot};
use crate::repository::open::{MAX_PASSPHRASE_SLOTS, unlock};
use crate::repository::{Behind, BehindCause, Repository};

/// The most bytes of a label.
const MAX_LABEL: usize = 1000;

/// A slot that is to be made.
pub struct NewSlot<'a> {
    /// The secret that is to open the repository.
    pub secret: &'a Secret,
    /// The label.
    pub label: &'a str,
    /// The cost of deriving a key from a passphrase.
    pub cost: Cost,
    /// The time of creation.
    pub time: Timestamp,
}

/// The result of adding a slot.
#[derive(Debug)]
pub struct AddReport {
    /// The slot.
    pub slot: Slot,
    /// The destinations that did not get it; `sync` copies it.
    pub behind: Vec<Behind>,
}

/// Adds a slot at every destination, reads it back from each, and opens it.
///
/// `opened_with` is the secret with which the repository was opened.
///
/// # Errors
/// When no destination has the slot; [`Refusal::TooManyPassphrases`], [`Refusal::LabelTooLong`].
pub fn add_slot(
    repository: &Repository,
    opened_with: &Secret,
    new: &NewSlot<'_>,
) -> Result<AddReport> {
    repository.must_be_own()?;
    repository.must_be_writable()?;
    if new.label.len() > MAX_LABEL {
        return Err(Refusal::LabelTooLong { limit: MAX_LABEL }.into());
    }
    if new.secret.kind() == SecretKind::Passphrase {
        let list = known_slots(repository)?.list;
        let is_one = |slot: &Slot| slot.kind == Some(SecretKind::Passphrase);
        if list.iter().filter(|known| is_one(&known.slot)).count() >= MAX_PASSPHRASE_SLOTS {
            return Err(Refusal::TooManyPassphrases { limit: MAX_PASSPHRASE_SLOTS }.into());
        }
    }
    let (id, keys) = (repository.id(), &repository.keys);
    let master = master_secret(repository, opened_with)?;
    let slot = slot::create(&master, id, new.secret, new.label, new.time.seconds, new.cost);
    let (name, object) = (ObjectName::slot(slot.id), slot.encode(keys));
    // The bytes that every destination returns are compared with these, so these are opened once.
    let written = Slot::decode(&name, id, &object)?;
    written.verify(keys)?;
    if written.open(id, new.secret).is_none_or(|opened| opened != master) {
        return Err(Error::damaged(name.as_str(), "it does not open with its secret"));
    }
    let mut behind = Vec::new();
    for (destination, place) in repository.destinations().iter().enumerate() {
        let backend = &**place.backend();
        if let Err(error) = save_and_read_back(backend, &name, &object) {
            // What may be there of it is damaged, or is copied to the other destinations by the next sync.
            let _ = backend.delete(&name);
            behind.push(Behind { destination, cause: BehindCause::Failed(error) });
        }
    }
    match behind.len() < repository.destinations().len() {
        true => Ok(AddReport { slot: written, behind }),
        false => Err(first_error(behind)),
    }
}

/// Opens again the slot with which the repository was opened; returns its master secret up to the generation in force.
///
/// # Errors
/// [`Error::WrongSecret`]; the first error of a destination, when none has the slot.
pub(super) fn master_secret(repository: &Repository, secret: &Secret) -> Result<MasterSecret> {
    let (id, keys) = (repository.id(), &repository.keys);
    let fits = |master: &MasterSecret| keys.agrees_with(&Keys::derive(master, id));
    let in_force = |master: MasterSecret| master.up_to(keys.in_force());
    let mut first = None;
    for place in repository.destinations() {
        let backend = &**place.backend();
        if let Some(own) = repository.opened_with() {
            match load(repository, backend, &ObjectName::slot(own)) {
                Ok(slot) => {
                    if let Some(master) = slot.open(id, secret).filter(fits) {
                        return Ok(in_force(master));
                    }
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
    }
    for place in repository.destinations() {
        match unlock(&**place.backend(), id, secret, fits) {
            Ok((master, _)) if fits(&master) => return Ok(in_force(master)),
            Ok(_) => first = first.or(Some(Error::OutdatedSecret { location: place.location() })),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.expect("a repository is opened at a destination"))
}
