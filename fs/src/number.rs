//! The numbers of files and directories.
//!
//! | bits 63..32 | bits 31..0 | stands for |
//! |---|---|---|
//! | 0 | place, from 1 | a directory; place 1 is the root |
//! | tree, from 1 | position + 1 | what is not a directory: the node at a position of a tree |
//! | 2^30 + search, from 0 | position + 1 | a link: the one at a position among what a search found |
//!
//! A tree has one number however many snapshots hold it, so a file of an unchanged directory is the
//! same file in each; an unchanged file of a changed one is made so (see `sharing`). Directories are
//! numbered by place, because a kernel wants one name for each. No number has the highest bit, which
//! programs may take for a sign.

use yore_platform::Ino;

/// A directory as it is reached: its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PlaceNo(pub(crate) u32);

/// A tree blob or a merged directory: its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreeNo(pub(crate) u32);

/// What a search found: its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundNo(pub(crate) u32);

/// Where the numbers of searches begin.
const SEARCHES: u32 = 1 << 30;

/// What an inode number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// A directory.
    Place(PlaceNo),
    /// Anything else: the node at a position of a tree.
    Node(TreeNo, u32),
    /// A link among what a search found.
    Link(FoundNo, u32),
}

impl PlaceNo {
    pub(crate) const ROOT: PlaceNo = PlaceNo(1);

    pub(crate) fn ino(self) -> Ino {
        Ino(u64::from(self.0))
    }
}

impl Number {
    /// Takes a number apart; `None` for one that is never given.
    pub(crate) fn of(ino: Ino) -> Option<Self> {
        let (high, low) = ((ino.0 >> 32) as u32, ino.0 as u32);
        match (high, low.checked_sub(1)?) {
            (0, _) => Some(Number::Place(PlaceNo(low))),
            (SEARCHES.., position) => Some(Number::Link(FoundNo(high - SEARCHES), position)),
            (tree, position) => Some(Number::Node(TreeNo(tree), position)),
        }
    }
}

/// Numbers the node at a position of a tree; `None` past 2^32 - 2, and past tree 2^30 - 1.
pub(crate) fn node_ino(tree: TreeNo, position: usize) -> Option<Ino> {
    (tree.0 < SEARCHES).then(|| ino(tree.0, position))?
}

/// Numbers the link at a position among what a search found; `None` past 2^32 - 2, and past search 2^30 - 1.
pub(crate) fn link_ino(found: FoundNo, position: usize) -> Option<Ino> {
    (found.0 < SEARCHES).then(|| ino(SEARCHES + found.0, position))?
}

fn ino(high: u32, position: usize) -> Option<Ino> {
    let low = u32::try_from(position).ok()?.checked_add(1)?;
    Some(Ino(u64::from(high) << 32 | u64::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_directories_and_files_never_meet() {
        assert_eq!(PlaceNo::ROOT.ino(), Ino::ROOT);
        for number in [1, 2, u32::MAX] {
            let place = PlaceNo(number);
            assert_eq!(Number::of(place.ino()), Some(Number::Place(place)));
        }
        for number in [1, 2, SEARCHES - 1] {
            for position in [0, 1, u32::MAX - 1] {
                let ino = node_ino(TreeNo(number), position as usize).expect("a number");
                assert_eq!(Number::of(ino), Some(Number::Node(TreeNo(number), position)));
                let ino = link_ino(FoundNo(number), position as usize).expect("a number");
                assert_eq!(Number::of(ino), Some(Number::Link(FoundNo(number), position)));
            }
        }
        assert_eq!(node_ino(TreeNo(SEARCHES), 0), None);
        assert_eq!(link_ino(FoundNo(SEARCHES), 0), None);
        assert_eq!(node_ino(TreeNo(1), u32::MAX as usize), None);
        assert_eq!(Number::of(Ino(0)), None);
        assert_eq!(Number::of(Ino(5 << 32)), None);
    }
}
