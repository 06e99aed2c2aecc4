//! Rules of imports between the rooms of a crate: the modules at its top, folders and single files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Module, crates, modules, references, root_imports};
use super::sources::SourceFile;

/// Rooms that every other may import: an error names what all of them deal with.
const SHARED: [&str; 1] = ["error"];

/// An import of one room by another.
struct Import {
    from: String,
    to: String,
    /// The first line that imports so.
    place: String,
}

/// Finds the circles of imports between the rooms of each crate; code for tests does not count.
pub fn circles_between_rooms(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in crates(files) {
        let mut imports = imports(&modules(files, &folder));
        imports.retain(|import| !SHARED.contains(&import.to.as_str()));
        for Circle { way, knot } in circles(&imports) {
            let line = |import: &&Import| {
                format!("  {} imports {} ({})", import.from, import.to, import.place)
            };
            let lines: Vec<_> = way.iter().map(line).collect();
            found.push(format!(
                "{folder}: rooms import each other in a circle; move what the lower room needs down into it, or pass it \
                 in as an argument (all rooms of this knot: {}):\n{}",
                knot.join(", "),
                lines.join("\n")
            ));
        }
    }
    found
}

/// Finds the imports of a room by the modules in a folder, by any name that the crate's root gives its items.
///
/// A folder without modules, or a room that is not there, breaks the rule, too: it would guard nothing.
pub fn imports_of_room(files: &[SourceFile], folder: &str, room: &str) -> Vec<String> {
    let source = folder.split_once("/src/").map_or(folder, |(package, _)| package);
    let all = modules(files, &format!("{source}/src"));
    let rooms = Rooms::of(&all);
    let below = format!("{folder}/");
    let inside: Vec<_> = all.iter().filter(|module| module.file.path.starts_with(&below)).collect();
    if inside.is_empty() || !rooms.names.contains(room) {
        return vec![format!(
            "{folder} or the room `{room}` has another name now: change the rule"
        )];
    }
    let mut found = Vec::new();
    for module in inside {
        for reference in references(module) {
            if rooms.of_path(&reference.to) == Some(room) {
                found.push(format!(
                    "{}:{}: {}",
                    module.file.path,
                    reference.line,
                    reference.to.join("::")
                ));
            }
        }
    }
    found.dedup();
    found
}

/// The rooms of a crate, and the names that its root imports from them.
struct Rooms {
    names: BTreeSet<String>,
    imported: BTreeMap<String, String>,
}

impl Rooms {
    fn of(modules: &[Module<'_>]) -> Self {
        let names: BTreeSet<_> = modules.iter().filter_map(|m| m.path.first().cloned()).collect();
        let mut imported = BTreeMap::new();
        for root in modules.iter().filter(|module| module.path.is_empty()) {
            for reference in root_imports(root) {
                let (Some(room), Some(last)) = (reference.to.first(), reference.to.last()) else {
                    continue;
                };
                if names.contains(room) {
                    imported.insert(reference.alias.unwrap_or(last.clone()), room.clone());
                }
            }
        }
        Self { names, imported }
    }

    /// The room of a path as from the crate's root; `None` for what the root itself has.
    fn of_path(&self, path: &[String]) -> Option<&str> {
        let first = path.first()?;
        let room = self.names.get(first).or_else(|| self.imported.get(first));
        room.map(String::as_str)
    }
}

/// The imports between different rooms, each pair once.
fn imports(modules: &[Module<'_>]) -> Vec<Import> {
    let rooms = Rooms::of(modules);
    let mut found: BTreeMap<(String, String), String> = BTreeMap::new();
    for module in modules {
        let Some(from) = module.path.first() else { continue };
        for reference in references(module) {
            let Some(to) = rooms.of_path(&reference.to).filter(|to| to != from) else { continue };
            let place =
                format!("{}:{}: {}", module.file.path, reference.line, reference.to.join("::"));
            found.entry((from.clone(), to.to_owned())).or_insert(place);
        }
    }
    found.into_iter().map(|((from, to), place)| Import { from, to, place }).collect()
}

/// Rooms that all reach each other by imports.
struct Circle<'i> {
    /// The shortest way from the first of them back to it.
    way: Vec<&'i Import>,
    /// All of them.
    knot: Vec<&'i str>,
}

/// Finds each knot of rooms once.
fn circles(imports: &[Import]) -> Vec<Circle<'_>> {
    let rooms: BTreeSet<&str> = imports.iter().map(|import| import.from.as_str()).collect();
    let (mut reported, mut found) = (BTreeSet::new(), Vec::new());
    for room in rooms {
        let way = match reported.contains(room) {
            true => continue,
            false => shortest_circle(imports, room),
        };
        if way.is_empty() {
            continue;
        }
        // Every room of the same knot reaches this one, and is reached.
        let mut knot: Vec<&str> = reached_from(imports, room).into_iter().collect();
        knot.retain(|other| reached_from(imports, other).contains(room));
        reported.extend(knot.iter().copied());
        found.push(Circle { way, knot });
    }
    found
}

