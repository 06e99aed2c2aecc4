//! `MOMENT:PATH`, as people type it.

use std::ffi::OsStr;
use std::path::Path;

use jiff::ZonedDateTime;
use yore_engine::format::SnapshotId;
use yore_engine::snapshots::Moment;
use yore_engine::{TreePath, TreePathBuf};
use yore_platform::{name_bytes, snapshot_path};

use crate::args::{live_path, time};
use crate::failure::{Failure, Outcome};
use crate::text::escape;

/// A moment, and a path in its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MomentPath {
    /// The moment as it was typed.
    pub(super) text: String,
    /// The moment; `None` for a name that only the drive gives.
    pub(super) moment: Option<Moment>,
    /// The second of two readings, in an hour that a clock repeats.
    pub(super) later: Option<Moment>,
    /// The paths that may be meant, by components joined by `/`; the first that is there counts. An empty one is
    /// everything.
    pub(super) paths: Vec<Vec<u8>>,
}

impl MomentPath {
    /// Makes a path at a moment that was typed beside it.
    pub fn at(moment: &str, path: &Path, now: &ZonedDateTime) -> Outcome<Self> {
        let mut moment_path = parse(OsStr::new(moment), now)?;
        moment_path.paths = alternatives(name_bytes(path.as_os_str()));
        Ok(moment_path)
    }

    /// Reports whether nothing but a moment was typed.
    pub fn is_whole(&self) -> bool {
        self.paths.iter().all(Vec::is_empty)
    }

    /// Makes a path in one snapshot.
    pub fn in_snapshot(id: SnapshotId, path: Vec<u8>) -> Self {
        let text = id.to_string();
        Self { moment: Some(Moment::Id(text.clone())), text, later: None, paths: vec![path] }
    }
}

/// Reads `MOMENT` or `MOMENT:PATH`. Moments have colons too: the longest that is one counts.
pub fn parse(text: &OsStr, now: &ZonedDateTime) -> Outcome<MomentPath> {
    let bytes = name_bytes(text);
    let ends = (0..=bytes.len()).rev().filter(|end| matches!(bytes.get(*end), None | Some(b':')));
    for end in ends {
        let Ok(text) = std::str::from_utf8(&bytes[..end]) else { continue };
        let moment = Moment::parse(text, now);
        if moment.is_some() || may_be_a_name(text) {
            let later =
                Moment::parse_later(text, now).filter(|later| Some(later) != moment.as_ref());
            let paths = bytes.get(end + 1..).map_or_else(|| vec![Vec::new()], alternatives);
            return Ok(MomentPath { text: text.to_owned(), moment, later, paths });
        }
    }
    Err(Failure::usage(format!("{:?} is not a moment", escape::name(bytes)), time::FORMS))
}

/// Reports whether a text looks like a snapshot's name in the drive: a time to the second without colons, perhaps
/// in UTC, perhaps with digits of an id.
fn may_be_a_name(text: &str) -> bool {
    let Some((time, rest)) = text.split_at_checked(17) else { return false };
    let is_time = time.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        _ => byte.is_ascii_digit(),
    });
    let rest = rest.strip_prefix('Z').unwrap_or(rest);
    let digits = rest.strip_prefix('-').unwrap_or(rest);
    is_time && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the paths that a typed one may mean: below the working directory first, then as snapshots have it.
pub fn alternatives(typed: &[u8]) -> Vec<Vec<u8>> {
    let from_top = normal(typed);
    let home = || std::env::var_os("HOME").filter(|home| !home.is_empty());
    let from_here = match (typed, home()) {
        ([b'/', ..] | [], _) => None,
        ([b'~'] | [b'~', b'/', ..], Some(home)) => {
            Some(join(normal(name_bytes(&home)), &typed[1..]))
        }
        _ => std::env::current_dir().ok().map(|here| join(snapshot_path(&here), typed)),
    };
    // A shell keeps the path by which its user came to the directory, which may lead through a link.
    let logical =
        std::env::var_os("PWD").filter(|_| !typed.is_empty() && !matches!(typed[0], b'/' | b'~'));
    let logical = logical.map(|here| join(normal(name_bytes(&here)), typed));
    let mut paths: Vec<Vec<u8>> = Vec::new();
    let written = from_here.into_iter().chain(logical).chain([from_top]);
    for path in written.flat_map(live_path::spellings) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Appends a relative path, following its `..`.
fn join(base: Vec<u8>, relative: &[u8]) -> Vec<u8> {
    let mut path = TreePathBuf::new(base);
    for name in TreePath::new(&normal(relative)).components() {
        match name {
            b".." => path.pop(),
            name => path.push(name),
        }
    }
    path.into_bytes()
}

/// Leaves out what says nothing in a path: empty components and `.`.
fn normal(path: &[u8]) -> Vec<u8> {
    let names = TreePath::new(path).components().filter(|name| *name != b".");
    names.collect::<TreePathBuf>().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moment, and the path as the snapshots have it.
    fn read(text: &str) -> Option<(Moment, String)> {
        let now: ZonedDateTime =
            "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time");
        let moment_path = parse(OsStr::new(text), &now).ok()?;
        let path = moment_path.paths.last().expect("a path").clone();
        Some((moment_path.moment?, String::from_utf8(path).expect("UTF-8")))
    }

    #[test]
    fn a_relative_path_is_found_from_here_and_then_from_the_top() {
        let here = snapshot_path(&std::env::current_dir().expect("a folder"));
        let paths = alternatives(b"a/../b");
        assert_eq!(paths.first(), Some(&[here.as_slice(), b"/b"].concat()));
        assert_eq!(alternatives(b"/a/b"), [b"a/b".to_vec()]);
        assert_eq!(alternatives(b""), [Vec::<u8>::new()]);
    }

    #[test]
    fn a_path_begins_where_its_moment_ends() {
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
