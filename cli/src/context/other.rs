//! Opening a second repository, from which snapshots are copied.

use yore_engine::repository::Repository;

use super::{ATTEMPTS, Context};
use crate::access::destination;
use crate::access::place::Place;
use crate::access::secret::{self, GivenSecret};
use crate::args::other_repository::OtherRepository;
use crate::failure::{Exit, Failure, Outcome};

impl Context {
    /// Opens a second repository with the secret that its options give, or that is typed.
    pub fn open_other(&self, other: &OtherRepository) -> Outcome<Repository> {
        let place = Place::unnamed(destination::parse(&other.from)?);
        let given = secret::of_other(other);
        // A missing repository is reported before a secret that is missing, too, or asked for.
        place.destination.must_be_there().map_err(|failure| match failure.exit {
            Exit::NoRepository => {
                let hint = "--from names the repository from which snapshots are copied: check the path, and that its \
                            disk or share is mounted";
                Failure { hint: Some(hint.into()), ..failure }
            }
            _ => failure,
        })?;
        if let Some(given) = given? {
            return self.open_other_with(&place, &given);
        }
        if secret::must_have_terminal().is_err() {
            return Err(Failure::usage(
                "the secret of the other repository is needed, and there is no terminal on which to ask for it",
                "give one of: --from-key-file FILE, --from-password-file FILE, --from-password-command CMD",
            ));
        }
        let question = format!("Passphrase or recovery key for {}: ", place.title());
        for attempt in 1.. {
            match self.open_other_with(&place, &secret::prompt(&question)?) {
                Err(Failure { exit: Exit::WrongSecret, what, .. }) if attempt < ATTEMPTS => {
                    self.screen.problem("", &format!("{what}; try again"));
                }
                outcome => return outcome,
            }
        }
        unreachable!("the last attempt returns")
    }

    fn open_other_with(&self, place: &Place, given: &GivenSecret) -> Outcome<Repository> {
        let (backend, secret) = (self.backend(place)?, given.secret()?);
        let opened = yore_engine::repository::open(backend, &secret, self.cache());
        let failed = |error| {
            let failure = given.explain(Failure::from(error));
            let hint = "--from-key-file, --from-password-file and --from-password-command give the secret of the \
                        repository that --from names";
            match (failure.exit, &failure.hint) {
                (Exit::WrongSecret, None) => Failure { hint: Some(hint.into()), ..failure },
                _ => failure,
            }
        };
        opened.map_err(failed)
    }
}
