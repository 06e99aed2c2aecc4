//! Key files that are made here, and other files that nobody else may read.

use std::io;
use std::path::{Path, PathBuf};

use yore_engine::format::Secret;
use yore_platform::{DurableFile, Published};

use crate::access::place::Place;
use crate::access::secret;
use crate::failure::engine_error::message;
use crate::failure::{Exit, Failure, Outcome};
use crate::text::escape;

/// A key file, with the key in it.
pub struct KeyFile {
    file: StoredKey,
    /// The key in it.
    pub secret: Secret,
}

/// A file that holds a key; dropping it removes one that was made here, unless it is kept.
pub struct StoredKey {
    path: PathBuf,
    origin: Origin,
}

#[derive(PartialEq, Eq)]
enum Origin {
    Made,
    Found,
}

impl KeyFile {
    /// Makes a key file, or takes the one that is there.
    pub fn make_or_take(path: &Path, places: &[Place]) -> Outcome<Self> {
        let path = outside(path, places, "key file")?;
        match std::fs::symlink_metadata(&path) {
            Ok(_) => Self::take(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = Secret::draw_key_file();
                match StoredKey::create(&path, &secret)? {
                    Some(file) => Ok(Self { file, secret }),
                    None => Self::take(path),
                }
            }
            Err(error) => Err(Failure::local(&path, error)),
        }
    }

    /// Makes a key file where nothing is.
    pub fn make(path: &Path, places: &[Place]) -> Outcome<Self> {
        let secret = Secret::draw_key_file();
        Ok(Self { file: StoredKey::store(path, &secret, places)?, secret })
    }

    fn take(path: PathBuf) -> Outcome<Self> {
        let text = secret::read_file(&path)?;
        match Secret::key_file(&path.display().to_string(), &text) {
            Ok(secret) => Ok(Self { file: StoredKey { path, origin: Origin::Found }, secret }),
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("{}, and it is not overwritten", message(&error)),
                "name a file that does not exist yet, or a Yore key file",
            )),
        }
    }

    /// Keeps the file, since it opens the repository now.
    pub fn keep(self) -> PathBuf {
        self.file.keep()
    }
}

impl StoredKey {
    /// Stores a key in a new file, outside the places that it opens.
    pub fn store(path: &Path, secret: &Secret, places: &[Place]) -> Outcome<Self> {
        let path = outside(path, places, "key file")?;
        Self::create(&path, secret)?.ok_or_else(|| exists(&path))
    }

    /// Stores a key; `None` when there is a file already.
    fn create(path: &Path, secret: &Secret) -> Outcome<Option<Self>> {
        let text = secret.to_text().unwrap_or_default();
        Ok(match create_private(path, text.as_bytes())? {
            Published::Created => Some(Self { path: path.into(), origin: Origin::Made }),
            Published::Exists => None,
        })
    }

    /// Keeps the file, since its key is of use now.
    pub fn keep(mut self) -> PathBuf {
        self.origin = Origin::Found;
        std::mem::take(&mut self.path)
    }
}

impl Drop for StoredKey {
    fn drop(&mut self) {
        if self.origin == Origin::Made {
            // A key that opens nothing does no harm when it can't be removed.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Returns the absolute path of a file that must not lie in a repository which its content opens.
pub fn outside(path: &Path, places: &[Place], what: &str) -> Outcome<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| Failure::local(path, error))?;
    let folders = places.iter().filter_map(|place| place.destination.local_folder());
    match folders.into_iter().any(|folder| path.starts_with(folder)) {
        false => Ok(path),
        true => Err(Failure::usage(
            format!("the {what} would lie inside the repository that it opens"),
            "keep it elsewhere: whoever has both can read everything",
        )),
    }
}

/// Makes the failure of a file that is there and is not overwritten.
pub fn exists(path: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{} is there already, and is not overwritten", path.display()),
        "name a file that does not exist yet",
    )
}

/// Stores a file that its owner alone can read, unless there is one of that name.
pub fn create_private(path: &Path, content: &[u8]) -> Outcome<Published> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        let shown = escape::text(&path.display().to_string());
        Failure::usage(format!("{shown} can't name a file"), "choose another name")
    })?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let local = |error| Failure::local(path, error);
    let mut file = DurableFile::create(folder, name).map_err(local)?;
    file.append(content).map_err(local)?;
    file.publish().map_err(local)
}
