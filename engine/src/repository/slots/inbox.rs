//! Write-only machines and their inboxes (FORMAT.md §15).
//!
//! An inbox is a repository of its own in a folder of the owner's, `machines/<name>`, at each of the owner's destinations.
//! Its keys derive from the owner's, so that nothing but a key slot, which names it, has to be kept.

use std::path::PathBuf;
use std::sync::Arc;

use yore_platform::Timestamp;

use super::{KnownSlots, known_slots, save_and_read_back};
use crate::backend::Backend;
use crate::error::{Error, Refusal, Result};
use crate::format::header::{Header, Parameters};
use crate::format::id::{ObjectId, RepositoryId};
use crate::format::keys::MachineRecord;
use crate::format::object::ObjectName;
use crate::format::secret::Secret;
use crate::format::slot;
use crate::repository::create::create_inbox;
use crate::repository::open::load_header;
use crate::repository::{Behind, BehindCause, Destination, Repository};

/// The most bytes of a machine's name.
pub const MAX_MACHINE_NAME: usize = 63;

/// A write-only machine.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The id of its key slot.
    pub slot: ObjectId,
    /// Its name, which is also that of the folder of its inbox: letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The time when it was added, in seconds since 1970 UTC.
    pub created: i64,
    record: MachineRecord,
}

impl Machine {
    /// Returns the id of the repository that is its inbox.
    pub fn inbox(&self) -> RepositoryId {
        self.record.inbox
    }
}

/// A write-only machine that is not added yet: its key is stored first, so that no machine is ever without one.
pub struct NewMachine {
    /// The machine.
    pub machine: Machine,
    /// Its key, which nothing else has.
    pub secret: Secret,
    /// Its slot as an object.
    object: Vec<u8>,
}

/// Draws the keys of a write-only machine; [`add_machine`] adds it.
///
/// # Errors
/// [`Refusal::InvalidMachineName`]; [`Refusal::MachineExists`], also for a host that has snapshots.
pub fn draw_machine(repository: &Repository, name: &str, time: Timestamp) -> Result<NewMachine> {
    repository.must_be_own()?;
    if !is_valid_name(name) {
        return Err(Refusal::InvalidMachineName { name: name.into() }.into());
    }
    let known = known_slots(repository)?;
    let of_this_name = |one: &&super::KnownSlot| {
        one.slot.machine.is_some() && one.slot.label.eq_ignore_ascii_case(name)
    };
    // Its snapshots would pass for those of another machine.
    let list = repository.snapshots()?.list;
    let is_host = list.iter().any(|entry| entry.snapshot.host.eq_ignore_ascii_case(name));
    if is_host || known.list.iter().any(|one| of_this_name(&one)) {
        return Err(Refusal::MachineExists { name: name.into() }.into());
    }
    let (record, secret) = MachineRecord::draw(&repository.keys);
    let slot = slot::machine::create(
        &repository.keys,
        repository.id(),
        record.clone(),
        name,
        time.seconds,
    );
    let object = slot.encode(&repository.keys);
    let machine = Machine { slot: slot.id, name: name.into(), created: time.seconds, record };
    Ok(NewMachine { machine, secret: Secret::write_only(secret), object })
}

/// Adds a write-only machine at every destination that can be reached; [`open_inbox`] makes its inbox.
///
/// Returns the destinations that do not have its slot; `sync` copies it.
///
/// # Errors
/// When no destination has the slot.
pub fn add_machine(repository: &Repository, new: &NewMachine) -> Result<Vec<Behind>> {
    let name = ObjectName::slot(new.machine.slot);
    let mut behind = Vec::new();
    for (destination, place) in repository.destinations().iter().enumerate() {
        if let Err(error) = save_and_read_back(&**place.backend(), &name, &new.object) {
            let _ = place.backend().delete(&name);
            behind.push(Behind { destination, cause: BehindCause::Failed(error) });
        }
    }
    match behind.len() == repository.destinations().len() {
        true => Err(super::first_error(behind)),
        false => Ok(behind),
    }
}

/// Returns true for a name that can be a folder on every kind of destination.
fn is_valid_name(name: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && name.len() <= MAX_MACHINE_NAME && name.bytes().all(is_sign) && !name.ends_with('.')
}

/// Returns the write-only machines among key slots that count, in the order in which they were added.
pub fn machines(known: &KnownSlots) -> Vec<Machine> {
    let list = known.list.iter().filter(|one| !one.is_removed);
    let machine = |one: &super::KnownSlot| {
        let slot = &one.slot;
        let record = slot.machine.clone()?;
        let (name, created) = (slot.label.clone(), slot.created);
        is_valid_name(&name).then_some(Machine { slot: slot.id, name, created, record })
    };
    list.filter_map(machine).collect()
}

/// Opens the inbox of a machine at its places, and makes it where it is missing.
///
/// # Errors
/// [`Error::OtherRepository`] when one of them holds another repository; the error of a place that can't be reached.
pub fn open_inbox(
    repository: &Repository,
    machine: &Machine,
    places: &[Arc<dyn Backend>],
    time: Timestamp,
    cache: Option<PathBuf>,
) -> Result<Repository> {
    let outdated = || Error::OutdatedSecret { location: repository.location() };
    let keys = machine.record.keys(&repository.keys).ok_or_else(outdated)?;
    let header = Header {
        repository: machine.record.inbox,
        parameters: Parameters { inline: 0, ..repository.header().parameters },
        created: machine.created,
        number: 0,
        generation: 1,
        is_inbox: true,
        unknown_to_writers: None,
    };
    let bytes = header.encode(&keys)?;
    let mut opened: Option<Repository> = None;
    let keys = Arc::new(keys);
    for place in places {
        match load_header(&**place) {
            Err(Error::NoRepository { .. }) => create_inbox(&**place, &keys, &bytes, time)?,
            Err(error) => return Err(error),
            Ok(found) if found.header.repository == machine.record.inbox => {}
            Ok(_) => return Err(Error::OtherRepository { location: place.location() }),
        }
        match &mut opened {
            Some(inbox) => inbox.add_destination(Arc::clone(place))?,
            None => opened = Some(open_first(&keys, machine, place, cache.as_deref())?),
        }
    }
    opened.ok_or_else(|| Error::NotFound { what: "no destination is reached".into() })
}

fn open_first(
    keys: &Arc<crate::format::keys::Keys>,
    machine: &Machine,
    place: &Arc<dyn Backend>,
    cache: Option<&std::path::Path>,
) -> Result<Repository> {
    let header = load_header(&**place)?.verify(keys)?;
    let id = machine.record.inbox;
    let checked = Arc::new(crate::backend::IdentityChecked::new(Arc::clone(place), id));
    let destinations = vec![Destination::load(checked, keys, &header)?];
    let cache = cache.map(|folder| folder.join(id.to_string())).filter(|folder| {
        // A cache only saves time, so a failure is ignored.
        yore_platform::create_private_dir(folder).is_ok()
    });
    Ok(Repository::of(Arc::clone(keys), header, destinations, cache))
}
