//! A repository: created, opened, and what is in it.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use yore_platform::Timestamp;

use crate::backend::{self, Anchored, Backend, Published};
use crate::backup::now;
use crate::error::{Error, Result};
use crate::header::{Header, MAX_HEADER, Parameters, Unverified};
use crate::id::{ObjectId, RepositoryId, SnapshotId};
use crate::index::{self, BlobIndex};
use crate::keys::{Keys, MasterSecret, random};
use crate::object::{Area, Kind, ObjectName};
use crate::order::{self, SnapshotEntry};
use crate::reader::Reader;
use crate::record::{
    ClientId, DestinationId, Generation, Outcome, Session, Snapshot, Tombstone, Verdict,
    decode_destination, encode_destination,
};
use crate::seal::{self, MAX_OBJECT};
use crate::secret::{Secret, SecretKind};
use crate::slot::{self, Cost, MAX_SLOT, Slot};

mod known;
mod records;

pub use known::KnownSnapshots;
use records::Records;

/// How many passphrase slots are tried before a passphrase is called wrong.
const MAX_PASSPHRASE_SLOTS: usize = 64;

/// An open repository at one destination.
pub struct Repository {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) header: Header,
    pub(crate) destination: DestinationId,
    /// Where segments of the index are kept; `None` keeps them in memory.
    pub(crate) cache: Option<PathBuf>,
}

/// Something that is there but could not be read; everything else goes on.
pub type Problems = Vec<Error>;

/// The snapshots that count, in their order (see [`SnapshotEntry`]), and what of them could not be read.
#[derive(Debug, Default)]
pub struct Snapshots {
    /// Those that a verdict commits and no tombstone names.
    pub list: Vec<SnapshotEntry>,
    /// What was forgotten.
    pub(crate) forgotten: Vec<Tombstone>,
    /// What could not be read on the way.
    pub problems: Problems,
}

impl Snapshots {
    /// The number and id of each client's newest snapshot, also where that was forgotten: two of one
    /// number would look like a copy that somebody put back.
    pub(crate) fn newest_of_each_client(&self) -> HashMap<ClientId, (u64, SnapshotId)> {
        let there = self.list.iter();
        let there = there
            .map(|SnapshotEntry { id, snapshot, .. }| (snapshot.client, (snapshot.sequence, *id)));
        let forgotten = self.forgotten.iter().filter_map(|stone| {
            stone.numbered.map(|(client, sequence)| (client, (sequence, stone.snapshot)))
        });
        let mut newest: HashMap<ClientId, (u64, SnapshotId)> = HashMap::new();
        for (client, number) in there.chain(forgotten) {
            let known = newest.entry(client).or_insert(number);
            *known = number.max(*known);
        }
        newest
    }

    /// A snapshot that is the newest of its client and claims a time that is still to come.
    pub(crate) fn ahead(&self, now: Timestamp) -> Option<SnapshotEntry> {
        let newest = self.newest_of_each_client();
        let is_newest = |entry: &&SnapshotEntry| {
            newest.get(&entry.snapshot.client).is_some_and(|(_, id)| *id == entry.id)
        };
        self.list.iter().filter(is_newest).find(|entry| entry.is_ahead(now)).cloned()
    }
}

/// How a new repository is made.
pub struct CreateOptions<'a> {
    /// What will open it, each with the label of its slot. At least one.
    pub secrets: &'a [(&'a Secret, &'a str)],
    /// What passphrase slots cost.
    pub cost: Cost,
    /// Sizes for writers.
    pub parameters: Parameters,
    /// Now.
    pub time: Timestamp,
}

