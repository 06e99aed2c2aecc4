//! Documents that name tests: `module::a_test_that_says_what_it_proves`.

use super::sources::SourceFile;

/// The fewest words of a name that can only be a test's.
const WORDS: usize = 4;

/// Finds the names of tests in documents for which no such test is in a module of that name.
pub fn wrong_citations(files: &[SourceFile]) -> Vec<String> {
    let code: Vec<_> = files.iter().filter(|file| file.path.ends_with(".rs")).collect();
    let mut found = Vec::new();
    for document in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in document.text.lines().enumerate() {
            for name in citations(line) {
                if !code.iter().any(|file| has(file, name)) {
                    found.push(format!(
                        "{}:{}: there is no test `{name}`; name it as it is called now",
                        document.path,
                        number + 1
                    ));
                }
            }
        }
    }
    found
}

/// Counts the names of tests in a document.
pub fn count_citations(document: &SourceFile) -> usize {
    document.text.lines().map(|line| citations(line).count()).sum()
}

/// The words in backquotes that are paths of tests.
fn citations(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| {
        let is_path = word.split("::").all(|name| !name.is_empty() && name.chars().all(is_lower));
        let last = word.rsplit("::").next().unwrap_or_default();
        is_path && word.contains("::") && last.split('_').count() >= WORDS
    })
}

fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// Returns true if a file has the test, in a module that the path names.
fn has(file: &SourceFile, name: &str) -> bool {
    let mut path = name.split("::").collect::<Vec<_>>();
    let test = path.pop().unwrap_or_default();
    let stem = file.path.trim_end_matches(".rs");
    let is_module =
        |module: &&str| *module == "tests" || stem.split('/').any(|part| part == *module);
    path.iter().all(is_module) && file.text.contains(&format!("fn {test}("))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::sample;

    fn wrong(text: &str) -> usize {
        let code = (
            "x/src/tree.rs",
            "mod tests { fn a_name_is_right_here() {} fn a_property_of_all_inputs(n in 0..9) {} }",
        );
        wrong_citations(&sample(&[("x/A.md", text), code])).len()
    }

    #[test]
    fn a_test_that_is_there_may_be_named_with_and_without_its_inner_module() {
        assert_eq!(wrong("See `tree::a_name_is_right_here`."), 0);
        assert_eq!(wrong("See `tree::tests::a_name_is_right_here`."), 0);
        assert_eq!(wrong("See `tree::tests::a_property_of_all_inputs`."), 0);
    }

    #[test]
    fn another_name_and_another_module_are_found() {
        assert_eq!(wrong("See `tree::a_name_is_wrong_here`."), 1);
        assert_eq!(wrong("See `leaf::a_name_is_right_here`, `tree::x_y_z_0`."), 2);
    }

    #[test]
    fn other_paths_and_words_are_no_citations() {
        assert_eq!(wrong("`Backend::names`, `std::fs::read_dir`, `a_name_is_wrong_here`, ``"), 0);
    }
}
