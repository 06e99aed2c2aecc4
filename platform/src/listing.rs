//! The names in a directory, held compactly.

use std::cmp::Ordering;
use std::io;
use std::mem::MaybeUninit;

use crate::metadata::Kind;

/// The names in a directory, sorted by their bytes.
///
/// All names share one buffer, and a listing is reused from directory to directory: a directory of
/// a million files costs two allocations that grow.
#[derive(Default)]
pub struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
    /// Memory for the system's own records, kept from directory to directory.
    scratch: Vec<MaybeUninit<u8>>,
}

/// One name in a [`Listing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedName<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The inode number of the file; at a mountpoint, that of the directory below the mount.
    pub inode: u64,
    /// The kind, where the file system lists it with the name; a hint, since it may have changed.
    pub kind: Option<Kind>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// The first bytes of the name, big-endian: settles most comparisons without touching the name.
    head: u64,
    start: usize,
    inode: u64,
    len: u16,
    kind: Option<Kind>,
}

impl Listing {
    /// Makes an empty listing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether a name is in it.
    #[must_use]
    pub fn has(&self, name: &[u8]) -> bool {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle).map(|listed| listed.name.cmp(name)) {
                Some(Ordering::Less) => low = middle + 1,
                Some(Ordering::Equal) => return true,
                Some(Ordering::Greater) | None => high = middle,
            }
        }
        false
    }

    /// Tells whether there are no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the name at `position`, counted from 0 in order.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<ListedName<'_>> {
        self.entries.get(position).map(|&entry| self.listed(entry))
    }

    /// Returns all names in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ListedName<'_>> + DoubleEndedIterator {
        self.entries.iter().map(|&entry| self.listed(entry))
    }

    /// Forgets the names and keeps the memory.
    pub fn clear(&mut self) {
        self.names.clear();
        self.entries.clear();
    }

    /// Replaces the names by others, in any order, which have no inode numbers.
    ///
    /// # Errors
    /// One of them is longer than a name can be; then there are none.
    pub fn refill<'n>(
        &mut self,
        names: impl IntoIterator<Item = (&'n [u8], Option<Kind>)>,
    ) -> io::Result<()> {
        self.fill(|listing, _| {
            names.into_iter().try_for_each(|(name, kind)| listing.push(name, 0, kind))
        })
    }

    fn listed(&self, entry: Entry) -> ListedName<'_> {
        ListedName { name: text(&self.names, entry), inode: entry.inode, kind: entry.kind }
    }

    /// Replaces the names by those that `read` pushes, given memory that stays with the listing, and sorts
    /// them; after an error there are none.
    pub(crate) fn fill(
        &mut self,
        read: impl FnOnce(&mut Self, &mut Vec<MaybeUninit<u8>>) -> io::Result<()>,
    ) -> io::Result<()> {
        self.clear();
        let mut scratch = std::mem::take(&mut self.scratch);
        let filled = read(self, &mut scratch);
        self.scratch = scratch;
        if filled.is_err() {
            self.clear();
        }
        let names = &self.names;
        self.entries.sort_unstable_by(|a, b| compare(names, *a, *b));
        filled
    }

    /// Adds a name, out of order until all are there.
    pub(crate) fn push(&mut self, name: &[u8], inode: u64, kind: Option<Kind>) -> io::Result<()> {
        let len = u16::try_from(name.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidData, "a name is longer than 65,535 bytes")
        })?;
        self.entries.push(Entry { head: head(name), start: self.names.len(), inode, len, kind });
        self.names.extend_from_slice(name);
        Ok(())
    }
}

fn text(names: &[u8], entry: Entry) -> &[u8] {
    &names[entry.start..entry.start + usize::from(entry.len)]
}

/// The first eight bytes as a number that sorts as they do.
///
/// Shorter names are filled with zero bytes, which no name contains.
fn head(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = name.len().min(8);
    bytes[..len].copy_from_slice(&name[..len]);
    u64::from_be_bytes(bytes)
}

fn compare(names: &[u8], a: Entry, b: Entry) -> Ordering {
    a.head.cmp(&b.head).then_with(|| text(names, a).cmp(text(names, b)))
}
