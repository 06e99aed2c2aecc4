//! Patterns of `.gitignore` for what a backup or a restore leaves out.

use std::path::{Path, PathBuf};

use yore_engine::globs::{Bases, Rule, check_glob, escape_glob};
use yore_platform::{name_bytes, snapshot_path};

use crate::failure::{Failure, Outcome};

/// Takes a pattern as it was typed, unless it is none. A `#` means itself here: a comment is for files.
pub fn parse(text: &str) -> Result<String, String> {
    if text.trim_matches(' ').is_empty() {
        return Err("it is empty".into());
    }
    let pattern = if text.starts_with('#') { format!("\\{text}") } else { text.to_owned() };
    check_glob(&pattern).map(|()| pattern)
}

/// Reads the patterns of files, without their comments and empty lines.
pub fn read_files(files: &[PathBuf]) -> Outcome<Vec<String>> {
    let mut patterns = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::local(path, e))?;
        // Editors of Windows begin a text with a byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for (number, line) in text.lines().enumerate() {
            if line.trim_matches(' ').is_empty() || line.starts_with('#') {
                continue;
            }
            check_glob(line).map_err(|reason| {
                let (path, line) = (path.display(), number + 1);
                Failure::usage(
                    format!("line {line} of {path} can't be used as a pattern: {reason}"),
                    "write it as in .gitignore, with \\ before a sign that means itself",
                )
            })?;
            patterns.push(line.to_owned());
        }
    }
    Ok(patterns)
}

/// Returns what relative patterns are relative to: the folders that are backed up or restored, and the working directory
/// if `from_here` says so.
pub fn bases(sources: Vec<Vec<u8>>, from_here: FromHere) -> Bases {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let here = std::env::current_dir().ok().filter(|_| from_here == FromHere::Yes);
    let others = here.map(|here| snapshot_path(&here)).into_iter().collect();
    Bases { sources, others, home: home.map(|home| snapshot_path(Path::new(&home))) }
}

/// Says if relative patterns are tried below the working directory, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromHere {
    /// They are, since they were typed there.
    Yes,
    /// They are not, since they come from a file.
    No,
}

/// Makes rules of patterns that were typed or read.
pub fn rules(patterns: &[String], bases: &Bases) -> Vec<Rule> {
    let rule = |pattern: &String| {
        let mut rule = Rule::typed(pattern, bases);
        let by_links: Vec<String> = rule.patterns.iter().filter_map(|p| without_links(p)).collect();
        rule.patterns.extend(by_links);
        rule
    };
    patterns.iter().map(rule).collect()
}

/// Follows the links in the folders with which a pattern from the root begins; `None` where there are none.
///
/// A backup names its sources without links, so a pattern through one would fit nothing.
fn without_links(pattern: &str) -> Option<String> {
    let (sign, body) = match pattern.strip_prefix('!') {
        Some(body) => ("!", body),
        None => ("", pattern),
    };
    let components: Vec<&str> = body.strip_prefix('/')?.split('/').collect();
    let is_literal = |name: &&&str| !name.contains(['*', '?', '[']) && !name.is_empty();
    let literal = components.iter().take_while(is_literal).count();
    // A link as the last name is meant itself.
    let above = literal.min(components.len().saturating_sub(1));
    let plain = |name: &&str| name.replace('\\', "");
    let folder: String =
        components[..above].iter().map(|name| format!("/{}", plain(name))).collect();
    let real = std::fs::canonicalize(&folder).ok().filter(|real| *real != Path::new(&folder))?;
    let rest = components[above..].join("/");
    Some(format!("{sign}/{}/{rest}", escape_glob(&snapshot_path(&real))))
}

/// Makes the rule that fits exactly one absolute path.
pub fn exactly(path: &Path) -> Rule {
    let path = name_bytes(path.as_os_str());
    let below_root = path.strip_prefix(b"/").unwrap_or(path);
    Rule::added(vec![format!("/{}", escape_glob(below_root))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_patterns_fits_only_itself() {
        assert_eq!(exactly(Path::new("/a b/[x]*")).patterns, ["/a\\ b/\\[x\\]\\*"]);
    }

    #[test]
    fn a_sign_of_comments_means_itself_on_the_command_line() {
        assert_eq!(parse("#recycle").as_deref(), Ok("\\#recycle"));
        assert!(parse(" ").is_err() && parse("{a,b}").is_err());
    }

    #[test]
    fn a_pattern_through_a_link_fits_where_the_link_leads() {
        let folder = tempfile::tempdir().expect("a folder");
        let top = folder.path().canonicalize().expect("it is there");
        std::fs::create_dir_all(top.join("var/home/me")).expect("folders");
        yore_platform::TargetDir::create(&top)
            .and_then(|dir| dir.symlink(b"home", b"var/home"))
            .expect("a link");
        let pattern = format!("!{}/home/me/*.o", top.display());
        let expected = format!("!{}/var/home/me/*.o", top.display());
        assert_eq!(without_links(&pattern), Some(expected));
        assert_eq!(without_links(&format!("{}/var/x", top.display())), None);
        assert_eq!(without_links("*.o"), None);
    }
}
