//! Recovery keys that were copied by hand.

/// The number of characters of a key, without the separators.
const KEY_LENGTH: usize = 45;
/// The number of characters that may be missing or too many.
const MAX_MISTAKES: usize = 6;
/// The number of groups of five that show that a text is meant as a key, although characters are missing.
const MIN_GROUPS: usize = 6;

/// Reports whether a text is a recovery key, perhaps with mistakes: letters and digits, about as many, in groups.
pub fn looks_like_one(text: &str) -> bool {
    let groups = || text.trim().split(['-', ' ']).filter(|group| !group.is_empty());
    let characters = || groups().flat_map(str::chars);
    let length = characters().count();
    let is_grouped = groups().filter(|group| group.len() == 5).count() >= MIN_GROUPS;
    characters().all(|character| character.is_ascii_alphanumeric())
        && characters().any(|character| character.is_ascii_digit())
        && (length == KEY_LENGTH || (is_grouped && length.abs_diff(KEY_LENGTH) <= MAX_MISTAKES))
}

#[cfg(test)]
mod tests {
    use yore_engine::format::Secret;

    use super::looks_like_one;

    #[test]
    fn a_key_with_mistakes_is_one_and_a_passphrase_is_not() {
        let key = Secret::draw_recovery().to_text().expect("it is printed");
        for mistyped in [
            key.to_string(),
            key.to_lowercase().replace('-', " "),
            key.replace('-', ""),
            key[..52].to_owned(),
            key[6..].to_owned(),
            format!("{}U", &*key),
            format!("  {}\n", key.replacen('-', "", 2)),
        ] {
            assert!(looks_like_one(&mistyped), "{mistyped}");
        }
        for passphrase in [
            "correct horse battery staple and some more words here",
            "",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "short",
        ] {
            assert!(!looks_like_one(passphrase), "{passphrase}");
        }
    }
}
