//! The location of a repository, as people write it.
//!
//! A kind of destination is a variant of [`Destination`] and a line of [`SCHEMES`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_engine::Error;
use yore_engine::backend::{Backend, Folder};
use yore_engine::format::ObjectName;
use yore_platform::{Medium, name_bytes, name_from_bytes, storage_medium};

use crate::failure::{Failure, Outcome};
use crate::text::escape;

mod rclone;
mod s3;
mod sftp;
mod ssh_settings;
mod volume;

pub use rclone::Remote;
pub use s3::BucketSettings;
pub use sftp::ServerFolder;
pub use ssh_settings::accept_unknown_hosts;
pub use volume::Volume;

/// A place that holds a repository, or is to hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// A folder on a disk that is mounted at any place, or is not there.
    Volume(Volume),
    /// A bucket.
    S3(Box<s3::Bucket>),
    /// A folder on a server, over SSH.
    Sftp(ServerFolder),
    /// Storage that rclone reaches.
    Rclone(Remote),
}

/// Reads what follows the colon of a scheme, together with the whole text for messages.
type Parse = fn(rest: &[u8], whole: &[u8]) -> Outcome<Destination>;

/// The schemes that are known. A path without a scheme is a folder.
const SCHEMES: [(&[u8], Parse); 5] = [
    (b"file", file_url),
    (b"rclone", rclone::parse),
    (b"s3", s3::parse),
    (b"sftp", sftp::parse),
    (b"volume", volume::parse),
];

impl Destination {
    /// Gives a bucket what its entry in the configuration has beside the URL; nothing to other kinds.
    pub fn with_bucket_settings(mut self, settings: BucketSettings) -> Self {
        if let Destination::S3(bucket) = &mut self {
            bucket.configure(settings);
        }
        self
    }

    /// Tells whether two URLs are the same, whatever the configuration has beside them.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Destination::S3(one), Destination::S3(other)) => one.location() == other.location(),
            _ => self == other,
        }
    }

    /// Returns the folder on this machine that holds the repository; `None` where it is elsewhere, or on a disk
    /// that is not there.
    pub fn local_folder(&self) -> Option<PathBuf> {
        match self {
            Destination::Folder(folder) => Some(folder.clone()),
            Destination::Volume(volume) => volume.folder().ok(),
            Destination::S3(_) => None,
            Destination::Sftp(_) | Destination::Rclone(_) => None,
        }
    }

    /// Returns the place of a write-only machine's inbox: `machines/NAME` inside of it.
    pub fn inbox(&self, machine: &str) -> Self {
        let inside = ["machines", machine];
        match self {
            Destination::Folder(folder) => {
                Destination::Folder(folder.join(inside[0]).join(machine))
            }
            Destination::Volume(volume) => Destination::Volume(volume.inside(&inside)),
            Destination::S3(bucket) => Destination::S3(Box::new(bucket.inside(&inside))),
            Destination::Sftp(folder) => Destination::Sftp(folder.inside(&inside)),
            Destination::Rclone(remote) => Destination::Rclone(remote.inside(&inside)),
        }
    }

    /// Returns the location for people.
    pub fn location(&self) -> String {
        match self {
            Destination::Folder(folder) => folder.display().to_string(),
            Destination::Volume(volume) => volume.location(),
            Destination::S3(bucket) => bucket.location(),
            Destination::Sftp(folder) => folder.location(),
            Destination::Rclone(remote) => remote.location(),
        }
    }

    /// Returns the last part of the location.
    pub fn short_name(&self) -> Option<String> {
        let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        match self {
            Destination::Folder(folder) => last(folder),
            Destination::Volume(volume) => last(volume.path()),
            Destination::S3(bucket) => Some(bucket.short_name()),
            Destination::Sftp(folder) => last(Path::new(folder.path())),
            Destination::Rclone(remote) => Some(remote.short_name()),
        }
    }

    /// Tells whether it is normal for it to be absent.
    pub fn is_removable(&self) -> bool {
        match self {
            Destination::Folder(_)
            | Destination::Sftp(_)
            | Destination::Rclone(_)
            | Destination::S3(_) => false,
            Destination::Volume(_) => true,
        }
    }

    /// Tells whether it is in another building, as far as its kind says.
    pub fn is_elsewhere(&self) -> bool {
        match self {
            // A server may be in the next room.
            Destination::Folder(_) | Destination::Volume(_) | Destination::Sftp(_) => false,
            Destination::Rclone(_) => true,
            Destination::S3(bucket) => !bucket.is_on_this_machine(),
        }
    }

    /// Tells whether it is a folder of another machine that is mounted here.
    pub fn is_on_share(&self) -> bool {
        let is_folder = matches!(self, Destination::Folder(_) | Destination::Volume(_));
        is_folder && matches!(self.medium(), Some(Medium::Server(_)))
    }

    /// Returns what it lies on; `None` where it is not there.
    pub fn medium(&self) -> Option<Medium> {
        match self {
            Destination::Folder(_) | Destination::Volume(_) => {
                storage_medium(&self.local_folder()?).ok()
            }
            Destination::S3(_) => None,
            Destination::Sftp(folder) => Some(Medium::Server(folder.host().to_owned())),
            Destination::Rclone(remote) => Some(Medium::Server(remote.name().to_owned())),
        }
    }

    /// Makes the engine's access to it.
    ///
    /// # Errors
    /// It is on a disk that is not there.
    pub fn backend(&self) -> Outcome<Arc<dyn Backend>> {
        match self {
            Destination::Folder(folder) => Ok(Arc::new(Folder::new(folder))),
            Destination::Volume(volume) => Ok(Arc::new(Folder::new(volume.folder()?))),
            Destination::S3(bucket) => Ok(Arc::new(bucket.backend())),
            Destination::Sftp(folder) => Ok(Arc::new(folder.backend()?)),
            Destination::Rclone(remote) => Ok(Arc::new(remote.backend())),
        }
    }

    /// Makes the engine's access to the inbox of a write-only machine, in which the machine may have made links.
    ///
    /// # Errors
    /// It is on a disk that is not there.
    pub fn inbox_backend(&self) -> Outcome<Arc<dyn Backend>> {
        match self {
            Destination::Folder(folder) => Ok(Arc::new(Folder::confined(folder))),
            Destination::Volume(volume) => Ok(Arc::new(Folder::confined(volume.folder()?))),
            Destination::Sftp(folder) => Ok(Arc::new(folder.backend()?.confined())),
            // They have no links, or do not follow them.
            Destination::S3(_) | Destination::Rclone(_) => self.backend(),
        }
    }

    /// Fails when no repository can be made there; changes nothing.
    pub fn check_vacant(&self) -> Outcome<()> {
        match self {
            Destination::Folder(folder) => Ok(Folder::new(folder).check_vacant()?),
            Destination::Volume(volume) => Ok(Folder::new(volume.folder()?).check_vacant()?),
            Destination::S3(bucket) => Ok(bucket.backend().check_vacant()?),
            Destination::Sftp(folder) => Ok(folder.backend()?.check_vacant()?),
            Destination::Rclone(remote) => Ok(remote.backend().check_vacant()?),
        }
    }

    /// Fails when there is no repository.
    pub fn must_be_there(&self) -> Outcome<()> {
        let backend = self.backend()?;
        match backend.size(&ObjectName::header())? {
            None => Err(Error::NoRepository { location: self.location() }.into()),
            Some(_) => Ok(()),
        }
    }
}

