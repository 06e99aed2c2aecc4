//! The keyring of the desktop: the Secret Service of GNOME, KDE or KeePassXC, on the message bus of the person
//! (<https://specifications.freedesktop.org/secret-service-spec/latest/>).
//!
//! An item has the attributes `service` and `username`, as other programs give them: `secret-tool lookup service yore
//! username NAME` finds it. Secrets travel unencrypted over the bus, a socket of this person: whoever could listen there
//! could ask for them as well.

use std::collections::HashMap;
use std::time::Duration;

use dbus_secret_service::{EncryptionType, Error, Item, SecretService};

use crate::keyring::KeyringError;

/// The service of each item.
const SERVICE: &str = "yore";
/// The type of secrets.
const TEXT: &str = "text/plain";

/// Returns the secret of a name; `None` where there is none.
///
/// A person has `patience` to unlock it, when asked by the keyring itself; nobody is asked without any.
pub fn secret_in_keyring(name: &str, patience: Duration) -> Result<Option<Vec<u8>>, KeyringError> {
    let service = connect(patience)?;
    match find(&service, name)? {
        Some(item) => item.get_secret().map(Some).map_err(failed),
        None => Ok(None),
    }
}

/// Stores the secret of a name, in place of another one.
pub fn store_in_keyring(name: &str, secret: &[u8], patience: Duration) -> Result<(), KeyringError> {
    let service = connect(patience)?;
    if let Some(item) = find(&service, name)? {
        return item.set_secret(secret, TEXT).map_err(failed);
    }
    let collection = service.get_default_collection().map_err(failed)?;
    collection.ensure_unlocked().map_err(failed)?;
    let label = format!("Yore: {name}");
    let made = collection.create_item(&label, attributes(name), secret, true, TEXT);
    made.map(drop).map_err(failed)
}

/// Removes the secret of a name; returns false where there is none.
pub fn remove_from_keyring(name: &str, patience: Duration) -> Result<bool, KeyringError> {
    let service = connect(patience)?;
    match find(&service, name)? {
        Some(item) => item.delete().map(|()| true).map_err(failed),
        None => Ok(false),
    }
}

fn connect(patience: Duration) -> Result<SecretService, KeyringError> {
    SecretService::connect_with_max_prompt_timeout(EncryptionType::Plain, patience.as_secs())
        .map_err(|error| KeyringError::Absent(error.to_string()))
}

fn attributes(name: &str) -> HashMap<&str, &str> {
    HashMap::from([("service", SERVICE), ("username", name)])
}

/// Finds the item of a name, and unlocks it.
fn find<'s>(service: &'s SecretService, name: &str) -> Result<Option<Item<'s>>, KeyringError> {
    let mut found = service.search_items(attributes(name)).map_err(failed)?;
    if let Some(item) = found.unlocked.pop() {
        return Ok(Some(item));
    }
    let Some(item) = found.locked.pop() else { return Ok(None) };
    item.unlock().map_err(failed)?;
    Ok(Some(item))
}

fn failed(error: Error) -> KeyringError {
    match error {
        Error::Locked | Error::Prompt => KeyringError::Locked,
        Error::Unavailable => KeyringError::Absent(error.to_string()),
        other => KeyringError::Failed(other.to_string()),
    }
}
