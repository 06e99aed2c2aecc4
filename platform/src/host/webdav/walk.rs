//! Resolves paths, through symbolic links.

use crate::metadata::Kind;
use crate::volume::{Attr, Ino, Volume, VolumeError};

/// The number of links that a path may go through, as on Linux.
const MAX_LINKS: usize = 40;

/// The directories from the root down to one, which is the last.
#[derive(Clone)]
pub(super) struct Ancestors(Vec<Ino>);

impl Ancestors {
    /// Returns the root alone.
    pub(super) fn root() -> Ancestors {
        Ancestors(vec![Ino::ROOT])
    }

    /// Returns the directory itself.
    pub(super) fn end(&self) -> Ino {
        self.0.last().copied().unwrap_or(Ino::ROOT)
    }

    fn climb(&mut self) -> Result<(), VolumeError> {
        self.0.pop();
        if self.0.is_empty() { Err(VolumeError::NotFound) } else { Ok(()) }
    }
}

/// Resolves `path` (names divided by `/`) from the directory where `ancestors` end, and returns the
/// attributes of what it leads to; `ancestors` then end there, or in the directory that holds it. Links
/// are followed where they lead to a path within the volume; others are not found.
pub(super) fn walk(
    volume: &dyn Volume,
    ancestors: &mut Ancestors,
    path: &[u8],
) -> Result<Attr, VolumeError> {
    let mut rest: Vec<Vec<u8>> = reversed(path).collect();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match &*name {
            b"" | b"." => continue,
            b".." => {
                ancestors.climb()?;
                continue;
            }
            _ => {}
        }
        let attr = volume.lookup(ancestors.end(), &name)?.attr;
        match attr.kind {
            Kind::Directory => ancestors.0.push(attr.ino),
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
    Ok(volume.attr(ancestors.end())?.attr)
}

fn reversed(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec)
}
