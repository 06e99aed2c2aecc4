//! Rules of where things are: roots of crates, and how many files lie side by side.

use std::collections::BTreeMap;

use super::sources::SourceFile;
use super::tokens::{Token, starts, tokens, without_tests};

/// The most files that lie side by side in a folder.
const SIDE_BY_SIDE: usize = 16;

/// Finds what `lib.rs` files hold beside `mod` and `use`.
pub fn more_than_contents(files: &[SourceFile]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("src/lib.rs")) {
        if let Some(token) = beside_contents(&without_tests(&tokens(&file.text))) {
            found.push(format!(
                "{}:{}: `{}`: lib.rs is a table of contents, of `mod` and `use` only; move this into a module",
                file.path, token.line, token.text
            ));
        }
    }
    found
}

/// The first token of an item that is neither a module nor an import.
fn beside_contents<'s>(code: &[Token<'s>]) -> Option<Token<'s>> {
    let (mut at, mut closes) = (0, 0);
    while let Some(token) = code.get(at) {
        let to_end = |end: &str| code[at..].iter().position(|token| token.text == end);
        match token.text {
            "#" => at += to_end("]")? + 1,
            "pub" if starts(&code[at + 1..], &["("]) => at += to_end(")")? + 1,
            "pub" => at += 1,
            "use" => at += to_end(";")? + 1,
            "mod" if starts(&code[at + 2..], &[";"]) => at += 3,
            "mod" if starts(&code[at + 2..], &["{"]) => {
                closes += 1;
                at += 3;
            }
            "}" if closes > 0 => {
                closes -= 1;
                at += 1;
            }
            _ => return Some(*token),
        }
    }
    None
}

/// Finds folders of sources that have too many files side by side. Data and tables of contents do not count.
pub fn crowded_folders(files: &[SourceFile]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let is_source = [".rs", ".py", ".c", ".sh"].iter().any(|end| name.ends_with(end));
        let is_contents = ["lib.rs", "main.rs"].contains(&name);
        *counts.entry(folder).or_default() += usize::from(is_source && !is_contents);
    }
    let crowded = counts.into_iter().filter(|(_, count)| *count > SIDE_BY_SIDE);
    let line = |(folder, count)| {
        format!(
            "{folder} has {count} files side by side, more than {SIDE_BY_SIDE}: give those of one purpose a folder"
        )
    };
    crowded.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::sample;

    fn beside(text: &str) -> Vec<String> {
        more_than_contents(&sample(&[("x/src/lib.rs", text)]))
    }

    #[test]
    fn a_root_of_modules_and_imports_is_a_table_of_contents() {
        let text = "//! Head.\n#![allow(missing_docs)]\nmod a;\n/// Doc.\npub mod b { pub use crate::a::{A, B}; }\n\
                    #[doc(hidden)] pub(crate) use a::A;\n#[cfg(test)]\nmod tests { fn f() {} }\n";
        assert_eq!(beside(text), Vec::<String>::new());
        let other = sample(&[("x/src/a.rs", "fn f() {}"), ("x/src/main.rs", "fn main() {}")]);
        assert_eq!(more_than_contents(&other), Vec::<String>::new());
    }

    #[test]
    fn a_root_with_anything_else_is_told_its_line() {
        for item in [
            "fn f() {}",
            "pub struct S;",
            "const A: u8 = 1;",
            "pub(crate) type T = u8;",
            "macro_rules! m {}",
        ] {
            let found = beside(&format!("mod a;\nuse a::A;\n{item}\n"));
            assert_eq!(found.len(), 1, "{item}");
            assert!(found[0].starts_with("x/src/lib.rs:3: "), "{}", found[0]);
        }
        assert_eq!(beside("pub mod a { pub fn f() {} }").len(), 1);
    }

    #[test]
    fn seventeen_sources_side_by_side_are_too_many_and_data_is_not_counted() {
        let names = |count: usize, end: &str| -> Vec<SourceFile> {
            let name = |n| SourceFile { path: format!("x/src/a/{n}{end}"), text: String::new() };
            (0..count).map(name).collect()
        };
        assert_eq!(crowded_folders(&names(16, ".rs")), Vec::<String>::new());
        assert_eq!(crowded_folders(&names(40, ".json")), Vec::<String>::new());
        let found = crowded_folders(&names(17, ".rs"));
        assert!(found.len() == 1 && found[0].starts_with("x/src/a has 17 files"), "{found:?}");
        assert_eq!(crowded_folders(&[names(9, ".rs"), names(9, ".py")].concat()).len(), 1);
    }
}