/// Reads a path or URL.
pub fn parse(text: &OsStr) -> Outcome<Destination> {
    let bytes = name_bytes(text);
    let Some((scheme, rest)) = scheme(bytes) else {
        must_be_a_path(bytes)?;
        return folder(Path::new(text));
    };
    match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, parse)) => parse(rest, bytes),
        None => Err(Failure::usage(
            format!("{}:// is no kind of destination that is known", escape::name(scheme)),
            "give a folder, sftp://user@host/path, s3://BUCKET/PREFIX, or rclone:REMOTE:PATH for anything that rclone \
             reaches",
        )),
    }
}

fn folder(path: &Path) -> Outcome<Destination> {
    let absolute = std::path::absolute(path).map_err(|error| Failure::local(path, error))?;
    Ok(Destination::Folder(absolute))
}

/// Reads `file:///path` and `file://localhost/path`.
fn file_url(rest: &[u8], whole: &[u8]) -> Outcome<Destination> {
    match rest.strip_prefix(b"localhost").unwrap_or(rest) {
        path @ [b'/', ..] => folder(Path::new(&name_from_bytes(&percent_decoded(path)))),
        _ => Err(Failure::usage(
            format!("{} names no absolute path", escape::name(whole)),
            "write three slashes: file:///path",
        )),
    }
}

