//! How easily a new passphrase is guessed.

use zxcvbn::{Score, zxcvbn};

use crate::screen::Screen;

/// Fewer characters than these are too few, whatever they are.
const ENOUGH: usize = 12;
/// What is estimated of a long passphrase: the estimate takes time with the square of the length.
const ESTIMATED: usize = 72;

/// Warns of a new passphrase that is short, or made of what people try first.
pub fn warn_of(screen: &Screen, passphrase: &str) {
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

/// What is wrong with a passphrase, if anything is.
fn weakness(passphrase: &str) -> Option<String> {
    let length = passphrase.chars().count();
    if length < ENOUGH {
        return Some(format!("the passphrase has only {length} characters"));
    }
    let start: String = passphrase.chars().take(ESTIMATED).collect();
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
