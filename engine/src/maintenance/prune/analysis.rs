//! The use of every pack: which blobs are live, and which copy of each is kept.

use std::collections::HashSet;
use std::sync::Arc;

use super::Task;
use super::bits::Bits;
use super::mark::{Absent, Marker};
use super::view::View;
use crate::error::{Error, Result};
use crate::format::id::{BlobId, ObjectId};
use crate::format::object::ObjectName;
use crate::index::{BlobCopy, BlobIndex, BlobTable};
use crate::read::reader::Reader;

/// Bytes of decoded frames that the walk of the trees keeps.
const TREE_BUDGET: usize = 64 << 20;

/// The use of a pack, in bytes of decoded blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PackUse {
    /// All of its blobs.
    pub(super) total: u64,
    /// Those that some snapshot needs.
    pub(super) live: u64,
    /// Those of them whose copy in this pack is the one that is kept.
    pub(super) kept: u64,
}

/// The live blobs of a destination, and the packs that hold them.
pub(super) struct Analysis {
    pub(super) table: BlobTable,
    pub(super) reader: Reader,
    /// The positions of the blobs that snapshots of this destination need, and of others.
    live: [Bits; 2],
    /// The packs whose index was not listed first; they hold nothing for others.
    late: HashSet<ObjectId>,
    /// By the numbers of packs in the table.
    pub(super) uses: Vec<PackUse>,
    /// The positions of the copies that are kept.
    pub(super) kept: Bits,
    /// Condemned packs with a live blob that no other pack has.
    pub(super) rescued: HashSet<ObjectId>,
    /// Packs that are not here and that a snapshot of another destination needs.
    pub(super) needed: HashSet<ObjectId>,
}

impl Analysis {
    /// Marks the live blobs of all snapshots and chooses the copies to keep.
    ///
    /// # Errors
    /// [`Error::Missing`] when the destination lacks a blob of a snapshot that it commits: what is live is not known.
    pub(super) fn of(task: &Task<'_>, view: &View) -> Result<Self> {
        let repository = task.repository;
        let opened = repository.open_listed_index(&view.all_indexes, HashSet::new())?;
        if opened.has_vanished() {
            // Another run has put index objects together.
            return Err(Error::Overtaken);
        }
        if let Some(error) = opened.damaged.into_iter().next() {
            return Err(error);
        }
        let late = late_packs(task, view, &opened.index)?;
        let table = BlobTable::new(opened.index);
        let (mirrors, keys) = (Arc::clone(&repository.mirrors), Arc::clone(&repository.keys));
        let reader = Reader::new(
            mirrors,
            keys,
            table.index().clone(),
            TREE_BUDGET,
            repository.frame_cache(),
        );
        let (live, wanted) = (Bits::new(table.len()), Bits::new(table.len()));
        let observer = task.observer;
        let marker = |live| Marker { reader: &reader, table: &table, live, observer };
        marker(&live).run(&view.roots_here, Absent::Fails)?;
        marker(&wanted).run(&view.roots_elsewhere, Absent::IsSkipped)?;
        let live = [live, wanted];
        let Choice { uses, kept, rescued, needed } = Choice::make(&table, &live, view, &late)?;
        Ok(Self { table, reader, live, late, uses, kept, rescued, needed })
    }

    /// Returns true for a pack that a writer has indexed just now.
    pub(super) fn is_late(&self, pack: &ObjectId) -> bool {
        self.late.contains(pack)
    }

    /// Chooses the copies to keep anew, after generations have ended.
    pub(super) fn choose_again(&mut self, view: &View) -> Result<()> {
        let Choice { uses, kept, rescued, needed } =
            Choice::make(&self.table, &self.live, view, &self.late)?;
        (self.uses, self.kept) = (uses, kept);
        (self.rescued, self.needed) = (rescued, needed);
        Ok(())
    }
}

