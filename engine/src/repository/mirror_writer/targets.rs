//! The destinations to which a writer writes, and the blobs that it can reuse there.

use std::collections::{HashMap, HashSet};

use super::{Behind, BehindCause};
use crate::error::{Error, Result};
use crate::format::id::{ObjectId, SnapshotId};
use crate::format::object::{Area, ObjectName};
use crate::index::BlobIndex;
use crate::repository::coverage::Coverage;
use crate::repository::listing::Listing;
use crate::repository::session::OpenSession;
use crate::repository::snapshots::{State, VANISHED};
use crate::repository::{Destination, Lacking, Repository};

/// The destinations of a writer.
pub(crate) struct Targets {
    /// The destinations that lack nothing; if all lack something, the one that lacks the least.
    pub(crate) destinations: Vec<usize>,
    /// The other ones.
    pub(crate) behind: Vec<Behind>,
    /// The snapshots that each of these destinations has: what they describe can be reused.
    pub(crate) common: HashSet<SnapshotId>,
}

/// The blobs that a writer can reuse, and the packs that each of its destinations has.
pub(crate) struct WriterIndex {
    /// The index; packs that a destination lacks are condemned.
    pub(crate) index: BlobIndex,
    /// An index object was deleted after it was listed.
    has_vanished: bool,
    /// The sizes of the packs that every destination has, described or not.
    pub(crate) packs: HashMap<ObjectId, u64>,
}

impl WriterIndex {
    /// Returns the index.
    pub(crate) fn into_index(self) -> BlobIndex {
        self.index
    }
}

impl Targets {
    /// Returns the areas that a writer lists before it opens a session.
    pub(crate) fn areas(repository: &Repository) -> &'static [Area] {
        const ONE: [Area; 3] = State::AREAS;
        const SEVERAL: [Area; 6] = [
            Area::Generations,
            Area::Sessions,
            Area::Snapshots,
            Area::Forgotten,
            Area::Index,
            Area::Packs,
        ];
        if repository.destinations().len() == 1 { &ONE } else { &SEVERAL }
    }

    /// Chooses the destinations, from lists of [`areas`](Self::areas).
    pub(crate) fn choose(
        repository: &Repository,
        listing: &mut Listing,
        state: &State,
    ) -> Result<Self> {
        if let [only] = &*state.committed {
            return Ok(Self { destinations: vec![0], behind: Vec::new(), common: only.clone() });
        }
        let names = listing.union(Area::Index);
        let index = repository.open_listed_index(&names, HashSet::new())?.index;
        let condemned = repository.condemned_lists(listing)?;
        let coverage = Coverage::new(listing, state, index.pack_sizes(), &condemned);
        let lacking: Vec<_> = listing
            .reached()
            .map(|(number, listed)| (number, coverage.lacking(number, listed)))
            .collect();
        let is_outdated =
            |number: usize| repository.must_have_keys(&repository.destinations()[number]).is_err();
        let is_whole = |(number, lacks): &(usize, _)| {
            let lacks: &Lacking = lacks;
            (lacks.is_empty() && !is_outdated(*number)).then_some(*number)
        };
        let mut destinations: Vec<usize> = lacking.iter().filter_map(is_whole).collect();
        if destinations.is_empty() {
            let least = lacking
                .iter()
                .min_by_key(|(number, lacks)| (is_outdated(*number), lacks.bytes(), lacks.count()));
            destinations.extend(least.map(|(number, _)| *number));
        }
        let mut behind = Vec::new();
        for number in 0..state.committed.len() {
            let cause = match listing.take_error(number) {
                Some(error) => BehindCause::Failed(error),
                None if destinations.contains(&number) => continue,
                None => BehindCause::Lacking,
            };
            behind.push(Behind { destination: number, cause });
        }
        let mut lists = destinations.iter().map(|number| &state.committed[*number]);
        let first = lists.next().cloned().unwrap_or_default();
        let common = lists.fold(first, |common, list| common.intersection(list).copied().collect());
        Ok(Self { destinations, behind, common })
    }
}

impl Repository {
    /// Opens the index for a writer after its session was opened.
    ///
    /// Only packs count as present that every destination of the session has in the right size, that an index of every
    /// such destination describes, and that none has condemned. A destination that can't be listed is behind.
    pub(crate) fn open_index_to_write(&self, session: &mut OpenSession) -> Result<WriterIndex> {
        let destinations: Vec<&Destination> =
            session.open.iter().map(|open| &self.destinations[open.destination]).collect();
        let mut attempt = 0;
        let (mut listing, index) = loop {
            let listing = Listing::load(&destinations, &[Area::Index, Area::Packs])?;
            let index = self.writer_index(&listing, session.condemned.clone())?;
            attempt += 1;
            // Prune has put index objects together since the list.
            if !index.has_vanished || attempt == VANISHED {
                break (listing, index);
            }
        };
        for number in (0..session.open.len()).rev() {
            if let Some(error) = listing.take_error(number) {
                let destination = session.open.remove(number).destination;
                session.failed.push(Behind { destination, cause: BehindCause::Failed(error) });
            }
        }
        Ok(index)
    }

    /// Opens the index for a dry run, which has no session.
    pub(crate) fn open_index_to_compare(&self, targets: &Targets) -> Result<WriterIndex> {
        let chosen = targets.destinations.iter();
        let destinations: Vec<&Destination> =
            chosen.map(|number| &self.destinations[*number]).collect();
        let areas = [Area::Index, Area::Packs, Area::Generations];
        let listing = Listing::load(&destinations, &areas)?;
        let mut condemned = HashSet::new();
        for (number, listed) in listing.reached() {
            let names = listed.names(Area::Generations);
            condemned.extend(destinations[number].condemned_by(&self.keys, names)?.packs);
        }
        self.writer_index(&listing, condemned)
    }

    fn writer_index(&self, listing: &Listing, condemned: HashSet<ObjectId>) -> Result<WriterIndex> {
        let mut lists = listing.reached().map(|(_, listed)| listed);
        let first = lists.next().ok_or(Error::Interrupted)?;
        let mut names: Vec<ObjectName> = first.names(Area::Index).to_vec();
        let mut packs = first.packs.clone();
        for listed in lists {
            let other: HashSet<&ObjectName> = listed.names(Area::Index).iter().collect();
            names.retain(|name| other.contains(name));
            packs.retain(|id, size| listed.packs.get(id) == Some(size));
        }
        let opened = self.open_listed_index(&names, condemned)?;
        let (has_vanished, mut index) = (opened.has_vanished(), opened.index);
        index.expect(&packs);
        Ok(WriterIndex { index, has_vanished, packs })
    }
}
