//! A database of SQLite as it is at one moment, although programs use it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use crate::access::state;
use crate::failure::{Exit, Failure, Outcome};

/// The time for which a database that another program has locked is asked again.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Copies a database into a private file, by SQLite's own interface for backups, and opens the copy.
///
/// All pages are copied in one step, so that a program that writes all the time does not make it begin again.
///
/// # Errors
/// It is no database, or another program keeps it locked for a minute.
pub fn copy(database: &Path) -> Outcome<File> {
    let folder = state::state_folder().unwrap_or_else(std::env::temp_dir);
    yore_platform::create_private_dir(&folder).map_err(|error| Failure::local(&folder, error))?;
    let local = |error| Failure::local(&folder, error);
    let copy = tempfile::Builder::new().prefix("sqlite-").tempfile_in(&folder).map_err(local)?;
    let failed = |error: rusqlite::Error| failure(database, &error);
    let source =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    source.busy_timeout(PATIENCE).map_err(failed)?;
    let mut target = Connection::open(copy.path()).map_err(failed)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(failed)?;
        let mut left = PATIENCE.as_millis() / PAUSE.as_millis();
        loop {
            match backup.step(-1).map_err(failed)? {
                StepResult::Done => break,
                _ if left == 0 => return Err(locked(database)),
                _ => std::thread::sleep(PAUSE),
            }
            left -= 1;
        }
    }
    drop(target);
    File::open(copy.path()).map_err(local)
}

fn failure(database: &Path, error: &rusqlite::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} can't be read as a database of SQLite: {error}", database.display()),
        "no snapshot was made of it; a file that is none belongs to a source of kind files",
    )
}

fn locked(database: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} was locked by another program for a minute", database.display()),
        "no snapshot was made of it; run the backup when that program lets go",
    )
}
