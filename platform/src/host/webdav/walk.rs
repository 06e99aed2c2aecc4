//! From a path to what it stands for, through symbolic links.

use crate::metadata::Kind;
use crate::volume::{Attr, Ino, Volume, VolumeError};

/// How many links a path may go through, as on Linux.
const MAX_LINKS: usize = 40;

/// The way to a directory: those from the root down to it.
#[derive(Clone)]
pub(super) struct Way(Vec<Ino>);

impl Way {
    /// The way to the root.
    pub(super) fn root() -> Way {
        Way(vec![Ino::ROOT])
    }

    /// The directory that it leads to.
    pub(super) fn end(&self) -> Ino {
        self.0.last().copied().unwrap_or(Ino::ROOT)
    }

    fn climb(&mut self) -> Result<(), VolumeError> {
        self.0.pop();
        if self.0.is_empty() { Err(VolumeError::NotFound) } else { Ok(()) }
    }
}

/// Goes on along `path` (names divided by `/`) and returns what it leads to; `way` then ends there,
/// or in the directory that holds it. Links are followed where they lead to a path within the
/// volume; others are not found.
pub(super) fn walk(volume: &dyn Volume, way: &mut Way, path: &[u8]) -> Result<Attr, VolumeError> {
    let mut rest: Vec<Vec<u8>> = reversed(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match &*name {
            b"" | b"." => continue,
            b".." => {
                way.climb()?;
                continue;
            }
            _ => {}
        }
        let attr = volume.lookup(way.end(), &name)?.attr;
        match attr.kind {
            Kind::Directory => way.0.push(attr.ino),
            Kind::Symlink => {
                links += 1;
                let text = volume.read_link(attr.ino)?;
                // Absolute texts are paths of the machine that was backed up.
                if links > MAX_LINKS || text.is_empty() || text.starts_with(b"/") {
                    return Err(VolumeError::NotFound);
                }
                rest.extend(reversed(&text));
            }
            _ if rest.is_empty() => return Ok(attr),
            _ => return Err(VolumeError::NotDirectory),
        }
    }
    Ok(volume.attr(way.end())?.attr)
}

fn reversed(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec)
}