/// Returns the packs that only an index describes which was not listed before the generations.
fn late_packs(task: &Task<'_>, view: &View, all: &BlobIndex) -> Result<HashSet<ObjectId>> {
    if view.indexes == view.all_indexes {
        return Ok(HashSet::new());
    }
    let first: Vec<ObjectName> =
        view.all_indexes.iter().filter(|name| view.indexes.contains(name)).cloned().collect();
    let first = task.repository.open_listed_index(&first, HashSet::new())?.index.pack_sizes();
    let all = all.pack_sizes().into_keys();
    Ok(all.filter(|id| !first.contains_key(id)).collect())
}

/// The copies that are kept.
struct Choice {
    uses: Vec<PackUse>,
    kept: Bits,
    rescued: HashSet<ObjectId>,
    needed: HashSet<ObjectId>,
}

impl Choice {
    fn make(
        table: &BlobTable,
        [live, wanted]: &[Bits; 2],
        view: &View,
        late: &HashSet<ObjectId>,
    ) -> Result<Self> {
        let mut uses = vec![PackUse::default(); table.packs().len()];
        let is_live = |first| live.contains(first) || wanted.contains(first);
        table.for_each_blob(|_, first, copies| {
            for copy in copies {
                let pack = &mut uses[copy.pack as usize];
                pack.total += u64::from(copy.length);
                pack.live += if is_live(first) { u64::from(copy.length) } else { 0 };
            }
        });
        let ranks = ranks(&uses, table);
        let is_there = |pack: u32| {
            let pack = &table.packs()[pack as usize];
            view.packs.get(&pack.id) == Some(&pack.size)
        };
        let is_usable = |copy: &&BlobCopy| {
            let id = &table.packs()[copy.pack as usize].id;
            is_there(copy.pack) && !view.generations.condemns(id) && !late.contains(id)
        };
        let (kept, mut rescued) = (Bits::new(table.len()), HashSet::new());
        let mut needed = HashSet::new();
        let mut missing: Option<BlobId> = None;
        table.for_each_blob(|id, first, copies| {
            if !is_live(first) {
                return;
            }
            let usable = copies.iter().filter(is_usable);
            match usable.min_by_key(|copy| ranks[copy.pack as usize]) {
                Some(copy) => {
                    kept.insert(copy.position);
                    uses[copy.pack as usize].kept += u64::from(copy.length);
                }
                None => {
                    let here: Vec<_> = copies.iter().filter(|copy| is_there(copy.pack)).collect();
                    // A pack of a late index may have been written after the packs were listed.
                    let is_late =
                        |copy: &BlobCopy| late.contains(&table.packs()[copy.pack as usize].id);
                    let is_missing = here.is_empty() && !copies.iter().any(is_late);
                    if is_missing && live.contains(first) {
                        missing.get_or_insert(*id);
                    }
                    if is_missing {
                        needed
                            .extend(copies.iter().map(|copy| table.packs()[copy.pack as usize].id));
                    }
                    rescued.extend(here.iter().map(|copy| table.packs()[copy.pack as usize].id));
                }
            }
        });
        match missing {
            Some(id) => Err(Error::Missing { object: format!("blob {id}") }),
            None => Ok(Self { uses, kept, rescued, needed }),
        }
    }
}

/// Ranks packs as holders of blobs that several have: the fuller of live blobs first, then the larger one.
fn ranks(uses: &[PackUse], table: &BlobTable) -> Vec<u32> {
    let mut order: Vec<usize> = (0..uses.len()).collect();
    order.sort_by(|&one, &other| {
        let dead = |at: usize| u128::from(uses[at].total - uses[at].live);
        let total = |at: usize| u128::from(uses[at].total.max(1));
        let fuller = (dead(one) * total(other)).cmp(&(dead(other) * total(one)));
        let larger = total(other).cmp(&total(one));
        fuller.then(larger).then_with(|| table.packs()[one].id.cmp(&table.packs()[other].id))
    });
    let mut ranks = vec![0; uses.len()];
    (0..).zip(order).for_each(|(rank, at)| ranks[at] = rank);
    ranks
}