/// Creates a repository on an empty destination.
///
/// The header comes last: a repository that was half made is none, and may be made again.
///
/// # Errors
/// [`Error::Occupied`] when something is there.
pub fn create(backend: Arc<dyn Backend>, options: &CreateOptions<'_>) -> Result<Repository> {
    backend.prepare()?;
    remove_half_made(&*backend)?;
    let repository = RepositoryId(random());
    let master = MasterSecret::draw();
    let keys = Keys::derive(&master, repository);
    let destination = DestinationId(random());
    let content = encode_destination(destination, options.time);
    save_sealed(&*backend, &keys, Kind::Destination, &ObjectName::destination(), &content)?;
    let created = options.time.seconds;
    let mut slots = vec![ObjectName::destination()];
    for (secret, label) in options.secrets {
        let slot = slot::create(&master, repository, secret, label, created, options.cost);
        let name = ObjectName::slot(slot.id);
        backend::save(&*backend, &name, &slot.encode(&keys))?;
        let read = Slot::decode(&name, repository, &backend::load(&*backend, &name, MAX_SLOT)?)?;
        // A passphrase is not derived a second time: its slot is compared with what was written.
        let opens = match secret.kind() {
            SecretKind::Passphrase => read.encode(&keys) == slot.encode(&keys),
            SecretKind::KeyFile | SecretKind::Recovery => read.open(repository, secret).is_some(),
        };
        if !opens {
            return Err(Error::damaged(name.as_str(), "it does not read back as written"));
        }
        slots.push(name);
    }
    let parameters = options.parameters;
    let header = Header { repository, parameters, created, number: 0, unknown_to_writers: None };
    match backend::save(&*backend, &ObjectName::header(), &header.encode(&keys))? {
        Published::Created => {}
        Published::Exists => {
            let found = "holds a repository already";
            return Err(Error::Occupied { location: backend.location(), found });
        }
    }
    // Somebody who creates at the same time may have taken the slots for leftovers.
    for stored in &slots {
        if backend.size(stored)?.is_none() {
            return Err(Error::Missing { object: stored.to_string() });
        }
    }
    let backend = Arc::new(Anchored::new(backend, repository));
    Ok(Repository { backend, keys: Arc::new(keys), header, destination, cache: None })
}

/// Removes the slots that an interrupted creation left at a destination without a header.
fn remove_half_made(backend: &dyn Backend) -> Result<()> {
    for slot in backend.list(Area::Keys)? {
        backend.delete(&slot.name)?;
    }
    backend.delete(&ObjectName::destination())
}

/// Opens a repository with a secret.
///
/// `cache` is a private folder for this and other repositories; `None` does without.
///
/// # Errors
/// [`Error::NoRepository`], [`Error::WrongSecret`], [`Error::Unsupported`]; [`Error::Damaged`] when
/// the header or every fitting slot is.
pub fn open(
    backend: Arc<dyn Backend>,
    secret: &Secret,
    cache: Option<PathBuf>,
) -> Result<Repository> {
    let unverified = load_header(&*backend)?;
    let id = unverified.header.repository;
    let backend = Arc::new(Anchored::new(backend, id));
    let master = unlock(&*backend, id, secret)?;
    let keys = Keys::derive(&master, id);
    let header = unverified.verify(&keys)?;
    let name = ObjectName::destination();
    let content = load_sealed(&*backend, &keys, Kind::Destination, &name)?;
    let destination = decode_destination(&content)
        .map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
    let cache = cache.map(|folder| folder.join(id.to_string())).filter(|folder| {
        // Without a cache everything works, slower.
        yore_platform::create_private_dir(folder).is_ok()
    });
    Ok(Repository { backend, keys: Arc::new(keys), header, destination, cache })
}

/// Loads the header in force: the one with the highest number.
fn load_header(backend: &dyn Backend) -> Result<Unverified> {
    let location = backend.location();
    let first = match backend::load(backend, &ObjectName::header(), MAX_HEADER) {
        Ok(bytes) => Unverified::decode(&location, &bytes)?,
        Err(Error::Missing { .. }) => return Err(Error::NoRepository { location }),
        Err(error) => return Err(error),
    };
    let Some(newest) = backend.list(Area::Headers)?.pop() else { return Ok(first) };
    let bytes = backend::load(backend, &newest.name, MAX_HEADER)?;
    let later = Unverified::decode(&location, &bytes)?;
    if later.header.repository != first.header.repository
        || newest.name.number() != Some(later.header.number)
    {
        return Err(Error::damaged(newest.name.as_str(), "a header of another place"));
    }
    Ok(later)
}

