//! The keys of a repository.

use serde::Serialize;
use yore_engine::format::{SecretKind, Slot};

/// A secret that opens the repository, without the secret itself.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "key")]
pub struct Key {
    /// The id.
    pub id: String,
    /// The kind of the secret.
    pub kind: &'static str,
    /// The label.
    pub label: String,
    /// The time when it was made.
    pub created: String,
    /// Tells that it opened the repository now.
    pub this_one: bool,
    /// Tells that it was removed, and is still at these destinations.
    pub removed: bool,
    /// The destinations that it opens.
    pub destinations: Vec<String>,
}

/// A key that was added.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "key_added")]
pub struct KeyAdded<'a> {
    /// The id.
    pub id: String,
    /// The kind of the secret.
    pub kind: &'static str,
    /// The label.
    pub label: String,
    /// The path of the key file that was made.
    pub key_file: Option<&'a str>,
    /// The recovery key, which is shown only here.
    pub recovery_key: Option<&'a str>,
    /// The path of the page that was written.
    pub page: Option<&'a str>,
    /// The destinations that do not have it yet.
    pub missing: Vec<String>,
}

/// A key that was removed.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "key_removed")]
pub struct KeyRemoved {
    /// The id.
    pub id: String,
    /// The kind of the secret.
    pub kind: &'static str,
    /// The label.
    pub label: String,
    /// The destinations that it still opens.
    pub still_opens: Vec<String>,
}

impl KeyAdded<'_> {
    /// Takes a slot of the engine, and the destinations that do not have it.
    pub fn new(slot: &Slot, missing: Vec<String>) -> Self {
        let (id, label) = (slot.id.to_string(), slot.label.clone());
        Self { id, kind: key_kind(slot), label, missing, ..Self::default() }
    }
}

/// The word for the key of a write-only machine.
pub const WRITE_ONLY: &str = "write_only";

/// Returns the word for the kind of a key.
pub fn key_kind(slot: &Slot) -> &'static str {
    match slot.kind {
        Some(SecretKind::Passphrase) => "passphrase",
        Some(SecretKind::KeyFile) => "key_file",
        Some(SecretKind::Recovery) => "recovery_key",
        Some(SecretKind::WriteOnly) => WRITE_ONLY,
        None => "unknown",
    }
}
