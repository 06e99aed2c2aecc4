//! The inode numbers by which the kernel knows the files of the volume.
//!
//! They are the volume's own, or short ones that fit into 32 bits, each for one of the volume's as long as
//! the kernel holds it. A generation goes with each number: a handle that a program kept of an earlier mount,
//! or of a short number that stood for something else, is recognised by it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fuser::{Errno, Generation, INodeNo};
use lru::LruCache;

use crate::linux::random::random;
use crate::mount::InodeNumbers;
use crate::volume::Ino;

/// Generations have 31 bits: the kernel compares them as signed numbers.
const GENERATIONS: u64 = (1 << 31) - 1;

/// Short numbers that are kept after the kernel forgot them, for programs that have a handle.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1 << 16).expect("not zero");

/// The inode numbers of a mount.
pub(super) enum Numbers {
    /// The volume's, with one generation for this mount.
    Long(Generation),
    /// Guards short ones.
    Short(Mutex<Short>),
}

/// Numbers of 32 bits.
pub(super) struct Short {
    known: HashMap<u32, Known>,
    by_ino: HashMap<Ino, u32>,
    /// Numbers to which the kernel has no reference.
    idle: LruCache<u32, ()>,
    next: u32,
    generation: u64,
}

struct Known {
    ino: Ino,
    held: u64,
    generation: u64,
}

impl Numbers {
    /// Makes the numbers of a mount.
    pub(super) fn new(numbers: InodeNumbers) -> io::Result<Numbers> {
        let generation = random()? & GENERATIONS;
        Ok(match numbers {
            InodeNumbers::Long => Numbers::Long(Generation(generation.max(1))),
            InodeNumbers::Short => Numbers::Short(Mutex::new(Short::new(generation))),
        })
    }

    /// Returns the number of a file to which the kernel gets one more reference, and its generation.
    pub(super) fn hold(&self, ino: Ino) -> (INodeNo, Generation) {
        // The kernel knows the top by itself.
        if ino == Ino::ROOT {
            return (INodeNo::ROOT, Generation(0));
        }
        match self {
            Numbers::Long(generation) => (INodeNo(ino.0), *generation),
            Numbers::Short(short) => lock(short).hold(ino),
        }
    }

    /// Returns the number of a file to which the kernel gets no reference.
    pub(super) fn mention(&self, ino: Ino) -> INodeNo {
        match self {
            Numbers::Short(short) if ino != Ino::ROOT => {
                let short = &mut *lock(short);
                INodeNo(u64::from(short.number(ino)))
            }
            Numbers::Long(_) | Numbers::Short(_) => INodeNo(ino.0),
        }
    }

    /// Returns the number of a file that the kernel may know.
    pub(super) fn known(&self, ino: Ino) -> Option<INodeNo> {
        match self {
            Numbers::Short(short) if ino != Ino::ROOT => {
                lock(short).by_ino.get(&ino).map(|number| INodeNo(u64::from(*number)))
            }
            Numbers::Long(_) | Numbers::Short(_) => Some(INodeNo(ino.0)),
        }
    }

    /// Returns what a number of the kernel stands for.
    pub(super) fn ino(&self, number: INodeNo) -> Result<Ino, Errno> {
        match self {
            Numbers::Short(short) if number != INodeNo::ROOT => {
                let short = &mut *lock(short);
                let number = u32::try_from(number.0).map_err(|_| Errno::ESTALE)?;
                short.idle.promote(&number);
                short.known.get(&number).map(|known| known.ino).ok_or(Errno::ESTALE)
            }
            Numbers::Long(_) | Numbers::Short(_) => Ok(Ino(number.0)),
        }
    }

    /// Removes `times` of the kernel's references to a number; returns what it stands for.
    pub(super) fn forget(&self, number: INodeNo, times: u64) -> Option<Ino> {
        match self {
            Numbers::Short(short) if number != INodeNo::ROOT => {
                lock(short).forget(u32::try_from(number.0).ok()?, times)
            }
            Numbers::Long(_) | Numbers::Short(_) => Some(Ino(number.0)),
        }
    }
}

