//! The strength of a new passphrase.

use zxcvbn::{Score, zxcvbn};

use crate::screen::Screen;

/// The least number of characters.
const MIN_LENGTH: usize = 12;
/// The number of characters that are estimated: the time of the estimate grows with its square.
const MAX_ESTIMATED: usize = 72;

/// Warns of a new passphrase that is short or common.
pub fn warn_if_weak(screen: &Screen, passphrase: &str) {
    if let Some(weakness) = weakness(passphrase) {
        screen.problem(
            "",
            &format!(
                "{weakness}: whoever gets hold of the repository can try millions of them; four words or more that \
                 do not belong together are remembered well and not guessed"
            ),
        );
    }
}

/// Returns the weakness of a passphrase, if it has one.
fn weakness(passphrase: &str) -> Option<String> {
    let length = passphrase.chars().count();
    if length < MIN_LENGTH {
        return Some(format!("the passphrase has only {length} characters"));
    }
    let start: String = passphrase.chars().take(MAX_ESTIMATED).collect();
    (zxcvbn(&start, &["yore", "backup"]).score() < Score::Three)
        .then(|| "the passphrase is made of common words or patterns".to_owned())
}

#[cfg(test)]
mod tests {
    use super::weakness;

    #[test]
    fn what_is_guessed_first_is_weak() {
        for weak in ["tr0ub4dor&3", "passwordpassword", "qwertyuiop123456", "111111111111111", "ü"]
        {
            assert!(weakness(weak).is_some(), "{weak}");
        }
        for strong in
            ["correct kettle violin marmot", "vQ8#kd93Lm!zPw2x", "短い言葉ではない長い合言葉です"]
        {
            assert!(weakness(strong).is_none(), "{strong}");
        }
    }
}
