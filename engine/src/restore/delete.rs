//! Removing the extra files from a restored directory: those that the snapshot does not have.
//!
//! A file that the backup left out was not deleted: it stays, and so does every directory that holds such a file. In
//! doubt nothing is removed, which is reported.
//!
//! Both sides come in the order of names, so one pass over them finds the extra names. `up_to` is called with each name
//! of the snapshot, and without one at the end:
//!
//! ```text
//! target    a  b      d.cache  e
//! snapshot  a     c                 the backup excluded *.cache
//! up_to(a)      nothing comes before a
//! up_to(c)      b is extra: removed
//! up_to(end)    d.cache fits an exclude: stays; e is extra: removed
//! ```

use std::collections::HashSet;
use std::rc::Rc;

use yore_platform::{Kind, Listing, SourceDir};

use super::case_folding::{FoldedNames, has_alias};
use super::context::Context;
use super::directory::OpenDir;
use super::{Extra, Overwrite, was_there};
use crate::error::{Deviation, KeepReason};
use crate::format::tree::Flags;
use crate::globs::NO_BACKUP;
use crate::operation::observer::{Event, Fate, Planned};
use crate::operation::run::Run;
use crate::path::join;

/// The names in a directory of the target that are still to be compared with the snapshot.
pub(super) struct Deletion {
    listing: Listing,
    next: usize,
    /// Names that the snapshot has, but not as a valid node.
    invalid: HashSet<Vec<u8>>,
    /// Set while the snapshot's directory could be read.
    is_known: bool,
    /// Set once the snapshot has an entry.
    has_entries: bool,
    keep: Option<KeepReason>,
    is_reported: bool,
    /// Names that the target takes for another name, which the snapshot may have.
    aliased: Vec<Vec<u8>>,
}

/// Returns why nothing may be removed from a directory, by the snapshot's flags for it and the reason for the
/// directory above.
pub(super) fn keep_reason(flags: Flags, above: Option<KeepReason>) -> Option<KeepReason> {
    if above == Some(KeepReason::Stale) || flags.contains(Flags::STALE) {
        return Some(KeepReason::Stale);
    }
    flags.contains(Flags::INCOMPLETE).then_some(KeepReason::Incomplete)
}

impl Deletion {
    /// Lists a directory from which extra files may be removed; `None` for any other.
    pub(super) fn begin(
        context: &Context<'_>,
        open: &OpenDir<'_>,
        keep: Option<KeepReason>,
    ) -> Option<Self> {
        let sources = &context.selection.sources;
        let may = context.options.extra == Extra::Delete
            && context.options.overwrite != Overwrite::Never
            && sources.is_content(&open.path)
            && !sources.is_above_content(&open.path);
        let source = open.source.as_ref().filter(|_| may && was_there(open.made))?;
        let mut listing = Listing::new();
        match source.list(&mut listing) {
            Ok(()) => {
                let invalid = HashSet::new();
                let (is_known, has_entries, is_reported) = (true, false, false);
                let aliased = Vec::new();
                Some(Self {
                    listing,
                    next: 0,
                    invalid,
                    is_known,
                    has_entries,
                    keep,
                    is_reported,
                    aliased,
                })
            }
            Err(error) => {
                context.problem(open.path.clone(), context.local(&open.below, error));
                None
            }
        }
    }

    /// Keeps everything from here on: the snapshot's entries are not known.
    pub(super) fn stop(&mut self) {
        self.is_known = false;
    }

    pub(super) fn keep(&mut self, name: Vec<u8>) {
        self.invalid.insert(name);
    }

    /// Removes the extra names before `name`, which the snapshot has; without one, all that remain. `names` are those
    /// of the snapshot so far.
    pub(super) fn up_to(
        &mut self,
        name: Option<&[u8]>,
        names: &FoldedNames,
        context: &Context<'_>,
        open: &OpenDir<'_>,
    ) {
        self.has_entries |= name.is_some();
        while let Some(listed) = self.listing.get(self.next) {
            if name.is_some_and(|name| listed.name > name) {
                return;
            }
            self.next += 1;
            if name == Some(listed.name)
                || !self.is_known
                || self.invalid.contains(listed.name)
                || context.stopped()
            {
                continue;
            }
            let (extra, kind) = (listed.name.to_vec(), listed.kind);
            match has_alias(open, &extra) {
                true => self.aliased.push(extra),
                false => self.remove_extra(&extra, kind, context, open),
            }
        }
        if name.is_none() {
            for extra in std::mem::take(&mut self.aliased) {
                if !names.has(&extra) && self.is_known {
                    self.remove_extra(&extra, None, context, open);
                }
            }
        }
    }

