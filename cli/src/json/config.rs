//! The configuration: destinations, sources and values.

use serde::Serialize;
use serde_json::Value;

/// A destination of the configuration, of `destination list`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "destination")]
pub struct ConfiguredDestination {
    /// The name.
    pub name: String,
    /// The location.
    pub location: String,
    /// Tells that it is normal for it to be absent.
    pub removable: bool,
    /// Tells that what is written there is read back.
    pub verify_writes: bool,
}

/// A destination that was added, with what was found there.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "destination_added")]
pub struct AddedDestination {
    /// The name.
    pub name: String,
    /// The location.
    pub location: String,
    /// One of `copy`, `created`, `repository` and `empty`.
    pub found: &'static str,
    /// Tells whether it creates an object only if it is absent; `None` where that can't be known yet.
    pub create_if_absent: Option<bool>,
    /// Tells whether what was written survives a loss of power.
    pub durable: bool,
    /// The duration of a request.
    pub round_trip_seconds: Option<f64>,
    /// The rate of writing; `None` where nothing can be written yet.
    pub write_bytes_per_second: Option<u64>,
    /// The rate of reading; `None` where there is nothing to read yet.
    pub read_bytes_per_second: Option<u64>,
    /// The free space in bytes; `None` where there is no limit.
    pub free_bytes: Option<u64>,
}

/// A source of the configuration.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "configured_source")]
pub struct ConfiguredSource {
    /// The name.
    pub name: String,
    /// The files and folders.
    pub paths: Vec<String>,
    /// The patterns of what is left out.
    pub exclude: Vec<String>,
}

/// An entry that the configuration does not have any more.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "removed")]
pub struct Removed<'a> {
    /// One of `destination`, `source` and `timer`.
    pub kind: &'static str,
    /// The name.
    pub name: &'a str,
}

/// A secret that was stored in the keyring.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "secret")]
pub struct StoredSecret<'a> {
    /// The name.
    pub name: &'a str,
}

/// The whole configuration.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "config")]
pub struct Config<'a> {
    /// The path of its file.
    pub path: &'a str,
    /// The keys and values as in the file.
    pub settings: Value,
}

/// A value of the configuration.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "config_value")]
pub struct ConfigValue<'a> {
    /// The key.
    pub key: &'a str,
    /// The value; null where it is not set any more.
    pub value: &'a Value,
}

/// The path of the configuration.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "config_path")]
pub struct ConfigPath<'a> {
    /// The path.
    pub path: &'a str,
}
