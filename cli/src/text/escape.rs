//! Escaping of names and messages, so that nothing in them moves the cursor of a terminal, changes its
//! colours or turns its writing direction.

use std::fmt::Write;

/// Shows bytes of a name or path: what is not UTF-8, and every control character, is escaped.
pub fn name(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push(&mut shown, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Shows a path of a snapshot as an absolute one, escaped.
pub fn path(path: &[u8]) -> String {
    format!("/{}", name(path))
}

/// Shows a text: every control character is escaped.
pub fn text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push(&mut shown, text);
    shown
}

/// Replaces what JSON leaves raw and a terminal may act on, by its JSON escape.
pub fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_control(character) {
            true => _ = write!(shown, "\\u{:04x}", u32::from(character)),
            false => shown.push(character),
        }
    }
    shown
}

fn push(shown: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\u{1b}' => shown.push_str("\\e"),
            other if is_control(other) && u32::from(other) < 0x100 => {
                _ = write!(shown, "\\x{:02x}", u32::from(other));
            }
            other if is_control(other) => _ = write!(shown, "\\u{{{:x}}}", u32::from(other)),
            other => shown.push(other),
        }
    }
}

/// Reports whether a terminal acts on a character instead of showing it: controls, marks of direction, and
/// separators of lines.
fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_shown_and_not_acted_on() {
        assert_eq!(name(b"\x1b]0;pwned\x07"), "\\e]0;pwned\\x07");
        assert_eq!(name("a\u{9b}31mb".as_bytes()), "a\\x9b31mb");
        assert_eq!(name("gpj.\u{202e}exe".as_bytes()), "gpj.\\u{202e}exe");
        assert_eq!(name(b"one\ntwo"), "one\\ntwo");
    }

    #[test]
    fn a_name_that_is_not_utf8_is_shown_byte_by_byte() {
        assert_eq!(name(b"caf\xe9.txt"), "caf\\xe9.txt");
        assert_eq!(name("café.txt".as_bytes()), "café.txt");
    }

    #[test]
    fn json_stays_json() {
        assert_eq!(json("\"a\u{9b}b\""), "\"a\\u009bb\"");
    }
}
