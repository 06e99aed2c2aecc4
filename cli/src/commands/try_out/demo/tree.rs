//! Drawing folders as a tree, limited in depth and width, for people.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use yore_engine::read::{DirRef, Reader, children};
use yore_platform::name_bytes;

use crate::text::escape;

/// The limits within which a tree is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Folders below the top; a folder that holds nothing but one folder costs nothing.
    pub depth: usize,
    /// Names in each folder.
    pub width: usize,
    /// Tells which folders are drawn without what is in them.
    pub closed: fn(&str) -> bool,
}

/// A name, and what is below it as far as it is drawn.
#[derive(Debug, PartialEq, Eq)]
pub struct Branch {
    name: String,
    below: Vec<Branch>,
    /// The number of names that are not drawn.
    more: usize,
}

/// A folder that can list itself: names, and the folders among them.
trait Folder: Sized {
    type Error;

    fn list(&self) -> Result<Vec<(String, Option<Self>)>, Self::Error>;
}

struct OnDisk(std::path::PathBuf);

impl Folder for OnDisk {
    type Error = io::Error;

    fn list(&self) -> io::Result<Vec<(String, Option<Self>)>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let entry = entry?;
            let folder = entry.file_type()?.is_dir().then(|| OnDisk(entry.path()));
            names.push((escape::name(name_bytes(&entry.file_name())), folder));
        }
        names.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(names)
    }
}

struct InSnapshot<'r>(&'r Reader, DirRef);

impl Folder for InSnapshot<'_> {
    type Error = yore_engine::Error;

    fn list(&self) -> yore_engine::Result<Vec<(String, Option<Self>)>> {
        let mut names = Vec::new();
        children(self.0, &self.1, &mut |seen| {
            let folder = seen.dir.map(|dir| InSnapshot(self.0, dir));
            names.push((escape::name(&seen.node.name), folder));
            Ok(())
        })?;
        Ok(names)
    }
}

/// Looks at a folder of the file system.
pub fn of_folder(path: &Path, limits: Limits) -> io::Result<Branch> {
    list_tree(path.display().to_string(), OnDisk(path.to_owned()), limits, limits.depth)
}

/// Looks at a folder of a snapshot.
pub fn of_snapshot(
    name: &str,
    reader: &Reader,
    root: DirRef,
    limits: Limits,
) -> yore_engine::Result<Branch> {
    list_tree(name.to_owned(), InSnapshot(reader, root), limits, limits.depth)
}

fn list_tree<F: Folder>(
    name: String,
    folder: F,
    limits: Limits,
    depth: usize,
) -> Result<Branch, F::Error> {
    let mut name = format!("{}/", name.trim_end_matches('/'));
    let mut names: VecDeque<_> = folder.list()?.into();
    // The folders on the way to a source hold nothing else.
    while depth < limits.depth
        && let (1, Some((_, Some(_)))) = (names.len(), names.front())
        && let Some((only, Some(folder))) = names.pop_front()
    {
        name.push_str(&only);
        name.push('/');
        names = folder.list()?.into();
    }
    if depth == 0 {
        return Ok(Branch { name, below: Vec::new(), more: names.len() });
    }
    let more = names.len().saturating_sub(limits.width);
    let below = names
        .into_iter()
        .take(limits.width)
        .map(|(name, folder)| match folder {
            Some(_) if (limits.closed)(&name) => {
                Ok(Branch { name: format!("{name}/"), below: Vec::new(), more: 0 })
            }
            Some(folder) => list_tree(name, folder, limits, depth - 1),
            None => Ok(Branch { name, below: Vec::new(), more: 0 }),
        })
        .collect::<Result<_, _>>()?;
    Ok(Branch { name, below, more })
}

/// Draws a tree, a line for each name.
pub fn draw(tree: &Branch) -> Vec<String> {
    let mut lines = vec![tree.name.clone()];
    draw_below(tree, "", &mut lines);
    lines
}

fn draw_below(branch: &Branch, before: &str, lines: &mut Vec<String>) {
    let more = (branch.more > 0).then(|| match branch.below.is_empty() {
        true => format!("… {} inside", branch.more),
        false => format!("… {} more", branch.more),
    });
    let last = branch.below.len() + usize::from(more.is_some());
    for (at, below) in branch.below.iter().enumerate() {
        let (turn, indent) =
            if at + 1 == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        lines.push(format!("{before}{turn}{}", below.name));
        draw_below(below, &format!("{before}{indent}"), lines);
    }
    lines.extend(more.map(|more| format!("{before}└── {more}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(name: &str) -> Branch {
        Branch { name: name.into(), below: Vec::new(), more: 0 }
    }

    #[test]
    fn a_tree_is_drawn_with_its_turns() {
        let inner = Branch { name: "a/".into(), below: vec![leaf("x")], more: 2 };
        let tree = Branch { name: "top/".into(), below: vec![inner, leaf("b")], more: 0 };
        let expected = ["top/", "├── a/", "│   ├── x", "│   └── … 2 more", "└── b"];
        assert_eq!(draw(&tree), expected);
    }
}
