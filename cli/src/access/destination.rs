//! The location of a repository, as people write it.
//!
//! A kind of destination is a variant of [`Destination`] and a line of [`SCHEMES`].

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yore_engine::Error;
use yore_engine::backend::{Backend, Folder};
use yore_engine::format::ObjectName;
use yore_platform::{name_bytes, name_from_bytes};

use crate::failure::{Failure, Outcome};
use crate::text::escape;

/// A place that holds a repository, or is to hold one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A folder, by its absolute path.
    Folder(PathBuf),
}

/// Reads what follows the colon of a scheme, together with the whole text for messages.
type Parse = fn(rest: &[u8], whole: &[u8]) -> Outcome<Destination>;

/// The schemes that are known. A path without a scheme is a folder.
const SCHEMES: [(&[u8], Parse); 1] = [(b"file", file_url)];

impl Destination {
    /// Returns the folder on this machine that holds the repository; `None` where it is elsewhere.
    pub fn local_folder(&self) -> Option<&Path> {
        match self {
            Destination::Folder(folder) => Some(folder),
        }
    }

    /// Returns the location for people.
    pub fn location(&self) -> String {
        match self {
            Destination::Folder(folder) => folder.display().to_string(),
        }
    }

    /// Returns the last part of the location.
    pub fn short_name(&self) -> Option<String> {
        match self {
            Destination::Folder(folder) => {
                folder.file_name().map(|name| name.to_string_lossy().into_owned())
            }
        }
    }

    /// Makes the engine's access to it.
    pub fn backend(&self) -> Arc<dyn Backend> {
        match self {
            Destination::Folder(folder) => Arc::new(Folder::new(folder)),
        }
    }

    /// Fails when no repository can be made there; changes nothing.
    pub fn check_vacant(&self) -> Outcome<()> {
        match self {
            Destination::Folder(folder) => Ok(Folder::new(folder).check_vacant()?),
        }
    }

    /// Fails when there is no repository.
    pub fn must_be_there(&self) -> Outcome<()> {
        let backend = self.backend();
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
            format!("this version writes to folders only, not to {}://", escape::name(scheme)),
            "give a folder, for instance where the disk or share is mounted: --repo /path",
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
    let (before, rest) = (escape::name(&bytes[..colon]), escape::name(&bytes[colon + 1..]));
    let meant = match before.as_str() {
        "s3" => format!("s3://{}", rest.trim_start_matches('/')),
        "sftp" => format!("sftp://{}", rest.replacen(':', "", 1)),
        "file" => format!("file:///{}", rest.trim_start_matches('/')),
        "rest" | "b2" | "azure" | "gs" | "rclone" => format!("rclone:REMOTE:{rest}"),
        drive if drive.len() == 1 => "a path of this system, such as /mnt/backup".to_owned(),
        host => format!("sftp://{host}/{}", rest.trim_start_matches('/')),
    };
    let typed = escape::name(bytes);
    Err(Failure::usage(
        format!("{typed} is no place that is understood"),
        format!(
            "perhaps {meant} was meant (this version writes to folders only); a folder of that name is ./{typed}"
        ),
    ))
}

/// Splits `scheme://rest`, or `volume:rest`.
fn scheme(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = (&bytes[..colon], &bytes[colon + 1..]);
    let is_word = !scheme.is_empty() && scheme.iter().all(u8::is_ascii_alphanumeric);
    match rest.strip_prefix(b"//") {
        Some(rest) if is_word => Some((scheme, rest)),
        _ if scheme == b"volume" => Some((scheme, rest)),
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
    fn other_schemes_are_refused_and_not_taken_for_folders() {
        for text in [
            "s3://bucket/x",
            "sftp://me@host/x",
            "volume:LABEL/x",
            "file://host/x",
            "s3:bucket",
            "sftp:me@nas:/x",
            "me@nas:/backup",
            "b2:x",
            "rest:http://host/x",
            "C:\\backup",
            "rclone:remote:path",
            "file:relative",
        ] {
            assert_eq!(folder(text), None, "{text}");
        }
        assert!(folder("./a:b").is_some_and(|path| path.ends_with("/a:b")));
    }
}
