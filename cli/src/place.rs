//! `MOMENT:PATH`: a place in the past, as people type it.

use std::ffi::OsStr;

use jiff::Zoned;
use yore_engine::{DirRef, Flags, Found, Moment, Reader, Repository, find, merge, state};
use yore_platform::name_bytes;

use crate::context::Context;
use crate::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::when;

/// How many bytes of decoded frames a command keeps that reads in order.
pub const BUDGET: usize = 32 << 20;

/// A moment, and a path in its tree: components joined by `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// When.
    pub moment: Moment,
    /// Where; empty for everything.
    pub path: Vec<u8>,
}

/// Reads `MOMENT` or `MOMENT:PATH`. Moments have colons too: the longest that is one counts.
pub fn parse(text: &OsStr, now: &Zoned) -> Outcome<Place> {
    let bytes = name_bytes(text);
    let ends = (0..=bytes.len()).rev().filter(|end| matches!(bytes.get(*end), None | Some(b':')));
    for end in ends {
        let moment = std::str::from_utf8(&bytes[..end]).ok().and_then(|t| Moment::parse(t, now));
        if let Some(moment) = moment {
            let path = normal(bytes.get(end + 1..).unwrap_or_default());
            return Ok(Place { moment, path });
        }
    }
    Err(Failure::usage(format!("{:?} is not a moment", escape::name(bytes)), when::FORMS))
}

/// Leaves out what says nothing in a path: empty components and `.`.
fn normal(path: &[u8]) -> Vec<u8> {
    let says = |name: &&[u8]| !name.is_empty() && *name != b".";
    path.split(|byte| *byte == b'/').filter(says).collect::<Vec<_>>().join(&b'/')
}

/// The repository as it was at a moment.
pub struct Past {
    /// Reads it.
    pub reader: Reader,
    /// The top of the tree.
    pub root: DirRef,
    /// The sources, the only places of which it tells what there was.
    pub sources: Vec<Vec<u8>>,
    /// Patterns of what the backups left out.
    pub left_out: Vec<String>,
    /// What the backups say of the file system's root.
    pub root_flags: Flags,
}

/// Opens the state at a moment; what of the repository is damaged is told on the way.
pub fn open(context: &Context, repository: &Repository, moment: &Moment) -> Outcome<Past> {
    let snapshots = repository.snapshots()?;
    tell(context, snapshots.problems);
    if snapshots.list.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the repository holds no snapshots yet",
            "make the first: yore backup PATH",
        ));
    }
    let parts = state(&snapshots.list, moment)?;
    let (reader, problems) = repository.reader(BUDGET)?;
    tell(context, problems);
    let root = merge(&reader, &parts)?;
    let sources = parts.iter().map(|part| part.source.to_vec()).collect();
    let excludes = parts.iter().flat_map(|part| part.snapshot.snapshot.excludes.iter().cloned());
    let mut left_out: Vec<String> = excludes.collect();
    left_out.dedup();
    let all = parts.iter().fold(0, |flags, part| flags | part.snapshot.snapshot.root_flags.0);
    Ok(Past { reader, root, sources, left_out, root_flags: Flags(all) })
}

/// Finds a path in a state.
pub fn found(past: &Past, path: &[u8]) -> Outcome<Found> {
    find(&past.reader, &past.root, path)?.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            format!("there is no {} at that moment", shown(path)),
            "`yore ls MOMENT` shows what there is, `yore snapshots` the moments",
        )
    })
}

/// Tells of what is damaged and not needed.
pub fn tell(context: &Context, problems: Vec<yore_engine::Error>) {
    for problem in problems {
        context.screen.problem("", &problem.to_string());
    }
}

/// Shows a path of a snapshot as an absolute one.
pub fn shown(path: &[u8]) -> String {
    format!("/{}", escape::name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Moment, String)> {
        let now: Zoned = "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time");
        let place = parse(OsStr::new(text), &now).ok()?;
        Some((place.moment, String::from_utf8(place.path).expect("UTF-8")))
    }

    #[test]
    fn a_place_splits_where_its_moment_ends() {
        assert_eq!(read("latest"), Some((Moment::Latest, String::new())));
        assert_eq!(read("latest:/home/me/"), Some((Moment::Latest, "home/me".into())));
        assert_eq!(read("latest~2:a:b"), Some((Moment::Back(2), "a:b".into())));
        assert_eq!(read("abcd1234:x"), Some((Moment::Id("abcd1234".into()), "x".into())));
        assert_eq!(read("latest:./a//b/."), Some((Moment::Latest, "a/b".into())));
    }

    #[test]
    fn the_colons_of_a_time_belong_to_it() {
        let whole = read("2026-01-15T10:30").map(|(moment, _)| moment);
        assert!(matches!(whole, Some(Moment::At(_))));
        assert_eq!(read("2026-01-15T10:30:home/a"), whole.map(|m| (m, "home/a".into())));
        let seconds = read("2026-01-15T10:30:05:/x").map(|(_, path)| path);
        assert_eq!(seconds.as_deref(), Some("x"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        assert_eq!(read("soon:home"), None);
        assert_eq!(read(":home"), None);
    }
}
