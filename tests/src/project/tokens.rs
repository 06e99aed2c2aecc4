//! Rust source text as tokens, without comments, without the content of strings, and without code for tests.
//!
//! It is as exact as the rules of the project need: names, punctuation and their lines.

/// One token of Rust code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'s> {
    /// A name or a number, one character of punctuation, or `""` for any string or character.
    pub text: &'s str,
    /// The line that it begins in, counted from 1.
    pub line: usize,
}

/// The token that stands for any string or character.
const LITERAL: &str = "\"\"";

/// Splits source text into tokens.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, token) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (block_comment(rest), None)
        } else if let Some(length) = string(rest) {
            (length, Some(LITERAL))
        } else if first == '\'' {
            match character(rest) {
                Some(length) => (length, Some(LITERAL)),
                None => (1, Some("'")),
            }
        } else if is_of_name(first) {
            let length = rest.find(|c| !is_of_name(c)).unwrap_or(rest.len());
            (length, Some(&rest[..length]))
        } else {
            let length = first.len_utf8();
            (length, (!first.is_whitespace()).then_some(&rest[..length]))
        };
        found.extend(token.map(|text| Token { text, line }));
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

fn is_of_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The length of a block comment, in which others may be nested.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a string at the beginning of `rest`, of any kind; `None` where there is none.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| after.starts_with(['"', '#']))
    });
    let prefix = prefix.unwrap_or_default();
    let after = &rest[prefix.len()..];
    if !prefix.ends_with('r') {
        let body = after.strip_prefix('"')?;
        return Some(prefix.len() + 1 + quoted(body, b'"'));
    }
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = body.find(&end).map_or(body.len(), |at| at + end.len());
    Some(prefix.len() + hashes + 1 + length)
}

/// The bytes up to and with the closing quote.
fn quoted(body: &str, quote: u8) -> usize {
    let mut bytes = body.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return at + 1;
        }
    }
    body.len()
}

/// The length of a character literal; `None` for the quote of a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        return Some(1 + quoted(&rest[1..], b'\''));
    }
    let (at, second) = characters.next()?;
    (second == '\'').then_some(at + 1)
}

/// Leaves out every item under `#[cfg(test)]`, and everything under `#![cfg(test)]`.
pub fn without_tests<'s>(tokens: &[Token<'s>]) -> Vec<Token<'s>> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if starts(&tokens[at..], &["#", "!", "["]) && is_for_tests(&tokens[at + 3..]) {
            return Vec::new();
        }
        if starts(&tokens[at..], &["#", "["]) && is_for_tests(&tokens[at + 2..]) {
            at += item_length(&tokens[at..]);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Compares the first tokens with words.
pub fn starts(tokens: &[Token<'_>], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// Returns true for the inner part of `#[cfg(test)]` and of `#[cfg(all(test, …))]`.
fn is_for_tests(inner: &[Token<'_>]) -> bool {
    starts(inner, &["cfg", "(", "test", ")"]) || starts(inner, &["cfg", "(", "all", "(", "test"])
}

/// The tokens of an item with its attributes.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut at = 0;
    while starts(&tokens[at..], &["#", "["]) {
        at += 1 + group_length(&tokens[at + 1..]);
    }
    const ITEMS: [&str; 14] = [
        "pub", "use", "mod", "fn", "struct", "enum", "union", "trait", "impl", "const", "static",
        "type", "unsafe", "async",
    ];
    let is_item = tokens.get(at).is_some_and(|token| ITEMS.contains(&token.text));
    let is_use = |token: &Token<'_>| token.text == "use";
    let ends_at_brace = is_item && !tokens[at..].iter().take(6).any(is_use);
    while let Some(token) = tokens.get(at) {
        match token.text {
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            // The end of what holds it.
            "}" => return at,
            "{" if ends_at_brace => return at + group_length(&tokens[at..]),
            "{" | "(" | "[" => at += group_length(&tokens[at..]),
            _ => at += 1,
        }
    }
    at
}

/// The tokens of a bracketed group that begins here, with both brackets.
fn group_length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        tokens(text).into_iter().map(|token| token.text).collect()
    }

    fn code(text: &str) -> String {
        let kept: Vec<_> = without_tests(&tokens(text)).into_iter().map(|t| t.text).collect();
        kept.join(" ")
    }

    #[test]
    fn comments_and_the_content_of_strings_are_no_code() {
        assert_eq!(texts("a // b\n/* c /* d */ e */ f"), ["a", "f"]);
        assert_eq!(
            texts(r##"x("a \" b", r#"c " d"#, b"e", 'f', '\'')"##).join(""),
            r#"x("","","","","")"#
        );
        assert_eq!(texts("fn f<'a>(x: &'a str)").join(" "), "fn f < ' a > ( x : & ' a str )");
    }

    #[test]
    fn tokens_know_their_lines() {
        let found = tokens("a\n\"b\nc\" d");
        assert_eq!(found.iter().map(|token| token.line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn items_for_tests_are_left_out_and_nothing_beside_them() {
        assert_eq!(code("use a; #[cfg(test)] use b::{c, d}; use e;"), "use a ; use e ;");
        assert_eq!(
            code("#[cfg(test)]\n#[allow(x)]\nmod tests { fn f() {} } fn g() {}"),
            "fn g ( ) { }"
        );
        assert_eq!(code("#[cfg(test)] mod tests; mod b;"), "mod b ;");
        assert_eq!(code("#[cfg(test)] pub(crate) fn f<A, B>() { x } struct S;"), "struct S ;");
        assert_eq!(code("struct S { #[cfg(test)] a: u8, b: u8 }"), "struct S { b : u8 }");
        assert_eq!(code("#[cfg(all(test, unix))] const A: [u8; 2] = [1, 2]; b"), "b");
        assert_eq!(code("#![cfg(test)] fn f() {}"), "");
        assert_eq!(code("#[cfg(not(test))] fn f() {}"), "# [ cfg ( not ( test ) ) ] fn f ( ) { }");
    }
}
