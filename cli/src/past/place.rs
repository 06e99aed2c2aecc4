//! `MOMENT:PATH`: a place in the past, as people type it.

use std::ffi::OsStr;
use std::path::Path;

use jiff::ZonedDateTime;
use yore_engine::{
    DirRef, Error, Lookup, Moment, Part, Reader, Repository, SnapshotEntry, SnapshotId, SourcePart,
    TreePath, TreePathBuf, find, last_instant, merge, state,
};
use yore_platform::{name_bytes, snapshot_path};

use crate::args::machine::Whose;
use crate::args::{live_path, when};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::past::clock;
use crate::text::{escape, format};

/// How many bytes of decoded frames a command keeps that reads in order.
pub const BUDGET: usize = 32 << 20;

/// A moment, and a path in its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The moment as it was typed.
    text: String,
    /// What it says; `None` for a name that only the drive gives.
    moment: Option<Moment>,
    /// The second of two readings, in an hour that a clock repeats.
    later: Option<Moment>,
    /// Where, by components joined by `/`: the first of these that is there. Empty for everything.
    paths: Vec<Vec<u8>>,
}

impl Place {
    /// A path at a moment that was typed beside it.
    pub fn at(moment: &str, path: &Path, now: &ZonedDateTime) -> Outcome<Self> {
        let mut place = parse(OsStr::new(moment), now)?;
        place.paths = alternatives(name_bytes(path.as_os_str()));
        Ok(place)
    }

    /// Whether nothing but a moment was typed.
    pub fn is_whole(&self) -> bool {
        self.paths.iter().all(Vec::is_empty)
    }

    /// A path in one snapshot.
    pub fn in_snapshot(id: SnapshotId, path: Vec<u8>) -> Self {
        let text = id.to_string();
        Self { moment: Some(Moment::Id(text.clone())), text, later: None, paths: vec![path] }
    }
}

/// Reads `MOMENT` or `MOMENT:PATH`. Moments have colons too: the longest that is one counts.
pub fn parse(text: &OsStr, now: &ZonedDateTime) -> Outcome<Place> {
    let bytes = name_bytes(text);
    let ends = (0..=bytes.len()).rev().filter(|end| matches!(bytes.get(*end), None | Some(b':')));
    for end in ends {
        let Ok(text) = std::str::from_utf8(&bytes[..end]) else { continue };
        let moment = Moment::parse(text, now);
        if moment.is_some() || may_be_a_name(text) {
            let later =
                Moment::parse_later(text, now).filter(|later| Some(later) != moment.as_ref());
            let paths = bytes.get(end + 1..).map_or_else(|| vec![Vec::new()], alternatives);
            return Ok(Place { text: text.to_owned(), moment, later, paths });
        }
    }
    Err(Failure::usage(format!("{:?} is not a moment", escape::name(bytes)), when::FORMS))
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

/// The paths that a typed one may mean: as it is found from where one stands, then as the snapshots have it.
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
    // The name by which somebody came there may lead through a link.
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

/// The repository as it was at a moment.
pub struct Past {
    /// Reads it.
    pub reader: Reader,
    /// The top of the tree.
    pub root: DirRef,
    /// The sources, the only places of which it tells what there was, each with its own rules.
    pub parts: Vec<SourcePart>,
    /// The machines whose snapshots make up the state.
    pub hosts: Vec<String>,
}

impl Past {
    /// The snapshot from which a path is taken.
    pub fn snapshot_of(&self, path: &[u8]) -> Option<SnapshotId> {
        let holds = |source: &[u8]| TreePath::new(path).starts_with(TreePath::new(source));
        self.parts.iter().rev().find(|part| holds(&part.path)).map(|part| part.snapshot)
    }
}

/// Opens the state at a moment; what of the repository is damaged is told on the way.
pub fn open(
    context: &Context,
    repository: &Repository,
    place: &Place,
    whose: &Whose,
) -> Outcome<Past> {
    let snapshots = repository.snapshots()?;
    tell(context, snapshots.problems);
    if snapshots.list.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the repository holds no snapshots yet",
            "make the first: yore backup PATH",
        ));
    }
    let all = snapshots.list;
    let (list, moment) = match snapshot_named(context, place, &all)? {
        // One snapshot, of whatever machine.
        Some(moment) => (all, moment),
        None => {
            let list = whose.take(all)?;
            let moment = unambiguous(context, place, &list)?;
            (list, moment)
        }
    };
    let parts = state(&list, &moment).map_err(|error| not_then(context, &moment, &list, error))?;
    let (reader, problems) = repository.reader(BUDGET)?;
    tell(context, problems);
    let root = merge(&reader, &parts)?;
    let zone = context.now.time_zone();
    let labelled =
        |part: &Part<'_>| SourcePart { label: clock::label(part.snapshot, zone), ..part.into() };
    let labelled = parts.iter().map(labelled).collect();
    let hosts = parts.iter().map(|part| part.snapshot.snapshot.host.clone()).collect();
    Ok(Past { reader, root, parts: labelled, hosts })
}

