//! The names in a folder of a server, with what the server tells of each.

use std::io;

use yore_platform::{DeviceNumber, Kind, Listing, Metadata, Owner, Timestamp};

use crate::backend::sftp::protocol::listing::RawName;
use crate::backend::sftp::protocol::packet::Attributes;
use crate::path::Name;

/// The names in a folder, in the order of their bytes.
#[derive(Debug)]
pub(super) struct Names(Vec<RawName>);

impl Names {
    /// Sorts names as a server listed them.
    ///
    /// # Errors
    /// One of them is no name: it has a slash, say.
    pub(super) fn new(mut names: Vec<RawName>) -> io::Result<Self> {
        if names.iter().any(|listed| Name::new(&listed.name).is_none()) {
            let text = "the server lists something that is no name of a file";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        names.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        names.dedup_by(|a, b| a.name == b.name);
        names.shrink_to_fit();
        Ok(Self(names))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.find(name).is_some()
    }

    /// Returns what the server told of a name when it listed it.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Attributes> {
        let at = self.0.binary_search_by(|listed| listed.name.as_slice().cmp(name)).ok()?;
        self.0.get(at).map(|listed| &listed.attributes)
    }

    /// Returns the names of folders.
    pub(super) fn folders(&self) -> impl Iterator<Item = &[u8]> {
        let folders = self.0.iter().filter(|one| kind_of(&one.attributes) == Some(Kind::Directory));
        folders.map(|one| one.name.as_slice())
    }

    /// Puts the names into a listing.
    pub(super) fn list(&self, listing: &mut Listing) -> io::Result<()> {
        listing.refill(self.0.iter().map(|one| (one.name.as_slice(), kind_of(&one.attributes))))
    }
}

/// Returns the error of a name that is not there.
pub(super) fn not_there() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such file or folder")
}

/// Returns the kind of a file; `None` where the server does not tell it.
fn kind_of(attributes: &Attributes) -> Option<Kind> {
    Some(match attributes.mode? & 0o170_000 {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Symlink,
        0o010_000 => Kind::Fifo,
        0o140_000 => Kind::Socket,
        0o020_000 => Kind::CharDevice,
        0o060_000 => Kind::BlockDevice,
        _ => return None,
    })
}

/// Returns metadata of what a server tells. A file is taken for one without holes, with one name.
///
/// # Errors
/// The server does not tell its kind, size or time, without which no change would be seen.
pub(super) fn metadata_of(attributes: &Attributes) -> io::Result<Metadata> {
    let (Some(kind), Some(size), Some(modified)) =
        (kind_of(attributes), attributes.size, attributes.modified)
    else {
        let text = "the server does not tell its kind, size or time";
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    };
    Ok(Metadata {
        kind,
        mode: attributes.mode.map(|mode| mode & 0o7777),
        owner: attributes.owner.map(|(uid, gid)| Owner { uid, gid }),
        size,
        modified: Timestamp { seconds: i64::from(modified), nanos: 0 },
        changed: None,
        born: None,
        inode: 0,
        device: 0,
        links: 1,
        device_number: DeviceNumber::default(),
        allocated: size,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &[u8]) -> RawName {
        RawName { name: name.to_vec(), attributes: Attributes::default() }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [&b"a/b"[..], b"/etc", b"", b"a\0b"] {
            assert!(Names::new(vec![listed(b"good"), listed(name)]).is_err(), "{name:?}");
        }
        let names = Names::new(vec![listed(b"b"), listed(b"\xff"), listed(b"a"), listed(b"b")]);
        let names = names.expect("they are names");
        assert_eq!(names.len(), 3);
        assert!(names.has(b"\xff") && names.has(b"a") && !names.has(b"c"));
    }

    #[test]
    fn a_file_of_which_a_server_does_not_tell_enough_is_not_guessed_at() {
        let whole = Attributes {
            size: Some(5),
            owner: None,
            mode: Some(0o100_644),
            modified: Some(u32::MAX),
        };
        let found = metadata_of(&whole).expect("it tells enough");
        assert_eq!((found.kind, found.mode, found.owner), (Kind::File, Some(0o644), None));
        assert_eq!(found.modified.seconds, 4_294_967_295);
        for less in [
            Attributes { size: None, ..whole },
            Attributes { mode: None, ..whole },
            Attributes { mode: Some(0), ..whole },
            Attributes { modified: None, ..whole },
        ] {
            assert!(metadata_of(&less).is_err(), "{less:?}");
        }
    }
}
