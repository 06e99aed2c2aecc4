//! Removing from a restored directory what the snapshot does not have.

use std::collections::HashSet;

use yore_platform::{Kind, Listing};

use super::context::Context;
use super::directory::{OpenDir, join};
use super::select::Selection;
use super::{Extra, Overwrite, was_there};
use crate::backup::Run;

/// The names in a directory of the target that have not been met in the snapshot yet.
pub(super) struct Deletion {
    listing: Listing,
    next: usize,
    /// Names that the snapshot has but that can't be presented.
    strange: HashSet<Vec<u8>>,
    /// Whether the snapshot's side could be read so far.
    certain: bool,
}

impl Deletion {
    /// Lists a directory from which may be removed; `None` for any other.
    pub(super) fn begin(context: &Context<'_>, open: &OpenDir<'_>) -> Option<Self> {
        let Extra::Delete { sources, .. } = &context.options.extra else { return None };
        let inside = sources.iter().any(|source| is_within(&open.path, source));
        let may = context.options.overwrite != Overwrite::Never;
        let source = open.source.as_ref().filter(|_| inside && may && was_there(open.made))?;
        let mut listing = Listing::new();
        match source.list(&mut listing) {
            Ok(()) => Some(Self { listing, next: 0, strange: HashSet::new(), certain: true }),
            Err(error) => {
                context.problem(open.path.clone(), context.local(&open.below, error));
                None
            }
        }
    }

    /// Keeps everything from here on: what the snapshot holds is not known.
    pub(super) fn stop(&mut self) {
        self.certain = false;
    }

    pub(super) fn keep(&mut self, name: Vec<u8>) {
        self.strange.insert(name);
    }

    /// Removes what comes before `name`, which the snapshot has; everything left without one.
    pub(super) fn up_to(
        &mut self,
        name: Option<&[u8]>,
        context: &Context<'_>,
        selection: &Selection,
        open: &OpenDir<'_>,
    ) {
        while let Some(listed) = self.listing.get(self.next) {
            if name.is_some_and(|name| listed.name > name) {
                return;
            }
            self.next += 1;
            let is_dir = listed.kind == Some(Kind::Directory);
            let path = join(&open.path, listed.name);
            if name != Some(listed.name)
                && self.certain
                && !self.strange.contains(listed.name)
                && selection.may_remove(&path, is_dir)
                && !context.stopped()
            {
                remove(context, open, listed.name, path);
            }
        }
    }
}

fn remove(context: &Context<'_>, open: &OpenDir<'_>, name: &[u8], path: Vec<u8>) {
    let removed = match (&open.dir, context.options.run) {
        (Some(dir), Run::Real) => dir.remove(name),
        (None, _) | (_, Run::Dry) => Ok(()),
    };
    match removed {
        Ok(()) => context.counts.deleted.add(1),
        Err(error) => context.failed(path, open.local(name, error)),
    }
}

/// Whether `path` is, or is below, the source `source`.
fn is_within(path: &[u8], source: &[u8]) -> bool {
    source.is_empty()
        || path
            .strip_prefix(source)
            .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}
