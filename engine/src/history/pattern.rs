//! Patterns for names, as people type them.

use regex::bytes::{Regex, RegexBuilder};

/// A pattern for names or paths.
///
/// With wildcards (`*`, `?`, `[…]`, `{…}`) it fits whole names, without them it fits anywhere in a
/// name. With a `/` it is about the end of the path, or the whole path if it begins with one. Case
/// counts if there is an upper-case letter in it; without, it does not for the letters of ASCII,
/// and for all letters where there are no wildcards.
#[derive(Debug, Clone)]
pub struct Pattern {
    name: Regex,
    path: Option<Regex>,
    literal: Option<String>,
}

/// The shortest text that the index of names can look up.
const INDEXED: usize = 3;
/// The most memory that a compiled pattern may take.
const COMPILED: usize = 4 << 20;

impl Pattern {
    /// Parses a pattern; the error says in words what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (folders, name) = match text.rfind('/') {
            Some(slash) => (Some(&text[..slash]), &text[slash + 1..]),
            None => (None, text),
        };
        if name.is_empty() {
            return Err("a pattern needs a name behind its last /".into());
        }
        let fold = !text.chars().any(char::is_uppercase);
        let in_name = match has_wildcards(name) || folders.is_some() {
            true => glob(name, fold)?,
            false => regex::escape(name),
        };
        let path = match folders {
            None => None,
            Some(_) if text.starts_with('/') => Some(compile(&glob(&text[1..], fold)?, fold)?),
            Some(_) => Some(compile(&glob(&format!("**/{text}"), fold)?, fold)?),
        };
        Ok(Self { name: compile(&in_name, fold)?, path, literal: longest_literal(name) })
    }

    /// Reports whether it fits a name, as far as the name alone decides.
    pub fn fits_name(&self, name: &[u8]) -> bool {
        self.name.is_match(name)
    }

    /// Reports whether it fits a path whose last name fits.
    pub fn fits_path(&self, path: &[u8]) -> bool {
        self.path.as_ref().is_none_or(|regex| regex.is_match(path))
    }

    /// Returns a text that every fitting name has, in lower case, if the index of names can search
    /// it.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.literal.as_deref()
    }
}

fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?', '[', '{'])
}

fn glob(text: &str, fold: bool) -> Result<String, String> {
    let built = globset::GlobBuilder::new(text)
        .literal_separator(true)
        .case_insensitive(fold)
        .build()
        .map_err(|error| format!("{text:?} is no pattern: {}", error.kind()))?;
    Ok(built.regex().to_owned())
}

fn compile(regex: &str, fold: bool) -> Result<Regex, String> {
    let built = RegexBuilder::new(regex).case_insensitive(fold).size_limit(COMPILED).build();
    built.map_err(|_| "the pattern is too long".to_owned())
}

/// The longest stretch without wildcards, if it is long enough; none where there are alternatives.
fn longest_literal(name: &str) -> Option<String> {
    if name.contains(['{', '[', '\\']) {
        return None;
    }
    let longest = name.split(['*', '?']).max_by_key(|part| part.chars().count())?;
    (longest.chars().count() >= INDEXED).then(|| lower(longest))
}

/// Folds a text letter by letter, without regard to context.
pub(crate) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, path: &str) -> bool {
        let pattern = Pattern::parse(pattern).expect("a pattern");
        let name = path.rsplit('/').next().expect("a name");
        pattern.fits_name(name.as_bytes()) && pattern.fits_path(path.as_bytes())
    }

    #[test]
    fn patterns_fit_what_people_mean() {
        for (pattern, path) in [
            ("report", "home/me/My Report.odt"),
            ("*.odt", "home/report.ODT"),
            ("r?port*", "a/report.odt"),
            ("Report", "a/Report"),
            ("me/*.odt", "home/me/report.odt"),
            ("/home/me/*", "home/me/report.odt"),
            ("ärger", "home/ÄRGER.txt"),
            ("[rR]eport.{odt,txt}", "a/report.txt"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.odt", "home/report.odt.bak"),
            ("Report", "a/report"),
            ("me/*.odt", "home/me/sub/report.odt"),
            ("/me/*", "home/me/report.odt"),
            ("me/report", "home/some/report"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
        for nonsense in ["[z", "{a", "a/", ""] {
            assert!(Pattern::parse(nonsense).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn what_is_looked_up_is_in_every_fitting_name() {
        for (pattern, literal) in [
            ("*.odt", Some(".odt")),
            ("a*b", None),
            ("Report*", Some("report")),
            ("{abc,def}", None),
            ("x/longer", Some("longer")),
        ] {
            assert_eq!(Pattern::parse(pattern).expect("a pattern").literal(), literal, "{pattern}");
        }
    }
}