fn reached_from<'i>(imports: &'i [Import], room: &str) -> BTreeSet<&'i str> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![room];
    while let Some(room) = pending.pop() {
        for import in imports.iter().filter(|import| import.from == room) {
            if reached.insert(import.to.as_str()) {
                pending.push(&import.to);
            }
        }
    }
    reached
}

/// The shortest way from a room back to it; empty where there is none.
fn shortest_circle<'i>(imports: &'i [Import], room: &str) -> Vec<&'i Import> {
    let mut seen = BTreeSet::new();
    let mut pending: VecDeque<Vec<&Import>> =
        imports.iter().filter(|import| import.from == room).map(|import| vec![import]).collect();
    while let Some(way) = pending.pop_front() {
        let Some(last) = way.last() else { continue };
        if last.to == room {
            return way;
        }
        if seen.insert(last.to.as_str()) {
            let next = imports.iter().filter(|import| import.from == last.to);
            pending.extend(next.map(|import| [&way[..], &[import]].concat()));
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::sample;

    fn circles_in(files: &[(&str, &str)]) -> Vec<String> {
        circles_between_rooms(&sample(files))
    }

    #[test]
    fn a_circle_of_two_rooms_is_found_with_the_lines_that_close_it() {
        let found = circles_in(&[
            ("x/src/lib.rs", "mod a;\nmod b;\n"),
            ("x/src/a.rs", "use crate::b::B;\n"),
            ("x/src/b.rs", "\nfn f() { super::a::g(); }\n"),
        ]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("x/src: "), "{}", found[0]);
        assert!(found[0].contains("a imports b (x/src/a.rs:1: b::B)"), "{}", found[0]);
        assert!(found[0].contains("b imports a (x/src/b.rs:2: a::g)"), "{}", found[0]);
    }

    #[test]
    fn a_circle_of_three_is_found_through_folders_groups_and_inline_modules() {
        let found = circles_in(&[
            ("x/src/main.rs", "mod a; mod b; mod c;"),
            ("x/src/a.rs", "mod deep;"),
            ("x/src/a/deep.rs", "use super::super::{c, b::{self, B}};"),
            ("x/src/b.rs", "mod inner { use super::super::c::C; }"),
            ("x/src/c.rs", "use crate::{a::{deep::D}};"),
        ]);
        assert_eq!(found.len(), 1, "one knot, one report: {found:?}");
        assert!(found[0].contains("all rooms of this knot: a, b, c)"), "{}", found[0]);
    }

    #[test]
    fn what_the_root_exports_belongs_to_its_room() {
        let found = circles_in(&[
            ("x/src/lib.rs", "mod a; mod b;\npub use a::{A as Renamed, Other};"),
            ("x/src/a.rs", "use crate::b::B;"),
            ("x/src/b.rs", "use crate::Renamed;"),
        ]);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn order_comments_tests_errors_and_a_room_with_itself_are_no_circle() {
        let found = circles_in(&[
            ("x/src/lib.rs", "mod a; mod b; mod error; #[cfg(test)] mod testing; pub use a::A;"),
            ("x/src/a.rs", "mod deep; use crate::b::B; use deep::D; use crate::error::E;"),
            ("x/src/a/deep.rs", "use super::X; use crate::a::Y; use crate::A;"),
            (
                "x/src/b.rs",
                "// crate::a::A\n/* use crate::a; */ pub(in crate::a) fn f(_: &str) { g(\"crate::a::A\") }\n\
                 #[cfg(test)] mod tests { use crate::a::A; }",
            ),
            ("x/src/error.rs", "use crate::a::A;"),
            ("x/src/testing.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn two_knots_are_two_reports() {
        let found = circles_in(&[
            ("x/src/lib.rs", "mod a; mod b; mod c; mod d;"),
            ("x/src/a.rs", "use crate::b;"),
            ("x/src/b.rs", "use crate::a; use crate::c;"),
            ("x/src/c.rs", "use crate::d;"),
            ("x/src/d.rs", "use crate::c;"),
        ]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_folder_that_imports_a_room_which_it_must_not_is_found() {
        let files = sample(&[
            (
                "fs/src/lib.rs",
                "mod volume; mod virtual_dir; mod read; pub use volume::SnapshotVolume;",
            ),
            ("fs/src/volume.rs", "use crate::virtual_dir::at::At;"),
            ("fs/src/read.rs", "use crate::volume::V;"),
            ("fs/src/virtual_dir.rs", "pub mod at; pub mod tags;"),
            ("fs/src/virtual_dir/at.rs", "use crate::{read::R,\n SnapshotVolume};"),
            ("fs/src/virtual_dir/tags.rs", "#[cfg(test)] mod tests { use crate::SnapshotVolume; }"),
        ]);
        let found = imports_of_room(&files, "fs/src/virtual_dir", "volume");
        assert_eq!(found, ["fs/src/virtual_dir/at.rs:2: SnapshotVolume"]);
        assert_eq!(imports_of_room(&files, "fs/src/virtual_dir", "read").len(), 1);
        for (folder, room) in [("fs/src/virtual", "volume"), ("fs/src/virtual_dir", "drive")] {
            let found = imports_of_room(&files, folder, room);
            assert!(found.len() == 1 && found[0].contains("change the rule"), "{found:?}");
        }
    }
}