fn lock(short: &Mutex<Short>) -> MutexGuard<'_, Short> {
    short.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Short {
    fn new(generation: u64) -> Short {
        let idle = LruCache::unbounded();
        Short { known: HashMap::new(), by_ino: HashMap::new(), idle, next: 1, generation }
    }

    /// Returns the number of `ino`: its own, or the next free one.
    fn number(&mut self, ino: Ino) -> u32 {
        if let Some(number) = self.by_ino.get(&ino) {
            self.idle.promote(number);
            return *number;
        }
        let number = loop {
            self.next = self.next.checked_add(1).unwrap_or(2);
            match self.known.entry(self.next) {
                // More than 2^32 numbers are never held: the kernel would need a terabyte for them.
                Entry::Occupied(_) => {}
                Entry::Vacant(vacant) => {
                    // No two uses of one number have one generation.
                    self.generation = (self.generation + 1) & GENERATIONS;
                    vacant.insert(Known { ino, held: 0, generation: self.generation });
                    break self.next;
                }
            }
        };
        self.by_ino.insert(ino, number);
        self.make_idle(number);
        number
    }

    fn hold(&mut self, ino: Ino) -> (INodeNo, Generation) {
        let number = self.number(ino);
        self.idle.pop(&number);
        let generation = self.known.get_mut(&number).map_or(0, |known| {
            known.held += 1;
            known.generation
        });
        (INodeNo(u64::from(number)), Generation(generation))
    }

    fn forget(&mut self, number: u32, times: u64) -> Option<Ino> {
        let known = self.known.get_mut(&number)?;
        let (ino, was_held) = (known.ino, known.held > 0);
        known.held = known.held.saturating_sub(times);
        if was_held && known.held == 0 {
            self.make_idle(number);
        }
        Some(ino)
    }

    /// Keeps a number without references for a while; the one that has been so longest is given up.
    fn make_idle(&mut self, number: u32) {
        self.idle.put(number, ());
        if self.idle.len() > REMEMBERED.get()
            && let Some((number, ())) = self.idle.pop_lru()
            && let Some(known) = self.known.remove(&number)
        {
            self.by_ino.remove(&known.ino);
        }
        if self.known.capacity() > 4 * self.known.len().max(REMEMBERED.get()) {
            self.known.shrink_to(2 * self.known.len());
            self.by_ino.shrink_to(2 * self.known.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short() -> Numbers {
        Numbers::Short(Mutex::new(Short::new(7)))
    }

    #[test]
    fn a_short_number_stands_for_one_thing_while_it_is_held() {
        let numbers = short();
        let large = |n: u64| Ino(1 << 40 | n);
        let (held, generation) = numbers.hold(large(0));
        assert_eq!(numbers.hold(Ino::ROOT).0, INodeNo::ROOT);
        for n in 1..3 * REMEMBERED.get() as u64 {
            let number = numbers.mention(large(n));
            assert!(number.0 <= u64::from(u32::MAX) && number != held);
            assert_eq!(numbers.ino(number).ok(), Some(large(n)));
        }
        assert_eq!(numbers.ino(held).ok(), Some(large(0)));
        assert_eq!(numbers.hold(large(0)), (held, generation));
        assert_eq!(numbers.forget(held, 2), Some(large(0)));
        for n in 0..REMEMBERED.get() as u64 {
            assert_ne!(numbers.mention(large(1 << 20 | n)), INodeNo::ROOT);
        }
        assert!(numbers.ino(held).is_err() && numbers.known(large(0)).is_none());
        assert_ne!(numbers.hold(large(0)).1, generation);
    }

    #[test]
    fn short_numbers_begin_anew_after_the_last() {
        let mut short = Short::new(GENERATIONS - 1);
        short.next = u32::MAX - 2;
        let first: Vec<u32> = (0..4).map(|n| short.number(Ino(1 << 33 | n))).collect();
        assert_eq!(first, [u32::MAX - 1, u32::MAX, 2, 3]);
        short.next = u32::MAX - 2;
        assert_eq!(short.number(Ino(1 << 34)), 4);
    }
}
