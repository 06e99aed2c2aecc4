//! The modules of a crate, and the modules that each of them names.

use std::collections::BTreeMap;

use super::sources::SourceFile;
use super::tokens::{Token, starts, tokens, without_tests};

/// A module of a crate that is not for tests alone.
pub struct Module<'s> {
    /// The names from the root of the crate; empty for the root.
    pub path: Vec<String>,
    /// The file that holds it.
    pub file: &'s SourceFile,
    /// Its code, without comments and tests.
    pub code: Vec<Token<'s>>,
}

/// A path in the code of a module, as from the root of the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its names; the last may be a module or what is in one.
    pub to: Vec<String>,
    /// The name that a `use` gives it in place of its last one.
    pub alias: Option<String>,
    /// The line that it is in.
    pub line: usize,
}

/// The folders `src` of all crates that have a root among the files.
pub fn crates(files: &[SourceFile]) -> Vec<String> {
    let root = |file: &SourceFile| {
        let (folder, name) = file.path.rsplit_once('/')?;
        let is_root = folder.ends_with("/src") && matches!(name, "lib.rs" | "main.rs");
        is_root.then(|| folder.to_owned())
    };
    let mut found: Vec<_> = files.iter().filter_map(root).collect();
    found.dedup();
    found
}

/// Finds the modules of the crate whose sources are in `folder`, from its root down.
pub fn modules<'s>(files: &'s [SourceFile], folder: &str) -> Vec<Module<'s>> {
    let by_path: BTreeMap<&str, &SourceFile> =
        files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut found = Vec::new();
    for root in ["lib.rs", "main.rs"] {
        if let Some(file) = by_path.get(format!("{folder}/{root}").as_str()) {
            add(&by_path, folder, Vec::new(), file, &mut found);
        }
    }
    found
}

fn add<'s>(
    by_path: &BTreeMap<&str, &'s SourceFile>,
    folder: &str,
    path: Vec<String>,
    file: &'s SourceFile,
    found: &mut Vec<Module<'s>>,
) {
    let code = without_tests(&tokens(&file.text));
    for child in declared(&code) {
        let child = [&path[..], &child[..]].concat();
        let base = format!("{folder}/{}", child.join("/"));
        for name in [format!("{base}.rs"), format!("{base}/mod.rs")] {
            if let Some(file) = by_path.get(name.as_str()) {
                add(by_path, folder, child.clone(), file, found);
            }
        }
    }
    found.push(Module { path, file, code });
}

/// The modules with files of their own that the code declares, as paths below it.
fn declared(code: &[Token<'_>]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for_each(code, |at, inside| {
        if let [keyword, name, end, ..] = &code[at..]
            && (keyword.text, end.text) == ("mod", ";")
        {
            found.push([inside, &[name.text.to_owned()]].concat());
        }
        at + 1
    });
    found
}

/// Goes through code, telling `step` which inline modules it is in; `step` returns where to go on.
fn for_each(code: &[Token<'_>], mut step: impl FnMut(usize, &[String]) -> usize) {
    let (mut inside, mut ends, mut depth, mut at) = (Vec::new(), Vec::new(), 0, 0);
    while at < code.len() {
        match code[at].text {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if ends.last() == Some(&depth) {
                    ends.pop();
                    inside.pop();
                }
            }
            _ => {}
        }
        if let [keyword, name, open, ..] = &code[at..]
            && (keyword.text, open.text) == ("mod", "{")
        {
            inside.push(name.text.to_owned());
            ends.push(depth);
        }
        at = step(at, &inside);
    }
}

/// Every path in a module's code that begins with `crate`, `self` or `super`.
pub fn references(module: &Module<'_>) -> Vec<Reference> {
    let code = &module.code;
    let mut found = Vec::new();
    for_each(code, |at, inside| {
        let begins = matches!(code[at].text, "crate" | "self" | "super")
            && starts(&code[at + 1..], &[":", ":"]);
        let goes_on = at > 0 && code[at - 1].text == ":" && at > 1 && code[at - 2].text == ":";
        // `pub(in crate::a)` names a module without using it.
        let is_visibility =
            at > 0 && code[at - 1].text == "in" && at > 1 && code[at - 2].text == "(";
        if !begins || goes_on || is_visibility {
            return at + 1;
        }
        let here = [&module.path[..], inside].concat();
        path_tree(code, at, here, &mut found)
    });
    found
}

/// The paths of all `use` declarations at the root of a crate, whatever they begin with.
pub fn root_imports(root: &Module<'_>) -> Vec<Reference> {
    let mut found = Vec::new();
    for_each(&root.code, |at, inside| match root.code[at].text {
        "use" if inside.is_empty() => path_tree(&root.code, at + 1, Vec::new(), &mut found),
        _ => at + 1,
    });
    found
}

/// Reads a path, or a tree of paths in braces, below `base`; returns where it ends.
fn path_tree(
    code: &[Token<'_>],
    mut at: usize,
    base: Vec<String>,
    found: &mut Vec<Reference>,
) -> usize {
    let (mut path, line) = (base, code.get(at).map_or(0, |token| token.line));
    let mut line = line;
    while let Some(token) = code.get(at) {
        match token.text {
            "{" => return group(code, at, &path, found),
            "crate" => path.clear(),
            "super" => drop(path.pop()),
            "self" | "*" => {}
            name => path.push(name.to_owned()),
        }
        line = line.max(token.line);
        at += 1;
        let next = code.get(at + 2).map_or("", |token| token.text);
        let goes_on = starts(&code[at..], &[":", ":"])
            && (matches!(next, "{" | "*")
                || next.starts_with(|c: char| c == '_' || c.is_alphabetic()));
        if !goes_on {
            break;
        }
        at += 2;
    }
    let mut alias = None;
    if starts(&code[at..], &["as"]) {
        alias = code.get(at + 1).map(|token| token.text.to_owned());
        at += 2;
    }
    found.push(Reference { to: path, alias, line });
    at
}

fn group(code: &[Token<'_>], mut at: usize, base: &[String], found: &mut Vec<Reference>) -> usize {
    at += 1;
    while let Some(token) = code.get(at) {
        match token.text {
            "}" => return at + 1,
            "," => at += 1,
            _ => at = path_tree(code, at, base.to_vec(), found),
        }
    }
    at
}
