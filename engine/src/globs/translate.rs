//! The translation of one pattern of gitignore(5) into a regular expression over bytes.
//!
//! The rules are those of Git 2.47 (`dir.c`, `wildmatch.c` with `WM_PATHNAME`), with two differences: `?` and
//! a class stand for one character of UTF-8 rather than for one byte, and what Git takes for a pattern that
//! matches nothing (`[z`, `x\`) is refused.

use std::iter::Peekable;
use std::str::Chars;

/// Any one character but a slash, or one byte of a name that is not UTF-8.
const ANY: &str = r"(?:[^/]|(?-u:[^/]))";

/// A pattern, ready to be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Translated {
    /// Fits the whole of a path from the root, or of a name.
    pub(super) regex: String,
    /// Set if it matches names, in whatever folder.
    pub(super) is_name: bool,
    /// Set if it takes back an exclusion by an earlier pattern.
    pub(super) negated: bool,
    /// Set if it matches directories alone.
    pub(super) dirs_only: bool,
}

/// Translates a pattern; `None` for one that says nothing, such as an empty line.
///
/// # Errors
/// The malformed part of the pattern, in words.
pub(super) fn translate(pattern: &str) -> Result<Option<Translated>, String> {
    let pattern = without_trailing_blanks(pattern);
    let (negated, body) = match pattern.strip_prefix('!') {
        Some(body) => (true, body),
        None => (false, pattern),
    };
    let (dirs_only, body) = match body.strip_suffix('/') {
        Some(body) => (true, body),
        None => (false, body),
    };
    if body.is_empty() {
        return Ok(None);
    }
    let is_name = !body.contains('/');
    let body = body.strip_prefix('/').unwrap_or(body);
    Ok(Some(Translated { regex: whole(body)?, is_name, negated, dirs_only }))
}

/// Cuts the blanks at the end of a line, up to one behind a backslash.
pub(super) fn without_trailing_blanks(line: &str) -> &str {
    let mut end = 0;
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        let last = match character {
            '\\' => characters.next().map_or(at + 1, |(next, escaped)| next + escaped.len_utf8()),
            ' ' => continue,
            other => at + other.len_utf8(),
        };
        end = last;
    }
    &line[..end]
}

fn whole(body: &str) -> Result<String, String> {
    let mut regex = String::from(r"(?s)\A");
    let mut rest = body.chars().peekable();
    let mut at_start = true;
    while let Some(character) = rest.next() {
        let was_at_start = std::mem::replace(&mut at_start, character == '/');
        match character {
            '*' => stars(&mut regex, &mut rest, was_at_start, &mut at_start),
            '?' => regex.push_str(ANY),
            '[' => class(&mut regex, &mut rest)?,
            '\\' => match rest.next() {
                Some(escaped) => regex.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4]))),
                None => return Err("there is nothing behind its last \\".into()),
            },
            '{' => {
                must_be_literal(rest.clone())?;
                regex.push_str(r"\{");
            }
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(r"\z");
    Ok(regex)
}

/// Translates asterisks, of which the first has been taken.
///
/// Two or more that are a component of their own stand for any number of folders, otherwise for as much as one.
fn stars(
    regex: &mut String,
    rest: &mut Peekable<Chars<'_>>,
    starts_component: bool,
    at_start: &mut bool,
) {
    let mut several = false;
    while rest.next_if_eq(&'*').is_some() {
        several = true;
    }
    match (several && starts_component, rest.peek()) {
        (true, None) => regex.push_str("(?-u:.)*"),
        (true, Some('/')) => {
            rest.next();
            *at_start = true;
            regex.push_str("(?:(?-u:.)*/)?");
        }
        _ => regex.push_str("(?-u:[^/])*"),
    }
}

/// Translates a class of characters, of which the bracket has been taken. It never matches a slash.
fn class(regex: &mut String, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    let negated = rest.next_if(|&next| next == '!' || next == '^').is_some();
    let mut items = String::new();
    let mut first = true;
    loop {
        let unclosed = || "its [ is never closed".to_owned();
        let start = match rest.next().ok_or_else(unclosed)? {
            ']' if !first => break,
            '[' if rest.peek() == Some(&':') => {
                items.push_str(named_class(rest)?);
                first = false;
                continue;
            }
            '\\' => rest.next().ok_or_else(unclosed)?,
            other => other,
        };
        first = false;
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && ahead.peek().is_some_and(|&next| next != ']') {
            rest.next();
            let end = match rest.next().ok_or_else(unclosed)? {
                '\\' => rest.next().ok_or_else(unclosed)?,
                other => other,
            };
            if start > end {
                return Err(format!("its range {start}-{end} goes backwards"));
            }
            items.push_str(&format!("{}-{}", escaped(start), escaped(end)));
        } else {
            items.push_str(&escaped(start));
        }
    }
    match negated {
        true => regex.push_str(&format!(r"(?:[^/{items}]|(?-u:[\x80-\xff]))")),
        false => regex.push_str(&format!("[{items}&&[^/]]")),
    }
    Ok(())
}

/// Reads `[:alpha:]` and its like, of which the bracket has been taken.
fn named_class(rest: &mut Peekable<Chars<'_>>) -> Result<&'static str, String> {
    let mut name = String::new();
    rest.next();
    while let Some(letter) = rest.next_if(char::is_ascii_lowercase) {
        name.push(letter);
    }
    let ends = rest.next() == Some(':') && rest.next() == Some(']');
    let classes = [
        ("alnum", "[:alnum:]"),
        ("alpha", "[:alpha:]"),
        ("blank", "[:blank:]"),
        ("cntrl", "[:cntrl:]"),
        ("digit", "[:digit:]"),
        ("graph", "[:graph:]"),
        ("lower", "[:lower:]"),
        ("print", "[:print:]"),
        ("punct", "[:punct:]"),
        ("space", "[:space:]"),
        ("upper", "[:upper:]"),
        ("xdigit", "[:xdigit:]"),
    ];
    let known = classes.into_iter().find(|(known, _)| ends && *known == name);
    known.map(|(_, class)| class).ok_or_else(|| format!("[:{name}:] is no class of characters"))
}

/// Writes a character so that it means itself in a class.
fn escaped(character: char) -> String {
    format!("\\x{{{:x}}}", u32::from(character))
}

/// Refuses `{a,b}`, of which the brace has been taken: other tools take it for two patterns, Git for itself.
fn must_be_literal(rest: Peekable<Chars<'_>>) -> Result<(), String> {
    let inside: String = rest.take_while(|&character| character != '}').collect();
    match inside.contains(',') {
        true => Err("{a,b} is not two patterns in .gitignore: write each by itself, or \\{".into()),
        false => Ok(()),
    }
}