/// Finds the one snapshot that a moment means: by its id or name, or because it alone is the state then.
pub fn one_snapshot(
    context: &Context,
    place: &Place,
    all: &[SnapshotEntry],
    whose: &Whose,
) -> Outcome<SnapshotEntry> {
    let (list, moment) = match snapshot_named(context, place, all)? {
        Some(moment) => (all.to_vec(), moment),
        None => {
            let list = whose.take(all.to_vec())?;
            match unambiguous(context, place, &list)? {
                Moment::Latest => (list, Moment::Back(0)),
                moment => (list, moment),
            }
        }
    };
    let parts = state(&list, &moment).map_err(|error| not_then(context, &moment, &list, error))?;
    let mut meant: Vec<&SnapshotEntry> = Vec::new();
    for part in parts {
        if !meant.iter().any(|one| one.id == part.snapshot.id) {
            meant.push(part.snapshot);
        }
    }
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        several => {
            let ids: Vec<String> = several.iter().map(|one| format!("{:.8}", one.id)).collect();
            Err(Failure::usage(
                format!("{} means no single snapshot", escape::text(&place.text)),
                match ids.is_empty() {
                    true => "`yore snapshots` lists them".to_owned(),
                    false => {
                        format!("several sources make up that state; name one: {}", ids.join(", "))
                    }
                },
            ))
        }
    }
}

/// Finds the one snapshot that is meant by its name in the drive or by its id.
fn snapshot_named(
    context: &Context,
    place: &Place,
    all: &[SnapshotEntry],
) -> Outcome<Option<Moment>> {
    let named = yore_fs::find_snapshot(all, &place.text, context.now.time_zone());
    if let Some(id) = named {
        return Ok(Some(Moment::Id(id.to_string())));
    }
    let is_year = place.text.len() == 4 && matches!(place.moment, Some(Moment::At(_)));
    if is_year && let Some(one) = all.iter().find(|one| one.id.to_string().starts_with(&place.text))
    {
        return Err(Failure::usage(
            format!("{0} is a year, and snapshot {1:.8} begins so", place.text, one.id),
            format!(
                "write {0}-12-31 for the end of the year, or more digits of the id",
                place.text
            ),
        ));
    }
    match &place.moment {
        Some(moment @ Moment::Id(_)) => Ok(Some(moment.clone())),
        Some(Moment::Latest | Moment::Back(_) | Moment::At(_)) => Ok(None),
        None => Err(Failure::new(
            Exit::Failed,
            format!("there is no snapshot {}", escape::text(&place.text)),
            "`yore snapshots` lists them",
        )),
    }
}

/// Refuses a time in an hour that the clock repeated, where the two readings are different states.
fn unambiguous(context: &Context, place: &Place, list: &[SnapshotEntry]) -> Outcome<Moment> {
    let moment = place.moment.clone().unwrap_or(Moment::Latest);
    let Some(later) = &place.later else { return Ok(moment) };
    let ids = |moment: &Moment| {
        let parts = state(list, moment).unwrap_or_default();
        parts.iter().map(|part| part.snapshot.id).collect::<Vec<_>>()
    };
    if ids(&moment) == ids(later) {
        return Ok(moment);
    }
    let instant = |moment: &Moment| match moment {
        Moment::At(second) => {
            format::exact_time(last_instant(*second)).split('.').next().map(|t| format!("{t}Z"))
        }
        _ => None,
    };
    let both = [&moment, later].map(|moment| instant(moment).unwrap_or_default());
    Err(Failure::usage(
        format!("the clock showed {} twice, with different states", escape::text(&place.text)),
        format!(
            "write {} or {}, or a name of `yore snapshots`; this zone is {}",
            both[0],
            both[1],
            context.now.time_zone().iana_name().unwrap_or("unnamed")
        ),
    ))
}

/// Names the oldest snapshot where there was none yet.
fn not_then(context: &Context, moment: &Moment, list: &[SnapshotEntry], error: Error) -> Failure {
    match (moment, list.iter().min_by_key(|entry| entry.since)) {
        (Moment::At(_), Some(oldest)) => Failure::new(
            Exit::Failed,
            "there is no snapshot at that time",
            format!("the oldest is of {}", clock::time(oldest, context.now.time_zone())),
        ),
        _ => error.into(),
    }
}

/// Finds the path of a place in its state, and what is there.
pub fn locate(past: &Past, place: &Place) -> Outcome<(Vec<u8>, Lookup)> {
    for path in &place.paths {
        if let Some(found) = find(&past.reader, &past.root, TreePath::new(path))? {
            return Ok((path.clone(), found));
        }
    }
    let path = place.paths.first().map_or(&[][..], Vec::as_slice);
    Err(Failure::new(
        Exit::Failed,
        format!("there is no {} at that moment", escape::path(path)),
        "`yore ls MOMENT` shows what there is, `yore snapshots` the moments",
    ))
}

/// Tells of what is damaged and not needed.
pub fn tell(context: &Context, problems: Vec<yore_engine::Error>) {
    for problem in problems {
        context.screen.problem("", &problem.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moment, and the path as the snapshots have it.
    fn read(text: &str) -> Option<(Moment, String)> {
        let now: ZonedDateTime =
            "2026-03-29T12:00:00+02:00[Europe/Berlin]".parse().expect("a time");
        let place = parse(OsStr::new(text), &now).ok()?;
        let path = place.paths.last().expect("a path").clone();
        Some((place.moment?, String::from_utf8(path).expect("UTF-8")))
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