fn unlock(backend: &dyn Backend, id: RepositoryId, secret: &Secret) -> Result<MasterSecret> {
    let mut first_error = None;
    let mut passphrases = 0;
    for stored in backend.list(Area::Keys)? {
        let slot = backend::load(backend, &stored.name, MAX_SLOT)
            .and_then(|bytes| Slot::decode(&stored.name, id, &bytes));
        match slot {
            Ok(slot) if slot.kind == Some(secret.kind()) => {
                passphrases += usize::from(secret.kind() == SecretKind::Passphrase);
                if passphrases > MAX_PASSPHRASE_SLOTS {
                    break;
                }
                if let Some(master) = slot.open(id, secret) {
                    return Ok(master);
                }
            }
            Ok(_) => {}
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    let wrong = Error::WrongSecret { location: backend.location() };
    Err(first_error.unwrap_or(wrong))
}

pub(crate) fn load_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
) -> Result<Vec<u8>> {
    let mut object = backend::load(backend, name, MAX_OBJECT as u64)?;
    seal::open_whole(keys, kind, name, &mut object)
}

/// Seals and saves a record whose name is not its salt.
pub(crate) fn save_sealed(
    backend: &dyn Backend,
    keys: &Keys,
    kind: Kind,
    name: &ObjectName,
    content: &[u8],
) -> Result<Published> {
    let object = seal::seal_whole(keys, kind, name, keys.draw_salt(content), content);
    backend::save(backend, name, &object)
}

impl Repository {
    /// Names the repository.
    pub fn id(&self) -> RepositoryId {
        self.header.repository
    }

    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The destination, for messages.
    pub fn location(&self) -> String {
        self.backend.location()
    }

    /// The destination's code.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Opens a reader that keeps up to `budget` bytes of decoded frames and of the index together (a large
    /// index leaves three quarters of them to frames), and tells which parts of the index could not be read.
    pub fn reader(&self, budget: usize) -> Result<(Reader, Problems)> {
        let opened = self.open_index(HashSet::new())?;
        let reader =
            Reader::new(Arc::clone(&self.backend), Arc::clone(&self.keys), opened.index, budget);
        Ok((reader, opened.damaged))
    }

    /// Makes a reader see what was written since it was opened.
    pub fn refresh(&self, reader: &Reader) -> Result<Problems> {
        let opened = self.open_index(HashSet::new())?;
        reader.set_index(opened.index);
        Ok(opened.damaged)
    }

    pub(crate) fn open_index(&self, condemned: HashSet<ObjectId>) -> Result<index::Opened> {
        index::open(&*self.backend, &self.keys, condemned, self.cache.as_deref())
    }

    /// Opens the index for a writer, who may rely only on packs that are there and not condemned.
    pub(crate) fn open_index_to_write(&self, condemned: HashSet<ObjectId>) -> Result<BlobIndex> {
        let mut index = self.open_index(condemned)?.index;
        let packs = self.backend.list(Area::Packs)?;
        index
            .expect(&packs.iter().filter_map(|s| Some((ObjectId(s.name.id()?), s.size))).collect());
        Ok(index)
    }

    /// Lists the snapshots that count.
    pub fn snapshots(&self) -> Result<Snapshots> {
        let mut records = Records::open(self);
        let mut found = Snapshots::default();
        let sessions = self.sessions_in(&mut records)?;
        found.problems.extend(sessions.problems);
        for name in self.backend.names(Area::Forgotten)? {
            found.forgotten.extend(records.tombstone(&name, &mut found.problems));
        }
        let forgotten: HashSet<SnapshotId> =
            found.forgotten.iter().map(|tombstone| tombstone.snapshot).collect();
        let mut committed = HashSet::new();
        for (_, verdict) in sessions.list.into_values() {
            if let Some(Verdict { outcome: Outcome::Commit(snapshots), .. }) = verdict {
                committed.extend(snapshots.into_iter().filter(|id| !forgotten.contains(id)));
            }
        }
        let mut list = Vec::new();
        for id in committed {
            match records.snapshot(id) {
                Ok(snapshot) => list.push((id, snapshot)),
                Err(error) => found.problems.push(error),
            }
        }
        records.keep_used();
        found.list = order::arrange(list, &found.forgotten, now());
        Ok(found)
    }

    pub(crate) fn load_snapshot(&self, id: SnapshotId) -> Result<Snapshot> {
        Records::open(self).snapshot(id)
    }

    /// Loads all sessions with their verdicts, as far as they belong to this destination.
    pub(crate) fn sessions(&self) -> Result<Sessions> {
        let mut records = Records::open(self);
        let sessions = self.sessions_in(&mut records)?;
        records.keep();
        Ok(sessions)
    }

    fn sessions_in(&self, records: &mut Records<'_>) -> Result<Sessions> {
        let mut sessions = Sessions::default();
        let listed = self.backend.names(Area::Sessions)?;
        let names: HashSet<&ObjectName> = listed.iter().collect();
        for name in listed.iter().filter(|name| name.suffix().is_none()) {
            let Some(id) = name.id().map(ObjectId) else { continue };
            let end = ObjectName::verdict(id);
            let verdict = match names.contains(&end) {
                true => match records.verdict(&end) {
                    Ok(verdict) => Some(verdict),
                    Err(error) => {
                        sessions.problems.push(error);
                        continue;
                    }
                },
                false => None,
            };
            match records.session(name) {
                Ok(session) if session.destination == self.destination => {
                    let verdict = verdict.filter(|v| v.destination == self.destination);
                    sessions.list.insert(id, (session, verdict));
                }
                Ok(_) => {}
                Err(error) => sessions.problems.push(error),
            }
        }
        Ok(sessions)
    }

    /// Loads the newest generation of prune and the packs condemned up to it.
    pub(crate) fn condemned(&self) -> Result<(u64, HashSet<ObjectId>)> {
        let (mut newest, mut condemned, mut kept) = (0, HashSet::new(), HashSet::new());
        for name in self.backend.names(Area::Generations)? {
            let is_end = name.suffix().is_some();
            let kind = if is_end { Kind::GenerationEnd } else { Kind::Generation };
            let content = load_sealed(&*self.backend, &self.keys, kind, &name)?;
            let generation = Generation::decode(&content)
                .map_err(|_| Error::damaged(name.as_str(), "it does not decode"))?;
            if name.number() != Some(generation.number) {
                return Err(Error::damaged(name.as_str(), "an object of another name"));
            }
            if generation.destination != self.destination {
                continue;
            }
            newest = newest.max(generation.number);
            let packs = generation.packs.into_iter().map(|pack| (generation.number, pack));
            if is_end { kept.extend(packs) } else { condemned.extend(packs) }
        }
        let packs = condemned.difference(&kept).map(|(_, pack)| *pack).collect();
        Ok((newest, packs))
    }

    /// Lists the key slots, and those that are damaged.
    pub fn slots(&self) -> Result<(Vec<Slot>, Problems)> {
        let (mut slots, mut problems) = (Vec::new(), Vec::new());
        for stored in self.backend.list(Area::Keys)? {
            let slot = backend::load(&*self.backend, &stored.name, MAX_SLOT)
                .and_then(|bytes| Slot::decode(&stored.name, self.id(), &bytes))
                .and_then(|slot| slot.verify(&self.keys).map(|()| slot));
            match slot {
                Ok(slot) => slots.push(slot),
                Err(error) => problems.push(error),
            }
        }
        Ok((slots, problems))
    }
}

/// Sessions with their verdicts, and what of them could not be read.
#[derive(Default)]
pub(crate) struct Sessions {
    pub(crate) list: std::collections::BTreeMap<ObjectId, (Session, Option<Verdict>)>,
    pub(crate) problems: Problems,
}
