//! What a backup leaves out, as patterns of `.gitignore`.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// Takes a pattern as it was typed, unless it is none.
pub fn parse(text: &str) -> Result<String, String> {
    yore_engine::check_glob(text).map(|()| text.to_owned())
}

/// Reads the patterns of files, without their comments and empty lines.
pub fn read_files(files: &[PathBuf]) -> Outcome<Vec<String>> {
    let mut patterns = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|e| Failure::local(path, e))?;
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let pattern = parse(line).map_err(|reason| {
                let (path, line) = (path.display(), number + 1);
                Failure::usage(
                    format!("line {line} of {path} can't be used as a pattern: {reason}"),
                    "write it as in .gitignore, with \\ before a sign that means itself",
                )
            })?;
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

/// Makes the pattern that fits exactly one absolute path; `None` when its name is not text.
pub fn exactly(path: &Path) -> Option<String> {
    let mut pattern = String::new();
    for character in path.to_str()?.chars() {
        if matches!(character, '\\' | '*' | '?' | '[' | ']' | '{' | '}' | '!' | '#' | ' ') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    Some(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_patterns_fits_only_itself() {
        assert_eq!(exactly(Path::new("/a b/[x]*")).as_deref(), Some("/a\\ b/\\[x\\]\\*"));
    }
}
