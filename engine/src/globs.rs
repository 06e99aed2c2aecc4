//! Patterns of paths as in `.gitignore`, against absolute paths.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Error, Result};

/// Tells what is wrong with a pattern that a person types, in words; nothing is if it can be used.
pub fn check_glob(pattern: &str) -> std::result::Result<(), String> {
    let mut builder = strict();
    builder.add_line(None, pattern).map(drop).map_err(|error| reason(&error))
}

/// Compiles the patterns that somebody asked for; `None` where there are none.
///
/// # Errors
/// [`Error::Refused`] names the first that is none.
pub(crate) fn compile(patterns: &[String]) -> Result<Option<Gitignore>> {
    build(strict(), patterns)
}

/// Compiles the patterns that a snapshot names: what an older program took for one still is.
///
/// # Errors
/// [`Error::Refused`] names the first that is none.
pub(crate) fn compile_recorded(patterns: &[String]) -> Result<Option<Gitignore>> {
    build(GitignoreBuilder::new("/"), patterns)
}

fn strict() -> GitignoreBuilder {
    let mut builder = GitignoreBuilder::new("/");
    // Otherwise `[z` would silently fit nothing but a file of that name.
    builder.allow_unclosed_class(false);
    builder
}

fn build(mut builder: GitignoreBuilder, patterns: &[String]) -> Result<Option<Gitignore>> {
    let refused = |what: String, error| Error::Refused {
        what: format!("{what} can't be used as a pattern: {}", reason(&error)),
    };
    for pattern in patterns {
        builder.add_line(None, pattern).map_err(|error| refused(format!("{pattern:?}"), error))?;
    }
    let built = builder.build().map_err(|error| refused("all patterns together".into(), error))?;
    Ok((!built.is_empty()).then_some(built))
}

/// The words of an error without the pattern, which whoever tells it names anyway.
fn reason(error: &ignore::Error) -> String {
    match error {
        ignore::Error::Glob { err, .. } => err.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_are_none_are_told_and_others_are_not() {
        for pattern in ["[z", "a/[b-", "{a,b", "[b-a]", "x\\"] {
            assert!(check_glob(pattern).is_err(), "{pattern}");
            assert!(compile(&["*.o".into(), pattern.into()]).is_err(), "{pattern}");
        }
        for pattern in ["*.o", "/home/*/[a-z]", "!keep", "\\[z", "#", "", "folder/"] {
            assert_eq!(check_glob(pattern), Ok(()), "{pattern}");
        }
        assert!(compile_recorded(&["[z".into()]).is_ok_and(|built| built.is_some()));
        assert!(compile(&["# a comment".into()]).is_ok_and(|built| built.is_none()));
    }
}
