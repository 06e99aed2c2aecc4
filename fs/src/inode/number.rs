//! The numbers of files and directories.
//!
//! | bits 1..0 | bits 62..2 | meaning |
//! |---|---|---|
//! | 1 | place, from 0 | a directory; place 0 is the root |
//! | 2 | tree, from 1 (41 bits), and position (20 bits) | a file of any kind but a directory: the node at a position of a tree |
//! | 3 | search (33 bits), and position (28 bits) | a link: the one at a position among the results of a search |
//!
//! A tree has one number however many snapshots hold it, so a file of an unchanged directory is the
//! same file in each; an unchanged file of a changed one is made so (see `sharing`). Directories are
//! numbered by place, because a kernel wants one name for each. No number has the highest bit, which
//! programs may take for a sign.
//!
//! Places, trees and searches are counted upwards and no count is ever used again, so a number that is
//! forgotten never comes to mean something else: at a million a second, trees last for 25 days of a crawl
//! that the budget never remembers, and places for 70,000 years.

use yore_platform::Ino;

/// The number of a directory as it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PlaceNo(pub(crate) u64);

/// The number of a tree blob or a merged directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TreeNo(pub(crate) u64);

/// The number of a node of a tree: the tree's number and the position in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeNo(u64);

/// The number of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SnapshotNo(pub(crate) u32);

/// The number of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StateNo(pub(crate) u64);

/// The number of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SearchNo(pub(crate) u64);

/// Bits that tell kinds of numbers apart.
const KIND_BITS: u32 = 2;
const PLACE: u64 = 1;
const NODE: u64 = 2;
const LINK: u64 = 3;
/// Bits of a position in a tree: four times the nodes that one may have.
const NODE_BITS: u32 = 20;
/// Bits of a position among the results of a search.
const LINK_BITS: u32 = 28;
/// Bits of place, of tree and position, of search and position.
const ALL_BITS: u32 = 61;

/// An inode number, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inode {
    /// A directory.
    Place(PlaceNo),
    /// Anything else: the node at a position of a tree.
    Node(NodeNo),
    /// A link among the results of a search.
    Link(SearchNo, u32),
}

impl PlaceNo {
    pub(crate) const ROOT: PlaceNo = PlaceNo(0);

    pub(crate) fn ino(self) -> Ino {
        Ino(self.0 << KIND_BITS | PLACE)
    }
}

impl NodeNo {
    /// Numbers the node at a position of a tree; `None` past position 2^20 - 1 and tree 2^41 - 1.
    pub(crate) fn new(tree: TreeNo, position: usize) -> Option<Self> {
        pair(tree.0, position, NODE_BITS).map(Self)
    }

    pub(crate) fn tree(self) -> TreeNo {
        TreeNo(self.0 >> NODE_BITS)
    }

    pub(crate) fn position(self) -> usize {
        (self.0 & ((1 << NODE_BITS) - 1)) as usize
    }

    pub(crate) fn ino(self) -> Ino {
        Ino(self.0 << KIND_BITS | NODE)
    }

    /// Returns the node so many positions further on.
    pub(crate) fn after(self, positions: u32) -> Self {
        Self(self.0 + u64::from(positions))
    }
}

impl Inode {
    /// Takes a number apart; `None` for one that is never given.
    pub(crate) fn of(ino: Ino) -> Option<Self> {
        let counted = ino.0 >> KIND_BITS;
        if counted >> ALL_BITS != 0 {
            return None;
        }
        match ino.0 & ((1 << KIND_BITS) - 1) {
            PLACE => Some(Inode::Place(PlaceNo(counted))),
            NODE => Some(Inode::Node(NodeNo(counted))),
            LINK => {
                let position = (counted & ((1 << LINK_BITS) - 1)) as u32;
                Some(Inode::Link(SearchNo(counted >> LINK_BITS), position))
            }
            _ => None,
        }
    }
}

/// Numbers the link at a position among the results of a search; `None` past position 2^28 - 1 and search
/// 2^33 - 1.
pub(crate) fn link_ino(search: SearchNo, position: usize) -> Option<Ino> {
    pair(search.0, position, LINK_BITS).map(|counted| Ino(counted << KIND_BITS | LINK))
}

fn pair(high: u64, position: usize, bits: u32) -> Option<u64> {
    let fits = high >> (ALL_BITS - bits) == 0 && position >> bits == 0;
    fits.then_some(high << bits | position as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_directories_and_files_never_meet() {
        assert_eq!(PlaceNo::ROOT.ino(), Ino::ROOT);
        for number in [1, 2, (1 << ALL_BITS) - 1] {
            let place = PlaceNo(number);
            assert_eq!(Inode::of(place.ino()), Some(Inode::Place(place)));
        }
        for tree in [1, 2, (1 << (ALL_BITS - NODE_BITS)) - 1] {
            for position in [0, 1, (1 << NODE_BITS) - 1] {
                let node = NodeNo::new(TreeNo(tree), position).expect("a number");
                assert_eq!((node.tree(), node.position()), (TreeNo(tree), position));
                assert_eq!(Inode::of(node.ino()), Some(Inode::Node(node)));
                assert_eq!(node.ino().0 >> 63, 0);
            }
        }
        for found in [0, 1, (1 << (ALL_BITS - LINK_BITS)) - 1] {
            for position in [0, 1, (1 << LINK_BITS) - 1] {
                let ino = link_ino(SearchNo(found), position).expect("a number");
                assert_eq!(Inode::of(ino), Some(Inode::Link(SearchNo(found), position as u32)));
            }
        }
        assert_eq!(NodeNo::new(TreeNo(1 << (ALL_BITS - NODE_BITS)), 0), None);
        assert_eq!(NodeNo::new(TreeNo(1), 1 << NODE_BITS), None);
        assert_eq!(link_ino(SearchNo(1 << (ALL_BITS - LINK_BITS)), 0), None);
        assert_eq!(link_ino(SearchNo(1), 1 << LINK_BITS), None);
        assert_eq!(Inode::of(Ino(0)), None);
        assert_eq!(Inode::of(Ino(1 << 63 | 1)), None);
    }

    #[test]
    fn numbers_of_the_first_million_trees_are_exact_in_a_double() {
        let node = NodeNo::new(TreeNo(1 << 30), (1 << NODE_BITS) - 1).expect("a number");
        assert!(node.ino().0 < 1 << 53);
    }
}
