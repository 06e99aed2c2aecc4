//! The global options, the screen, interrupts, the configuration and the repository, with which every command works.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::{Timestamp, ZonedDateTime};
use yore_engine::backend::{Backend, Limits, Meter};
use yore_engine::format::Secret;
use yore_engine::repository::{Machine, Repository, open_inbox};
use yore_engine::{Error, Refusal};
use yore_platform::Interrupt;

use crate::access::destination;
use crate::access::place::Place;
use crate::access::secret::{self, GivenSecret, References};
use crate::access::{contacts, state};
use crate::args::global::Global;
use crate::args::{time, zone};
use crate::config::{ConfigFile, Settings};
use crate::failure::engine_error::reason;
use crate::failure::{Done, Exit, Failure, Outcome};
use crate::screen::Screen;

mod layers;
pub mod log;
mod mirrors;
mod other;
mod repair;
mod server;

use layers::Surroundings;
pub use mirrors::Unreached;

/// The number of times that a passphrase may be typed.
const ATTEMPTS: usize = 3;

/// The surroundings of a command.
pub struct Context {
    /// The global options.
    pub global: Global,
    /// The screen to print on.
    pub screen: Arc<Screen>,
    /// The time at which the command began, in the zone in which times are meant. What a person types is relative to it.
    pub now: ZonedDateTime,
    /// Set by commands that serve a volume: then fetched bytes are counted, and the destination has a
    /// deadline.
    meter: OnceLock<Arc<Meter>>,
    /// The limits of all distant destinations together, once a destination was opened.
    shared: OnceLock<Option<Arc<Limits>>>,
    /// The most bytes that the command reads a second, where it has such a limit of its own.
    read_rate: OnceLock<u64>,
    /// A repository was found.
    is_there: AtomicBool,
    /// The command waits for its destination although it does not answer at first.
    waits: AtomicBool,
    /// The command reads contents or changes what is there.
    needs_full_key: AtomicBool,
    /// The configuration, once it was read.
    settings: OnceLock<Settings>,
    /// Guards the destinations at which the repository was opened, in its order.
    reached: Mutex<Vec<Place>>,
    /// Guards the destinations that could not be reached.
    unreached: Mutex<Vec<Unreached>>,
}

impl Context {
    /// Makes the surroundings of a command from the options.
    pub fn new(global: Global, screen: Screen) -> Self {
        let (zone, warning) = zone::of_process();
        warning.iter().for_each(|warning| screen.problem("", warning));
        let now = Timestamp::now().to_zoned_datetime(zone);
        Self {
            global,
            screen: Arc::new(screen),
            now,
            meter: OnceLock::new(),
            read_rate: OnceLock::new(),
            is_there: AtomicBool::new(false),
            waits: AtomicBool::new(false),
            needs_full_key: AtomicBool::new(false),
            shared: OnceLock::new(),
            settings: OnceLock::new(),
            reached: Mutex::default(),
            unreached: Mutex::default(),
        }
    }

    /// Returns the time of this moment, and the offset from UTC now: a command may go on for days, and what it stores
    /// has the time at which it is stored.
    pub fn present(&self) -> (yore_platform::Timestamp, i64) {
        time::present(&Timestamp::now().to_zoned_datetime(self.now.time_zone().clone()))
    }

