//! Rules: a pattern as it was typed, and the patterns from the root that it stands for.

use super::translate::without_trailing_blanks;
use crate::path::TreePath;

/// A pattern as a person typed it, and the patterns from the root that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The pattern as it was typed; `None` for a rule that the program adds by itself.
    pub typed: Option<String>,
    /// Patterns as in `.gitignore`, those with a slash from the root.
    pub patterns: Vec<String>,
}

/// The folders to which a relative pattern is relative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    /// The folders that are backed up or restored: paths from the root, components joined by `/`.
    pub sources: Vec<Vec<u8>>,
    /// Other folders, such as the working directory.
    pub others: Vec<Vec<u8>>,
    /// The folder that `~` stands for.
    pub home: Option<Vec<u8>>,
}

impl Rule {
    /// Makes a rule of patterns from the root, which the program adds by itself.
    pub fn added(patterns: Vec<String>) -> Self {
        Self { typed: None, patterns }
    }

    /// Makes a rule of a typed pattern.
    ///
    /// Without a slash, or with one at its end alone, it matches names in every folder. One that begins with `/` or
    /// `~/` is from the root, and one that begins with `**/` matches everywhere. Any other is tried below each base;
    /// and, where it begins with the name of a source, beside that source.
    pub fn typed(typed: &str, bases: &Bases) -> Self {
        let pattern = without_trailing_blanks(typed);
        let (sign, body) = match pattern.strip_prefix('!') {
            Some(body) => ("!", body),
            None => ("", pattern),
        };
        let mut patterns = Vec::new();
        for body in bodies(body, bases) {
            let pattern = format!("{sign}{body}");
            if !patterns.contains(&pattern) {
                patterns.push(pattern);
            }
        }
        Self { typed: Some(typed.to_owned()), patterns }
    }
}

fn bodies(body: &str, bases: &Bases) -> Vec<String> {
    if let (Some(home), Some(rest)) = (&bases.home, body.strip_prefix('~'))
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return vec![format!("{}{rest}", from_root(home))];
    }
    let (climbs, relative) = climb(body);
    let is_from_here = relative.len() < body.len();
    let has_folders = relative.trim_end_matches('/').contains('/');
    if body.starts_with('/') || body.starts_with("**/") || !(has_folders || is_from_here) {
        return vec![body.to_owned()];
    }
    let first = relative.split('/').next().unwrap_or_default();
    let named = bases.sources.iter().filter(|source| {
        climbs == 0 && has_folders && escape_glob(TreePath::new(source).file_name()) == first
    });
    let beside = named.map(|source| TreePath::new(source).parent());
    let below = bases.sources.iter().chain(&bases.others).map(|base| TreePath::new(base));
    let join = |base: TreePath<'_>| {
        let base = (0..climbs).fold(base, |base, _| base.parent());
        match (base.is_root(), relative.is_empty()) {
            (true, _) => format!("/{relative}"),
            (false, true) => from_root(base.as_bytes()),
            (false, false) => format!("{}/{relative}", from_root(base.as_bytes())),
        }
    };
    below.chain(beside).map(join).collect()
}

/// Takes `./` and `../` off the front of a pattern, and counts the latter.
fn climb(body: &str) -> (usize, &str) {
    let (mut climbs, mut rest) = (0, body);
    loop {
        rest = match (rest.strip_prefix("./"), rest.strip_prefix("../"), rest) {
            (Some(below), _, _) => below,
            (_, Some(below), _) => {
                climbs += 1;
                below
            }
            (_, _, ".") => "",
            (_, _, "..") => {
                climbs += 1;
                ""
            }
            _ => return (climbs, rest),
        };
    }
}

fn from_root(path: &[u8]) -> String {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    if path.is_empty() { String::new() } else { format!("/{}", escape_glob(path)) }
}

/// Writes a name or path as a pattern that matches nothing else.
///
/// A byte that is no text becomes `?`, since patterns are text: it matches any other there.
pub fn escape_glob(path: &[u8]) -> String {
    let mut pattern = String::with_capacity(path.len());
    for part in path.utf8_chunks() {
        for character in part.valid().chars() {
            if matches!(character, '\\' | '*' | '?' | '[' | ']' | '{' | '}' | '!' | '#' | ' ') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.extend(part.invalid().iter().map(|_| '?'));
    }
    pattern
}
