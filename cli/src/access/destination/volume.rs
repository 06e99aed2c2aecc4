//! A folder on a disk that is found by its label or number: `volume:LABEL/path`.

use std::path::{Component, Path, PathBuf};

use yore_platform::{VolumeName, find_volume, name_from_bytes};

use super::{Destination, percent_decoded};
use crate::failure::{Exit, Failure, Outcome};
use crate::text::escape;

/// The file by which a folder is known to hold a repository.
const HEADER: &str = "yore.cbor";

/// A folder on a volume, wherever that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    name: VolumeName,
    /// The path from the top of the volume.
    path: PathBuf,
}

/// Reads what follows `volume:`: a label or number, then a path.
pub(super) fn parse(rest: &[u8], whole: &[u8]) -> Outcome<Destination> {
    let refused = |what: &str| {
        Failure::usage(
            format!("{} {what}", escape::name(whole)),
            "write volume:LABEL/path, or volume:UUID=number/path; `lsblk -f` shows both",
        )
    };
    let (name, path) = match rest.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&rest[..slash], &rest[slash..]),
        None => (rest, &b""[..]),
    };
    let name = String::from_utf8(percent_decoded(name)).map_err(|_| refused("is no text"))?;
    let path = PathBuf::from(name_from_bytes(&percent_decoded(path)));
    if path.components().any(|component| component == Component::ParentDir) {
        return Err(refused("leaves its disk by `..`"));
    }
    let path = path.components().filter(|c| matches!(c, Component::Normal(_))).collect();
    let name = match name.split_once('=') {
        Some(("LABEL", label)) => VolumeName::Label(label.to_owned()),
        Some(("UUID", number)) => VolumeName::Uuid(number.to_owned()),
        Some(("PARTUUID", number)) => VolumeName::PartitionUuid(number.to_owned()),
        _ => VolumeName::Any(name),
    };
    match text_of(&name).is_empty() {
        true => Err(refused("names no disk")),
        false => Ok(Destination::Volume(Volume { name, path })),
    }
}

fn text_of(name: &VolumeName) -> &str {
    match name {
        VolumeName::Label(text)
        | VolumeName::Uuid(text)
        | VolumeName::PartitionUuid(text)
        | VolumeName::Any(text) => text,
    }
}

impl Volume {
    /// Returns the location for people.
    pub fn location(&self) -> String {
        let kind = match self.name {
            VolumeName::Label(_) => "LABEL=",
            VolumeName::Uuid(_) => "UUID=",
            VolumeName::PartitionUuid(_) => "PARTUUID=",
            VolumeName::Any(_) => "",
        };
        let text = text_of(&self.name).replace('%', "%25").replace('/', "%2F");
        let path = self.path.display();
        match self.path.as_os_str().is_empty() {
            true => format!("volume:{kind}{text}"),
            false => format!("volume:{kind}{text}/{path}"),
        }
    }

    /// Returns a folder inside of this one.
    pub(super) fn inside(&self, parts: &[&str]) -> Self {
        let path = parts.iter().fold(self.path.clone(), |path, part| path.join(part));
        Self { name: self.name.clone(), path }
    }

    /// Returns the path from the top of the volume.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder where it is now.
    ///
    /// # Errors
    /// The disk is not mounted, which is normal; several of that name are.
    pub fn folder(&self) -> Outcome<PathBuf> {
        let found = find_volume(&self.name, &self.path)
            .map_err(|error| Failure::local(Path::new("/proc/self/mountinfo"), error))?;
        let holders: Vec<&PathBuf> =
            found.iter().filter(|folder| folder.join(HEADER).exists()).collect();
        let name = escape::text(text_of(&self.name));
        match (found.as_slice(), holders.as_slice()) {
            ([only], _) => Ok(only.clone()),
            (_, [only]) => Ok((*only).clone()),
            ([], _) => Err(Failure::new(
                Exit::NoRepository,
                format!("the disk {name} is not there"),
                "attach it and mount it, then run the command again",
            )),
            (several, _) => {
                let folders: Vec<String> =
                    several.iter().map(|folder| folder.display().to_string()).collect();
                Err(Failure::usage(
                    format!("several mounted disks are called {name}: {}", folders.join(", ")),
                    "name the one that is meant by its number: volume:UUID=number/path \
                     (`lsblk -f` shows the numbers)",
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(text: &str) -> Option<Volume> {
        match super::super::parse(text.as_ref()).ok()? {
            Destination::Volume(volume) => Some(volume),
            _ => None,
        }
    }

    #[test]
    fn labels_and_numbers_with_a_path_are_understood() {
        let label = |text: &str| VolumeName::Any(text.into());
        for (text, name, path) in [
            ("volume:DISK/yore", label("DISK"), "yore"),
            ("volume:My Disk/a/b", label("My Disk"), "a/b"),
            ("volume:My%20Disk/a//b/", label("My Disk"), "a/b"),
            ("volume:Größe", label("Größe"), ""),
            ("volume://DISK/yore", label("DISK"), "yore"),
            ("volume:a%2Fb/yore", label("a/b"), "yore"),
            ("volume:LABEL=1234-ABCD/x", VolumeName::Label("1234-ABCD".into()), "x"),
            ("volume:UUID=1234-ABCD/x", VolumeName::Uuid("1234-ABCD".into()), "x"),
            ("volume:PARTUUID=01/x", VolumeName::PartitionUuid("01".into()), "x"),
        ] {
            let volume = volume(text).expect(text);
            assert_eq!((volume.name.clone(), volume.path()), (name, Path::new(path)), "{text}");
            let again = super::tests::volume(&volume.location()).expect("its location is one");
            assert_eq!(again, volume, "{text}");
        }
        for text in ["volume:", "volume:/x", "volume:LABEL=/x", "volume:DISK/../x"] {
            assert_eq!(volume(text), None, "{text}");
        }
    }

    #[test]
    fn a_disk_that_is_not_there_is_no_repository_and_nothing_worse() {
        let volume = volume("volume:no such disk/yore").expect("a volume");
        let failure = volume.folder().expect_err("it is absent");
        assert_eq!(failure.exit, Exit::NoRepository);
        assert!(failure.what.contains("no such disk"), "{}", failure.what);
    }
}