    /// Catches interrupts from now on.
    pub fn interrupt(&self) -> Outcome<Interrupt> {
        let interrupt = Interrupt::install().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("interrupts can't be caught: {}", reason(&error)),
                "run the command again",
            )
        })?;
        self.screen.set_interrupt(interrupt);
        Ok(interrupt)
    }

    /// Tells whether an option names the destination, so that the configuration is not used.
    pub fn names_destination(&self) -> bool {
        self.global.repo.as_ref().is_some_and(|repo| !repo.is_empty())
    }

    /// Returns the configuration; it is empty where there is none, or where an option names the destination.
    pub fn settings(&self) -> Outcome<&Settings> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let settings = match self.names_destination() {
            true => Settings::default(),
            false => ConfigFile::load(&self.global)?.settings()?,
        };
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Returns the places of the secret that the configuration names.
    pub fn references(&self) -> Outcome<&References> {
        Ok(&self.settings()?.secret)
    }

    /// Returns the destinations: the one that the options name, or those of the configuration; at least one.
    pub fn places(&self) -> Outcome<Vec<Place>> {
        if let Some(repo) = self.global.repo.as_ref().filter(|repo| !repo.is_empty()) {
            return Ok(vec![Place::unnamed(destination::parse(repo)?)]);
        }
        let places = self.settings()?.destinations.clone();
        match places.is_empty() {
            false => Ok(places),
            true => Err(Failure::usage(
                "no repository was named",
                "name it with --repo, as in `yore --repo /mnt/disk/backup snapshots`, put it into the \
                 environment: export YORE_REPO=/mnt/disk/backup, or into the configuration: \
                 yore destination add /mnt/disk/backup",
            )),
        }
    }

    /// Returns the local folders that are the program's own, without links: the repository and the cache.
    pub fn own_folders(&self) -> Outcome<Vec<PathBuf>> {
        let places = self.places()?;
        let folders = places.iter().map(|place| place.destination.local_folder());
        // The command may make the cache after its sources were found.
        Ok(folders
            .chain([self.cache()])
            .flatten()
            .filter_map(|folder| real_path(&folder))
            .collect())
    }

    /// Returns the folder of caches; `None` where there is none.
    pub fn cache(&self) -> Option<PathBuf> {
        state::cache_folder()
    }

    /// Fails when there is no repository at any destination; looks only once.
    pub fn must_be_there(&self) -> Outcome<()> {
        if self.is_there.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut first = None;
        for place in self.places()? {
            match place.destination.must_be_there() {
                Ok(()) => {
                    self.is_there.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                Err(failure) => first = first.or(Some(failure)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Opens the repository with the secret that is given or typed.
    pub fn open(&self) -> Outcome<Repository> {
        self.open_and_keep_secret().map(|(repository, _)| repository)
    }

    /// Opens the repository, and returns the secret as well.
    pub fn open_and_keep_secret(&self) -> Outcome<(Repository, GivenSecret)> {
        let places = self.places()?;
        self.open_with_secret(&places, self.references()?)
    }

    /// Opens the repository at some places, with the secret that is given or typed.
    pub fn open_places(&self, places: &[Place], references: &References) -> Outcome<Repository> {
        self.open_with_secret(places, references).map(|(repository, _)| repository)
    }

    fn open_with_secret(
        &self,
        places: &[Place],
        references: &References,
    ) -> Outcome<(Repository, GivenSecret)> {
        let open = |given: &GivenSecret| {
            self.open_at(places, &given.secret()?).map_err(|failure| given.explain(failure))
        };
        match secret::given(&self.global, references) {
            Ok(Some(given)) => return Ok((open(&given)?, given)),
            // A missing repository is reported before a secret that is missing, too, or asked for.
            given => {
                self.must_be_there()?;
                given?;
            }
        }
        secret::must_have_terminal()?;
        let locations: Vec<String> =
            places.iter().map(|place| place.destination.location()).collect();
        for attempt in 1.. {
            let question = format!("Passphrase or recovery key for {}: ", locations.join(", "));
            let typed = secret::prompt(&question)?;
            match open(&typed) {
                Err(Failure { exit: Exit::WrongSecret, what, .. }) if attempt < ATTEMPTS => {
                    self.screen.problem("", &format!("{what}; try again"));
                }
                Err(failure) => return Err(failure),
                Ok(repository) => return Ok((repository, typed)),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Opens the repository with a given secret at every destination that can be reached; the others are reported.
    pub fn open_given(&self, given: &GivenSecret) -> Outcome<Repository> {
        self.open_at(&self.places()?, &given.secret()?).map_err(|failure| given.explain(failure))
    }

    /// Opens the repository with a secret at those of some places that can be reached; the others are reported.
    fn open_at(&self, places: &[Place], secret: &Secret) -> Outcome<Repository> {
        let opened = mirrors::open(places, secret, self.cache(), |place| self.backend(place))?;
        if self.needs_full_key.load(Ordering::Relaxed) && opened.repository.is_write_only() {
            return Err(Error::from(Refusal::WriteOnly).into());
        }
        contacts::record(&self.now, &opened.reached);
        opened.unreached.iter().for_each(|unreached| self.report(unreached));
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = opened.reached;
        *self.unreached.lock().unwrap_or_else(PoisonError::into_inner) = opened.unreached;
        let mut repository = opened.repository;
        if let Some(bytes) = self.settings()?.cache_size {
            repository.set_frames_budget(bytes);
        }
        if let Some(percent) = self.settings()?.parity {
            repository.set_parity(percent);
        }
        Ok(repository)
    }

    /// Refuses the key of a write-only machine, which neither reads contents nor changes what is there.
    pub fn need_full_key(&self) {
        self.needs_full_key.store(true, Ordering::Relaxed);
    }

    /// Opens the inbox of a write-only machine at every destination that was reached, and makes it where it is missing.
    pub fn open_inbox(&self, repository: &Repository, machine: &Machine) -> Outcome<Repository> {
        let inbox =
            |place: Place| Place { destination: place.destination.inbox(&machine.name), ..place };
        let places: Vec<Place> = self.reached().into_iter().map(inbox).collect();
        let backend = |place: &Place| {
            Ok(layers::wrap(place.destination.inbox_backend()?, place, &self.surroundings()))
        };
        let backends = places.iter().map(backend).collect::<Outcome<Vec<_>>>()?;
        let (now, _) = self.present();
        Ok(open_inbox(repository, machine, &backends, now, self.cache())?)
    }

    /// Makes the command wait for a network that is not there yet, as after a start, if it has only one destination.
    pub fn wait_for_network(&self) {
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Limits how much this command reads of each destination, in bytes a second, from the next opening on.
    pub fn limit_reads(&self, rate: u64) {
        self.read_rate.get_or_init(|| rate);
    }

    /// Makes the engine's access to a place, with its limits and the patience that the command has.
    ///
    /// # Errors
    /// It is on a disk that is not there.
    pub fn backend(&self, place: &Place) -> Outcome<Arc<dyn Backend>> {
        Ok(layers::wrap(place.backend()?, place, &self.surroundings()))
    }

    fn surroundings(&self) -> Surroundings {
        let is_only = self.places().is_ok_and(|places| places.len() == 1);
        Surroundings {
            needs_destination: is_only && self.waits.load(Ordering::Relaxed),
            screen: Arc::clone(&self.screen),
            zone: self.now.time_zone().clone(),
            cache: self.cache(),
            shared: self.shared_limits(),
            meter: self.meter.get().cloned(),
            read_rate: self.read_rate.get().copied(),
        }
    }

    /// Returns the limits of all distant destinations together, which they share.
    fn shared_limits(&self) -> Option<Arc<Limits>> {
        let make = || {
            // A command that begins a configuration has none yet, and so no limits.
            let limits = &self.settings().ok()?.limits;
            layers::limits(limits, &self.screen, self.now.time_zone())
        };
        self.shared.get_or_init(make).clone()
    }

    /// Prints what could not be reached: a disk that comes and goes is no problem.
    fn report(&self, unreached: &Unreached) {
        let Unreached { place, failure } = unreached;
        match unreached.is_normal() {
            true => self.screen.note(&format!("{} is not there", place.title())),
            false => self.screen.problem(place.name.as_deref().unwrap_or_default(), &failure.what),
        }
    }

    /// Returns the destinations at which the repository was opened, in its order.
    pub fn reached(&self) -> Vec<Place> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the destinations that could not be reached when the repository was opened.
    pub fn unreached(&self) -> Vec<Unreached> {
        self.unreached.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that a destination was opened after all.
    pub fn add_reached(&self, place: &Place) {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).push(place.clone());
        let mut unreached = self.unreached.lock().unwrap_or_else(PoisonError::into_inner);
        unreached.retain(|other| other.place.destination != place.destination);
    }

    /// Returns the end of a command that concerns every destination: one that should have been there and was not
    /// makes it partial.
    pub fn done_everywhere(&self, done: Done) -> Done {
        let is_missing = |unreached: &Unreached| !unreached.is_normal();
        match done {
            Done::Whole if self.unreached().iter().any(is_missing) => Done::Partly,
            done => done,
        }
    }

    /// Opens repositories from now on with a deadline and a meter, for at most `rate` bytes a second.
    pub fn serve(&self, rate: Option<u64>) -> Arc<Meter> {
        Arc::clone(self.meter.get_or_init(|| Arc::new(Meter::new(rate))))
    }
}

/// Returns a path without links and dots, of which the last parts need not exist.
fn real_path(path: &Path) -> Option<PathBuf> {
    let mut missing = Vec::new();
    for there in path.ancestors() {
        if let Ok(real) = std::fs::canonicalize(there) {
            return Some(missing.iter().rev().fold(real, |path, name| path.join(name)));
        }
        missing.push(there.file_name()?);
    }
    None
}
