//! Drives, servers and menus that were made or removed.

use serde::Serialize;

/// A drive that is mounted now.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "mount")]
pub struct Mount<'a> {
    /// The mountpoint.
    pub mountpoint: &'a str,
    /// The process that serves it.
    pub pid: u32,
}

/// A drive that is unmounted now.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "umount")]
pub struct Umount<'a> {
    /// The mountpoint.
    pub mountpoint: &'a str,
}

/// A WebDAV server that listens now.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "serve")]
pub struct WebdavServer<'a> {
    /// Always `webdav`.
    pub protocol: &'static str,
    /// Its address.
    pub url: String,
    /// The name to log in with.
    pub user: &'a str,
    /// The password; `None` when a file gave it.
    pub password: Option<&'a str>,
    /// The process.
    pub pid: u32,
}

/// An NFS server that listens now.
#[derive(Default, Serialize)]
#[serde(tag = "type", rename = "serve")]
pub struct NfsServer<'a> {
    /// Always `nfs`.
    pub protocol: &'static str,
    /// Its address.
    pub address: String,
    /// The path to mount, which is a secret.
    pub path: &'a str,
    /// The process.
    pub pid: u32,
}

/// A path that `desktop` processed.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "desktop")]
pub struct Desktop {
    /// The path.
    #[serde(flatten)]
    pub path: DesktopPath,
}

/// A path, in a field that names what was done to it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DesktopPath {
    /// A file that was installed.
    Installed(String),
    /// A file that was removed.
    Removed(String),
    /// A folder that was opened.
    Opened(String),
}

/// The result of `try`.
#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "try")]
pub struct Try<'a> {
    /// Tells that a drive was mounted.
    pub mounted: bool,
    /// The files that were copied out and compared.
    pub restored: &'a [String],
}