    /// Removes an extra file or directory, if rules allow it.
    fn remove_extra(
        &mut self,
        name: &[u8],
        kind: Option<Kind>,
        context: &Context<'_>,
        open: &OpenDir<'_>,
    ) {
        if !self.has_entries && self.keep.is_none() {
            self.keep = open.is_mounted().then_some(KeepReason::Mounted);
        }
        let path = join(&open.path, name);
        let is_dir = kind.map_or_else(|| is_directory(open, name), |kind| kind == Kind::Directory);
        if !context.selection.may_remove(&path, is_dir) {
            return;
        }
        match self.keep {
            None => remove(context, open, name, path),
            Some(_) if self.is_reported => {}
            Some(keep) => {
                self.is_reported = true;
                context.problem(open.path.clone(), Deviation::NothingRemoved(keep).into());
            }
        }
    }
}

fn is_directory(open: &OpenDir<'_>, name: &[u8]) -> bool {
    let found = open.source.as_ref().and_then(|source| source.child_metadata(name).ok());
    found.is_none_or(|found| found.kind == Kind::Directory)
}

/// Checks that all of a directory may be removed, and returns the hash of its contents.
///
/// # Errors
/// The path of something that must stay, or of an unreadable directory, which may hold that.
pub(super) fn check_removable(
    context: &Context<'_>,
    parent: &OpenDir<'_>,
    name: &[u8],
) -> std::result::Result<u64, Vec<u8>> {
    let path = join(&parent.path, name);
    let Some(source) = &parent.source else { return Err(path) };
    let device = source.metadata().map(|found| found.device).ok();
    let mut contents = context.allowed.contents();
    let mut listing = Listing::new();
    let mut pending = vec![(None::<Rc<SourceDir>>, name.to_vec(), path)];
    while let Some((above, name, path)) = pending.pop() {
        let opened = match &above {
            None => source.open_child(&name),
            Some(above) => above.open_child(&name),
        };
        let Ok(dir) = opened.map(Rc::new) else { return Err(path) };
        if dir.metadata().ok().map(|found| found.device) != device
            || dir.list(&mut listing).is_err()
        {
            return Err(path);
        }
        for listed in listing.iter() {
            let below = join(&path, listed.name);
            let found = match (listed.kind, &contents) {
                (Some(_), None) => None,
                _ => dir.child_metadata(listed.name).ok(),
            };
            let Some(kind) = found.map(|found| found.kind).or(listed.kind) else {
                return Err(below);
            };
            let is_dir = kind == Kind::Directory;
            if listed.name == NO_BACKUP || !context.selection.may_remove(&below, is_dir) {
                return Err(below);
            }
            if let (Some(contents), Some(found)) = (&mut contents, &found) {
                contents.add(&below, found);
            }
            if is_dir {
                pending.push((Some(Rc::clone(&dir)), listed.name.to_vec(), below));
            }
        }
    }
    Ok(contents.map_or(0, |contents| contents.finish()))
}

fn remove(context: &Context<'_>, open: &OpenDir<'_>, name: &[u8], path: Vec<u8>) {
    let mut contents = 0;
    if is_directory(open, name) {
        match check_removable(context, open, name) {
            Ok(number) => contents = number,
            Err(left_out) => {
                let unsaved = String::from_utf8_lossy(&left_out).into_owned();
                return context.problem(path, Deviation::UnsavedContent { path: unsaved }.into());
            }
        }
    }
    let found = open.source.as_ref().and_then(|source| source.child_metadata(name).ok());
    if !found.is_some_and(|found| context.allowed.allow(&path, &found, contents)) {
        return context.failed(path, Deviation::ChangedSincePlan.into());
    }
    let removed = match (open.for_writing(), context.options.run) {
        (Some(dir), Run::Real) => dir.remove(name),
        (None, _) | (_, Run::Dry) => Ok(()),
    };
    match removed {
        Ok(()) => {
            context.counts.deleted.add(1);
            if context.observer.wants_files() {
                let fate = Fate::Removed;
                context.observer.event(Event::File { path: path.to_vec(), fate });
            }
            if context.options.run == Run::Dry {
                let change = Planned::Remove;
                context.observer.event(Event::Planned { path, change });
            }
        }
        Err(error) => context.failed(path, open.local(name, error)),
    }
}
