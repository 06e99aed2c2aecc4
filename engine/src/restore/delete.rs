//! Removing from a restored directory what the snapshot does not have.
//!
//! What the backup left out was not deleted: it stays, and so does every directory that holds some
//! of it. In doubt nothing is removed, and that is told.

use std::collections::HashSet;
use std::rc::Rc;

use yore_platform::{Kind, Listing, SourceDir};

use super::case_folding::{Names, has_alias};
use super::context::Context;
use super::directory::OpenDir;
use super::write_node::not_agreed;
use super::{Extra, Overwrite, was_there};
use crate::error::Error;
use crate::format::tree::Flags;
use crate::globs::NO_BACKUP;
use crate::observer::{Event, Fate, Planned};
use crate::path::join;
use crate::run::Run;

/// The names in a directory of the target that have not been met in the snapshot yet.
pub(super) struct Deletion {
    listing: Listing,
    next: usize,
    /// Names that the snapshot has but that can't be presented.
    strange: HashSet<Vec<u8>>,
    /// Whether the snapshot's side could be read so far.
    certain: bool,
    /// Whether the snapshot has anything in it.
    has_met: bool,
    keep: Option<Keep>,
    told: bool,
    /// What has another name in the target that differs in case: it may be what the snapshot has.
    aliased: Vec<Vec<u8>>,
}

/// Why nothing is removed from a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// The snapshot has it without what was left out of it, or could not be read.
    Incomplete,
    /// The snapshot has an older state of it, and of all that is below.
    Stale,
    /// It is empty in the snapshot, and another file system is mounted there now.
    Mounted,
}

impl Keep {
    /// Tells why nothing may be removed from a directory, from what the snapshot says of it.
    pub(super) fn of(flags: Flags, above: Option<Keep>) -> Option<Keep> {
        if above == Some(Keep::Stale) || flags.contains(Flags::STALE) {
            return Some(Keep::Stale);
        }
        flags.contains(Flags::INCOMPLETE).then_some(Keep::Incomplete)
    }

    fn words(self) -> &'static str {
        match self {
            Keep::Incomplete => {
                "nothing is removed in it: the backup left out some of it, or could not read it"
            }
            Keep::Stale => {
                "nothing is removed in it: the backup could not read it, and has an older state"
            }
            Keep::Mounted => {
                "nothing is removed in it: another file system is mounted there, of which the \
                 snapshot has nothing"
            }
        }
    }
}

impl Deletion {
    /// Lists a directory from which may be removed; `None` for any other.
    pub(super) fn begin(
        context: &Context<'_>,
        open: &OpenDir<'_>,
        keep: Option<Keep>,
    ) -> Option<Self> {
        let sources = &context.selection.sources;
        let may = context.options.extra == Extra::Delete
            && context.options.overwrite != Overwrite::Never
            && sources.is_covered(&open.path)
            && !sources.is_way(&open.path);
        let source = open.source.as_ref().filter(|_| may && was_there(open.made))?;
        let mut listing = Listing::new();
        match source.list(&mut listing) {
            Ok(()) => {
                let strange = HashSet::new();
                let (certain, has_met, told) = (true, false, false);
                let aliased = Vec::new();
                Some(Self { listing, next: 0, strange, certain, has_met, keep, told, aliased })
            }
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

    /// Removes what comes before `name`, which the snapshot has; everything left without one. `names`
    /// are those of the snapshot so far.
    pub(super) fn up_to(
        &mut self,
        name: Option<&[u8]>,
        names: &Names,
        context: &Context<'_>,
        open: &OpenDir<'_>,
    ) {
        self.has_met |= name.is_some();
        while let Some(listed) = self.listing.get(self.next) {
            if name.is_some_and(|name| listed.name > name) {
                return;
            }
            self.next += 1;
            if name == Some(listed.name)
                || !self.certain
                || self.strange.contains(listed.name)
                || context.stopped()
            {
                continue;
            }
            let (extra, kind) = (listed.name.to_vec(), listed.kind);
            match has_alias(open, &extra) {
                true => self.aliased.push(extra),
                false => self.extra(&extra, kind, context, open),
            }
        }
        if name.is_none() {
            for extra in std::mem::take(&mut self.aliased) {
                if !names.has(&extra) && self.certain {
                    self.extra(&extra, None, context, open);
                }
            }
        }
    }

    /// Removes something that the snapshot does not have, if it may be.
    fn extra(
        &mut self,
        name: &[u8],
        kind: Option<Kind>,
        context: &Context<'_>,
        open: &OpenDir<'_>,
    ) {
        if !self.has_met && self.keep.is_none() {
            self.keep = open.is_mounted().then_some(Keep::Mounted);
        }
        let path = join(&open.path, name);
        let is_dir = kind.map_or_else(|| is_directory(open, name), |kind| kind == Kind::Directory);
        if !context.selection.may_remove(&path, is_dir) {
            return;
        }
        match self.keep {
            None => remove(context, open, name, path),
            Some(_) if self.told => {}
            Some(keep) => {
                self.told = true;
                context.problem(open.path.clone(), kept(keep.words()));
            }
        }
    }
}

fn kept(why: impl Into<String>) -> Error {
    Error::Refused { what: why.into() }
}

fn is_directory(open: &OpenDir<'_>, name: &[u8]) -> bool {
    let found = open.source.as_ref().and_then(|source| source.child_metadata(name).ok());
    found.is_none_or(|found| found.kind == Kind::Directory)
}

/// Looks through a directory that is to be removed, and returns a number that stands for what is in it.
///
/// # Errors
/// The path of something that must stay; an unreadable directory may hold that.
pub(super) fn look_through(
    context: &Context<'_>,
    parent: &OpenDir<'_>,
    name: &[u8],
) -> std::result::Result<u64, Vec<u8>> {
    let path = join(&parent.path, name);
    let Some(source) = &parent.source else { return Err(path) };
    let device = source.metadata().map(|found| found.device).ok();
    let mut contents = context.agreement.contents();
    let mut listing = Listing::new();
    let mut to_look_at = vec![(None::<Rc<SourceDir>>, name.to_vec(), path)];
    while let Some((above, name, path)) = to_look_at.pop() {
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
                to_look_at.push((Some(Rc::clone(&dir)), listed.name.to_vec(), below));
            }
        }
    }
    Ok(contents.map_or(0, |contents| contents.finish()))
}

fn remove(context: &Context<'_>, open: &OpenDir<'_>, name: &[u8], path: Vec<u8>) {
    let mut contents = 0;
    if is_directory(open, name) {
        match look_through(context, open, name) {
            Ok(number) => contents = number,
            Err(left_out) => {
                let what = format!(
                    "it is not removed: {} is in it, which backups leave out or can't read",
                    String::from_utf8_lossy(&left_out)
                );
                return context.problem(path, kept(what));
            }
        }
    }
    let found = open.source.as_ref().and_then(|source| source.child_metadata(name).ok());
    if !found.is_some_and(|found| context.agreement.allows(&path, &found, contents)) {
        return context.failed(path, not_agreed());
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
