//! The global options, the screen, interrupts and the repository, with which every command works.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::{Timestamp, ZonedDateTime};
use yore_engine::backend::{Deadline, Meter, Metered};
use yore_engine::format::Secret;
use yore_engine::repository::Repository;
use yore_platform::Interrupt;

use crate::access::destination::{self, Destination};
use crate::access::secret::{self, GivenSecret};
use crate::access::state;
use crate::args::global::Global;
use crate::args::zone;
use crate::failure::engine_error::reason;
use crate::failure::{Exit, Failure, Outcome};
use crate::screen::Screen;

/// The number of times that a passphrase may be typed.
const ATTEMPTS: usize = 3;

/// The time for which a drive waits for its destination; then programs get an error.
const PATIENCE: Duration = Duration::from_secs(8);

/// The surroundings of a command.
pub struct Context {
    /// The global options.
    pub global: Global,
    /// The screen to print on.
    pub screen: Arc<Screen>,
    /// The time at which the command began, in the zone in which times are meant.
    pub now: ZonedDateTime,
    /// Set by commands that serve a volume: then fetched bytes are counted, and the destination has a
    /// deadline.
    meter: OnceLock<Arc<Meter>>,
}

impl Context {
    /// Makes the surroundings of a command from the options.
    pub fn new(global: Global, screen: Screen) -> Self {
        let (zone, warning) = zone::of_process();
        warning.iter().for_each(|warning| screen.problem("", warning));
        let now = Timestamp::now().to_zoned_datetime(zone);
        Self { global, screen: Arc::new(screen), now, meter: OnceLock::new() }
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

    /// Returns the destination that the options name.
    pub fn destination(&self) -> Outcome<Destination> {
        match &self.global.repo {
            Some(repo) if !repo.is_empty() => destination::parse(repo),
            _ => Err(Failure::usage(
                "no repository was named",
                "name it with --repo, as in `yore --repo /mnt/disk/backup snapshots`, or put it \
                 into the environment: export YORE_REPO=/mnt/disk/backup",
            )),
        }
    }

    /// Returns the local folders that are the program's own, without links: the repository and the cache.
    pub fn own_folders(&self) -> Outcome<Vec<PathBuf>> {
        let destination = self.destination()?;
        let folders = [destination.local_folder().map(Path::to_owned), self.cache()];
        let real = |folder: PathBuf| std::fs::canonicalize(folder).ok();
        Ok(folders.into_iter().flatten().filter_map(real).collect())
    }

    /// Returns the folder of caches; `None` where there is none.
    pub fn cache(&self) -> Option<PathBuf> {
        state::cache_folder()
    }

    /// Opens the repository with the secret that is given or typed.
    pub fn open(&self) -> Outcome<Repository> {
        self.open_and_keep_secret().map(|(repository, _)| repository)
    }

    /// Opens the repository, and returns the secret as well.
    pub fn open_and_keep_secret(&self) -> Outcome<(Repository, GivenSecret)> {
        let destination = self.destination()?;
        // A missing repository is reported before a passphrase is asked for.
        destination.must_be_there()?;
        if let Some(given) = secret::given(&self.global)? {
            let repository = self.open_given(&destination, &given)?;
            return Ok((repository, given));
        }
        secret::must_have_terminal()?;
        for attempt in 1.. {
            let question = format!("Passphrase or recovery key for {}: ", destination.location());
            let typed = secret::prompt(&question)?;
            match self.open_given(&destination, &typed) {
                Err(Failure { exit: Exit::WrongSecret, what, .. }) if attempt < ATTEMPTS => {
                    self.screen.problem("", &format!("{what}; try again"));
                }
                Err(failure) => return Err(failure),
                Ok(repository) => return Ok((repository, typed)),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Opens the repository at a destination with a given secret.
    pub fn open_given(
        &self,
        destination: &Destination,
        given: &GivenSecret,
    ) -> Outcome<Repository> {
        self.open_with(destination, &given.secret()?).map_err(|failure| given.explain(failure))
    }

    /// Opens the repository at a destination with a secret.
    pub fn open_with(&self, destination: &Destination, secret: &Secret) -> Outcome<Repository> {
        let backend = match self.meter.get() {
            None => destination.backend(),
            Some(meter) => {
                let patient = Deadline::new(destination.backend(), PATIENCE);
                Arc::new(Metered::new(Arc::new(patient), Arc::clone(meter)))
            }
        };
        Ok(yore_engine::repository::open(backend, secret, self.cache())?)
    }

    /// Opens repositories from now on with a deadline and a meter, for at most `rate` bytes a second.
    pub fn serve(&self, rate: Option<u64>) -> Arc<Meter> {
        Arc::clone(self.meter.get_or_init(|| Arc::new(Meter::new(rate))))
    }
}
