//! Patterns as people type them, and compared with Git.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

fn typed(pattern: &str, sources: &[&str], others: &[&str]) -> Vec<String> {
    let bytes = |paths: &[&str]| paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    let bases =
        Bases { sources: bytes(sources), others: bytes(others), home: Some(b"home/me".to_vec()) };
    Rule::typed(pattern, &bases).patterns
}

#[test]
fn a_typed_pattern_stands_for_patterns_from_the_root() {
    for (pattern, expected) in [
        ("*.o", &["*.o"][..]),
        ("cache/", &["cache/"]),
        ("/srv/x", &["/srv/x"]),
        ("**/a/b", &["**/a/b"]),
        ("Documents/private", &["/home/me/x/Documents/private"]),
        ("Documents/private  ", &["/home/me/x/Documents/private"]),
        ("!Documents/private/", &["!/home/me/x/Documents/private/"]),
        ("./cache", &["/home/me/x/cache"]),
        ("x/cache", &["/home/me/x/x/cache", "/home/me/x/cache"]),
        ("../y/z", &["/home/me/y/z"]),
        ("~/x/y", &["/home/me/x/y"]),
        ("~other", &["~other"]),
    ] {
        assert_eq!(typed(pattern, &["home/me/x"], &["home/me/x"]), expected, "{pattern}");
    }
    let twice = typed("a/b", &["srv/[1]", ""], &["tmp"]);
    assert_eq!(twice, ["/srv/\\[1\\]/a/b", "/a/b", "/tmp/a/b"]);
}

#[test]
fn malformed_patterns_are_refused_and_others_are_not() {
    for pattern in ["[z", "a/[b-", "{a,b}", "[b-a]", "x\\", "[[:nothing:]]"] {
        assert!(check_glob(pattern).is_err(), "{pattern}");
        let rules = ["*.o", pattern].map(|pattern| Rule::added(vec![pattern.into()]));
        assert!(Globs::new(&rules).is_err(), "{pattern}");
        assert!(Globs::recorded(&[pattern.into()]).is_ok_and(|globs| globs.is_empty()));
    }
    for pattern in ["*.o", "/home/*/[a-z]", "!keep", "\\[z", "#", "", "folder/", "{{name}}"] {
        assert_eq!(check_glob(pattern), Ok(()), "{pattern}");
    }
}

#[test]
fn a_rule_that_matched_nothing_is_listed_also_behind_one_that_did() {
    let rules = ["*.o", "a.o", "b.o", "!c.o"].map(|pattern| Rule::added(vec![pattern.into()]));
    let globs = Globs::new(&rules).expect("patterns");
    assert!(globs.matches(b"x/a.o", false) && globs.matches(b"x/d.o", false));
    assert_eq!(globs.unused(), [2, 3]);
    assert_eq!(globs.decide(b"c.o", false), GlobMatch::Negated);
    assert_eq!(globs.unused(), [2]);
}

#[test]
fn classes_match_characters_and_bytes_that_are_no_text() {
    let globs = |pattern: &str| Globs::new(&[Rule::added(vec![pattern.into()])]).expect("one");
    assert!(globs("?rger").matches("ärger".as_bytes(), false));
    assert!(globs("[ä-ü]rger").matches("ärger".as_bytes(), false));
    assert!(globs("a?b").matches(b"a\xffb", false) && globs("a[!x]b").matches(b"a\xffb", false));
    assert!(globs("a*b").matches(b"a\xff\xfeb", false));
    let exactly = escape_glob(b"a b/[x]*\xff");
    assert_eq!(exactly, "a\\ b/\\[x\\]\\*?");
}

/// Draws the same numbers at each run (Knuth's MMIX generator).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn pattern(&mut self) -> String {
        const PIECES: [&str; 26] = [
            "a",
            "b",
            "c",
            "ab",
            "a",
            "b",
            "/",
            "/",
            "*",
            "**",
            "/**/",
            "**/",
            "/**",
            "?",
            "[ab]",
            "[!a]",
            "[a-b]",
            "[^b]",
            "[]a]",
            "\\a",
            "\\ ",
            " ",
            "#",
            "{a}",
            "[[:alpha:]]",
            "***",
        ];
        let mut pattern = if self.below(6) == 0 { "!".to_owned() } else { String::new() };
        for _ in 0..=self.below(5) {
            pattern.push_str(PIECES[self.below(PIECES.len())]);
        }
        pattern
    }
}

