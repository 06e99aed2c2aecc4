//! A place of a secret that a configuration names: a file, a command, or the keyring of the desktop.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use yore_platform::KeyringError;
use zeroize::Zeroizing;

use super::{from_command, read_file, text};
use crate::failure::{Exit, Failure, Outcome};
use crate::text::escape;

/// The time that a person has to unlock the keyring.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place of a secret, which is not the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// A file that holds it.
    File(PathBuf),
    /// A command that prints it.
    Command(OsString),
    /// A name in the keyring of the desktop.
    Keyring(String),
}

impl Reference {
    /// Reads the secret, without its line end.
    pub fn read(&self) -> Outcome<Zeroizing<String>> {
        match self {
            Reference::File(path) => read_file(path),
            Reference::Command(command) => from_command(command),
            Reference::Keyring(name) => from_keyring(name),
        }
    }
}

fn from_keyring(name: &str) -> Outcome<Zeroizing<String>> {
    let found = yore_platform::secret_in_keyring(name, patience()).map_err(explain)?;
    match found.map(Zeroizing::new) {
        Some(secret) => text(&format!("the secret {} of the keyring", escape::text(name)), secret),
        None => Err(Failure::new(
            Exit::Failed,
            format!("the keyring of the desktop has no secret {}", escape::text(name)),
            format!("store it: yore secret set {}", escape::text(name)),
        )),
    }
}

/// Stores a secret in the keyring.
pub fn store(name: &str, secret: &str) -> Outcome<()> {
    yore_platform::store_in_keyring(name, secret.as_bytes(), patience()).map_err(explain)
}

/// Removes a secret from the keyring; returns false where there is none.
pub fn remove(name: &str) -> Outcome<bool> {
    yore_platform::remove_from_keyring(name, patience()).map_err(explain)
}

/// Returns the time that a person has to unlock the keyring: none where nobody is.
fn patience() -> Duration {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .into_iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let is_somebody = has_display || io::stdin().is_terminal();
    if is_somebody { PATIENCE } else { Duration::ZERO }
}

fn explain(error: KeyringError) -> Failure {
    let (what, hint) = match error {
        KeyringError::Absent(why) => (
            // libdbus tells what it would start itself if it could.
            match why.contains("autolaunch") {
                true => "the keyring of the desktop can't be reached: no session of one runs here"
                    .into(),
                false => {
                    format!("the keyring of the desktop can't be reached: {}", escape::text(&why))
                }
            },
            "it is there when you are logged in to a desktop with GNOME Keyring, KWallet or KeePassXC; for timers \
             without one, name a file or a command: password-file, password-command",
        ),
        KeyringError::Locked => (
            "the keyring of the desktop is locked".to_owned(),
            "unlock it, as logging in to the desktop does; for timers that run before that, name a file or a \
             command: password-file, password-command",
        ),
        KeyringError::Failed(why) => (
            format!("the keyring of the desktop: {}", escape::text(&why)),
            "look at it with its own program (Passwords and Keys, KWalletManager)",
        ),
    };
    Failure::new(Exit::Failed, what, hint)
}
