//! The folders that this program keeps for itself, and which installation it is.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use yore_engine::format::ClientId;
use yore_platform::{DurableFile, create_private_dir, machine_digest};

use crate::failure::{Exit, Failure, Outcome};

const CLIENT: &str = "client";

fn folder_or(variable: &str, usual: impl FnOnce(&ProjectDirs) -> PathBuf) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(folder) if !folder.is_empty() => std::path::absolute(folder).ok(),
        _ => ProjectDirs::from("", "", "yore").map(|folders| usual(&folders)),
    }
}

/// Returns the folder of caches, which may be removed at any time.
pub fn cache_folder() -> Option<PathBuf> {
    folder_or("YORE_CACHE_DIR", |folders| folders.cache_dir().to_owned())
}

/// Returns the folder in which this program keeps its state.
pub fn state_folder() -> Option<PathBuf> {
    let usual = |folders: &ProjectDirs| {
        folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned()
    };
    folder_or("YORE_STATE_DIR", usual)
}

/// Returns the id of this installation; draws it the first time.
pub fn client() -> Outcome<ClientId> {
    client_in(&folder_of_client()?, &own_name())
}

/// Stores another id for this machine, which the machines that share the folder do not use.
pub fn replace_client(client: ClientId) -> Outcome<()> {
    let (folder, name) = (folder_of_client()?, own_name());
    let path = folder.join(&name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        removed => removed.map_err(|error| Failure::local(&path, error))?,
    }
    save(&folder, &name, client)
}

fn folder_of_client() -> Outcome<PathBuf> {
    state_folder().ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "there is no home folder in which to remember this installation",
            "name a folder: export YORE_STATE_DIR=/var/lib/yore",
        )
    })
}

/// Returns the name of the file that this machine does not share.
fn own_name() -> String {
    machine_digest().map_or(CLIENT.into(), |machine| format!("{CLIENT}-{machine}"))
}

fn client_in(folder: &Path, own: &str) -> Outcome<ClientId> {
    create_private_dir(folder).map_err(|error| Failure::local(folder, error))?;
    for name in [own, CLIENT] {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => return parse_client(&path, &bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::local(&path, error)),
        }
    }
    save(folder, CLIENT, draw_client())?;
    // Of two that start at once, one draws the name, and both read it.
    let path = folder.join(CLIENT);
    parse_client(&path, &std::fs::read(&path).map_err(|error| Failure::local(&path, error))?)
}

fn save(folder: &Path, name: &str, client: ClientId) -> Outcome<()> {
    let local = |error| Failure::local(&folder.join(name), error);
    let mut file = DurableFile::create(folder, name).map_err(local)?;
    file.append(&client.0).map_err(local)?;
    file.publish().map(drop).map_err(local)
}

/// Draws an id for an installation.
pub fn draw_client() -> ClientId {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    ClientId(bytes)
}

fn parse_client(path: &Path, bytes: &[u8]) -> Outcome<ClientId> {
    bytes.try_into().map(ClientId).map_err(|_| {
        Failure::new(
            Exit::Failed,
            format!("{} does not name an installation", path.display()),
            "remove it; the next backup draws a new name",
        )
    })
}
