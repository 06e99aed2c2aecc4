//! Lines no wider than a terminal, broken between words.
//!
//! A word that is wider than the terminal itself is broken after a `/` or `-`, as paths and keys are, or between
//! characters of scripts that have no spaces; one without such a place stays whole.

use textwrap::WordSeparator;
use textwrap::core::{Word, display_width};
use textwrap::wrap_algorithms::wrap_first_fit;

/// Signs of scripts without spaces that begin no line.
const CLOSING: &str = "。，、；：？！）」』》】…";

/// Breaks a line into parts of at most `width` columns; all but the first begin with `indent` spaces.
pub fn wrap(line: &str, width: usize, indent: usize) -> Vec<String> {
    if display_width(line) <= width {
        return vec![line.to_owned()];
    }
    let indent = indent.min(width / 2);
    let words = words(line, width - indent);
    let widths = [width as f64, (width - indent) as f64];
    let parts = wrap_first_fit(&words, &widths);
    let join = |(number, words): (usize, &&[Word<'_>])| {
        let mut part = " ".repeat(if number > 0 { indent } else { 0 });
        for word in *words {
            part.push_str(word.word);
            part.push_str(word.whitespace);
        }
        part.truncate(part.trim_end().len());
        part
    };
    let parts = parts.iter().enumerate().map(join);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Returns the number of columns that a text needs at least, when words wider than `width` may be broken.
pub fn least_width(text: &str, width: usize) -> usize {
    words(text, width).iter().map(|word| display_width(word.word)).max().unwrap_or(0)
}

/// Appends spaces up to a width.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(display_width(text))))
}

/// Puts spaces before a text up to a width.
pub fn pad_left(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(display_width(text))))
}

/// Splits a line into words; those wider than `width` are cut into pieces.
fn words(line: &str, width: usize) -> Vec<Word<'_>> {
    let is_wide = |word: &Word<'_>| display_width(word.word) > width;
    let mut words = Vec::new();
    for word in WordSeparator::AsciiSpace.find_words(line) {
        if !is_wide(&word) {
            words.push(word);
            continue;
        }
        for part in cut(word, |before, after| {
            matches!(before, '/' | '-') && (after.is_alphanumeric() || after == '.')
        }) {
            match is_wide(&part) {
                false => words.push(part),
                true => words.extend(cut(part, is_between_wide)),
            }
        }
    }
    words
}

/// Reports whether a line may end between two characters of a script without spaces.
fn is_between_wide(before: char, after: char) -> bool {
    let is_wide = |character: char| display_width(character.encode_utf8(&mut [0; 4])) > 1;
    (is_wide(before) || is_wide(after)) && !CLOSING.contains(after)
}

/// Cuts a word wherever `may_end` allows between two characters.
fn cut(word: Word<'_>, may_end: impl Fn(char, char) -> bool) -> Vec<Word<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let characters = word.word.char_indices();
    for ((_, before), (at, after)) in characters.clone().zip(characters.skip(1)) {
        if may_end(before, after) {
            pieces.push(Word::from(&word.word[start..at]));
            start = at;
        }
    }
    let mut last = Word::from(&word.word[start..]);
    last.whitespace = word.whitespace;
    pieces.push(last);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_keep_their_indent() {
        assert_eq!(wrap("  one two  three", 9, 2), ["  one two", "  three"]);
        assert_eq!(wrap("one", 9, 2), ["one"]);
        assert_eq!(wrap("extraordinary word", 6, 0), ["extraordinary", "word"]);
    }

    #[test]
    fn what_is_wider_than_the_terminal_is_broken_where_it_can_be() {
        assert_eq!(wrap("see /home/me/Documents", 12, 2), ["see /home/", "  me/", "  Documents"]);
        assert_eq!(wrap("年度报告草稿", 8, 0), ["年度报告", "草稿"]);
        assert_eq!(wrap("年度报告。草稿", 8, 0), ["年度报", "告。草稿"]);
    }

    #[test]
    fn chinese_takes_two_columns_a_character() {
        assert_eq!(pad("报告", 6), "报告  ");
        assert_eq!(pad_left("报告", 6), "  报告");
    }
}