/// Returns whether `**` follows something else than a slash.
///
/// gitignore(5) calls it a regular asterisk; Git cuts off the literal beginning of a pattern before it matches
/// (`match_pathname` in dir.c), and then takes what comes behind that for a component of its own.
fn has_odd_stars(pattern: &str) -> bool {
    let body = pattern.trim_start_matches('!');
    let before = |at: usize| body[..at].trim_end_matches('*');
    body.match_indices("**").any(|(at, _)| before(at).ends_with(|character| character != '/'))
}

/// Makes folders and files of short names three levels deep; lists them, folders with a slash at the end.
fn plant(top: &Path) -> Vec<String> {
    let names = ["a", "b", "c", "ab", "ba", "#", "a b", "{a}", "]"];
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    for level in 0..3 {
        let above = std::mem::take(&mut folders);
        for above in above {
            for (at, name) in names.iter().enumerate() {
                let path = format!("{above}{name}");
                // Some are folders at each level, and those of the last level are all files.
                if level < 2 && at % 3 != 2 {
                    std::fs::create_dir_all(top.join(&path)).expect("a folder");
                    folders.push(format!("{path}/"));
                    paths.push(format!("{path}/"));
                } else {
                    std::fs::write(top.join(&path), "").expect("a file");
                    paths.push(path);
                }
            }
        }
    }
    paths
}

/// Matches as a walk does: everything below an excluded directory is excluded.
fn leaves_out(globs: &Globs, path: &str) -> bool {
    let is_dir = path.ends_with('/');
    let path = path.trim_end_matches('/');
    let ends = path.match_indices('/').map(|(at, _)| (at, true));
    ends.chain([(path.len(), is_dir)]).any(|(end, dir)| globs.matches(&path.as_bytes()[..end], dir))
}

fn git(top: &Path, words: &[&str], input: &str) -> String {
    let mut git = Command::new("git");
    git.current_dir(top).args(words).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", top);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("git runs");
    let mut pipe = git.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("git reads");
    drop(pipe);
    let ended = git.wait_with_output().expect("git ends");
    assert!(ended.status.code().is_some_and(|code| code < 2), "{ended:?}");
    String::from_utf8(ended.stdout).expect("text")
}

#[test]
fn a_thousand_random_patterns_mean_the_same_to_git() {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = plant(folder.path());
    git(folder.path(), &["init", "--quiet"], "");
    let input: String =
        paths.iter().map(|path| format!("{}\0", path.trim_end_matches('/'))).collect();
    let mut draw = Draw(11);
    let (mut compared, mut matching) = (0, 0);
    for _ in 0..1200 {
        let patterns: Vec<String> = (0..=draw.below(5)).map(|_| draw.pattern()).collect();
        let is_comparable =
            |pattern: &String| check_glob(pattern).is_ok() && !has_odd_stars(pattern);
        if !patterns.iter().all(is_comparable) {
            continue;
        }
        let lines: String = patterns.iter().map(|pattern| format!("{pattern}\n")).collect();
        std::fs::write(folder.path().join(".gitignore"), lines).expect("a file");
        let words = ["check-ignore", "--no-index", "-z", "--stdin"];
        let answer = git(folder.path(), &words, &input);
        let expected: BTreeSet<&str> = answer.split('\0').filter(|path| !path.is_empty()).collect();
        // In a file, a line that begins with # is a comment.
        let patterns = patterns.into_iter().filter(|pattern| !pattern.starts_with('#'));
        let rules: Vec<Rule> = patterns.map(|pattern| Rule::added(vec![pattern])).collect();
        let globs = Globs::new(&rules).expect("patterns");
        let left_out = paths.iter().filter(|path| leaves_out(&globs, path));
        let found: BTreeSet<&str> = left_out.map(|path| path.trim_end_matches('/')).collect();
        assert_eq!(found, expected, "{rules:?}");
        compared += rules.len();
        matching += usize::from(!found.is_empty());
    }
    assert!(compared >= 1000 && matching > 100, "{compared} patterns, {matching} matching");
}