/// Refuses a colon before the first slash: a folder of that name in the working directory is not meant.
fn must_be_a_path(bytes: &[u8]) -> Outcome<()> {
    let first = bytes.split(|byte| *byte == b'/').next().unwrap_or_default();
    let Some(colon) = first.iter().position(|byte| *byte == b':') else { return Ok(()) };
    let may_have_password = first[colon..].contains(&b'@') && &first[..colon] != b"sftp";
    if may_have_password || first.iter().filter(|byte| **byte == b':').count() > 2 {
        return Err(Failure::usage(
            "this is no place that is understood, and is not repeated as it may hold a password",
            "write sftp://user@host/path, without a password: keys and the agent are used",
        ));
    }
    let (before, rest) = (escape::name(&bytes[..colon]), escape::name(&bytes[colon + 1..]));
    let meant = match before.as_str() {
        "s3" => format!("s3://{}", rest.trim_start_matches('/')),
        "sftp" => format!("sftp://{}", rest.replacen(':', "", 1)),
        "file" => format!("file:///{}", rest.trim_start_matches('/')),
        "rest" | "b2" | "azure" | "gs" => format!("rclone:REMOTE:{rest}"),
        drive if drive.len() == 1 => "a path of this system, such as /mnt/backup".to_owned(),
        host => format!("sftp://{host}/{}", rest.trim_start_matches('/')),
    };
    let typed = escape::name(bytes);
    Err(Failure::usage(
        format!("{typed} is no place that is understood"),
        format!("perhaps {meant} was meant; a folder of that name is ./{typed}"),
    ))
}

/// Splits `scheme://rest`, `rclone:rest`, or `volume:rest`.
fn scheme(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
    let is_word = !scheme.is_empty() && scheme.iter().all(u8::is_ascii_alphanumeric);
    match rest.strip_prefix(b"//") {
        Some(rest) if is_word => Some((scheme, rest)),
        _ if scheme == b"rclone" || scheme == b"volume" => Some((scheme, rest)),
        _ => None,
    }
}

fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

/// Returns a path with further parts.
fn joined(path: &str, parts: &[&str]) -> String {
    let path = path.strip_suffix('/').unwrap_or(path);
    match path.is_empty() {
        true => parts.join("/"),
        false => format!("{path}/{}", parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(text: &str) -> Option<String> {
        parse(OsStr::new(text)).ok().map(|destination| destination.location())
    }

    #[test]
    fn folders_are_understood_as_paths_and_urls() {
        for (text, expected) in [
            ("/mnt/disk", "/mnt/disk"),
            ("file:///mnt/my%20disk", "/mnt/my disk"),
            ("file://localhost/mnt", "/mnt"),
            ("/mnt/odd:name", "/mnt/odd:name"),
            ("/mnt/100%", "/mnt/100%"),
        ] {
            assert_eq!(folder(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn servers_and_remotes_are_understood_and_shown_as_they_were_written() {
        for text in [
            "sftp://me@host:2222/backups/a%20b",
            "sftp://host/x",
            "sftp://host/~/x",
            "sftp://[::1]:22/x",
            "rclone:remote:path/to",
            "rclone:my remote:",
        ] {
            let shown = text.replace("%20", " ");
            assert_eq!(folder(text).as_deref(), Some(shown.as_str()), "{text}");
        }
        assert_eq!(folder("sftp://host/./x").as_deref(), Some("sftp://host/~/x"));
    }

    #[test]
    fn an_inbox_lies_inside_of_its_destination() {
        for (text, expected) in [
            ("/mnt/disk", "/mnt/disk/machines/web01"),
            ("volume:DISK/yore", "volume:DISK/yore/machines/web01"),
            ("volume:DISK", "volume:DISK/machines/web01"),
            ("sftp://me@host/backups/", "sftp://me@host/backups/machines/web01"),
            ("sftp://host/~/x", "sftp://host/~/x/machines/web01"),
            ("sftp://host/", "sftp://host/machines/web01"),
            ("rclone:remote:", "rclone:remote:machines/web01"),
            ("rclone:remote:a/b", "rclone:remote:a/b/machines/web01"),
            ("s3://bucket/a?region=x", "s3://bucket/a/machines/web01?region=x"),
            ("s3://bucket", "s3://bucket/machines/web01"),
        ] {
            let destination = parse(OsStr::new(text)).expect(text);
            assert_eq!(destination.inbox("web01").location(), expected, "{text}");
        }
    }

    #[test]
    fn other_schemes_are_refused_and_not_taken_for_folders() {
        for text in [
            "sftp://me@host",
            "sftp://me:secret@host/x",
            "sftp://host:port/x",
            "sftp:///x",
            "volume:/x",
            "file://host/x",
            "s3:bucket",
            "sftp:me@nas:/x",
            "me@nas:/backup",
            "b2:x",
            "rest:http://host/x",
            "C:\\backup",
            "rclone:remote",
            "rclone::sftp,host=h,pass=secret:x",
            "me:secret@host:/x",
            "file:relative",
        ] {
            assert_eq!(folder(text), None, "{text}");
        }
        for text in ["sftp://me:secret@host/x", "me:secret@host:/x", "rclone::s3,key=secret:x"] {
            let failure = parse(OsStr::new(text)).expect_err("it is refused");
            let told = format!("{} {:?}", failure.what, failure.hint);
            assert!(!told.contains("secret"), "{text}: {told}");
        }
        assert!(folder("./a:b").is_some_and(|path| path.ends_with("/a:b")));
    }
}
