//! The rule of the first word of doc comments.

use super::sources::SourceFile;

/// Words that begin a clause or a phrase where a doc comment should begin with a verb or a noun.
const NO_BEGINNINGS: [&str; 50] = [
    "about",
    "above",
    "after",
    "against",
    "as",
    "at",
    "because",
    "before",
    "below",
    "beside",
    "between",
    "beyond",
    "but",
    "by",
    "during",
    "for",
    "from",
    "how",
    "however",
    "if",
    "in",
    "into",
    "of",
    "on",
    "once",
    "out",
    "over",
    "since",
    "so",
    "that",
    "though",
    "to",
    "under",
    "until",
    "what",
    "whatever",
    "when",
    "whenever",
    "where",
    "wherever",
    "whether",
    "which",
    "whichever",
    "while",
    "who",
    "whoever",
    "whom",
    "whose",
    "why",
    "with",
];

/// The share of such comments in percent below which the rule is kept.
const LIMIT: f64 = 3.0;

/// A doc comment: its place and its first line.
struct DocComment<'s> {
    path: &'s str,
    line: usize,
    text: &'s str,
}

/// Finds the doc comments that begin with a free relative or a preposition, if they are 3 % of all or more.
///
/// A doc comment is a run of lines with `///` or with `//!`, as it is shown in one piece.
pub fn free_relatives(files: &[SourceFile]) -> Vec<String> {
    let comments: Vec<_> =
        files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(doc_comments).collect();
    let wrong: Vec<_> = comments.iter().filter(|comment| begins_wrongly(comment.text)).collect();
    let share = 100.0 * wrong.len() as f64 / comments.len().max(1) as f64;
    if share < LIMIT {
        return Vec::new();
    }
    let head = format!(
        "{} of {} doc comments ({share:.1} %, not below {LIMIT} %) begin with a free relative or a preposition; begin with a \
         verb in the third person (\"Returns …\") or a noun (\"The size in bytes.\"):",
        wrong.len(),
        comments.len()
    );
    let line =
        |comment: &&DocComment<'_>| format!("{}:{}: {}", comment.path, comment.line, comment.text);
    std::iter::once(head).chain(wrong.iter().map(line)).collect()
}

fn doc_comments(file: &SourceFile) -> Vec<DocComment<'_>> {
    let mut found = Vec::new();
    let mut before = "";
    for (number, line) in file.text.lines().enumerate() {
        let line = line.trim_start();
        let marker = ["///", "//!"].into_iter().find(|marker| line.starts_with(marker));
        // Four slashes are an ordinary comment.
        let marker = marker.filter(|_| !line.starts_with("////")).unwrap_or_default();
        if !marker.is_empty() && marker != before {
            let text = line[marker.len()..].trim();
            found.push(DocComment { path: &file.path, line: number + 1, text });
        }
        before = marker;
    }
    found
}

fn begins_wrongly(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphabetic() && c != '\'').next().unwrap_or_default();
    NO_BEGINNINGS.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::sample;

    #[test]
    fn comments_that_begin_with_a_free_relative_are_listed() {
        let text = "//! What it is.\n\n/// Whether it is.\n/// As it was.\nfn a() {}\n\n    /// Returns it.\n    fn b() {}\n";
        let found = free_relatives(&sample(&[("x/src/a.rs", text)]));
        assert!(found[0].starts_with("2 of 3 doc comments (66.7 %"), "{found:?}");
        assert_eq!(found[1..], ["x/src/a.rs:1: What it is.", "x/src/a.rs:3: Whether it is."]);
    }

    #[test]
    fn verbs_nouns_ordinary_comments_and_other_lines_are_right() {
        let text = "//! Asks a destination.\n// What it is.\n//// How it is.\n/// `of` is a name.\n/// of\nfn a() {}\n\
                    /// Information.\n/// The size\n/// in bytes.\nfn b() {}\n";
        assert_eq!(free_relatives(&sample(&[("x/src/a.rs", text), ("x/a.md", "/// Of")])), [""; 0]);
    }

    #[test]
    fn a_few_among_many_are_let_pass() {
        let text = |wrong: usize, right: usize| {
            "/// Of it.\nfn a() {}\n".repeat(wrong) + &"/// Returns it.\nfn b() {}\n".repeat(right)
        };
        let check = |wrong, right| free_relatives(&sample(&[("x/src/a.rs", &text(wrong, right))]));
        assert!(check(2, 98).is_empty());
        assert_eq!(check(3, 97).len(), 4);
    }
}
